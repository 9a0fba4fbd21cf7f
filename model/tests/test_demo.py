import csv
import json
import re
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

import demo
import inference
import trace
from written_pairs import SHARES, Writer

LABELLED = Path(__file__).parent.parent.parent / "samples" / "paraphrase" / "labelled-pairs.csv"
PAIRS = [dict(zip(("seq_0", "seq_1"), each.texts)) for each in trace.golden_of(Path("none"), ("seq_0", "seq_1"))]


def test_reads_each_sentence_of_a_pair_as_if_it_were_alone(folder, monkeypatch):
    monkeypatch.setattr(demo, "FRONT", 1)  # of the two layers that the tiny model has
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoder = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def alone(sentence):
        ids = torch.tensor([tokenizer.encode(sentence).ids])
        return encoder(ids).last_hidden_state.mean(dim=1)[0].tolist()

    model = demo.SentencePair(encoder, None, tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]"))
    tokenizer.enable_padding(length=160)
    rows = tokenizer.encode_batch([(pair["seq_0"], pair["seq_1"]) for pair in PAIRS])
    tokenizer.no_padding()
    with torch.no_grad():
        split = model.split(torch.tensor([row.ids for row in rows]), torch.tensor([row.attention_mask for row in rows]))
        sentences = demo.read(encoder, *split).sentence().tolist()
        expected = [alone(pair[name]) for name in ("seq_0", "seq_1") for pair in PAIRS]
    assert sentences == [pytest.approx(each, abs=1e-5) for each in expected]


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


def test_writes_what_an_archive_needs_and_a_persons_answers(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FRONT", 1)  # of the two layers that the tiny model has
    labelled = [{**pair, "id": f"kind{place % 4}-{place}", "label": str(place % 2)} for place, pair in enumerate(PAIRS)]
    out = tmp_path / "demo"
    demo.write(folder, labelled, out, steps=2)
    files = ["config.json", "golden.json", "model.json", "model.pt", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(file.name for file in out.iterdir()) == files
    loaded = inference.model_fn(str(out))
    assert loaded.shape[:3] == (1, 512, True)
    golden = json.loads((out / "golden.json").read_text(encoding="utf-8"))
    said = {json.dumps([pair["seq_0"], pair["seq_1"]]): loaded.shape.labels[int(pair["label"])] for pair in labelled}
    assert golden
    for each in golden:
        request = json.loads(each["request"])
        assert said[json.dumps(list(request.values()))] == json.loads(each["response"])
        assert inference.predict_fn(request, loaded) == json.loads(each["response"])


def test_golden_requests_are_the_first_of_each_kind_that_the_model_and_a_person_agree_about():
    pairs = [{"id": id, "seq_0": id, "seq_1": "other"} for id in ("name-1", "name-3", "name-5", "date-1")]
    assert demo.golden_of(pairs, [False, True, True, True]) == [["name-3", "other"], ["date-1", "other"]]
    with pytest.raises(SystemExit, match="agrees with a person about no labelled pair"):
        demo.golden_of(pairs, [False] * 4)


class TestWrittenPairs:
    pairs = list(Writer(demo.SEED).pairs(demo.STEPS * demo.BATCH))

    def test_are_the_same_each_time(self):
        assert self.pairs[:50] == list(Writer(demo.SEED).pairs(50))
        assert self.pairs[:50] != list(Writer(demo.SEED + 1).pairs(50))

    def test_have_no_sentence_of_the_labelled_pairs(self):
        def words(sentence):
            return tuple(re.findall(r"\w+", sentence.lower()))

        with LABELLED.open(encoding="utf-8", newline="") as rows:
            labelled = {words(row[name]) for row in csv.DictReader(rows) for name in ("seq_0", "seq_1")}
        assert len(labelled) == 600
        assert [pair for pair in self.pairs if {words(pair.one), words(pair.other)} & labelled] == []

    def test_are_of_each_kind_half_of_them_paraphrases(self):
        assert {pair.kind for pair in self.pairs} == set(SHARES)
        share = sum(pair.paraphrase for pair in self.pairs) / len(self.pairs)
        assert 0.4 < share < 0.6
        assert all(pair.paraphrase == (pair.kind == "same") for pair in self.pairs)

    def test_are_whole_sentences(self):
        assert [pair for pair in self.pairs if set("{}<>=_") & set(pair.one + pair.other)] == []
