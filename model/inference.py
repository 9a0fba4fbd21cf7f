"""What the SageMaker container runs: answers what a classifier says of a text, or of two.

Everything comes from the archive's own folder; nothing is fetched. It runs on Python 3.8 and later, as the images have it.
"""

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Union

MODELS = ("model_neuron.pt", "model.pt")  # what Neo makes of an archive's model, and the model itself
SHAPE = "shape.json"  # within the model's file, or beside it: what the model takes and says
MAX_INSTANCES = 1000  # the most that the worker can be told to send
LONG = 8_000  # characters, from which on a text is shortened before it is tokenized with the other
DIGITS = 6  # of a score, behind the point
ARM = Path(__file__).parent / "aarch64"  # packages for Graviton; those beside this file are for other machines
# What the tokenizer's library calls that which transformers and the model call so.
FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class Shape(NamedTuple):
    """What a model takes and says. What trace.py writes it into says all of it; the defaults are an older file's."""

    batch: int = 1  # rows of a tensor
    length: int = 512  # tokens of a row
    others: bool = False  # whether it takes any shape up to that, too
    inputs: Dict[str, int] = {"input_ids": 0, "attention_mask": 0}  # its tensors in their order, and what fills them up
    features: Sequence[str] = ("seq_0", "seq_1")  # the names of a request's texts: of one, or of two
    labels: Sequence[str] = ("Not a paraphrase", "It's a paraphrase")  # by class
    answer: str = "label"  # a label's text; "scores": the label and all scores; "score": the score of the only label
    activation: str = "softmax"  # what makes scores of logits: softmax, sigmoid or none


class Loaded(NamedTuple):
    """What predict_fn works with."""

    tokenizer: Any
    whole: Any  # the same tokenizer, which cuts nothing
    model: Callable[..., Any]
    shape: Shape


Answer = Union[str, float, dict]


def model_fn(model_dir: str, context: Any = None) -> Loaded:
    """Loads the traced model and its tokenizer, once per server process, onto its GPU where it has one.

    @param context what AWS's server says of the process; an older one says nothing
    """
    import torch

    os.environ.setdefault("NEURON_RT_NUM_CORES", "1")  # a process takes every NeuronCore that is not left to the others
    for neuron in ("torch_neuron", "torch.neuron", "torch_neuronx"):  # operators of a model compiled for Inf1 and Inf2
        try:
            importlib.import_module(neuron)
        except ModuleNotFoundError as error:
            if error.name != neuron:
                raise

    folder = Path(model_dir)
    files = [folder / name for name in MODELS if (folder / name).exists()]
    if not files:
        raise FileNotFoundError(f"there is no model in {model_dir}: it must be named {' or '.join(MODELS)}")
    within = {SHAPE: ""}
    gpu = getattr(context, "system_properties", {}).get("gpu_id") or 0
    device = f"cuda:{gpu}" if torch.cuda.is_available() else None
    model = torch.jit.load(str(files[0]), map_location=device, _extra_files=within).eval()
    said = within[SHAPE]
    if not said and (folder / SHAPE).exists():  # Neo keeps nothing but the model
        said = (folder / SHAPE).read_text(encoding="utf-8")
    shape = Shape(**json.loads(said)) if said else Shape()
    return with_tokenizer(folder / "tokenizer.json", on_device(model, device) if device else model, shape)


def on_device(model: Any, device: str) -> Callable[..., Any]:
    """A traced model that was loaded onto a device, to be asked from any. What it makes itself is there too: the trace has
    kept the device that it was on before.
    """
    for module in model.modules():
        for name in module._c._method_names():
            for node in module._c._get_method(name).graph.findAllNodes("prim::Constant"):
                if str(node.output().type()) == "Device":
                    node.s_("value", device)
    return lambda *tensors: model(*(tensor.to(device) for tensor in tensors))


def with_tokenizer(tokenizer_file: Path, model: Callable[..., Any], shape: Shape) -> Loaded:
    """A model with its tokenizer, which cuts what is longer than its shape."""
    if platform.machine() == ARM.name and ARM.is_dir():
        sys.path.insert(0, str(ARM))
    from tokenizers import Tokenizer

    tokenizer, whole = (Tokenizer.from_file(str(tokenizer_file)) for _ in range(2))
    for each in (tokenizer, whole):
        each.no_padding()
    tokenizer.enable_truncation(shape.length)
    whole.no_truncation()
    return Loaded(tokenizer, whole, model, shape)


def input_fn(body: "str | bytes", content_type: "str | None") -> Any:
    """Parses a request. One that is no JSON is refused with 415 or 400, which is never retried."""
    if (content_type or "").split(";")[0].strip().lower() != "application/json":
        raise _refused(415, f"content type must be application/json, got {content_type or 'none'}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refused(400, "the body is not JSON") from error


def predict_fn(request: Any, loaded: Loaded) -> Answer:
    """Answers an input, an object of the model's features, or each of {"instances": [<input>, ...]} for itself.

    A request that is neither is refused with 413 or 400, which is never retried.
    """
    features = loaded.shape.features
    form = json.dumps({name: "<sentence>" for name in features})
    is_one = _is_input(request, features)
    inputs = [request] if is_one else request.get("instances") if isinstance(request, dict) else None
    if not (isinstance(inputs, list) and inputs):
        raise _refused(400, f'the body must be {form} or {{"instances": [<input>, ...]}}')
    if len(inputs) > MAX_INSTANCES:
        raise _refused(413, f"instances must be at most {MAX_INSTANCES}, got {len(inputs)}")

    texts = [[each[name] for name in features] for each in inputs if _is_input(each, features)]
    encodings = encodings_of(texts, loaded)
    _report(len(encodings), sum(1 for each in encodings if each.overflowing))
    answers = iter([answer_of(logits, loaded.shape) for logits in logits_of(encodings, loaded)])
    wrong = {"error": f"an instance must be {form}"}
    said = [next(answers) if _is_input(each, features) else wrong for each in inputs]
    return said[0] if is_one else {"predictions": said}


def output_fn(answer: Answer, accept: str) -> "tuple[str, str]":
    """The answer as JSON, whatever the caller would accept: there is no other form."""
    return json.dumps(answer), "application/json"


def _is_input(value: Any, features: Sequence[str]) -> bool:
    return isinstance(value, dict) and all(_is_text(value.get(name)) for name in features)


def _is_text(value: Any) -> bool:
    """Whether it is a string of whole characters: JSON can write half a one, `"\\ud83e"`, which no tokenizer takes."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def encodings_of(inputs: Sequence[Sequence[str]], loaded: Loaded) -> list:
    """Tokenizes inputs of one text or two, as transformers does: an empty second text is none."""
    short = [_shortened(texts, loaded) for texts in inputs]
    return [loaded.tokenizer.encode(first, *(text for text in others if text)) for first, *others in short]


def logits_of(encodings: list, loaded: Loaded) -> list:
    """Asks the model about each, in batches as its shape allows: those of like length together, to pad little."""
    logits = [None] * len(encodings)
    by_length = sorted(range(len(encodings)), key=lambda place: len(encodings[place].ids))
    for start in range(0, len(encodings), loaded.shape.batch):
        places = by_length[start : start + loaded.shape.batch]
        for place, row in zip(places, _ask([encodings[place] for place in places], loaded)):
            logits[place] = row
    return logits


def answer_of(logits: Any, shape: Shape) -> Answer:
    """What a model's logits for one input say, as its shape has it."""
    best = int(logits.argmax())
    if shape.answer == "label":
        return shape.labels[best]
    activations = {"softmax": lambda: logits.softmax(-1), "sigmoid": logits.sigmoid, "none": lambda: logits}
    scores = [round(score, DIGITS) for score in activations[shape.activation]().tolist()]
    if shape.answer == "score":
        return scores[0]
    return {"label": shape.labels[best], "score": scores[best], "scores": dict(zip(shape.labels, scores))}


def _ask(encodings: list, loaded: Loaded) -> list:
    """One call of the model. Where it takes one shape only, what is missing is filled, and its logits left out."""
    import torch

    batch, length, others, *_ = loaded.shape
    width = max(len(each.ids) for each in encodings) if others else length
    filled = encodings if others else encodings + encodings[-1:] * (batch - len(encodings))
    with torch.no_grad():
        output = loaded.model(*tensors_of(filled, width, loaded.shape))
    logits = output["logits"] if isinstance(output, dict) else output[0]
    return list(logits[: len(encodings)].float().cpu())


def tensors_of(encodings: list, width: int, shape: Shape) -> tuple:
    """What a model takes, in its order, filled up to a width."""
    import torch

    rows = [(padding, [getattr(each, FIELDS[name]) for each in encodings]) for name, padding in shape.inputs.items()]
    return tuple(torch.tensor([row + [padding] * (width - len(row)) for row in each]) for padding, each in rows)


def _shortened(texts: Sequence[str], loaded: Loaded) -> List[str]:
    """The texts, without what the tokenizer would cut anyway.

    It makes something of every combination of what it cuts: two texts of 80 KB cost it 30 s and 10 GB. What it cuts
    depends on which text is longer, so that one stays longer.
    """
    if max(map(len, texts)) < LONG:
        return list(texts)
    ends = [loaded.whole.encode(text, add_special_tokens=False).offsets for text in texts]
    limits = [loaded.shape.length + (len(end) > min(map(len, ends))) for end in ends]
    return [text if len(end) <= limit else text[: end[limit - 1][1]] for text, end, limit in zip(texts, ends, limits)]


def _report(pairs: int, cut: int) -> None:
    """Says in the log how many pairs were too long, where there are any, as CloudWatch's embedded metric format has it."""
    if cut == 0:
        return
    metrics = [{"Name": name, "Unit": "Count"} for name in ("PairsCut", "PairsAsked")]
    directive = {"Namespace": "OfflineInference/Model", "Dimensions": [[]], "Metrics": metrics}
    meta = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": meta, "PairsCut": cut, "PairsAsked": pairs}), flush=True)


def _refused(status: int, reason: str) -> Exception:
    from sagemaker_inference.errors import GenericInferenceToolkitError

    return GenericInferenceToolkitError(status, reason)
