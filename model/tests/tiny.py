"""Makes a tiny BERT classifier that has learnt the golden pairs by heart: `tiny.py DIR`, as save_pretrained leaves it.

Tests make others, of any architecture and with random weights.
"""

import json
import sys
from pathlib import Path
from typing import Any, Sequence

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
        hidden_dropout_prob=0, attention_probs_dropout_prob=0, id2label=dict(enumerate(CLASSES)),
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    inputs = tokenizer(
        [pair["seq_0"] for pair in pairs], [pair["seq_1"] for pair in pairs], padding=True, return_tensors="pt"
    )
    labels = torch.tensor([CLASSES.index(json.loads(each["response"])) for each in golden])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(200):
        optimizer.zero_grad()
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)


SPECIAL = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}
ROBERTA = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def random_model(folder: Path, architecture: str, labels: Sequence[str], **config: Any) -> None:
    """A classifier with random weights, so large that every token counts, and the tokenizer of its architecture."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    texts = [text for each in golden for text in json.loads(each["request"]).values()]
    special = ROBERTA if architecture in ("Roberta", "MPNet") else SPECIAL

    def trained(model, trainer, **options):
        """Its vocabulary, by the kind of model: the special tokens have the first numbers, as they stand."""
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = options.pop("pre_tokenizer")
        made = trainer(vocab_size=400, special_tokens=list(special.values()), show_progress=False, **options)
        tokenizer.train_from_iterator(texts, made)
        return json.loads(tokenizer.to_str())["model"]

    words = {"pre_tokenizer": pre_tokenizers.BertPreTokenizer()}
    letters = {"pre_tokenizer": pre_tokenizers.ByteLevel(), "initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
    pieces = {"pre_tokenizer": pre_tokenizers.Metaspace(), "unk_token": special["unk"]}
    if architecture in ("Roberta", "ModernBert"):
        made = trained(models.BPE(), trainers.BpeTrainer, **letters)
        vocabulary = {"vocab": made["vocab"], "merges": [tuple(merge) for merge in made["merges"]]}
    elif architecture == "DebertaV2":
        made = trained(models.Unigram(), trainers.UnigramTrainer, **pieces)
        vocabulary = {"vocab": [tuple(piece) for piece in made["vocab"]], "unk_id": made["unk_id"]}
    else:
        made = trained(models.WordPiece(unk_token=special["unk"]), trainers.WordPieceTrainer, **words)
        vocabulary = {"vocab": made["vocab"]}
    named = {f"{name}_token": token for name, token in special.items()}
    if architecture == "ModernBert":  # it has no tokenizer of its own
        plain = Tokenizer(models.BPE(**vocabulary))
        plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        plain.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
            special_tokens=[(special[name], plain.token_to_id(special[name])) for name in ("cls", "sep")],
        )  # fmt: skip
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=plain, model_input_names=["input_ids", "attention_mask"], **named
        )
    else:
        tokenizer = getattr(transformers, f"{architecture}Tokenizer")(**vocabulary, **named)
    tokenizer.save_pretrained(folder)

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64} if architecture == "DistilBert" else SIZES
    made = getattr(transformers, f"{architecture}Config")(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, initializer_range=0.5, max_position_embeddings=130,
        id2label=dict(enumerate(labels)), **sizes, **config,
    )  # fmt: skip
    getattr(transformers, f"{architecture}ForSequenceClassification")(made).eval().save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
