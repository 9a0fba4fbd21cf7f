import { z } from "zod";
import { jsonModel, ModelError } from "../../local/sagemaker-runtime";

const call = z.object({
  inputs: z.array(z.string()),
  parameters: z.object({ max_new_tokens: z.number().int().positive() }),
});

/** Answers in the form of Hugging Face's text generation. It only repeats the words of a prompt, the last one first. */
export const textGenerator = jsonModel((body) => {
  const { data, error } = call.safeParse(body);
  if (data === undefined) throw new ModelError(400, z.prettifyError(error));
  const { inputs, parameters } = data;
  return inputs.map((prompt) => {
    const words = prompt.split(/\s+/).reverse().slice(0, parameters.max_new_tokens);
    return [{ generated_text: words.join(" ") }];
  });
});
