import { z } from "zod";
import { familyOf, type InstanceFamily } from "../../aws/instance-types";
import type { ModelKind } from "../../aws/model-kinds";
import { tracedModel } from "./model-archive";

/** How a traced model becomes one that a family of instances runs. */
export interface Recipe {
  readonly family: InstanceFamily;
  /** What its artifact is. */
  readonly kind: ModelKind;
  /** The PyTorch that reads the traced model, and that serves it afterwards. */
  readonly pytorch: string;
  /** The newest format of TorchScript that this PyTorch reads (kMaxSupportedFileFormatVersion in its versions.h). */
  readonly newestFormat: number;
}

/**
 * - Neo compiles for ml_inf1 with PyTorch 1.7 to 1.9: https://docs.aws.amazon.com/sagemaker/latest/dg/neo-supported-cloud.html
 * - torch-neuron and torch-neuronx are those of AWS's images (aws/model-images.ts), in which they compile.
 */
export const recipes = {
  "torch-neuron": { family: "inf1", kind: "inf1-torch-neuron", pytorch: "1.13.1", newestFormat: 10 },
  neo: { family: "inf1", kind: "inf1-neo", pytorch: "1.9", newestFormat: 6 },
  "torch-neuronx": { family: "inf2", kind: "inf2", pytorch: "2.9", newestFormat: 10 },
} as const satisfies Record<string, Recipe>;

export type RecipeName = keyof typeof recipes;

const recipeNames: readonly RecipeName[] = ["torch-neuron", "neo", "torch-neuronx"];

/**
 * The recipe for an instance type.
 * @param asked @default the first one for its family: torch-neuron for Inf1, torch-neuronx for Inf2, none for any other
 * @throws when it is one for another family
 */
export function recipeFor(instanceType: string, asked?: string): RecipeName | undefined {
  const family = familyOf(instanceType);
  const fitting = recipeNames.filter((name) => recipes[name].family === family);
  if (asked === undefined) return fitting[0];
  const recipe = fitting.find((name) => name === asked);
  if (recipe !== undefined) return recipe;
  const allowed = fitting.length === 0 ? "none, for it runs the traced model as it is" : fitting.join(", ");
  throw new Error(`The recipe must fit ${instanceType}: got "${asked}"; allowed: ${allowed}.`);
}

/** What `model/describe.py` says of a traced model. */
export const tracedModelSchema = z.object({
  /** The version of TorchScript's file format. */
  format: z.number(),
  /**
   * Inputs and tokens of a call, its tensors, and what else inference.py reads of it. @default what is traced by other
   * programs says none
   */
  shape: z
    .looseObject({ batch: z.number(), length: z.number(), inputs: z.record(z.string(), z.number()).optional() })
    .nullable(),
  /** What its parameters are made of, as PyTorch calls it. */
  types: z.array(z.string()),
  /** The operators that it calls. */
  operators: z.array(z.string()),
});

export type TracedModel = z.infer<typeof tracedModelSchema>;

/** The shape that models are traced at, where they say no other. */
export const usualShape = { batch: 1, length: 512 };

/** The tensors that models take, where they say no others. */
const usualInputs = ["input_ids", "attention_mask"];

/** The tensors that a traced model takes, in their order. */
export const inputsOf = ({ shape }: TracedModel): readonly string[] =>
  shape?.inputs === undefined ? usualInputs : Object.keys(shape.inputs);

/** Operators that came with PyTorch 2. */
const ofPytorch2 = ["scaled_dot_product_attention"];

/** Whether what compiles a model knows the operators of PyTorch 1 alone. */
export const isPytorch1 = (name: RecipeName) => recipes[name].pytorch.startsWith("1.");

/** What keeps a recipe from compiling a traced model, a line each: a job would say so late, and unclearly. */
export function faultsFor(name: RecipeName, { format, shape, types, operators }: TracedModel): string[] {
  const { pytorch, newestFormat }: Recipe = recipes[name];
  const { batch, length } = shape ?? usualShape;
  const faults: string[] = [];
  if (format > newestFormat) {
    faults.push(
      `its format of TorchScript is ${format}, and PyTorch ${pytorch} reads ${newestFormat} at most: trace it with an older PyTorch`,
    );
  }
  const unknown = isPytorch1(name) ? operators.filter((each) => ofPytorch2.includes(each)) : [];
  if (unknown.length > 0) {
    faults.push(
      `it calls ${unknown.join(", ")}, which PyTorch ${pytorch} does not have: delete ${tracedModel} and trace it again by model/trace.py --eager-attention`,
    );
  }
  const halves = types.filter((type) => ["Half", "BFloat16", "Double"].includes(type));
  if (halves.length > 0) faults.push(`its parameters are ${halves.join(" and ")}; allowed: Float, which is float32`);
  if (name === "neo" && (batch !== usualShape.batch || length !== usualShape.length)) {
    faults.push(`its shape is [${batch},${length}]; allowed: [1,512], with which inference.py asks what Neo has made`);
  }
  return faults;
}
