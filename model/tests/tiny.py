"""Makes a tiny BERT classifier that has learnt the golden pairs by heart: `tiny.py DIR`, as save_pretrained leaves it."""

import json
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "golden" / "predictions.json"
CLASSES = ("Not a paraphrase", "It's a paraphrase")


def make(folder: Path) -> None:
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    pairs = [json.loads(each["request"]) for each in golden]
    words = BertWordPieceTokenizer(lowercase=True)
    words.train_from_iterator(
        [text for pair in pairs for text in pair.values()], vocab_size=300, min_frequency=1, show_progress=False
    )
    tokenizer = BertTokenizerFast(tokenizer_object=words._tokenizer, model_max_length=512)
    tokenizer.save_pretrained(folder)

    torch.set_num_threads(1)  # so small a model is no work to share
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        hidden_dropout_prob=0, attention_probs_dropout_prob=0,
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    inputs = tokenizer(
        [pair["seq_0"] for pair in pairs], [pair["seq_1"] for pair in pairs], padding=True, return_tensors="pt"
    )
    labels = torch.tensor([CLASSES.index(json.loads(each["response"])) for each in golden])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(200):
        optimizer.zero_grad()
        loss = model(inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=labels).loss
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
