"""What the SageMaker container runs: answers whether two sentences mean the same.

Everything comes from the archive's own folder; nothing is fetched. PyTorch, the tokenizer and SageMaker's toolkit are
imported where they are used, so that the tests need none of them.
"""

import importlib
import json
from pathlib import Path
from typing import Any, Callable, NamedTuple

MAX_TOKENS = 512  # the shape that the model is traced with; what is longer is cut by the tokenizer
PAIR = '{"seq_0": "<sentence>", "seq_1": "<sentence>"}'
ANSWERS = ("Not a paraphrase", "It's a paraphrase")  # by the model's class


class Loaded(NamedTuple):
    """What predict_fn works with."""

    tokenizer: Any
    model: Callable[[Any, Any], Any]
    tensor: Callable[[list], Any]


def model_fn(model_dir: str) -> Loaded:
    """Loads the traced model and its tokenizer, once per server process."""
    import torch
    from tokenizers import Tokenizer

    for neuron in ("torch.neuron", "torch_neuronx"):  # they bring the operators of a model compiled for Inf1 and Inf2
        try:
            importlib.import_module(neuron)
        except ModuleNotFoundError:
            continue

    folder = Path(model_dir)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding(length=MAX_TOKENS)
    model = torch.jit.load(str(folder / "paraphrase_bert.pt")).eval().requires_grad_(False)
    return Loaded(tokenizer, model, torch.tensor)


def input_fn(body: "str | bytes", content_type: str) -> dict:
    """Parses a request: a sentence pair, or {"instances": [<pair>, ...]}.

    A request that is neither is refused with 415 or 400, which is never retried.
    """
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise _refused(415, f"content type must be application/json, got {content_type}")
    try:
        request = json.loads(body)
    except ValueError as error:
        raise _refused(400, "the body is not JSON") from error
    instances = request.get("instances") if isinstance(request, dict) else None
    if not _is_pair(request) and not (isinstance(instances, list) and instances):
        raise _refused(400, f'the body must be {PAIR} or {{"instances": [<pair>, ...]}}')
    return request


def predict_fn(request: dict, loaded: Loaded) -> "str | dict":
    """Answers a pair, or each of several, for itself and in their order."""
    if _is_pair(request):
        return _answer(request, loaded)
    wrong = {"error": f"an instance must be {PAIR}"}
    return {"predictions": [_answer(pair, loaded) if _is_pair(pair) else wrong for pair in request["instances"]]}


def _is_pair(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("seq_0", "seq_1"))


def _answer(pair: dict, loaded: Loaded) -> str:
    """Asks the model about both sentences."""
    encoding = loaded.tokenizer.encode(pair["seq_0"], pair["seq_1"])
    output = loaded.model(loaded.tensor([encoding.ids]), loaded.tensor([encoding.attention_mask]))
    scores = (output["logits"] if isinstance(output, dict) else output[0])[0]
    return ANSWERS[max(range(len(ANSWERS)), key=lambda answer: float(scores[answer]))]


def output_fn(answer: "str | dict", accept: str) -> "tuple[str, str]":
    """The answer as JSON, whatever the caller would accept: there is no other form."""
    return json.dumps(answer), "application/json"


def _refused(status: int, reason: str) -> Exception:
    from sagemaker_inference.errors import GenericInferenceToolkitError

    return GenericInferenceToolkitError(status, reason)
