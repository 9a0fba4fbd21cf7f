import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  kindsOfOther,
  kindsOfParaphrase,
  type LabelledPair,
  readLabelledPairs,
} from "../../samples/paraphrase/labelled-pairs";

describe("the project's own pairs", () => {
  let pairs: LabelledPair[];
  beforeAll(async () => {
    pairs = await readLabelledPairs();
  });
  const ofKind = (kind: string) => pairs.filter((pair) => pair.kind === kind);

  test("are many, half of them paraphrases", () => {
    expect(pairs.length).toBeGreaterThanOrEqual(120);
    expect(pairs.filter(({ paraphrase }) => paraphrase)).toHaveLength(pairs.length / 2);
  });

  test("have a dozen or more of each kind, numbered from 1", () => {
    for (const kind of [...kindsOfParaphrase, ...kindsOfOther]) {
      expect(ofKind(kind).length).toBeGreaterThanOrEqual(12);
      expect(ofKind(kind).map(({ id }) => id)).toEqual(ofKind(kind).map((_, index) => `${kind}-${index + 1}`));
    }
  });

  test("are hard where they are no paraphrases: half of these and more differ in one thing only", () => {
    const hard = pairs.filter(({ kind }) => ["negation", "roles", "number", "name", "date"].includes(kind));
    expect(hard.length).toBeGreaterThanOrEqual(pairs.length / 4);
  });

  test("hold no sentence twice", () => {
    const sentences = pairs
      .flatMap(({ features }) => [features.seq_0, features.seq_1])
      .map((text) => text.toLowerCase());
    expect(sentences.filter((text, index) => sentences.indexOf(text) !== index)).toEqual([]);
  });

  test("are short and long", () => {
    const words = pairs.map(({ features }) => features.seq_0.split(" ").length);
    expect(Math.min(...words)).toBeLessThanOrEqual(4);
    expect(Math.max(...words)).toBeGreaterThanOrEqual(18);
  });

  test("are halves alike: one to choose a threshold by, the other to measure by", () => {
    for (const kind of [...kindsOfParaphrase, ...kindsOfOther]) {
      expect(ofKind(kind).filter(({ choosing }) => choosing)).toHaveLength(ofKind(kind).length / 2);
    }
  });
});

test("a file that is wrong is refused with all that is wrong in it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pairs-"));
  const file = join(folder, "pairs.csv");
  try {
    await writeFile(
      file,
      "id,seq_0,seq_1,label\nriddle-1,a,b,1\nroles-x,a,b,0\nroles-1,a,b,1\nname-1,,b,0\ndate-1,a,b,2\n",
    );
    const refused = await readLabelledPairs(file).catch((error: Error) => error.message);
    expect(refused).toContain(`${file} cannot be used:`);
    for (const place of ["[0].id", "[1].id", "[2].label", "[3].seq_0", "[4].label"]) expect(refused).toContain(place);
    expect(refused).toContain("must be a kind and a number: reordered, reworded, negation, roles");
    expect(refused).toContain("the label is not that of the kind");
  } finally {
    await rm(folder, { recursive: true });
  }
});
