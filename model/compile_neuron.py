"""Compiles a traced model for Inferentia, within AWS's Neuron image as a SageMaker job: `compile_neuron.py inf1|inf2`.

Reads traced.tar.gz from the folder of its own, and writes the compiled model to /opt/ml/processing/output. A compiler
needs no Neuron device, only memory.
"""

import json
import sys
import tarfile
import tempfile
from pathlib import Path

MODEL = "model.pt"
SHAPE = "shape.json"  # within the model's file, for inference.py
USUAL = {"batch": 1, "length": 512}  # of a file that says none
INPUTS = ("input_ids", "attention_mask")


def compiled(target: str, model, example: tuple):
    if target == "inf1":
        import torch
        import torch.neuron

        return torch.neuron.trace(model, example)
    import torch_neuronx

    return torch_neuronx.trace(model, example, compiler_args=["--target", "inf2"], cpu_backend=True)


def main(target: str, archive: Path, output: Path) -> None:
    import torch

    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(str(archive)) as tar:
            tar.extract(MODEL, folder)
        within = {SHAPE: ""}
        traced = torch.jit.load(str(Path(folder) / MODEL), map_location="cpu", _extra_files=within).eval()

    class Model(torch.nn.Module):
        """What is traced already is not traced again, unless within another module."""

        def __init__(self):
            super().__init__()
            self.traced = traced

        def forward(self, *tensors):
            return self.traced(*tensors)

    shape = json.loads(within[SHAPE]) if within[SHAPE] else USUAL
    rows = torch.ones((shape["batch"], shape["length"]), dtype=torch.long)
    # Of the types of tokens a model may know the first alone, which is 0.
    example = tuple(rows * (name != "token_type_ids") for name in shape.get("inputs", INPUTS))
    with torch.no_grad():
        result = compiled(target, Model().eval(), example)
    output.mkdir(parents=True, exist_ok=True)
    extra = {SHAPE: json.dumps({**shape, "others": False})}  # the compiled model takes this one shape
    torch.jit.save(result, str(output / MODEL), _extra_files=extra)


if __name__ == "__main__":
    main(sys.argv[1], Path(__file__).with_name("traced.tar.gz"), Path("/opt/ml/processing/output"))
