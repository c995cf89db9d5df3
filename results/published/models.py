"""Makes the two random models of the published set-ups: ``python results/published/models.py``."""

import json
from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    ByT5Tokenizer,
    DebertaV2Config,
    DebertaV2ForTokenClassification,
    DebertaV2Tokenizer,
    T5Config,
    T5EncoderModel,
)

import hpo

SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")


def train_unigram(texts: Iterable[str], size: int) -> list[tuple[str, float]]:
    """Return DeBERTa's special tokens and the subtokens of a unigram model, with their log-probabilities."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    settings = {"vocab_size": size, "special_tokens": ["<unk>"], "unk_token": "<unk>", "show_progress": False}
    tokenizer.train_from_iterator(texts, trainers.UnigramTrainer(**settings))
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    return [
        *((piece, 0.0) for piece in SPECIAL),
        *((piece, score) for piece, score in vocabulary if piece not in (*SPECIAL, "<unk>")),
    ]


def make_byt5() -> None:
    """Save a random ByT5 encoder with two layers of width 64."""
    tokenizer = ByT5Tokenizer()
    config = T5Config(
        d_model=64, d_kv=32, d_ff=128, num_layers=2, num_heads=2, num_decoder_layers=1,
        vocab_size=len(tokenizer), feed_forward_proj="gated-gelu", tokenizer_class="ByT5Tokenizer",
    )  # fmt: skip
    T5EncoderModel(config).save_pretrained("models/byt5-tiny")
    tokenizer.save_pretrained("models/byt5-tiny")


def make_deberta() -> None:
    """Save a random DeBERTa-v3 with two layers of width 128 and a vocabulary of the generated corpus."""
    sentences = hpo.load_corpus("demo:multinerd", tags="multinerd-a").splits["train"]
    tokenizer = DebertaV2Tokenizer(vocab=train_unigram((" ".join(each.tokens) for each in sentences), 3000))
    config = DebertaV2Config(  # the settings in which v3 differs from v2
        hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=256,
        vocab_size=len(tokenizer), relative_attention=True, position_buckets=32, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False,
        max_position_embeddings=256, type_vocab_size=0,
    )  # fmt: skip
    DebertaV2ForTokenClassification(config).save_pretrained("models/deberta-tiny")
    tokenizer.save_pretrained("models/deberta-tiny")


if __name__ == "__main__":
    torch.manual_seed(0)
    make_byt5()
    make_deberta()
