"""What the SageMaker container runs: answers whether two sentences mean the same.

Everything comes from the archive's own folder; nothing is fetched. It runs on Python 3.8 and later, as the images have it.
"""

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any, Callable, List, NamedTuple

MODELS = ("model_neuron.pt", "model.pt")  # what Neo makes of an archive's model, and the model itself
SHAPE = "shape.json"  # within the model's file: the shape that it was traced with
MAX_INSTANCES = 1000  # the most that the worker can be told to send
LONG = 8_000  # characters, from which on a sentence is shortened before it is tokenized with the other
PAIR = '{"seq_0": "<sentence>", "seq_1": "<sentence>"}'
ANSWERS = ("Not a paraphrase", "It's a paraphrase")  # by the model's class


class Shape(NamedTuple):
    """What a model takes: tensors of `batch` rows of `length` tokens, or up to that where it takes others too."""

    batch: int = 1
    length: int = 512
    others: bool = False


class Loaded(NamedTuple):
    """What predict_fn works with."""

    tokenizer: Any
    whole: Any  # the same tokenizer, which cuts nothing
    model: Callable[[Any, Any], Any]
    shape: Shape


def model_fn(model_dir: str) -> Loaded:
    """Loads the traced model and its tokenizer, once per server process."""
    import torch
    from tokenizers import Tokenizer

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
    model = torch.jit.load(str(files[0]), _extra_files=within).eval()
    shape = Shape(**json.loads(within[SHAPE])) if within[SHAPE] else Shape()

    tokenizer, whole = (Tokenizer.from_file(str(folder / "tokenizer.json")) for _ in range(2))
    for each in (tokenizer, whole):
        each.no_padding()
    tokenizer.enable_truncation(shape.length)
    whole.no_truncation()
    return Loaded(tokenizer, whole, model, shape)


def input_fn(body: "str | bytes", content_type: "str | None") -> dict:
    """Parses a request: a sentence pair, or {"instances": [<pair>, ...]}.

    A request that is neither is refused with 415, 413 or 400, which is never retried.
    """
    if (content_type or "").split(";")[0].strip().lower() != "application/json":
        raise _refused(415, f"content type must be application/json, got {content_type or 'none'}")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refused(400, "the body is not JSON") from error
    instances = request.get("instances") if isinstance(request, dict) else None
    if not _is_pair(request) and not (isinstance(instances, list) and instances):
        raise _refused(400, f'the body must be {PAIR} or {{"instances": [<pair>, ...]}}')
    if instances is not None and len(instances) > MAX_INSTANCES:
        raise _refused(413, f"instances must be at most {MAX_INSTANCES}, got {len(instances)}")
    return request


def predict_fn(request: dict, loaded: Loaded) -> "str | dict":
    """Answers a pair, or each of several, for itself and in their order."""
    if _is_pair(request):
        return _answers([request], loaded)[0]
    answers = iter(_answers([pair for pair in request["instances"] if _is_pair(pair)], loaded))
    wrong = {"error": f"an instance must be {PAIR}"}
    return {"predictions": [next(answers) if _is_pair(pair) else wrong for pair in request["instances"]]}


def output_fn(answer: "str | dict", accept: str) -> "tuple[str, str]":
    """The answer as JSON, whatever the caller would accept: there is no other form."""
    return json.dumps(answer), "application/json"


def _is_pair(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(value.get(name)) for name in ("seq_0", "seq_1"))


def _is_text(value: Any) -> bool:
    """Whether it is a string of whole characters: JSON can write half a one, `"\\ud83e"`, which no tokenizer takes."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _answers(pairs: List[dict], loaded: Loaded) -> List[str]:
    """Asks the model about each pair, in batches as its shape allows: those of like length together, to pad little."""
    short = [_shortened(pair["seq_0"], pair["seq_1"], loaded) for pair in pairs]
    encodings = [loaded.tokenizer.encode(first, second or None) for first, second in short]  # as transformers does
    _report(len(pairs), sum(1 for encoding in encodings if encoding.overflowing))
    rows = [encoding.ids for encoding in encodings]
    answers = [""] * len(rows)
    by_length = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    for start in range(0, len(rows), loaded.shape.batch):
        places = by_length[start : start + loaded.shape.batch]
        for place, answer in zip(places, _ask([rows[place] for place in places], loaded)):
            answers[place] = answer
    return answers


def _ask(rows: List[List[int]], loaded: Loaded) -> List[str]:
    """One call of the model. Where it takes one shape only, what is missing is filled, and the answers left out."""
    import torch

    batch, length, others = loaded.shape
    width = max(map(len, rows)) if others else length
    filled = rows if others else rows + rows[-1:] * (batch - len(rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in filled])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in filled])
    with torch.no_grad():
        output = loaded.model(ids, mask)
    logits = output["logits"] if isinstance(output, dict) else output[0]
    return [ANSWERS[place] for place in logits[: len(rows)].argmax(dim=-1).tolist()]


def _shortened(first: str, second: str, loaded: Loaded) -> "tuple[str, str]":
    """Both sentences, without what the tokenizer would cut anyway.

    It makes something of every combination of what it cuts: two sentences of 80 KB cost it 30 s and 10 GB. What it
    cuts depends on which sentence is longer, so that one stays longer.
    """
    if max(len(first), len(second)) < LONG:
        return first, second
    ends = [loaded.whole.encode(sentence, add_special_tokens=False).offsets for sentence in (first, second)]
    limits = [loaded.shape.length + (len(end) > min(map(len, ends))) for end in ends]
    short = (
        sentence if len(end) <= limit else sentence[: end[limit - 1][1]]
        for sentence, end, limit in zip((first, second), ends, limits)
    )
    return tuple(short)


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
