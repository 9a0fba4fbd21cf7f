"""The shapes of models that people have: what inference.py answers is what transformers' own pipeline says of the text."""

import json
import sys

import pytest
import tiny
import torch
from conftest import golden
from transformers import pipeline

import inference
import trace

PAIR = ["question", "answer"]
TEXT = ["review"]
ONE = ["relevance"]
TWO = ["no", "yes"]
THREE = ["bad", "so-so", "good"]
TYPED = ("Bert", "DebertaV2")  # those with token_type_ids
DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16, "type_vocab_size": 0}
LOCAL = {"global_attn_every_n_layers": 2, "local_attention": 8, "cls_token_id": 0, "sep_token_id": 1}
# Architecture, its configuration, the texts of a request, the labels, the id of what fills a text up.
MODELS = [
    ("Bert", {}, PAIR, TWO, 2),
    ("Bert", {"problem_type": "regression"}, TEXT, ONE, 2),
    ("Roberta", {}, TEXT, THREE, 1),
    ("Roberta", {}, PAIR, ONE, 1),
    ("MPNet", {}, PAIR, TWO, 1),
    ("DebertaV2", DEBERTA, PAIR, THREE, 2),
    ("DistilBert", {}, TEXT, TWO, 2),
    ("DistilBert", {"problem_type": "multi_label_classification"}, TEXT, THREE, 2),
    ("ModernBert", LOCAL, PAIR, THREE, 2),
    ("ModernBert", LOCAL, TEXT, ONE, 2),
]


def inputs_of(count):
    """Short ones and long ones, some of which are cut."""
    texts = [text for each in golden("predictions") for text in json.loads(each["request"]).values()]
    texts += [" ".join(texts[:7]), " ".join(texts * 3)]
    return [texts[place : place + count] for place in range(len(texts) - count + 1)]


@pytest.mark.parametrize(
    ("architecture", "config", "features", "labels", "padding"),
    MODELS,
    ids=[f"{name}-{len(features)}-texts-{len(labels)}-labels" for name, _, features, labels, _ in MODELS],
)
def test_answers_as_transformers_does(architecture, config, features, labels, padding, tmp_path, monkeypatch):
    tiny.random_model(tmp_path, architecture, labels, **config)
    monkeypatch.setattr(sys, "argv", ["trace.py", str(tmp_path), "--batch", "4", "--length", "128", "--features", *features])
    trace.main()
    loaded = inference.model_fn(str(tmp_path))
    typed = {"token_type_ids": 0} if architecture in TYPED else {}
    assert loaded.shape.inputs == {"input_ids": padding, "attention_mask": 0, **typed}

    asked = pipeline("text-classification", model=str(tmp_path), top_k=None, truncation=True, max_length=128)
    inputs = inputs_of(len(features))
    expected = [asked(dict(zip(["text", "text_pair"], texts))) for texts in inputs]
    assert len({scores[0]["score"] for scores in expected}) > len(inputs) / 2  # or all would be alike anyway

    calls = []

    def model(*tensors):
        calls.append(tensors[0])
        return loaded.model(*tensors)

    instances = [dict(zip(features, texts)) for texts in inputs]
    for shape in {loaded.shape.others, False}:
        spied = loaded._replace(model=model, shape=loaded.shape._replace(others=shape))
        answers = inference.predict_fn({"instances": instances}, spied)["predictions"]
        for answer, scores in zip(answers, expected):
            if len(labels) == 1:
                assert answer == pytest.approx(scores[0]["score"], abs=1e-4)
                continue
            assert answer["label"] == scores[0]["label"]
            assert answer["score"] == answer["scores"][answer["label"]]
            assert answer["scores"] == pytest.approx({each["label"]: each["score"] for each in scores}, abs=1e-4)
    assert any((ids[:, -1] == padding).any() for ids in calls)

    moved = torch.jit.load(str(tmp_path / "model.pt"))
    places = lambda: {  # noqa: E731
        node.s("value")
        for module in moved.modules()
        for name in module._c._method_names()
        for node in module._c._get_method(name).graph.findAllNodes("prim::Constant")
        if str(node.output().type()) == "Device"
    }
    assert places() == {"cpu"}  # of what the model makes itself
    inference.on_device(moved, "cuda:1")
    assert places() == {"cuda:1"}
