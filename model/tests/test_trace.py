import json
import shutil
import sys
from pathlib import Path

import pytest
import tiny
import torch
from conftest import compiled, write
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
)

import inference
import trace


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["trace.py", *map(str, arguments)])
    trace.main()


class Clock(torch.nn.Module):
    """Decides by the number of its tokens, as Python sees it while it is traced."""

    def forward(self, input_ids, attention_mask):
        even = int(attention_mask.sum()) % 2
        return (torch.tensor([[1.0, 0.0]] if even else [[0.0, 1.0]]).repeat(len(input_ids), 1),)


@pytest.fixture
def copied(folder, tmp_path):
    """The folder, for a test that writes into it."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def test_writes_a_model_that_says_what_it_takes_and_what_it_answers(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "model.pt"
    run(monkeypatch, folder, "--out", out, "--batch", 2, "--length", 64)
    within = {"shape.json": ""}
    torch.jit.load(out, _extra_files=within)
    assert json.loads(within["shape.json"]) == {
        "batch": 2,
        "length": 64,
        "others": True,
        "inputs": {"input_ids": 0, "attention_mask": 0, "token_type_ids": 0},
        "features": ["seq_0", "seq_1"],
        "labels": ["Not a paraphrase", "It's a paraphrase"],
        "answer": "scores",
        "activation": "softmax",
    }
    takes = "input_ids, attention_mask, token_type_ids of [2, 64] and any shape up to that"
    said = capsys.readouterr().err
    assert said.startswith(f"{out} takes {takes}. On text it differs from transformers by at most ")
    assert float(said.split("at most ")[1].split(". For config.ts")[0]) <= 1e-4


@pytest.mark.parametrize(
    ("options", "answer", "outputs"),
    [
        (["--answer", "label"], '"text"', None),
        ([], '"json"', '{ label: "text", score: "number" }'),
        (["--features", "review"], '"json"', '{ label: "text", score: "number" }'),
    ],
)
def test_prints_what_config_ts_says_of_the_model(options, answer, outputs, copied, monkeypatch, capsys):
    run(monkeypatch, copied, "--length", 64, *options)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    names = ["review"] if "review" in options else ["seq_0", "seq_1"]
    features = ", ".join(f'{name}: "String"' for name in names)
    assert f"features: {{ {features} }}," in lines
    assert f"answer: {answer}," in lines
    assert [line for line in lines if line.startswith("outputs")] == ([f"outputs: {outputs},"] if outputs else [])


def test_writes_it_into_the_folder_where_no_other_place_is_named(copied, monkeypatch):
    run(monkeypatch, copied, "--answer", "label")
    assert inference.model_fn(str(copied)).shape[:3] == (1, 512, True)
    golden = json.loads((copied / "golden.json").read_text(encoding="utf-8"))
    known = json.loads(trace.GOLDEN.read_text(encoding="utf-8"))
    assert [[json.loads(text) for text in each.values()] for each in golden] == [
        [json.loads(text) for text in each.values()] for each in known
    ]


def test_says_what_it_speaks_what_it_was_made_of_and_by(copied, monkeypatch):
    run(monkeypatch, copied, "--answer", "label", "--length", 64, "--source", "our/model", "--revision", "7")
    said = json.loads((copied / "model.json").read_text(encoding="utf-8"))
    made = said.pop("made")
    assert said == {
        "version": 1,
        "contract": {
            "features": {"seq_0": "String", "seq_1": "String"},
            "request": ["json", "instances"],
            "answer": "text",
            "outputs": {},
        },
        "labels": ["Not a paraphrase", "It's a paraphrase"],
        "files": ["config.json", "model.pt", "tokenizer.json", "tokenizer_config.json"],
        "image": "pytorch",
        "golden": "golden.json",
        "source": {"id": "our/model", "revision": "7"},
    }
    assert made["by"] == "model/trace.py"
    assert made["versions"]["torch"] == torch.__version__.split("+")[0] or made["versions"]["torch"] == torch.__version__
    assert set(made["versions"]) == {"python", "torch", "transformers", "tokenizers"}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(made["of"])
    assert made["gave"] == trace.digests_of([copied / "model.pt", copied / "golden.json"])
    assert made["eager_attention"] is False


def test_names_the_source_as_the_cache_of_the_hub_or_config_json_has_it(copied, tmp_path):
    cached = tmp_path / "models--our--model" / "snapshots" / ("0" * 40)
    assert trace.source_of(cached) == ("our/model", "0" * 40)
    named, revision = trace.source_of(copied)
    assert named == "copied" and revision.startswith("sha256:")
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "_name_or_path": "our/model"}))
    assert trace.source_of(copied).id == "our/model"
    assert trace.source_of(copied).revision != revision


def test_makes_golden_answers_anew_that_it_has_made_itself(copied, monkeypatch):
    run(monkeypatch, copied, "--answer", "label", "--length", 64)
    run(monkeypatch, copied, "--features", "review", "--length", 64)
    (first, *_) = json.loads((copied / "golden.json").read_text(encoding="utf-8"))
    assert list(json.loads(first["request"])) == ["review"]


def test_holds_the_model_to_golden_answers_of_its_own(copied, monkeypatch):
    request = json.dumps({"seq_0": "The choir sings on Friday.", "seq_1": "On Friday the choir sings."})
    wrong = [{"request": request, "response": '"Not a paraphrase"'}]
    golden = copied / "golden.json"
    golden.write_text(json.dumps(wrong))
    with pytest.raises(SystemExit) as refused:
        run(monkeypatch, copied, "--answer", "label")
    assert str(refused.value).splitlines() == [
        f"{golden} has other answers than the model: correct it, or delete it to have it made anew.",
        f'  {request} gets "Not a paraphrase" there, and "It\'s a paraphrase" of the model',
    ]
    assert not (copied / "model.pt").exists()
    golden.write_text(json.dumps([{**wrong[0], "response": '"It\'s a paraphrase"'}]))
    run(monkeypatch, copied, "--answer", "label")
    assert (copied / "model.pt").exists()
    assert len(json.loads(golden.read_text())) == 1


def test_refuses_golden_requests_of_other_features(copied, monkeypatch):
    (copied / "golden.json").write_text('[{"request": "{\\"text\\": \\"a\\"}", "response": "1"}]')
    with pytest.raises(SystemExit, match='has no request {"seq_0": "...", "seq_1": "..."}, as --features says'):
        run(monkeypatch, copied)


def test_says_of_a_compiled_model_that_it_takes_no_other_shape(folder, tmp_path):
    written = write(folder, tmp_path / "model.pt", 3, 128, compiler=compiled)
    assert written.shape[:3] == (3, 128, False)


@pytest.mark.parametrize("other", [1.0, float("nan")], ids=["a number", "no number"])
def test_writes_nothing_when_the_traced_model_gives_other_logits(other, folder, tmp_path):
    file = tmp_path / "model.pt"
    file.write_text("the one before")
    shape = inference.Shape(1, 64)
    inputs, expected = [["choir", "sings"], ["choir", "sings sings"]], torch.tensor([[other, 0.0], [0.0, other]])
    with pytest.raises(trace.Differs, match="logits differ by (1|nan), at most 0.0001 may be"):
        trace.write(Clock(), folder / "tokenizer.json", file, shape, inputs, expected)
    assert file.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [file]


def test_writes_no_model_that_is_asked_otherwise_than_it_was_trained(tmp_path):
    tiny.random_model(tmp_path, "Bert", ["no", "yes"])
    classifier = trace.load(tmp_path)
    pairs = [["The choir sings.", "Never on Friday."]]
    untyped = {name: padding for name, padding in classifier.inputs.items() if name != "token_type_ids"}
    module = classifier._replace(inputs=untyped).module()
    shape = inference.Shape(1, 64, inputs=untyped, labels=["no", "yes"])
    with pytest.raises(trace.Differs, match="logits differ by"):
        trace.write(module, tmp_path / "tokenizer.json", tmp_path / "model.pt", shape, pairs, classifier.logits(pairs, 64))
    assert not (tmp_path / "model.pt").exists()


def test_says_what_keeps_a_model_from_being_traced(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    GPT2ForSequenceClassification(GPT2Config(**TINY_GPT2, pad_token_id=None)).save_pretrained(tmp_path)
    with pytest.raises(SystemExit, match="cannot be traced: Cannot handle batch sizes > 1 if no padding token is defined"):
        run(monkeypatch, tmp_path, "--batch", 2)
    assert not (tmp_path / "model.pt").exists()


TINY_GPT2 = {"vocab_size": 300, "n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 64}
SIZES = {"vocab_size": 300, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}


def test_refuses_what_has_no_classifier_by_the_names_of_the_weights(folder, tmp_path, monkeypatch):
    headless = {
        BertModel(BertConfig(**SIZES)): "classifier.bias, classifier.weight",
        GPT2LMHeadModel(GPT2Config(**TINY_GPT2)): "score.weight",
    }
    for model, names in headless.items():
        shutil.rmtree(tmp_path)
        shutil.copytree(folder, tmp_path)
        model.save_pretrained(tmp_path)
        before = sorted(tmp_path.iterdir())
        with pytest.raises(SystemExit) as refused:
            run(monkeypatch, tmp_path)
        assert str(refused.value).splitlines() == [
            f"{tmp_path} holds no whole classifier:",
            f"  It has no weights for {names}.",
        ]
        assert sorted(tmp_path.iterdir()) == before


def test_refuses_weights_of_another_shape_and_labels_that_are_the_same(copied, monkeypatch):
    config = json.loads((copied / "config.json").read_text())
    config["id2label"] = {"0": "good", "1": "bad", "2": "good"}
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(SystemExit) as refused:
        run(monkeypatch, copied)
    assert str(refused.value).splitlines() == [
        f"{copied} holds no whole classifier:",
        "  Its weights classifier.bias have the shape [2], and config.json says [3].",
        "  Its weights classifier.weight have the shape [2, 32], and config.json says [3, 32].",
        "  id2label of config.json must give each class a label of its own, got good, bad, good.",
    ]


def test_says_why_transformers_cannot_read_a_folder(copied, monkeypatch):
    (copied / "model.safetensors").write_text("no weights")
    with pytest.raises(SystemExit, match=f"^transformers makes no classifier of {copied}: .*[Hh]eader"):
        run(monkeypatch, copied)


def test_names_every_file_that_the_folder_lacks(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SystemExit, match="there is no tokenizer.json, no tokenizer_config.json"):
        run(monkeypatch, tmp_path)


def test_refuses_a_length_that_the_model_does_not_take_and_a_label_where_there_is_one(folder, tmp_path, monkeypatch):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    config = BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=128, id2label={0: "relevance"},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(SystemExit) as refused:
        run(monkeypatch, tmp_path, "--answer", "label", "--length", 129)
    said = str(refused.value).splitlines()
    assert said[:2] == [
        "--length must be at most 128, which the model takes, got 129.",
        "--answer must be scores, got label: the only label is relevance, whose score is the answer. config.ts then says:",
    ]
    assert '    outputs: { score: "number" },' in said


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a", "a"]])
def test_refuses_more_than_two_texts_and_the_same_name_twice(names, folder, monkeypatch):
    with pytest.raises(SystemExit, match=f"--features must be one name or two different ones, got {' '.join(names)}."):
        run(monkeypatch, folder, "--features", *names)


def test_refuses_a_batch_of_none(folder, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, folder, "--batch", 0)
    assert "argument --batch: must be 1 or more, got 0" in capsys.readouterr().err
