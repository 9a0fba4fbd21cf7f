import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { type Fate, type InputRow, isRowFailure, type ResultRow, resultColumns } from "../../contract/job-result";
import { mergedRows, partsOf, type RowOutcome } from "../../pipeline/job-result";
import { contract, typedContract } from "../setup/contract";

async function* each<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
};

const answer = (output: string, values: readonly (string | number | undefined)[] = []): Fate => {
  return { output, values, modelRelease: "r", predictedAt: new Date("2026-01-31T12:00:00.000Z") };
};
const lost: Fate = { code: "lost", reason: "it never came" };
const rowsUpTo = (count: number): InputRow[] =>
  Array.from({ length: count }, (_, place) => ({ row: place + 1, id: `${place + 7}` }));

const fates: fc.Arbitrary<Fate> = fc.oneof(
  fc.string({ unit: "binary" }).map((output) => answer(output)),
  fc.record({ code: fc.constantFrom("too_large", "expired", "cancelled"), reason: fc.string() }),
);
const outcomes: fc.Arbitrary<RowOutcome[]> = fc
  .array(fc.record({ row: fc.integer({ min: 1, max: 60 }), fate: fates }), { maxLength: 80 })
  .map((some) => some.toSorted((one, other) => one.row - other.row));

/** What must become of a row. */
const fateOf = (row: number, some: readonly RowOutcome[]) => {
  const own = some.filter((outcome) => outcome.row === row).map(({ fate }) => fate);
  return own.find((fate) => !isRowFailure(fate)) ?? own[0] ?? lost;
};

test("every row stands once in the parts, in order, with its fate, whatever came and however large a part is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 50 }),
      outcomes,
      fc.record({ rows: fc.integer({ min: 1, max: 20 }), bytes: fc.integer({ min: 1, max: 3_000 }) }),
      fc.constantFrom("ndjson", "csv"),
      async (count, some, limits, format) => {
        const merged = mergedRows(each(rowsUpTo(count)), each(some), () => lost);
        const parts = await all(partsOf(merged, { format, contract, carriesFeatures: false }, limits));
        expect(parts.reduce((sum, { rows }) => sum + rows, 0)).toBe(count);
        for (const { body, rows, bytes, sha256 } of parts) {
          expect(rows).toBeGreaterThan(0);
          expect(rows).toBeLessThanOrEqual(limits.rows);
          expect(bytes).toBe(body.byteLength);
          expect(sha256).toBe(createHash("sha256").update(body).digest("hex"));
        }
        if (format === "csv") return;
        const lines = parts.flatMap(({ body }) => gunzipSync(body).toString().split("\n").slice(0, -1));
        expect(lines.map((line) => JSON.parse(line))).toEqual(
          rowsUpTo(count).map(({ row, id }) => expect.objectContaining({ row, id, ...said(fateOf(row, some)) })),
        );
      },
    ),
  );
});

const said = (fate: Fate) =>
  isRowFailure(fate) ? { code: fate.code, reason: fate.reason } : { status: "answered", output: fate.output };

test("CSV is read back to the letter, none and the empty text apart", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fates, { minLength: 1, maxLength: 20 }), async (some) => {
      const rows = some.map((fate, place): ResultRow => ({ row: place + 1, id: `${place}`, fate }));
      const [part] = await all(partsOf(each(rows), { format: "csv", contract, carriesFeatures: false }));
      const [header, ...records] = recordsOf(gunzipSync(part?.body ?? "").toString());
      expect(header).toEqual(["row", "id", "status", "output", "model_release", "predicted_at", "code", "reason"]);
      expect(records.map(([, , , output, , , code, reason]) => ({ output, code, reason }))).toEqual(
        some.map((fate) =>
          isRowFailure(fate)
            ? { output: undefined, code: fate.code, reason: fate.reason }
            : { output: fate.output, code: undefined, reason: undefined },
        ),
      );
    }),
  );
});

/** Records of CSV. What is neither there nor in quotes is undefined. */
const recordsOf = (text: string) => {
  const records: (string | undefined)[][] = [[]];
  for (const [, quoted, bare = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    records.at(-1)?.push(quoted?.replaceAll('""', '"') ?? (bare === "" ? undefined : bare));
    if (end === "\n") records.push([]);
  }
  return records.slice(0, -1);
};

test.each<[string, readonly RowOutcome[]]>([
  ["before the rows that they are of", [3, 1].map((row) => ({ row, fate: lost }))],
  ["after the last row", [9, 8].map((row) => ({ row, fate: lost }))],
])("outcomes that are out of order %s are an error, and no wrong result", async (_, some) => {
  await expect(all(mergedRows(each(rowsUpTo(4)), each(some), () => lost))).rejects.toThrow(
    `outcomes must be in order, got row ${some[1]?.row} after row ${some[0]?.row}`,
  );
});

test("what ends with an error is no result, and both its sources are let go", async () => {
  const ended: string[] = [];
  async function* failing<T>(name: string, items: readonly T[]): AsyncGenerator<T, void, undefined> {
    try {
      yield* items;
      throw new Error(`${name} broke off`);
    } finally {
      ended.push(name);
    }
  }
  const some = [{ row: 1, fate: lost }];
  const parts = partsOf(
    mergedRows(failing("rows", rowsUpTo(3)), failing("outcomes", some), () => lost),
    { format: "ndjson", contract, carriesFeatures: false },
  );
  await expect(all(parts)).rejects.toThrow("outcomes broke off");
  expect(ended.sort()).toEqual(["outcomes", "rows"]);
});

test("a name that is taken, whatever the case, says where it is from", () => {
  const named = (name: string) => ({ name, type: "String", optional: false }) as const;
  const columns = resultColumns(
    {
      features: [named("Row"), named("label"), named("output"), named("city")],
      outputs: [
        { name: "Label", type: "text" },
        { name: "city", type: "number" },
        { name: "score", type: "number" },
      ],
    },
    true,
  );
  expect(columns.map(({ name }) => name)).toEqual([
    "row",
    "id",
    "status",
    "features.Row",
    "label",
    "features.output",
    "city",
    "output",
    "values.Label",
    "values.city",
    "score",
    "model_release",
    "predicted_at",
    "code",
    "reason",
  ]);
});

test("numbers that a program would round stand as they were", async () => {
  const features = '{"age":9007199254740993,"income":0.1000000000000000055,"city":"a"}';
  const row: ResultRow = { row: 1, id: "7", features, fate: answer("9007199254740993", ["", undefined]) };
  for (const format of ["ndjson", "csv"] as const) {
    const [part] = await all(partsOf(each([row]), { format, contract: typedContract, carriesFeatures: true }));
    const text = gunzipSync(part?.body ?? "").toString();
    expect(text).toContain("9007199254740993");
    expect(text).toContain("0.1000000000000000055");
  }
});
