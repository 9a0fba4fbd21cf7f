import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { contractsOf } from "../../config/spoken-contract";
import { type FeatureValues, featureText } from "../../contract/feature-values";
import type { ModelContract } from "../../contract/model-contract";
import { wireFormatOf } from "../../contract/wire-format";
import { type Model, ModelError } from "../../local/sagemaker-runtime";
import { serveModel } from "../../local/served-model";
import { isBlank, trimmed } from "../../pipeline/csv";
import { limiter } from "../../pipeline/flow";
import { withCsv } from "../shared/csv";
import { isAlike, saidBy } from "./golden";
import { checkArchive } from "./model-archive";
import { type ModelFile, readModelFile, withoutModelFile } from "./model-file";

/** A row, what its label is where it has one, and what each of the two models says. */
interface ComparedRow {
  readonly id: string;
  readonly label?: string;
  readonly said: readonly [string, string];
}

export interface Comparison {
  readonly rows: number;
  /** How many rows both models answer alike. */
  readonly agreed: number;
  /** How many rows have a label. */
  readonly labelled: number;
  /** How many of these each model is right about. */
  readonly right: readonly [number, number];
  /** The rows that they answer otherwise. */
  readonly differing: readonly ComparedRow[];
}

/** A row of the file: its values by the names of its columns. */
interface Row {
  readonly id: string;
  readonly values: ReadonlyMap<string, string>;
}

const labelColumn = "label";

/**
 * Asks two models about the rows of a CSV file, on this machine, each in the first of the formats that it speaks.
 * @param models archives, or folders of unpacked ones
 * @param csv has a column for each feature, `label` where the right answer is known, and `id`
 * @throws when a model cannot be served, or the file lacks a feature
 */
export async function compareModels(models: readonly [string, string], csv: string): Promise<Comparison> {
  const rows = await rowsOf(csv);
  const [one, other] = [await verdictsOf(models[0], csv, rows), await verdictsOf(models[1], csv, rows)];
  const differing: ComparedRow[] = [];
  let labelled = 0;
  const right: [number, number] = [0, 0];
  for (const [place, { id, values }] of rows.entries()) {
    const said = [one.verdicts[place] ?? failed, other.verdicts[place] ?? failed] as const;
    const label = trimmed(values.get(labelColumn) ?? "");
    if (label !== "") {
      labelled += 1;
      if (isRight(said[0], label, one.labels)) right[0] += 1;
      if (isRight(said[1], label, other.labels)) right[1] += 1;
    }
    if (!isSame(said[0], said[1])) {
      differing.push({ id, ...(label !== "" && { label }), said: [textOf(said[0]), textOf(said[1])] });
    }
  }
  return { rows: rows.length, agreed: rows.length - differing.length, labelled, right, differing };
}

/** What a model says of a row, or that it does not. */
type Verdict = { readonly says: unknown } | { readonly failure: string };
const failed: Verdict = { failure: "no answer" };

const textOf = (verdict: Verdict) => {
  if ("failure" in verdict) return verdict.failure;
  return typeof verdict.says === "string" ? verdict.says : JSON.stringify(verdict.says);
};

/** Two rows without an answer are not alike: neither model knows. */
const isSame = (one: Verdict, other: Verdict) => "says" in one && "says" in other && isAlike(one.says, other.says);

/** Whether a verdict is a label, which may be called by its number; of a model of one label by whether its score is half or more. */
function isRight(verdict: Verdict, label: string, labels: readonly string[] = []): boolean {
  if ("failure" in verdict) return false;
  const { says } = verdict;
  if (typeof says === "number" && labels.length === 1 && /^[01]$/.test(label)) return says >= 0.5 === (label === "1");
  if (typeof says === "number") return isAlike(says, Number(label));
  return says === label || (/^\d+$/.test(label) && says === labels[Number(label)]);
}

async function rowsOf(csv: string): Promise<Row[]> {
  const rows: Row[] = [];
  await withCsv(csv, {}, async (file) => {
    const names = (file.header?.values ?? []).map(trimmed);
    for await (const { values } of file.rows()) {
      const row = new Map(names.map((name, place) => [name, values[place] ?? ""]));
      rows.push({ id: trimmed(row.get("id") ?? "") || String(rows.length + 1), values: row });
    }
  });
  if (rows.length === 0) throw new Error(`${csv} has no row.`);
  return rows;
}

/** What a model says of each row. */
async function verdictsOf(artifact: string, csv: string, rows: readonly Row[]) {
  const { contract: spoken, labels } = await modelOf(artifact);
  const [contract] = contractsOf(spoken);
  if (contract === undefined) throw new Error(`${artifact} speaks no format`); // its schema wants one
  const lacking = contract.features.filter(({ name }) => !rows[0]?.values.has(name)).map(({ name }) => name);
  if (lacking.length > 0) {
    throw new Error(`${csv} lacks the columns of features that ${artifact} is asked by: ${lacking.join(", ")}.`);
  }
  const asked = rows.map(({ id, values }) => valuesOf(contract, id, values, csv));
  console.error(`Asking ${artifact} about ${rows.length} rows ...`);
  const served = await serveModel(artifact);
  try {
    const oneOfSome = limiter(availableParallelism());
    const verdicts = await Promise.all(asked.map((values) => oneOfSome(() => ask(served.model, contract, values))));
    return { verdicts, labels };
  } finally {
    await served.stop();
  }
}

/** @throws when it is no archive that says what it speaks */
async function modelOf(artifact: string): Promise<ModelFile> {
  const found = await stat(artifact).catch(() => undefined);
  if (!found?.isDirectory()) return checkArchive(artifact);
  const model = await readModelFile(artifact);
  if (model === undefined) throw new Error(`${artifact} is no model:\n  ${withoutModelFile}`);
  return model;
}

function valuesOf({ features }: ModelContract, id: string, row: Row["values"], csv: string): FeatureValues {
  return features.map(({ name, type, optional }) => {
    const written = row.get(name) ?? "";
    if (isBlank(written) && optional) return null;
    const value = featureText(type, type === "String" ? written : trimmed(written));
    if (value === undefined) throw new Error(`${csv}: the row ${id} has no ${type} as its ${name}.`);
    return value;
  });
}

async function ask(model: Model, contract: ModelContract, values: FeatureValues): Promise<Verdict> {
  const { contentType, accept, bodyOf, inputOf, answersOf } = wireFormatOf(contract);
  try {
    const { body } = await model({ body: Buffer.from(bodyOf([inputOf(values)])), contentType, accept });
    const answers = answersOf(Buffer.from(body), 1);
    if ("unexpected" in answers) return { failure: answers.unexpected };
    const [answer] = answers;
    if (answer === undefined || "unexpected" in answer) return { failure: answer?.unexpected ?? "no answer" };
    return "refused" in answer ? { failure: "refused" } : { says: verdictOf(answer.output, contract) };
  } catch (error) {
    if (error instanceof ModelError) return { failure: `failed (${error.status})` };
    throw error;
  }
}

/** What an answer comes down to: its label where it has one, by name or by its place in a line of CSV. */
function verdictOf(output: string, { request, answer, outputs }: ModelContract): unknown {
  if (request === "csv" && answer === "text") {
    const place = Math.max(
      0,
      outputs.findIndex(({ name }) => name === labelColumn),
    );
    return output.trim().split(",")[place] ?? output;
  }
  const value = answer === "text" && !/^\s*[[{]/.test(output) ? output : saidBy(output);
  const first: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof first !== "object" || first === null) return value;
  const label: unknown = Reflect.get(first, labelColumn);
  return typeof label === "string" ? label : value;
}

/** The least that is asked of the second model, each a part of the rows. @default nothing is */
export interface Gate {
  readonly agreement?: number;
  readonly accuracy?: number;
}

/** What keeps a comparison from being good enough, a line each. */
export function faultsBy({ agreement, accuracy }: Gate, { rows, agreed, labelled, right }: Comparison): string[] {
  const faults: string[] = [];
  if (agreement !== undefined && agreed < agreement * rows) {
    faults.push(
      `The models agree on ${percent(agreed, rows)} of the rows; model.gate.agreement wants ${percent(agreement, 1)} or more.`,
    );
  }
  if (accuracy === undefined) return faults;
  if (labelled === 0)
    return [...faults, `No row has a ${labelColumn}, and model.gate.accuracy wants ${percent(accuracy, 1)} or more.`];
  if (right[1] < accuracy * labelled) {
    faults.push(
      `The second model is right about ${percent(right[1], labelled)} of the labelled rows; model.gate.accuracy wants ${percent(accuracy, 1)} or more.`,
    );
  }
  return faults;
}

const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`;

/** A comparison for people: its figures, and the rows that differ. */
export function comparisonText({ rows, agreed, labelled, right, differing }: Comparison): string {
  const share = (count: number, of: number) => `${count} of ${of} (${percent(count, of)})`;
  const lines = [`The models agree on ${share(agreed, rows)} rows.`];
  if (labelled > 0) {
    lines.push(`A is right about ${share(right[0], labelled)} labelled rows, B about ${share(right[1], labelled)}.`);
  }
  for (const { id, label, said } of differing) {
    lines.push(`  ${id}${label === undefined ? "" : ` (${label})`}: A ${said[0]}; B ${said[1]}`);
  }
  return lines.join("\n");
}
