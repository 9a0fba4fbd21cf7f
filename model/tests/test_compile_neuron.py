"""Compiling for Inferentia, with PyTorch's own tracing in the place of Neuron's: what is read, and what is written."""

import json
import sys
import tarfile
import types
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
import compile_neuron  # noqa: E402
import describe  # noqa: E402


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(10, 2)

    def forward(self, input_ids, attention_mask, token_type_ids=None):
        types = 0 if token_type_ids is None else token_type_ids.unsqueeze(-1)
        return (((self.words(input_ids) + types) * attention_mask.unsqueeze(-1)).sum(dim=1),)


OLDER = {"batch": 2, "length": 8, "others": True}  # a file that does not say what the model takes
TYPED = {**OLDER, "inputs": {"input_ids": 0, "attention_mask": 0, "token_type_ids": 0}, "labels": ["no", "yes"]}


@pytest.mark.parametrize("target", ["inf1", "inf2"])
@pytest.mark.parametrize(("shape", "count"), [(OLDER, 2), (TYPED, 3)])
def test_compiles_at_the_shape_that_was_traced(shape, count, target, tmp_path, monkeypatch):
    def trace(model, example, **options):
        asked.append(([list(rows.shape) for rows in example], [rows.dtype for rows in example], options))
        return torch.jit.trace(model, example)

    asked = []
    neuron = types.ModuleType("torch.neuron")
    neuron.trace = trace
    monkeypatch.setattr(torch, "neuron", neuron, raising=False)
    monkeypatch.setitem(sys.modules, "torch.neuron", neuron)
    monkeypatch.setitem(sys.modules, "torch_neuronx", neuron)

    rows = torch.ones((2, 8), dtype=torch.long)
    example = (rows, rows, rows)[:count]
    model = Model().eval()
    traced = str(tmp_path / compile_neuron.MODEL)
    torch.jit.save(torch.jit.trace(model, example), traced, _extra_files={"shape.json": json.dumps(shape)})
    with tarfile.open(str(tmp_path / "traced.tar.gz"), "w:gz") as tar:
        tar.add(traced, compile_neuron.MODEL)

    compile_neuron.main(target, tmp_path / "traced.tar.gz", tmp_path / "output")
    options = {} if target == "inf1" else {"compiler_args": ["--target", "inf2"], "cpu_backend": True}
    assert asked == [([[2, 8]] * count, [torch.long] * count, options)]
    written = str(tmp_path / "output" / compile_neuron.MODEL)
    assert torch.equal(torch.jit.load(written)(*example)[0], model(*example)[0])
    described = describe.describe(written)
    assert described["shape"] == {**shape, "others": False}
    assert described["types"] == ["Float"]
    assert "embedding" in described["operators"]
