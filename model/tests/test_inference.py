import itertools
import json
import os
import random
import shutil
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import golden
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import inference

PAIR = {"seq_0": "The choir sings on Friday.", "seq_1": "On Friday the choir sings."}


def ask(body, loaded, content_type="application/json"):
    return inference.output_fn(inference.predict_fn(inference.input_fn(body, content_type), loaded), "*/*")


def refusal(body, content_type="application/json", shape=inference.Shape()):
    """What is said of a request before any model is asked."""
    with pytest.raises(Exception) as caught:
        ask(body, inference.Loaded(None, None, None, shape), content_type)
    return caught.value.status_code, caught.value.message


@pytest.fixture(scope="module")
def original(folder):
    """transformers' way: its tokenizer and model by name, each pair alone, always padded to 512."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)

    def encode(pair):
        return tokenizer(
            pair["seq_0"], pair["seq_1"], max_length=512, padding="max_length", truncation=True, return_tensors="pt"
        )

    def answer(pair):
        encoded = encode(pair)
        with torch.no_grad():
            logits = model(**encoded).logits
        return ["Not a paraphrase", "It's a paraphrase"][logits.argmax(dim=-1).item()]

    def ids(pair):
        encoded = encode(pair)
        return encoded["input_ids"][0][: encoded["attention_mask"].sum()].tolist()

    return SimpleNamespace(answer=answer, ids=ids)


def asked_of(loaded):
    """The same model, and the tensors that it is given from now on."""
    calls = []

    def model(ids, mask, *others):
        calls.append((ids, mask))
        return loaded.model(ids, mask, *others)

    return loaded._replace(model=model), calls


def some_pairs(count, seed=0):
    """Pairs of the words of the golden ones, short and long."""
    chance = random.Random(seed)
    words = " ".join(text for each in golden("predictions") for text in json.loads(each["request"]).values()).split()
    sentence = lambda: " ".join(chance.choices(words, k=chance.choice([0, 1, 7, 30, 200, 700])))  # noqa: E731
    return [{"seq_0": sentence(), "seq_1": sentence()} for _ in range(count)]


@pytest.mark.parametrize("name", ["predictions", "instances"])
def test_answers_the_golden_requests_byte_for_byte(name, loaded):
    for each in golden(name):
        assert ask(each["request"].encode(), loaded) == (each["response"], "application/json")


@pytest.mark.parametrize("each", golden("refusals"), ids=lambda each: each["request"] or "nothing")
def test_refuses_the_golden_refusals(each):
    assert refusal(each["request"], each["contentType"]) == (each["status"], each["message"])


def test_answers_as_transformers_does_whatever_the_batch(loaded, original):
    # The golden pairs have both labels. What the model says of the others differs with the processor it learnt on.
    pairs = [json.loads(each["request"]) for each in golden("predictions")] + some_pairs(17)
    expected = [original.answer(pair) for pair in pairs]
    assert len(set(expected)) == 2
    answered, _ = ask(json.dumps({"instances": pairs}), loaded)
    assert json.loads(answered) == {"predictions": expected}


def test_gives_a_compiled_model_its_shape_and_nothing_else(archives):
    loaded, calls = asked_of(inference.model_fn(str(archives["compiled"])))
    ask(json.dumps({"instances": [PAIR] * 7}), loaded)
    assert [ids.shape for ids, _ in calls] == [(3, 512)] * 3
    assert all(mask.sum(dim=1).min() > 0 for _, mask in calls)


def test_pads_no_further_than_the_longest_of_a_batch_where_the_model_takes_any_shape(archives):
    loaded, calls = asked_of(inference.model_fn(str(archives["batched"])))
    long = {"seq_0": "choir " * 100, "seq_1": "sings"}
    ask(json.dumps({"instances": [long, PAIR, PAIR, PAIR, PAIR]}), loaded)
    assert [len(ids) for ids, _ in calls] == [4, 1]  # the long one, which came first, is asked last and alone
    assert calls[0][0].shape[1] < 60 < calls[1][0].shape[1] < 512
    assert calls[0][1].min() == 1


class Older(torch.nn.Module):
    """Takes what was traced before: the ids and the mask alone. It finds a paraphrase in what begins with an id above 4."""

    def forward(self, input_ids, attention_mask):
        found = (input_ids[:, 1] > 4).float()
        return (torch.stack([1 - found, found], dim=1) + 0 * attention_mask[:, :2],)


OLDER = {"shape.json": '{"batch": 1, "length": 512, "others": false}'}


@pytest.mark.parametrize("within", [{}, OLDER], ids=["nothing", "its shape alone"])
def test_takes_a_model_that_says_no_inputs_for_one_of_ids_and_mask(within, archives, tmp_path):
    example = (torch.ones((1, 512), dtype=torch.long),) * 2
    torch.jit.save(torch.jit.trace(Older(), example), tmp_path / "model.pt", _extra_files=within)
    shutil.copy(archives["one"] / "tokenizer.json", tmp_path)
    loaded, calls = asked_of(inference.model_fn(str(tmp_path)))
    answered, _ = ask(json.dumps({"instances": [PAIR, PAIR]}), loaded)
    assert json.loads(answered) == {"predictions": ["It's a paraphrase"] * 2}
    assert [ids.shape for ids, _ in calls] == [(1, 512)] * 2


def test_reads_the_shape_beside_a_model_that_has_none_within(archives, tmp_path):
    source = archives["batched"]
    within = {"shape.json": ""}
    torch.jit.save(torch.jit.load(source / "model.pt", _extra_files=within), tmp_path / "model_neuron.pt")
    shutil.copy(source / "tokenizer.json", tmp_path)
    (tmp_path / "shape.json").write_bytes(within["shape.json"])
    loaded = inference.model_fn(str(tmp_path))
    assert loaded.shape == inference.model_fn(str(source)).shape
    assert ask(json.dumps(PAIR), loaded)[0] == '"It\'s a paraphrase"'


@pytest.mark.parametrize(
    ("fields", "logits", "answer"),
    [
        ({"labels": ["bad", "good"]}, [1.0, 2.0], "good"),
        (
            {"labels": ["bad", "so-so", "good"], "answer": "scores"},
            [0.0, 1.0, 0.0],
            {"label": "so-so", "score": 0.576117, "scores": {"bad": 0.211942, "so-so": 0.576117, "good": 0.211942}},
        ),
        (
            {"labels": ["rude", "loud"], "answer": "scores", "activation": "sigmoid"},
            [0.0, -1.0],
            {"label": "rude", "score": 0.5, "scores": {"rude": 0.5, "loud": 0.268941}},
        ),
        ({"labels": ["relevance"], "answer": "score", "activation": "sigmoid"}, [-1000.0], 0.0),
        ({"labels": ["stars"], "answer": "score", "activation": "none"}, [4.25], 4.25),
    ],
)
def test_says_what_the_logits_mean(fields, logits, answer):
    assert inference.answer_of(torch.tensor(logits), inference.Shape(**fields)) == answer


def test_asks_for_a_text_by_its_name():
    shape = inference.Shape(features=["review"])
    form = 'the body must be {"review": "<sentence>"} or {"instances": [<input>, ...]}'
    assert refusal(json.dumps(PAIR), shape=shape) == (400, form)


def test_takes_logits_by_name_as_well(archives):
    loaded = inference.model_fn(str(archives["one"]))
    named = loaded._replace(model=lambda *tensors: {"logits": loaded.model(*tensors)[0]})
    for each in golden("predictions"):
        assert ask(each["request"], named)[0] == each["response"]


# Around what fits (509 tokens and three that separate them), even and odd, either longer, both, one alone.
LENGTHS = list(itertools.product([0, 1, 254, 255, 256, 508, 510, 511, 513, 900], repeat=2))


@pytest.mark.parametrize("shortened_from", [0, inference.LONG], ids=["shortened first", "cut by the tokenizer"])
def test_cuts_what_is_too_long_as_transformers_does(shortened_from, archives, original, monkeypatch):
    monkeypatch.setattr(inference, "LONG", shortened_from)
    loaded, calls = asked_of(inference.model_fn(str(archives["one"])))
    for first, second in LENGTHS:
        pair = {"seq_0": "choir " * first, "seq_1": "friday " * second}
        calls.clear()
        ask(json.dumps(pair), loaded)
        [(ids, _)] = calls
        assert ids[0].tolist() == original.ids(pair), (first, second)


def test_keeps_from_the_tokenizer_what_it_would_cut(archives):
    loaded = inference.model_fn(str(archives["one"]))
    given = []

    class Spy:
        def encode(self, *sentences):
            given.append(sentences)
            return loaded.tokenizer.encode(*sentences)

    ask(json.dumps({"seq_0": "choir " * 20_000, "seq_1": "Friday " * 30_000}), loaded._replace(tokenizer=Spy()))
    assert [len(sentence.split()) for sentence in given[0]] == [512, 513]


def test_reports_how_many_pairs_were_cut(archives, capsys):
    loaded = inference.model_fn(str(archives["batched"]))
    too_long = {"seq_0": "choir " * 600, "seq_1": "sings"}
    very_long = {"seq_0": "choir", "seq_1": "sings " * 5_000}
    ask(json.dumps({"instances": [PAIR, too_long, PAIR, very_long]}), loaded)
    [line] = capsys.readouterr().out.splitlines()
    metric = json.loads(line)
    assert (metric["PairsCut"], metric["PairsAsked"]) == (2, 4)
    [directive] = metric["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "OfflineInference/Model"
    assert {each["Name"] for each in directive["Metrics"]} == {"PairsCut", "PairsAsked"}
    assert set(metric) == {"_aws", "PairsCut", "PairsAsked"}  # nothing of the input


def test_says_nothing_where_nothing_was_cut(archives, capsys):
    ask(json.dumps(PAIR), inference.model_fn(str(archives["one"])))
    assert capsys.readouterr().out == ""


def test_answers_all_wrong_instances_each_for_itself(loaded):
    answered, _ = ask('{"instances": [7, null, {"seq_0": "a"}]}', loaded)
    wrong = {"error": 'an instance must be {"seq_0": "<sentence>", "seq_1": "<sentence>"}'}
    assert json.loads(answered) == {"predictions": [wrong] * 3}


def test_takes_as_many_instances_as_the_worker_may_send_and_no_more():
    most = {"instances": [{}] * 1000}
    answered, _ = ask(json.dumps(most), inference.Loaded(None, None, None, inference.Shape()))
    assert len(json.loads(answered)["predictions"]) == 1000
    more = json.dumps({"instances": [PAIR] * 1001})
    assert refusal(more) == (413, "instances must be at most 1000, got 1001")


def test_refuses_what_is_nested_too_deep_for_json():
    assert refusal("[" * 100_000) == (400, "the body is not JSON")


def test_refuses_a_request_without_a_content_type():
    assert refusal(json.dumps(PAIR), None) == (415, "content type must be application/json, got none")


def test_accepts_a_charset():
    assert inference.input_fn(json.dumps(PAIR).encode(), "application/json; charset=utf-8") == PAIR


def test_prefers_what_neo_made_of_the_model(archives, tmp_path):
    shutil.copy(archives["batched"] / "model.pt", tmp_path / "model_neuron.pt")
    shutil.copy(archives["one"] / "model.pt", tmp_path)
    shutil.copy(archives["one"] / "tokenizer.json", tmp_path)
    assert inference.model_fn(str(tmp_path)).shape.batch == 4


def test_says_which_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be named model_neuron.pt or model.pt"):
        inference.model_fn(str(tmp_path))


@pytest.mark.parametrize("runtime", ["torch_neuron", "torch_neuronx"])
def test_loads_the_neuron_runtime_that_the_image_has(runtime, archives, tmp_path, monkeypatch):
    (tmp_path / f"{runtime}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("NEURON_RT_NUM_CORES", raising=False)
    inference.model_fn(str(archives["one"]))
    assert sys.modules.pop(runtime).__file__ == str(tmp_path / f"{runtime}.py")
    assert os.environ.pop("NEURON_RT_NUM_CORES") == "1"


def test_does_not_hide_that_the_neuron_runtime_is_broken(archives, tmp_path, monkeypatch):
    (tmp_path / "torch_neuron.py").write_text("import what_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        inference.model_fn(str(archives["one"]))
