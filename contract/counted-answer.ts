import { elementsOf, isJson, membersOf } from "./json-text";
import type { ModelContract, Output } from "./model-contract";

/** What of a contract says how outputs are read. */
export type AnswerContract = Pick<ModelContract, "request" | "answer" | "outputs">;

/** The view of how often each answer was given: the first text output of the contract, or all of an output. */
export const sharesView = "prediction_shares";

/** The most UTF-8 bytes of an answer that is counted by itself: longer ones are free text. */
export const countedBytes = 256;

/** The most answers of a release and a day that are counted by themselves, the most frequent ones. */
export const countedAnswers = 100;

/** The output whose values are counted. @returns undefined where the whole of an output is counted */
export const countedOutput = ({ outputs }: AnswerContract): Output | undefined =>
  outputs.find(({ type }) => type === "text");

/** How the view reads an output of such a contract: `constructs/prediction-schema.ts` has the same in SQL. */
export function readingOf({ request, answer, outputs }: AnswerContract): "place" | "name" | "name or whole" | "whole" {
  if (answer === "text" && request === "csv") return "place";
  if (outputs.length > 1) return "name";
  return answer === "text" ? "whole" : "name or whole";
}

/** What is counted of an output, as the view has it. @returns undefined where the output has no such value */
export function countedAnswer(contract: AnswerContract, output: string): string | undefined {
  const counted = countedOutput(contract);
  if (counted === undefined) return output;
  const reading = readingOf(contract);
  if (reading === "whole") return output;
  if (reading === "place") return fieldOf(output, contract.outputs.indexOf(counted));
  if (!isJson(output)) return undefined;
  const [first = ""] = elementsOf(output) ?? [output];
  const members = membersOf(first);
  if (members === undefined) return reading === "name" || first !== output ? undefined : textOf(output);
  return textOf(members.findLast(({ name }) => name === counted.name)?.text);
}

/** The field of CSV at a place: in double quotes or not, whichever is longer, as SQL's patterns match. */
function fieldOf(line: string, place: number): string | undefined {
  const text = `,${line}`;
  let field: string | undefined;
  let start = 0;
  for (let count = 0; count <= place && start >= 0; count++) {
    const found = [/,"[^"]*(""[^"]*)*"/y, /,[^,]*/y].map((form) => {
      form.lastIndex = start;
      return form.exec(text)?.[0] ?? "";
    });
    field = found.reduce((one, other) => (other.length > one.length ? other : one));
    start = text.indexOf(",", start + field.length);
    if (start < 0 && count < place) return undefined;
  }
  if (field === undefined || !/^,".*"$/s.test(field)) return field?.slice(1);
  return field.slice(2, -1).replaceAll('""', '"');
}

/** The text of a JSON value: of a string its own, of null none. */
function textOf(json = "null"): string | undefined {
  if (json === "null") return undefined;
  return json.startsWith('"') ? JSON.parse(json) : json;
}
