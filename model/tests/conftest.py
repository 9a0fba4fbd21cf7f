"""A tiny real classifier that knows the golden pairs, and archives of it, unpacked, as the endpoint has them."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
import torch

import inference
import serve
import trace

GOLDEN = Path(__file__).parent.parent / "golden"


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


class OneShape(torch.nn.Module):
    """Takes nothing but the shape of its example, like a model compiled for Inferentia."""

    def __init__(self, traced, batch: int, length: int):
        super().__init__()
        self.traced = traced
        self.batch = batch
        self.length = length

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor):
        for each in (input_ids, attention_mask, token_type_ids):
            if each.shape[0] != self.batch or each.shape[1] != self.length:
                raise RuntimeError("this is not the compiled shape")
        return self.traced(input_ids, attention_mask, token_type_ids)


def compiled(model, example):
    return torch.jit.script(OneShape(torch.jit.trace(model, example), *example[0].shape))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """What a user has: a folder made by save_pretrained."""
    made = tmp_path_factory.mktemp("huggingface")
    tiny.make(made)
    return made


@pytest.fixture(scope="session")
def archive(folder, tmp_path_factory):
    """Makes the folder of an unpacked archive, whose model was traced at a batch of so many."""

    def make(batch, compiler=None):
        made = tmp_path_factory.mktemp("archive")
        (made / "code").mkdir()
        shutil.copy(inference.__file__, made / "code")
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(folder / name, made)
        write(folder, made / "model.pt", batch, compiler=compiler)
        return made

    return make


def write(folder, file, batch, length=512, **options):
    """Traces the classifier of the golden pairs, which answers with its label."""
    classifier = trace.load(folder)
    pairs = [list(json.loads(each["request"]).values()) for each in golden("predictions")]
    shape = inference.Shape(batch, length, inputs=classifier.inputs)
    expected = classifier.logits(pairs, length)
    return trace.write(classifier.module(), folder / "tokenizer.json", file, shape, pairs, expected, **options)


@pytest.fixture(scope="session")
def archives(archive):
    return {"one": archive(1), "batched": archive(4), "compiled": archive(3, compiled)}


@pytest.fixture(scope="session", params=["one", "batched", "compiled"])
def loaded(request, archives):
    """A model at a batch of one, one that takes batches up to four, and one that takes batches of three alone."""
    return inference.model_fn(str(archives[request.param]))


@pytest.fixture(autouse=True)
def toolkit(monkeypatch):
    """The part of SageMaker's toolkit that inference.py imports, as serve.py has it."""
    errors = SimpleNamespace(GenericInferenceToolkitError=serve.ToolkitError)
    monkeypatch.setitem(sys.modules, "sagemaker_inference", SimpleNamespace(errors=errors))
    monkeypatch.setitem(sys.modules, "sagemaker_inference.errors", errors)
