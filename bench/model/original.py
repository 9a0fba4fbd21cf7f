"""Answers as the inference.py of the pipeline does that this one replaces: one pair a call, always padded to 512 tokens.

Its tokenizer, which that one fetches from a hub when it starts, comes from the archive here: only its speed is compared.
"""

import json

import torch
from transformers import AutoTokenizer

CLASSES = ("Not a paraphrase", "It's a paraphrase")


def make_tokenizer(model_dir):
    return AutoTokenizer.from_pretrained(model_dir, local_files_only=True)


def model_fn(model_dir):
    within = {"shape.json": ""}
    model = torch.jit.load(f"{model_dir}/model.pt", _extra_files=within)
    names = json.loads(within["shape.json"])["inputs"]  # what reshape.py has written: the original's were the first two
    return lambda padded: model(*(padded[name] for name in names)), make_tokenizer(model_dir)


def input_fn(body, content_type):
    return json.loads(body)


def predict_fn(pair, loaded):
    model, tokenizer = loaded
    padded = tokenizer(
        pair["seq_0"], pair["seq_1"], max_length=512, padding="max_length", truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        logits = model(padded)[0]
    return CLASSES[torch.nn.functional.softmax(logits, dim=1).argmax(dim=-1).item()]


def output_fn(answer, accept):
    return json.dumps(answer), accept
