"""Traces a Hugging Face classifier of texts or of pairs, a folder made by save_pretrained, to TorchScript.

`trace.py DIR` writes DIR/model.pt, once the traced model gives what transformers' own call on text gives,
DIR/golden.json with those answers where you have none of your own, and DIR/model.json, which says what the model speaks,
what it was made of and by. It prints the lines for config.ts that fit. The newest PyTorch that traces is not the newest
that serves: what a version writes, only it and later ones are sure to read.
"""

import argparse
import contextlib
import hashlib
import inspect
import io
import json
import os
import platform
import re
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

sys.path.insert(0, str(Path(__file__).parent))
import inference  # noqa: E402

GOLDEN = Path(__file__).parent / "golden" / "predictions.json"
TOLERANCE = 1e-4  # of a logit, and of a score
USUAL_LENGTH = 512  # tokens
NAMED = 10  # weights of those that are missing
MODEL_FILE = "model.json"  # what a model says of itself (docs/your-model.md)
MODEL_FILE_VERSION = 1
MADE = (MODEL_FILE, "golden.json", inference.SHAPE)  # what this program writes beside a model
SOURCES = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt")  # what save_pretrained writes
LIBRARIES = ("torch", "transformers", "tokenizers")
CORRECT = "correct it, or delete it to have it made anew"


class Traced(NamedTuple):
    """What was written."""

    file: Path
    shape: inference.Shape
    difference: float  # the largest between a logit of the model and of the traced model


class Differs(Exception):
    """The traced model does not give what the model gives."""


class Classifier(NamedTuple):
    """What transformers makes of a folder."""

    tokenizer: Any
    model: Any
    inputs: Dict[str, int]  # what the tokenizer gives and the model takes, and what fills it up
    longest: int  # the most tokens that both take

    def logits(self, inputs: Sequence[Sequence[str]], length: int) -> Any:
        """What transformers' own call on text gives: each input for itself, and padded by nothing."""
        import torch

        rows = []
        with torch.no_grad():
            for texts in inputs:
                given = self.tokenizer(*texts, truncation=True, max_length=length, return_tensors="pt")
                rows.append(self.model(**{name: given[name] for name in self.inputs}).logits[0])
        return torch.stack(rows)

    def module(self) -> Any:
        """The model as it is traced: it takes its tensors by their order, and gives its logits alone."""
        import torch

        class Logits(torch.nn.Module):
            def __init__(self, classifier, names):
                super().__init__()
                self.classifier = classifier
                self.names = names

            def forward(self, *tensors):
                return self.classifier(**dict(zip(self.names, tensors)), return_dict=False)[:1]

        return Logits(self.model, list(self.inputs))

    def labels(self) -> List[str]:
        return [str(label) for _, label in sorted(self.model.config.id2label.items())]

    def activation(self) -> str:
        """What transformers' pipeline makes scores by."""
        problem = self.model.config.problem_type
        if problem == "regression":
            return "none"
        return "sigmoid" if problem == "multi_label_classification" or len(self.labels()) == 1 else "softmax"


def load(folder: Path, eager_attention: bool = False) -> Classifier:
    """The classifier of a folder; with attention that PyTorch 1 knows, if asked.

    @raises SystemExit with all that is wrong with the folder: a classifier that has no weights would answer at random
    """
    missing = [name for name in ("config.json", "tokenizer.json", "tokenizer_config.json") if not (folder / name).is_file()]
    if missing:
        raise SystemExit(f"In {folder} there is no {', no '.join(missing)}. save_pretrained of model and tokenizer makes them.")
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging

    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # else transformers refuses them without their names
            **({"attn_implementation": "eager"} if eager_attention else {}),
        )
    except Exception as error:  # each kind of file has its own
        said = str(error).strip().split("\n")[0]
        raise SystemExit(f"transformers makes no classifier of {folder}: {said}") from error
    wrong = []
    if loading["missing_keys"]:
        wrong.append(f"It has no weights for {_listed(sorted(loading['missing_keys']))}.")
    for name, has, takes in sorted(loading["mismatched_keys"]):
        wrong.append(f"Its weights {name} have the shape {list(has)}, and config.json says {list(takes)}.")
    labels = list(model.config.id2label.values())
    if len(set(labels)) < len(labels):
        wrong.append(f"id2label of config.json must give each class a label of its own, got {_listed(labels)}.")
    if wrong:
        raise SystemExit("\n".join([f"{folder} holds no whole classifier:", *(f"  {each}" for each in wrong)]))
    model = model.float().eval()

    padding = {
        "input_ids": next(one for one in (tokenizer.pad_token_id, model.config.pad_token_id, 0) if one is not None),
        "attention_mask": 0,
        "token_type_ids": tokenizer.pad_token_type_id,
    }
    given, takes = tokenizer("one", "two"), inspect.signature(model.forward).parameters
    inputs = {name: filling for name, filling in padding.items() if name in given and name in takes}
    longest = min(_positions(model), tokenizer.model_max_length)
    return Classifier(tokenizer, model, inputs, longest)


def _positions(model: Any) -> int:
    """The most tokens that a model has positions for. RoBERTa's begin behind that of what fills up."""
    longest = getattr(model.config, "max_position_embeddings", None) or sys.maxsize
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            longest = min(longest, module.num_embeddings - module.padding_idx - 1)
    return longest


def write(
    model: Any,
    tokenizer_file: Path,
    file: Path,
    shape: inference.Shape,
    inputs: Sequence[Sequence[str]],
    expected: Any,
    compiler: "Callable[[Any, tuple], Any] | None" = None,
    tolerance: float = TOLERANCE,
) -> Traced:
    """Traces a model at the batch and length of a shape, and writes it with that shape, for inference.py to read.

    The model takes the shape's tensors and returns its logits first in a tuple; `expected` are those that each of the
    inputs must get. `compiler` makes TorchScript of the model and of an example: torch.jit.trace by default,
    `torch.neuron.trace` or `torch_neuronx.trace` in their images.

    @raises Differs when inference.py gives other logits or answers with it; nothing is written then
    """
    import torch

    def with_shape(model: Any, **fields: Any) -> inference.Loaded:
        return inference.with_tokenizer(tokenizer_file, model, shape._replace(**fields))

    def difference(traced: Any, **fields: Any) -> float:
        asked = with_shape(traced, **fields)
        given = inference.logits_of(inference.encodings_of(inputs, asked), asked)
        return float((torch.stack(given) - expected).abs().max())

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is fixed by tracing: whether that matters is tried below
        encodings = inference.encodings_of(inputs[:1], with_shape(model))
        example = inference.tensors_of(encodings * shape.batch, shape.length, shape)
        traced = (compiler or torch.jit.trace)(model.eval(), example)
        of_shape = difference(traced, others=False)
        if not of_shape <= tolerance:  # nor is it where it is no number
            raise Differs(f"the traced model's logits differ by {of_shape:g}, at most {tolerance:g} may be")
        try:
            batches = (1, len(inputs))
            takes_others = all(difference(traced, others=True, batch=batch) <= tolerance for batch in batches)
        except Exception:  # each compiler's model has its own for a shape that it was not compiled for
            takes_others = False

    shape = shape._replace(others=takes_others)
    with tempfile.TemporaryDirectory(dir=file.parent) as trial:
        written = Path(trial) / "model.pt"
        torch.jit.save(traced, str(written), _extra_files={inference.SHAPE: json.dumps(shape._asdict())})
        (Path(trial) / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
        read = inference.model_fn(trial)
        asked = [dict(zip(shape.features, texts)) for texts in inputs]
        most = inference.MAX_INSTANCES
        given = []
        with contextlib.redirect_stdout(io.StringIO()):  # it counts the texts that are cut
            for start in range(0, len(asked), most):
                given += inference.predict_fn({"instances": asked[start : start + most]}, read)["predictions"]
        for said, answer in zip(given, [inference.answer_of(logits, shape) for logits in expected]):
            if not _alike(said, answer, tolerance):
                raise Differs(f"the traced model answers {json.dumps(said)}, and the model {json.dumps(answer)}")
        os.replace(str(written), str(file))
    return Traced(file, shape, of_shape)


def _alike(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two answers are the same but for the last digits of their scores."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name], tolerance) for name in one)
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) <= tolerance
    return one == other


class Golden(NamedTuple):
    """A request of one input, and its answer where it is known."""

    texts: List[str]
    answer: Any = None


def golden_of(file: Optional[Path], features: Sequence[str]) -> List[Golden]:
    """The golden requests of a model: those of its own file where it has one, else the project's texts.

    @raises SystemExit when it has one without any request of one input
    """
    if file is None or not file.is_file():
        pairs = [list(json.loads(each["request"]).values()) for each in json.loads(GOLDEN.read_text(encoding="utf-8"))]
        return [Golden(pair[: len(features)]) for pair in pairs]
    form = json.dumps({name: "..." for name in features})
    try:
        asked = [
            (json.loads(each["request"]), json.loads(each["response"]))
            for each in json.loads(file.read_text(encoding="utf-8"))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise SystemExit(f'{file} is no list of {{"request": "...", "response": "..."}} in JSON.') from error
    golden = [
        Golden([request[name] for name in features], answer)
        for request, answer in asked
        if isinstance(request, dict) and all(isinstance(request.get(name), str) for name in features)
    ]
    if not golden:
        raise SystemExit(f"{file} has no request {form}, as --features says: {CORRECT}.")
    return golden


def write_golden(file: Path, shape: inference.Shape, inputs: Sequence[Sequence[str]], expected: Any) -> None:
    """Writes what `model verify` asks, with the answers that the logits of the model itself mean."""
    pairs = [
        {"request": _request_of(shape, texts), "response": json.dumps(inference.answer_of(logits, shape))}
        for texts, logits in zip(inputs, expected)
    ]
    file.write_text(json.dumps(pairs, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


class Source(NamedTuple):
    """What a model was made of."""

    id: str
    revision: str


def source_of(folder: Path, id: Optional[str] = None, revision: Optional[str] = None) -> Source:
    """Where a folder's model comes from: as said, as the hub's cache or its own config.json says, or else as its files do."""
    hub = re.search(r"models--([^/]+)/snapshots/([0-9a-f]{40})/?$", folder.absolute().as_posix())
    if hub:
        return Source(id or hub[1].replace("--", "/"), revision or hub[2])
    config = folder / "config.json"
    named = json.loads(config.read_text(encoding="utf-8")).get("_name_or_path") if config.is_file() else None
    files = json.dumps(digests_of(sources_in(folder)), sort_keys=True)
    return Source(id or named or folder.absolute().name, revision or f"sha256:{hashlib.sha256(files.encode()).hexdigest()}")


def sources_in(folder: Path) -> List[Path]:
    """The files that a model is made of."""
    return sorted({file for pattern in SOURCES for file in folder.glob(pattern) if file.name not in MADE})


def digests_of(files: Sequence[Path]) -> Dict[str, str]:
    digests = {}
    for file in files:
        digest = hashlib.sha256()
        with file.open("rb") as opened:
            for chunk in iter(lambda: opened.read(1 << 20), b""):
                digest.update(chunk)
        digests[file.name] = digest.hexdigest()
    return digests


def made_here(file: Path) -> bool:
    """Whether a file is the one that was written when the model beside it was traced before."""
    try:
        made = json.loads(file.with_name(MODEL_FILE).read_text(encoding="utf-8"))["made"]["gave"]
        return digests_of([file]).get(file.name) == made[file.name]
    except (KeyError, OSError, TypeError, ValueError):
        return False


def write_model_file(
    folder: Path,
    shape: inference.Shape,
    source: Source,
    sources: Sequence[Path],
    gave: Sequence[str],
    by: str = "model/trace.py",
    **how: Any,
) -> None:
    """Writes what a model in a folder says of itself. `gave` names the files that were made of the sources."""
    contract = {
        "features": {name: "String" for name in shape.features},
        "request": ["json", "instances"],
        "answer": "text" if shape.answer == "label" else "json",
        "outputs": _outputs_of(shape),
    }
    said = {
        "version": MODEL_FILE_VERSION,
        "contract": contract,
        "labels": list(shape.labels),
        "files": ["config.json", "model.pt", "tokenizer.json", "tokenizer_config.json"],
        "image": "pytorch",
        "golden": "golden.json",
        "source": source._asdict(),
        "made": {
            "by": by,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
            "of": digests_of(sources),
            "gave": digests_of([folder / name for name in gave]),
            **how,
        },
    }
    (folder / MODEL_FILE).write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _outputs_of(shape: inference.Shape) -> Dict[str, str]:
    return {"label": {}, "score": {"score": "number"}, "scores": {"label": "text", "score": "number"}}[shape.answer]


def _request_of(shape: inference.Shape, texts: Sequence[str]) -> str:
    return json.dumps(dict(zip(shape.features, texts)), ensure_ascii=False)


def long_inputs(inputs: Sequence[Sequence[str]], length: int) -> List[List[str]]:
    """More inputs to try a model with, of the same words: some that are long, and some that are cut."""
    words = " ".join(text for texts in inputs for text in texts).split() or ["word"]
    several = words * (length // len(words) + 1)
    return [[" ".join(several[: length // part]) for _ in inputs[0]] for part in (8, 3, 1)]


def lines_of(shape: inference.Shape) -> str:
    """What config.ts says of a model."""
    features = ", ".join(f'{name if name.isidentifier() else json.dumps(name)}: "String"' for name in shape.features)
    outputs = ", ".join(f'{name}: "{kind}"' for name, kind in _outputs_of(shape).items())
    lines = [
        "model: {",
        "  contract: {",
        f"    features: {{ {features} }},",
        '    request: "json", // or "instances", which carries several in a call',
        f'    answer: "{"text" if shape.answer == "label" else "json"}",',
        *([f"    outputs: {{ {outputs} }},"] if outputs else []),
        "  },",
        "},",
    ]
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def trace_folder(arguments: argparse.Namespace) -> None:
    """Does what the command says.

    @raises SystemExit with all that is wrong with the folder or the arguments
    """
    folder, features = arguments.folder, list(arguments.features)

    classifier = load(folder, arguments.eager_attention)
    labels = classifier.labels()
    length = arguments.length or min(USUAL_LENGTH, classifier.longest)
    answer = "score" if len(labels) == 1 else arguments.answer
    shape = inference.Shape(
        arguments.batch, length, False, classifier.inputs, features, labels, answer, classifier.activation()
    )
    wrong = []
    if len(features) > 2 or len(set(features)) < len(features):
        wrong.append(f"--features must be one name or two different ones, got {' '.join(features)}.")
    if length > classifier.longest:
        wrong.append(f"--length must be at most {classifier.longest}, which the model takes, got {length}.")
    if len(labels) == 1 and arguments.answer == "label":
        of_one = f"the only label is {labels[0]}, whose score is the answer. config.ts then says:\n{lines_of(shape)}"
        wrong.append(f"--answer must be scores, got label: {of_one}")
    if wrong:
        raise SystemExit("\n".join(wrong))

    file = arguments.out or folder / "model.pt"
    golden_file = file.with_name("golden.json")
    own = golden_file.is_file() and not made_here(golden_file)
    golden = golden_of(golden_file if own else None, features)
    inputs = [each.texts for each in golden]
    inputs += long_inputs(inputs, length)
    expected = classifier.logits(inputs, length)
    answers = [inference.answer_of(logits, shape) for logits in expected[: len(golden)]]
    if own:
        for known, given in zip(golden, answers):
            if not _alike(known.answer, given, TOLERANCE):
                request = _request_of(shape, known.texts)
                wrong.append(f"  {request} gets {json.dumps(known.answer)} there, and {json.dumps(given)} of the model")
        if wrong:
            raise SystemExit("\n".join([f"{golden_file} has other answers than the model: {CORRECT}.", *wrong]))
    traced = write(classifier.module(), folder / "tokenizer.json", file, shape, inputs, expected)
    if not own:
        write_golden(golden_file, shape, [each.texts for each in golden], expected)
    gave = [file.name] if own else [file.name, golden_file.name]
    source = source_of(folder, arguments.source, arguments.revision)
    how = {"eager_attention": arguments.eager_attention}
    write_model_file(file.parent, traced.shape, source, sources_in(folder), gave, **how)

    others = "and any shape up to that" if traced.shape.others else "and no other shape"
    takes = f"{', '.join(traced.shape.inputs)} of [{arguments.batch}, {length}] {others}"
    print(
        f"{file} takes {takes}. On text it differs from transformers by at most {traced.difference:g}. For config.ts:",
        file=sys.stderr,
    )
    print(lines_of(traced.shape))


def main() -> None:
    parser = argparse.ArgumentParser(description="Traces a classifier of texts to TorchScript, and checks it.")
    parser.add_argument("folder", type=Path, help="made by save_pretrained of a model and of its tokenizer")
    parser.add_argument("--out", type=Path, help="the file to write (default: model.pt in the folder)")
    parser.add_argument("--batch", type=_positive, default=1, help="inputs of a call of the model (default: 1)")
    parser.add_argument(
        "--length", type=_positive, help=f"tokens of an input (default: {USUAL_LENGTH}, or what the model takes)"
    )
    parser.add_argument(
        "--features", nargs="+", default=inference.Shape().features, metavar="NAME",
        help="what a request calls its text, or its two texts (default: seq_0 seq_1)",
    )  # fmt: skip
    parser.add_argument(
        "--answer", choices=["label", "scores"], default="scores",
        help="the label's text alone, or the label with all scores (default: scores; a model of one label has its score)",
    )  # fmt: skip
    parser.add_argument("--source", help="what the model is called, such as its name on the hub (default: as config.json says)")
    parser.add_argument("--revision", help="which one of that it is (default: the hub's in its cache, else a hash of its files)")
    parser.add_argument("--eager-attention", action="store_true", help="of operators that PyTorch 1 has, as Inf1 needs it")
    arguments = parser.parse_args()
    try:
        trace_folder(arguments)
    except Differs as error:
        raise SystemExit(f"Nothing was written: {error}.") from error
    except Exception as error:  # a model's own code has its own
        said = str(error).strip().split("\n")[-1]
        raise SystemExit(f"Nothing was written: the model in {arguments.folder} cannot be traced: {said}") from error


if __name__ == "__main__":
    main()
