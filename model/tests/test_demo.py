import csv
import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

import demo
import inference
import trace

LABELLED = Path(__file__).parent.parent.parent / "samples" / "paraphrase" / "labelled-pairs.csv"
PAIRS = [dict(zip(("seq_0", "seq_1"), each.texts)) for each in trace.golden_of(Path("none"), ("seq_0", "seq_1"))]


def test_embeds_each_sentence_of_a_pair_as_if_it_were_alone(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoder = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def alone(sentence):
        ids = torch.tensor([tokenizer.encode(sentence).ids])
        return encoder(ids).last_hidden_state.mean(dim=1)

    model = demo.SentencePair(encoder, tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]"), 0.25)
    tokenizer.enable_padding(length=160)
    rows = tokenizer.encode_batch([(pair["seq_0"], pair["seq_1"]) for pair in PAIRS])
    tokenizer.no_padding()
    with torch.no_grad():
        (scores,) = model(torch.tensor([row.ids for row in rows]), torch.tensor([row.attention_mask for row in rows]))
        for (threshold, cosine), pair in zip(scores.tolist(), PAIRS):
            expected = torch.cosine_similarity(alone(pair["seq_0"]), alone(pair["seq_1"]))
            assert threshold == 0.25
            assert cosine == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize(
    ("scored", "low", "high"),
    [
        ([(0.2, False), (0.3, False), (0.6, True), (0.9, True)], 0.3, 0.6),
        ([(0.2, False), (0.5, True), (0.6, False), (0.8, True), (0.9, True)], 0.2, 0.5),
        ([(0.1, True), (0.2, False), (0.3, False), (0.4, True), (0.4, False), (0.7, True)], 0.3, 0.4),
    ],
)
def test_chooses_the_lowest_threshold_that_most_pairs_are_right_by(scored, low, high):
    assert low < demo.threshold_of([demo.Scored(*each) for each in scored]) < high


def test_chooses_it_by_the_pairs_with_an_odd_number_alone():
    with LABELLED.open(encoding="utf-8", newline="") as rows:
        ids = [row["id"] for row in csv.DictReader(rows)]
    chosen = [pair["id"] for pair in demo.pairs_to_choose_by(LABELLED)]
    assert chosen == [one for one in ids if one[-1] in "13579"]
    assert len(chosen) == len(ids) / 2


def test_writes_what_an_archive_needs_and_the_answers_that_it_gives(folder, tmp_path):
    labelled = [{**pair, "label": str(place % 2)} for place, pair in enumerate(PAIRS)]
    out = tmp_path / "demo"
    demo.write(folder, labelled, out)
    files = ["config.json", "golden.json", "model.json", "model.pt", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(file.name for file in out.iterdir()) == files
    loaded = inference.model_fn(str(out))
    assert loaded.shape[:3] == (1, 512, True)
    golden = json.loads((out / "golden.json").read_text(encoding="utf-8"))
    assert [json.loads(each["request"]) for each in golden] == PAIRS
    for each in golden:
        assert inference.predict_fn(json.loads(each["request"]), loaded) == json.loads(each["response"])
