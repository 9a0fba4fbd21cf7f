import json
import sys

import pytest
import torch
from conftest import compiled
from transformers import BertConfig, BertForSequenceClassification

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


def test_writes_a_model_with_the_shape_that_it_was_traced_with(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "model.pt"
    run(monkeypatch, folder, "--out", out, "--batch", 2, "--length", 64)
    said = json.loads(capsys.readouterr().out)
    assert said.pop("difference") <= 1e-4
    assert said == {"file": str(out), "batch": 2, "length": 64, "others": True}
    within = {"shape.json": ""}
    torch.jit.load(out, _extra_files=within)
    assert json.loads(within["shape.json"]) == {"batch": 2, "length": 64, "others": True}


def test_writes_it_into_the_folder_where_no_other_place_is_named(folder, monkeypatch, capsys):
    run(monkeypatch, folder)
    assert json.loads(capsys.readouterr().out)["length"] == 512
    assert inference.model_fn(str(folder)).shape == (1, 512, True)
    (folder / "model.pt").unlink()


def test_says_of_a_compiled_model_that_it_takes_no_other_shape(folder, tmp_path):
    file = tmp_path / "model.pt"
    model = trace.pair_classifier(folder, 512)
    written = trace.write(model, folder / "tokenizer.json", file, 3, 128, trace.golden_pairs(), compiler=compiled)
    assert written.shape == (3, 128, False)


def test_writes_nothing_when_the_traced_model_answers_otherwise(folder, tmp_path):
    file = tmp_path / "model.pt"
    file.write_text("the one before")
    with pytest.raises(trace.Differs, match="logits differ by 1, at most 0.0001 may be"):
        trace.write(Clock(), folder / "tokenizer.json", file, 1, 64, trace.golden_pairs())
    assert file.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [file]


def test_names_every_file_that_the_folder_lacks(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SystemExit, match="there is no tokenizer.json, no tokenizer_config.json"):
        run(monkeypatch, tmp_path)


def test_refuses_a_model_of_other_classes_and_a_length_that_it_does_not_take(folder, tmp_path, monkeypatch):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    config = BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=128, num_labels=3,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(SystemExit) as refused:
        run(monkeypatch, tmp_path)
    assert str(refused.value).splitlines() == [
        f"The model in {tmp_path} must have two classes, it has 3.",
        "--length must be at most 128, which the model takes, got 512.",
    ]


def test_refuses_a_batch_of_none(folder, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, folder, "--batch", 0)
    assert "argument --batch: must be 1 or more, got 0" in capsys.readouterr().err
