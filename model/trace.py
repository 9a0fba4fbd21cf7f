"""Traces a Hugging Face classifier of sentence pairs, a folder made by save_pretrained, to TorchScript.

`trace.py DIR` writes DIR/model.pt, once the traced model gives what the model itself gives. The newest
PyTorch that traces is not the newest that serves: what a version writes, only it and later ones are sure to read.
"""

import argparse
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, List, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import inference  # noqa: E402

GOLDEN = Path(__file__).parent / "golden" / "predictions.json"
TOLERANCE = 1e-4  # of a logit


class Traced(NamedTuple):
    """What was written."""

    file: Path
    shape: inference.Shape
    difference: float  # the largest between a logit of the model and of the traced model


class Differs(Exception):
    """The traced model does not give what the model gives."""


def write(
    model: Any,
    tokenizer_file: Path,
    file: Path,
    batch: int,
    length: int,
    pairs: List[dict],
    compiler: "Callable[[Any, tuple], Any] | None" = None,
    tolerance: float = TOLERANCE,
) -> Traced:
    """Traces a model at batch x length, and writes it with that shape, for inference.py to read.

    The model takes input_ids and attention_mask and returns its logits first in a tuple. `compiler` makes TorchScript of
    it and of an example: torch.jit.trace by default, `torch.neuron.trace` or `torch_neuronx.trace` in their images.

    @raises Differs when it does not give the model's labels and logits for the pairs; nothing is written then
    """
    import torch
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    rows = [tokenizer.encode(pair["seq_0"], pair["seq_1"] or None).ids for pair in pairs]

    def tensors(rows: List[List[int]], width: int) -> tuple:
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        return ids, torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])

    def difference(inputs: tuple) -> float:
        return float((model(*inputs)[0] - _first(traced(*inputs))).abs().max())

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is fixed by tracing: whether that matters is tried below
        traced = (compiler or torch.jit.trace)(model.eval(), tensors(rows[:1] * batch, length))
        of_shape = max(difference(tensors([row] * batch, length)) for row in rows)
        if of_shape > tolerance:
            raise Differs(f"the traced model's logits differ by {of_shape:g}, at most {tolerance:g} may be")
        try:
            others = [difference(tensors([row], len(row))) for row in rows]
            others.append(difference(tensors(rows, max(map(len, rows)))))
            takes_others = max(others) <= tolerance
        except Exception:  # each compiler's model has its own for a shape that it was not compiled for
            takes_others = False
        labels = [inference.ANSWERS[int(model(*tensors([row], len(row)))[0][0].argmax())] for row in rows]

    shape = inference.Shape(batch, length, takes_others)
    with tempfile.TemporaryDirectory(dir=file.parent) as trial:
        written = Path(trial) / "model.pt"
        torch.jit.save(traced, str(written), _extra_files={inference.SHAPE: json.dumps(shape._asdict())})
        (Path(trial) / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
        answers = inference.predict_fn({"instances": pairs}, inference.model_fn(trial))["predictions"]
        if answers != labels:
            raise Differs(f"the traced model answers {answers} to the golden pairs, the model {labels}")
        os.replace(str(written), str(file))
    return Traced(file, shape, of_shape)


def pair_classifier(folder: Path, length: int, eager_attention: bool = False) -> Any:
    """The model of a folder, as a module that gives its logits alone; with attention that PyTorch 1 knows, if asked.

    @raises SystemExit with all that is wrong with the folder
    """
    missing = [name for name in ("config.json", "tokenizer.json", "tokenizer_config.json") if not (folder / name).is_file()]
    if missing:
        raise SystemExit(f"In {folder} there is no {', no '.join(missing)}. save_pretrained of model and tokenizer makes them.")
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    wrong = []
    if config.num_labels != len(inference.ANSWERS):
        wrong.append(f"The model in {folder} must have two classes, it has {config.num_labels}.")
    positions = getattr(config, "max_position_embeddings", length)
    if length > positions:
        wrong.append(f"--length must be at most {positions}, which the model takes, got {length}.")
    if wrong:
        raise SystemExit("\n".join(wrong))
    classifier = AutoModelForSequenceClassification.from_pretrained(
        str(folder), local_files_only=True, **({"attn_implementation": "eager"} if eager_attention else {})
    )

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.classifier = classifier

        def forward(self, input_ids, attention_mask):
            return self.classifier(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[:1]

    return Logits()


def golden_pairs(file: Path = GOLDEN) -> List[dict]:
    return [json.loads(each["request"]) for each in json.loads(file.read_text(encoding="utf-8"))]


def _first(output: Any) -> Any:
    return output["logits"] if isinstance(output, dict) else output[0]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description="Traces a classifier of sentence pairs to TorchScript, and checks it.")
    parser.add_argument("folder", type=Path, help="made by save_pretrained of a model and of its tokenizer")
    parser.add_argument("--out", type=Path, help="the file to write (default: model.pt in the folder)")
    parser.add_argument("--batch", type=_positive, default=1, help="pairs of a call of the model (default: 1)")
    parser.add_argument("--length", type=_positive, default=512, help="tokens of a pair (default: 512)")
    parser.add_argument("--eager-attention", action="store_true", help="of operators that PyTorch 1 has, as Inf1 needs it")
    arguments = parser.parse_args()
    model = pair_classifier(arguments.folder, arguments.length, arguments.eager_attention)
    file = arguments.out or arguments.folder / "model.pt"
    tokenizer = arguments.folder / "tokenizer.json"
    try:
        traced = write(model, tokenizer, file, arguments.batch, arguments.length, golden_pairs())
    except Differs as error:
        raise SystemExit(f"Nothing was written: {error}.") from error
    print(json.dumps({"file": str(traced.file), **traced.shape._asdict(), "difference": traced.difference}))


if __name__ == "__main__":
    main()
