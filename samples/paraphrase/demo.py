"""Makes a classifier of sentence pairs out of a small sentence model, as model/trace.py makes one of a classifier's folder.

`demo.py DIR --pairs CSV --out DIR` takes a sentence model (BERT, mean pooling) and writes a folder for `model package`. The
sentence model reads each sentence of a pair for itself and stays as it is. What compares the two is trained on pairs that
written_pairs.py writes; of the labelled pairs only a threshold is chosen, and by those with an odd number.
"""

import argparse
import contextlib
import copy
import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any, List, NamedTuple, Sequence

sys.path.insert(0, str(Path(__file__).parents[2] / "model"))
import inference  # noqa: E402
import torch  # noqa: E402
import trace  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity, normalize  # noqa: E402
from written_pairs import Pair, Writer  # noqa: E402

SEED = 1
STEPS = 160  # of training: two minutes of one core, measured
BATCH = 32  # pairs of a step
RATES = {"layers": 3e-4, "others": 1e-3}  # of learning, at their highest
FRONT = 4  # layers of six that read a sentence for itself; copies of the others read both
SHARP = 20.0  # how much a word looks at those most like it alone


class Read(NamedTuple):
    """Sentences as the sentence model reads them: a row each, a place for each token."""

    mask: Any
    words: Any  # the tokens' own vectors
    inner: Any  # what FRONT layers make of them
    outer: Any  # what all layers do

    def sentence(self) -> Any:
        return _mean(self.outer, self.mask)


def quickly(training: bool) -> Any:
    """Half the digits while it is trained, where the processor is made for them: that takes little more than half the time."""
    is_made = torch.cpu.get_capabilities().get("amx_bf16", False)
    return torch.autocast("cpu", torch.bfloat16) if training and is_made else contextlib.nullcontext()


def read(encoder: Any, ids: Any, mask: Any) -> Read:
    said = encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    return Read(mask, encoder.embeddings.word_embeddings(ids), said.hidden_states[FRONT], said.last_hidden_state)


def _mean(vectors: Any, mask: Any) -> Any:
    weights = mask.unsqueeze(-1).to(vectors.dtype)
    return (vectors * weights).sum(1) / weights.sum(1)


class Comparison(torch.nn.Module):
    """Says how surely two sentences mean the same: above 0 where it is more likely than not."""

    def __init__(self, encoder: Any):
        super().__init__()
        width = encoder.config.hidden_size

        def small(*shape: int) -> Any:
            return torch.nn.Parameter(0.02 * torch.randn(*shape))

        self.layers = copy.deepcopy(encoder.encoder.layer[FRONT:])
        self.sides, self.likeness, self.difference = small(2, width), small(3, width), small(width, width)
        self.drop = torch.nn.Dropout(0.1)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(2 * width + 1, 128), torch.nn.GELU(), torch.nn.Dropout(0.1), torch.nn.Linear(128, 1)
        )
        self.cosine = torch.nn.Parameter(torch.tensor([4.0, -2.8]))

    def forward(self, one: Read, other: Read) -> Any:
        both = zip(self.sides, (one, other), (other, one))
        states = torch.cat([self.beside(side, this, that) for side, this, that in both], dim=1)
        mask = torch.cat([one.mask, other.mask], dim=1)
        hidden = (1.0 - mask[:, None, None, :].to(states.dtype)) * -1e9
        with quickly(self.training):
            for layer in self.layers:
                states = layer(states, hidden)
        states = states.float()
        most = states.masked_fill(mask.unsqueeze(-1) == 0, -1e9).max(1).values
        cosine = cosine_similarity(one.sentence(), other.sentence()).unsqueeze(1)
        said = self.head(self.drop(torch.cat([_mean(states, mask), most, cosine], dim=1)))
        return (said + self.cosine[0] * cosine + self.cosine[1]).squeeze(1)

    def beside(self, side: Any, this: Read, that: Read) -> Any:
        """The tokens of a sentence, each with how like the other sentence's it is, and in what it differs from those."""
        absent = that.mask.unsqueeze(1) == 0

        def alike(vectors: Any, others: Any) -> Any:
            cosines = normalize(vectors, dim=-1) @ normalize(others, dim=-1).transpose(1, 2)
            return cosines.masked_fill(absent, -1.0)

        words = alike(this.words, that.words)
        likest = words.max(-1).values
        same = (likest > 0.999).to(likest.dtype)
        likeness = torch.stack([likest, same, alike(this.outer, that.outer).max(-1).values], dim=-1)
        matched = (SHARP * words).masked_fill(absent, -1e9).softmax(-1) @ that.inner
        return this.inner + side + likeness @ self.likeness + (this.inner - matched) @ self.difference


class SentencePair(torch.nn.Module):
    """Scores a packed pair, `[CLS] one [SEP] other [SEP]`, with a threshold and what compares its sentences."""

    def __init__(self, encoder: Any, comparison: Any, opening: int, separator: int, threshold: float = 0.0):
        super().__init__()
        self.encoder = encoder
        self.comparison = comparison
        self.opening = opening
        self.separator = separator
        self.threshold = threshold

    def forward(self, input_ids, attention_mask):
        sides = read(self.encoder, *self.split(input_ids, attention_mask))
        one, other = zip(*(side.chunk(2) for side in sides))
        said = self.comparison(Read(*one), Read(*other))
        return (torch.stack([torch.full_like(said, self.threshold), said], dim=1),)

    def split(self, input_ids: Any, attention_mask: Any) -> tuple:
        """Each sentence of a pair as if it were alone: first all that come first, then the others."""
        width = input_ids.size(1)
        places = torch.arange(width).unsqueeze(0)
        end = (input_ids == self.separator).int().argmax(dim=1, keepdim=True)  # of the one: its [SEP]
        one = attention_mask * (places <= end)
        beyond = places + end
        moved = beyond.clamp(max=width - 1)  # the other comes to the front, with [CLS] in the place of that [SEP]
        other_ids = torch.where(places == 0, self.opening, input_ids.gather(1, moved))
        other = attention_mask.gather(1, moved) * (beyond < width)
        return torch.cat([input_ids, other_ids]), torch.cat([one, other])


def train(encoder: Any, tokenizer: Tokenizer, steps: int = STEPS) -> Comparison:
    """Trains what compares two sentences, on pairs that are written for it."""
    torch.manual_seed(SEED)
    comparison = Comparison(encoder).train()
    layers = list(comparison.layers.parameters())
    others = [each for name, each in comparison.named_parameters() if not name.startswith("layers.")]
    optimizer = torch.optim.AdamW([{"params": layers}, {"params": others}])
    pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, list(RATES.values()), total_steps=steps, pct_start=0.1)
    pairs = Writer(SEED).pairs(steps * BATCH)
    for step in range(1, steps + 1):
        batch = [next(pairs) for _ in range(BATCH)]
        said = comparison(*sides_of(batch, encoder, tokenizer))
        right = torch.tensor([float(pair.paraphrase) for pair in batch])
        loss = binary_cross_entropy_with_logits(said, right)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(comparison.parameters(), 1.0)
        optimizer.step()
        pace.step()
        if step % 20 == 0:
            print(f"{step} of {steps} steps, loss {loss.item():.2f}", flush=True)
    return comparison.eval()


def sides_of(pairs: Sequence[Pair], encoder: Any, tokenizer: Tokenizer) -> List[Read]:
    """What the sentence model makes of the first sentences, and of the others."""
    read_ones = []
    for sentences in zip(*((pair.one, pair.other) for pair in pairs)):
        encodings = tokenizer.encode_batch(list(sentences))
        ids, mask = (torch.tensor([getattr(each, name) for each in encodings]) for name in ("ids", "attention_mask"))
        with torch.no_grad(), quickly(training=True):
            read_ones.append(Read(*(each.float() for each in read(encoder, ids, mask))))
    return read_ones


class Scored(NamedTuple):
    """A pair's score, and whether it is a paraphrase."""

    score: float
    paraphrase: bool


def threshold_of(scored: Sequence[Scored]) -> float:
    """The threshold that gives most of the pairs the right answer: the middle between two scores, the lowest such."""
    scores = sorted({each.score for each in scored})
    middles = [(low + high) / 2 for low, high in zip(scores, scores[1:])]

    def right(threshold: float) -> int:
        return sum((each.score > threshold) == each.paraphrase for each in scored)

    return max(middles, key=right)


def pairs_to_choose_by(file: Path) -> List[dict]:
    """The labelled pairs with an odd number. The others say how good the model is, so they are not looked at."""
    with file.open(encoding="utf-8", newline="") as rows:
        return [row for row in csv.DictReader(rows) if int(row["id"].rsplit("-", 1)[1]) % 2 == 1]


def write(folder: Path, pairs: List[dict], out: Path, steps: int = STEPS) -> dict:
    """Writes the traced classifier with what belongs to it. Its golden answers are a person's."""
    from transformers import AutoModel, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.no_truncation()
    encoder = AutoModel.from_pretrained(
        str(folder), local_files_only=True, add_pooling_layer=False, attn_implementation="eager"
    ).eval()
    comparison = train(encoder, tokenizer, steps)
    model = SentencePair(encoder, comparison, tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")).eval()

    shape = inference.Shape()

    def scores(pairs: List[List[str]]) -> torch.Tensor:
        encodings = tokenizer.encode_batch(pairs)
        with torch.no_grad():
            return model(*inference.tensors_of(encodings, len(encodings[0].ids), shape))[0]

    chosen_by = scores([[pair["seq_0"], pair["seq_1"]] for pair in pairs])[:, 1].tolist()
    labels = [int(pair["label"]) for pair in pairs]
    model.threshold = threshold_of([Scored(*each) for each in zip(chosen_by, map(bool, labels))])

    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(folder / name, out / name)
    agreed = [(score > model.threshold) == bool(label) for score, label in zip(chosen_by, labels)]
    golden = golden_of(pairs, agreed)
    expected = scores(golden)
    traced = trace.write(model, out / "tokenizer.json", out / "model.pt", shape, golden, expected)
    trace.write_golden(out / "golden.json", shape, golden, expected)
    sources, gave = trace.sources_in(folder), ["model.pt", "golden.json"]
    trace.write_model_file(out, traced.shape, trace.source_of(folder), sources, gave, by="samples/paraphrase/demo.py")
    return {"threshold": model.threshold, "chosenBy": len(pairs), "right": sum(agreed)}


def golden_of(pairs: Sequence[dict], agreed: Sequence[bool]) -> List[List[str]]:
    """Of each kind the first pair about which the model says what a person has said.

    @raises SystemExit when there is none
    """
    kinds = {}
    for pair, agrees in zip(pairs, agreed):
        if agrees:
            kinds.setdefault(pair["id"].rsplit("-", 1)[0], [pair["seq_0"], pair["seq_1"]])
    if not kinds:
        raise SystemExit("The model agrees with a person about no labelled pair.")
    return list(kinds.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a classifier of sentence pairs out of a sentence model.")
    parser.add_argument("folder", type=Path, help="the sentence model: config.json, model.safetensors, tokenizer.json, ...")
    parser.add_argument("--pairs", type=Path, required=True, help="labelled pairs, to choose the threshold by")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    arguments = parser.parse_args()
    print(json.dumps(write(arguments.folder, pairs_to_choose_by(arguments.pairs), arguments.out)))


if __name__ == "__main__":
    main()
