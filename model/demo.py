"""Makes a classifier of sentence pairs out of a small sentence model, as trace.py makes one of a classifier's folder.

`demo.py DIR --pairs CSV --out DIR` takes a sentence model (BERT, mean pooling) and writes a folder for `model package`.
Each sentence of a pair is embedded for itself; they are a paraphrase where the cosine of the two is above a threshold.
"""

import argparse
import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any, List, NamedTuple, Sequence

sys.path.insert(0, str(Path(__file__).parent))
import inference  # noqa: E402
import torch  # noqa: E402
import trace  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402


class SentencePair(torch.nn.Module):
    """Scores a packed pair, `[CLS] one [SEP] other [SEP]`, with the threshold and the cosine of its sentences."""

    def __init__(self, encoder: Any, opening: int, separator: int, threshold: float):
        super().__init__()
        self.encoder = encoder
        self.opening = opening
        self.separator = separator
        self.threshold = threshold

    def forward(self, input_ids, attention_mask):
        width = input_ids.size(1)
        places = torch.arange(width).unsqueeze(0)
        end = (input_ids == self.separator).int().argmax(dim=1, keepdim=True)  # of the one: its [SEP]
        one = attention_mask * (places <= end)
        beyond = places + end
        moved = beyond.clamp(max=width - 1)  # the other comes to the front, with [CLS] in the place of that [SEP]
        other_ids = torch.where(places == 0, self.opening, input_ids.gather(1, moved))
        other = attention_mask.gather(1, moved) * (beyond < width)

        mask = torch.cat([one, other])
        tokens = self.encoder(input_ids=torch.cat([input_ids, other_ids]), attention_mask=mask, return_dict=False)[0]
        weights = mask.unsqueeze(-1).to(tokens.dtype)
        sentences = (tokens * weights).sum(1) / weights.sum(1)
        cosine = torch.nn.functional.cosine_similarity(*sentences.chunk(2))
        return (torch.stack([torch.full_like(cosine, self.threshold), cosine], dim=1),)


class Scored(NamedTuple):
    """A pair's cosine, and whether it is a paraphrase."""

    cosine: float
    paraphrase: bool


def threshold_of(scored: Sequence[Scored]) -> float:
    """The threshold that gives most of the pairs the right answer: the middle between two cosines, the lowest such."""
    cosines = sorted({each.cosine for each in scored})
    middles = [(low + high) / 2 for low, high in zip(cosines, cosines[1:])]

    def right(threshold: float) -> int:
        return sum((each.cosine > threshold) == each.paraphrase for each in scored)

    return max(middles, key=right)


def pairs_to_choose_by(file: Path) -> List[dict]:
    """The labelled pairs with an odd number. The others say how good the model is, so they are not looked at."""
    with file.open(encoding="utf-8", newline="") as rows:
        return [row for row in csv.DictReader(rows) if int(row["id"].rsplit("-", 1)[1]) % 2 == 1]


def write(folder: Path, pairs: List[dict], out: Path) -> dict:
    """Writes the traced classifier with what belongs to it, and the answers that it gives to the golden requests."""
    from transformers import AutoModel, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.no_truncation()
    encoder = AutoModel.from_pretrained(
        str(folder), local_files_only=True, add_pooling_layer=False, attn_implementation="eager"
    )
    model = SentencePair(encoder, tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]"), 0.0).eval()

    shape = inference.Shape()

    def scores(pairs: List[List[str]]) -> torch.Tensor:
        encodings = tokenizer.encode_batch(pairs)
        with torch.no_grad():
            return model(*inference.tensors_of(encodings, len(encodings[0].ids), shape))[0]

    cosines = scores([[pair["seq_0"], pair["seq_1"]] for pair in pairs])[:, 1].tolist()
    labels = [pair["label"] == "1" for pair in pairs]
    model.threshold = threshold_of([Scored(*each) for each in zip(cosines, labels)])

    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(folder / name, out / name)
    golden = [each.texts for each in trace.golden_of(None, shape.features)]
    expected = scores(golden)
    traced = trace.write(model, out / "tokenizer.json", out / "model.pt", shape, golden, expected)
    trace.write_golden(out / "golden.json", shape, golden, expected)
    sources, gave = trace.sources_in(folder), ["model.pt", "golden.json"]
    trace.write_model_file(out, traced.shape, trace.source_of(folder), sources, gave, by="model/demo.py")
    return {"threshold": model.threshold, "chosenBy": len(pairs)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a classifier of sentence pairs out of a sentence model.")
    parser.add_argument("folder", type=Path, help="the sentence model: config.json, model.safetensors, tokenizer.json, ...")
    parser.add_argument("--pairs", type=Path, required=True, help="labelled pairs, to choose the threshold by")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    arguments = parser.parse_args()
    print(json.dumps(write(arguments.folder, pairs_to_choose_by(arguments.pairs), arguments.out)))


if __name__ == "__main__":
    main()
