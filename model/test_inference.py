"""Tests of inference.py with a fake model and tokenizer: `python3 -m unittest discover model`."""

import json
import sys
import types
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
import inference  # noqa: E402

GOLDEN = json.loads(
    (Path(__file__).parent.parent / "__tests__/fixtures/golden-predictions.json").read_text(encoding="utf-8")
)


class Refused(Exception):
    """Takes the place of SageMaker's GenericInferenceToolkitError."""

    def __init__(self, status_code, message):
        super().__init__(message)
        self.status_code = status_code


class Encoding:
    def __init__(self, ids):
        self.ids = ids
        self.attention_mask = [1] * len(ids)


class FakeTokenizer:
    """Separates the sentences as BERT's does; a word's id is its text."""

    def encode(self, first, second):
        return Encoding(["[CLS]", first, "[SEP]", second, "[SEP]"])


def loaded(scores_of, form=lambda logits: (logits,)):
    """A model that scores the two sentences it is given in its one row of ids."""

    def model(ids, mask):
        assert len(ids) == len(mask) == 1 and len(ids[0]) == len(mask[0])
        _, first, _, second, _ = ids[0]
        return form([scores_of(first, second)])

    return inference.Loaded(FakeTokenizer(), model, lambda rows: rows)


class Golden(unittest.TestCase):
    def test_reads_and_answers_the_requests_that_the_worker_sends(self):
        answers = {request["request"]: request["response"] for request in GOLDEN}

        def scores_of(first, second):
            for request, response in answers.items():
                if json.loads(request) == {"seq_0": first, "seq_1": second}:
                    return [-1.5, 2.0] if json.loads(response) == "It's a paraphrase" else [2.0, -1.5]
            raise AssertionError(f"the model was asked about {first!r} and {second!r}")

        for request, response in answers.items():
            with self.subTest(request=request):
                pair = inference.input_fn(request.encode(), "application/json")
                answer = inference.predict_fn(pair, loaded(scores_of))
                self.assertEqual(inference.output_fn(answer, "*/*"), (response, "application/json"))


class Predicting(unittest.TestCase):
    pair = {"seq_0": "one", "seq_1": "two"}

    def test_gives_the_model_both_sentences_in_their_order(self):
        asked = []
        inference.predict_fn(self.pair, loaded(lambda *sentences: asked.append(sentences) or [0, 1]))
        self.assertEqual(asked, [("one", "two")])

    def test_takes_logits_in_a_tuple_or_by_name(self):
        for form in (lambda logits: (logits,), lambda logits: {"logits": logits}):
            self.assertEqual(inference.predict_fn(self.pair, loaded(lambda *_: [-3, -2], form)), "It's a paraphrase")
            self.assertEqual(inference.predict_fn(self.pair, loaded(lambda *_: [3, 2], form)), "Not a paraphrase")


    def test_answers_several_in_their_order_each_for_itself(self):
        first, last = {"seq_0": "a", "seq_1": "b"}, {"seq_0": "c", "seq_1": "d"}
        request = inference.input_fn(json.dumps({"instances": [first, {"seq_0": 7}, last]}), "application/json")
        answer = inference.predict_fn(request, loaded(lambda one, _: [0, 1] if one == "a" else [1, 0]))
        answered, content_type = inference.output_fn(answer, "*/*")
        self.assertEqual(content_type, "application/json")
        wrong = 'an instance must be {"seq_0": "<sentence>", "seq_1": "<sentence>"}'
        self.assertEqual(
            json.loads(answered), {"predictions": ["It's a paraphrase", {"error": wrong}, "Not a paraphrase"]}
        )


class Refusing(unittest.TestCase):
    def setUp(self):
        errors = types.SimpleNamespace(GenericInferenceToolkitError=Refused)
        modules = {"sagemaker_inference": types.SimpleNamespace(errors=errors), "sagemaker_inference.errors": errors}
        patch = mock.patch.dict(sys.modules, modules)
        patch.start()
        self.addCleanup(patch.stop)

    def refusal(self, body, content_type="application/json"):
        with self.assertRaises(Refused) as caught:
            inference.input_fn(body, content_type)
        return caught.exception.status_code, str(caught.exception)

    def test_refuses_what_is_not_a_sentence_pair(self):
        allowed = 'the body must be {"seq_0": "<sentence>", "seq_1": "<sentence>"} or {"instances": [<pair>, ...]}'
        for body in ("[]", "null", '"text"', "{}", '{"instances": []}', '{"instances": 7}', '{"seq_0": "a"}', '{"seq_0": "a", "seq_1": 2}'):
            with self.subTest(body=body):
                self.assertEqual(self.refusal(body), (400, allowed))

    def test_refuses_what_is_not_json(self):
        self.assertEqual(self.refusal("{"), (400, "the body is not JSON"))
        self.assertEqual(self.refusal(b"\xff"), (400, "the body is not JSON"))

    def test_refuses_another_content_type(self):
        self.assertEqual(
            self.refusal("{}", "text/csv"), (415, "content type must be application/json, got text/csv")
        )

    def test_accepts_a_charset(self):
        pair = {"seq_0": "a", "seq_1": "b"}
        self.assertEqual(inference.input_fn(json.dumps(pair), "application/json; charset=utf-8"), pair)


if __name__ == "__main__":
    unittest.main()
