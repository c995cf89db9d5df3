"""Fixtures: a folder with a small random model and a real tokenizer class for each model family."""

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    BertTokenizerFast,
    ByT5Tokenizer,
    DebertaV2Config,
    DebertaV2ForTokenClassification,
    DebertaV2Tokenizer,
    ElectraConfig,
    ElectraForTokenClassification,
    ElectraTokenizerFast,
    RobertaConfig,
    RobertaForTokenClassification,
    RobertaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
    XLMRobertaTokenizer,
)

from hpo.corpora.spans import label_names
from hpo.encoding.encoded_corpus import write_corpus
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.encoding.tokenizers import load_tokenizer
from hpo.training.task import TrainingCallbacks, TrainingTask
from hpo.training.trainer import NerTrainer, train

torch.set_num_threads(1)
TRAINING_FIXTURES = {"run_and_record", "learned", "kept"}
"""Tests that use one of these train a model; those of `SLOW_FAMILIES` are marked as slow."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        family = item.callspec.params.get("family") if hasattr(item, "callspec") else None
        if family in SLOW_FAMILIES and TRAINING_FIXTURES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.slow)


FAMILIES = ("bert", "electra", "roberta", "xlm-roberta", "deberta-v2", "t5", "byt5")
SLOW_FAMILIES = FAMILIES[1:-1]
LABELS = label_names(("person", "place"))
WIDTHS = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64
}  # fmt: skip
T5_WIDTHS = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "num_decoder_layers": 1}


def wordpiece(texts):
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=130, special_tokens=special, show_progress=False)
    )
    return backend.get_vocab()


def unigram(texts, special):
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.train_from_iterator(
        texts, trainers.UnigramTrainer(vocab_size=90, special_tokens=["<unk>"], unk_token="<unk>",
                                       show_progress=False)
    )  # fmt: skip
    pieces = [(piece, -2.0 - 0.01 * place) for place, piece in enumerate(sorted(backend.get_vocab()))]
    return [*((each, 0.0) for each in special), *((p, s) for p, s in pieces if p not in special)]


def byte_pairs(texts):
    learner = ByteLevelBPETokenizer(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    learner.train_from_iterator(texts, vocab_size=320, special_tokens=special, show_progress=False)
    model = learner._tokenizer.to_str()
    import json

    parts = json.loads(model)["model"]
    return RobertaTokenizer(vocab=parts["vocab"], merges=[tuple(pair) for pair in parts["merges"]])


def make(family, texts):
    """Return a tokenizer and a model; T5 has no head, as published checkpoints have none."""
    if family == "bert":
        tokenizer = BertTokenizerFast(vocab=wordpiece(texts), do_lower_case=False)
        kind, config = BertForTokenClassification, BertConfig(**WIDTHS, vocab_size=len(tokenizer))
    elif family == "electra":
        tokenizer = ElectraTokenizerFast(vocab=wordpiece(texts), do_lower_case=False)
        kind = ElectraForTokenClassification
        config = ElectraConfig(**WIDTHS, embedding_size=16, vocab_size=len(tokenizer))
    elif family == "roberta":
        tokenizer = byte_pairs(texts)
        kind = RobertaForTokenClassification
        config = RobertaConfig(**WIDTHS, vocab_size=len(tokenizer), max_position_embeddings=66)
    elif family == "xlm-roberta":
        tokenizer = XLMRobertaTokenizer(vocab=unigram(texts, ("<s>", "<pad>", "</s>", "<unk>", "<mask>")))
        kind = XLMRobertaForTokenClassification
        config = XLMRobertaConfig(**WIDTHS, vocab_size=len(tokenizer), max_position_embeddings=66)
    elif family == "deberta-v2":
        special = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
        tokenizer = DebertaV2Tokenizer(vocab=unigram(texts, special))
        kind = DebertaV2ForTokenClassification
        config = DebertaV2Config(  # the settings in which v3 differs from v2
            **WIDTHS, vocab_size=len(tokenizer), relative_attention=True, position_buckets=8,
            norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type=["p2c", "c2p"],
            position_biased_input=False, max_position_embeddings=64, type_vocab_size=0,
        )  # fmt: skip
    elif family == "t5":
        tokenizer = T5Tokenizer(vocab=unigram(texts, ("<pad>", "</s>", "<unk>")), extra_ids=2)
        kind, config = T5EncoderModel, T5Config(**T5_WIDTHS, vocab_size=len(tokenizer))
    else:
        tokenizer = ByT5Tokenizer()
        kind = T5EncoderModel
        config = T5Config(
            **T5_WIDTHS, vocab_size=len(tokenizer), feed_forward_proj="gated-gelu",
            tokenizer_class="ByT5Tokenizer",
        )  # fmt: skip
    torch.manual_seed(0)
    return tokenizer, kind(config)


@pytest.fixture(scope="session")
def folders(tmp_path_factory, sentences):
    """The model folder of each family."""
    texts = [" ".join(form) for s in sentences for form in (s.tokens, [t.lower() for t in s.tokens])]
    made = {}
    for family in FAMILIES:
        folder = tmp_path_factory.mktemp(family)
        tokenizer, model = make(family, texts)
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
        made[family] = folder
    return made


@pytest.fixture(scope="session", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="session")
def folder(family, folders):
    return str(folders[family])


@pytest.fixture(scope="session")
def family_tokenizer(folder):
    return load_tokenizer(folder)


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, sentences, family_tokenizer):
    """A small corpus encoded for the family; some sentences need several windows."""
    splits = {"train": sentences[:60], "dev": sentences[60:80]}
    folder = tmp_path_factory.mktemp("encoded")
    return write_corpus(folder, splits, LABELS, family_tokenizer, EncodingOptions(max_length=48, seed=42))


@pytest.fixture(scope="session")
def run_and_record():
    """Function that trains and records every step; see `train_and_record`."""
    return train_and_record


def train_and_record(folder, encoded, training_config, learn=True):
    """Train, and return the measurements and a record of every step; without ``learn``, steps do nothing."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run_and_record(folder, encoded, monkeypatch, training_config, learn)


def _run_and_record(folder, encoded, monkeypatch, training_config, learn):
    seen = {name: [] for name in ("rates", "batches", "rows", "parts", "losses")}
    seen |= {"clipped": set(), "types": set()}
    step, part, optimize = NerTrainer.training_step, NerTrainer.compute_loss, torch.optim.AdamW.step

    def training_step(self, model, inputs, *args, **kwargs):
        seen["trainer"] = self
        seen["batches"].append(int(inputs["segment_ids"].max()))
        seen["rows"].append(len(inputs["input_ids"]))
        return step(self, model, inputs, *args, **kwargs) if learn else torch.zeros(())

    def compute_loss(self, model, inputs, *args, num_items_in_batch=None, **kwargs):
        seen["parts"].append(len(inputs["input_ids"]))
        labels = inputs["labels"].clone()
        hook = model.classifier.register_forward_hook(
            lambda _, __, logits: seen["losses"].append([logits.detach(), labels])
        )
        loss = part(self, model, inputs, *args, num_items_in_batch=num_items_in_batch, **kwargs)
        hook.remove()
        seen["losses"][-1] += [loss.item(), num_items_in_batch]
        seen["types"].add(seen["losses"][-1][0].dtype)
        return loss

    def adamw(self, *args, **kwargs):
        seen["rates"].append([group["lr"] for group in self.param_groups])
        return optimize(self, *args, **kwargs)

    monkeypatch.setattr(NerTrainer, "training_step", training_step)
    monkeypatch.setattr(NerTrainer, "compute_loss", compute_loss)
    monkeypatch.setattr(torch.optim.AdamW, "step", adamw)
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda p, norm, **more: seen["clipped"].add(norm) or clip(p, norm)
    )
    measured = []
    train(
        TrainingTask(
            training_config=training_config, corpus=encoded.folder, model=folder, train_on="cased", seed=1
        ),
        TrainingCallbacks(lambda each: measured.append(each) or True),
    )
    return measured, seen
