import { paraphrases } from "../../samples/paraphrase/lexical-model";

const yes = "It's a paraphrase";
const no = "Not a paraphrase";

test.each([
  ["words in another order", "We left the house at noon.", "At noon we left the house.", yes],
  ["another form of the same words", "The choir sings on Friday.", "The choir is singing on Friday", yes],
  ["a contraction written out", "The bus didn't stop.", "The bus did not stop.", yes],
  ["a negation in one sentence", "The bus stopped at the corner.", "The bus did not stop at the corner.", no],
  ["a word that denies", "The gate was open at night.", "The gate was never open at night.", no],
  ["another number in digits", "The flat has 3 rooms on the top floor.", "The flat has 4 rooms on the top floor.", no],
  ["another number in words", "The flat has two rooms and a hall.", "The flat has three rooms and a hall.", no],
  ["the same numbers in another order", "2 cups of rice, 3 of water.", "3 of water, 2 cups of rice.", yes],
  ["other words", "The flat has two rooms.", "A storm closed the harbour.", no],
  ["letters beyond English", "Zoë drinks café au lait.", "Café au lait: Zoë drinks it.", yes],
  ["no words at all", "...", "?!", no],
])("judges %s", (_case, seq_0, seq_1, answer) => {
  expect(paraphrases({ seq_0, seq_1 })).toBe(answer);
});

test("depends on both sentences, whichever comes first", () => {
  const kettle = "The kettle is boiling.";
  const harbour = "The harbour is frozen.";
  expect(paraphrases({ seq_0: kettle, seq_1: kettle })).toBe(yes);
  expect(paraphrases({ seq_0: kettle, seq_1: harbour })).toBe(no);
  expect(paraphrases({ seq_0: harbour, seq_1: kettle })).toBe(no);
});
