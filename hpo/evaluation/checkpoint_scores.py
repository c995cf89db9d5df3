"""A checkpoint's scores on every case variant of some splits, each distinct form run once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from hpo.config.training_config import TrainingConfig
from hpo.corpora.label_sets import detect_label_set
from hpo.corpora.loading import load
from hpo.corpora.spans import Scores
from hpo.corpora.tag_families import apply as apply_family
from hpo.corpora.tag_families import load_family
from hpo.corpora.variants import arrange
from hpo.encoding.corpus_encoder import encode_corpus
from hpo.encoding.encoded_corpus import EncodedCorpus, EncodedSplit
from hpo.errors import Issue, UserError
from hpo.evaluation.composition import score_variants
from hpo.evaluation.confusion import Confusion, build_confusion
from hpo.models.build import CONTEXT_KEY
from hpo.models.checkpoints import Model, load_checkpoint
from hpo.training.evaluator import SplitEvaluator, SplitPredictions

MOST_SUBTOKENS = 8192
VariantScores = dict[str, Scores]
"""Scores by case variant."""


def checkpoint_labels(folder: Path) -> tuple[str, ...]:
    """The label names of a checkpoint, in the order of their numbers.

    Raises
    ------
    UserError
        if the folder has no model configuration with label names.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise UserError(Issue(str(folder), "no such folder", None, "give one such as results/STUDY/best/1"))
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["id2label"]
        return tuple(labels[str(number)] for number in range(len(labels)))
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            Issue(
                str(path),
                "holds no label names (id2label)",
                None,
                "give a folder such as results/STUDY/best/1",
            )
        ) from None


def window_and_context(folder: Path) -> tuple[int, int]:
    """How many subtokens at once, and how many of context, a checkpoint was trained to read."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config.get("tagger", config)
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the tokenizer's own reader says what is wrong with it
        settings = {}
    window = settings.get("model_max_length")
    told = isinstance(window, int) and window <= MOST_SUBTOKENS  # of others it may be a word for "any"
    return window if told else TrainingConfig.model_fields["max_length"].default, int(
        config.get(CONTEXT_KEY, 0)
    )


def score_checkpoint(folder: Path, data: EncodedCorpus, splits: Iterable[str]) -> dict[str, VariantScores]:
    """Score a checkpoint on all seven variants of each split that the corpus has.

    ``data`` must have been encoded with the checkpoint's own tokenizer and labels.

    Raises
    ------
    UserError
        if the checkpoint cannot be loaded, or its labels are not those of the data.
    """
    require_matching_labels(folder, data)
    model = load_checkpoint(folder)
    return {name: score_split(model, data, name) for name in splits if name in data.splits}


def score_with_confusion(
    folder: Path, data: EncodedCorpus, splits: Iterable[str], variant: str
) -> tuple[dict[str, VariantScores], dict[str, Confusion]]:
    """As `score_checkpoint`, with what was taken for what in one of the variants, from the same passes."""
    require_matching_labels(folder, data)
    model = load_checkpoint(folder)
    found = {
        name: score_split_with_confusion(model, data, name, variant) for name in splits if name in data.splits
    }
    confusions = {name: confusion for name, (_, confusion) in found.items()}
    return {name: scores for name, (scores, _) in found.items()}, confusions


def require_matching_labels(folder: Path, data: EncodedCorpus) -> None:
    """Refuse a checkpoint whose labels are not those of the data.

    Raises
    ------
    UserError
        if they are not, in any label set.
    """
    found = detect_label_set(checkpoint_labels(folder))
    if found is None or found[1] != data.types:
        raise UserError(
            Issue(
                str(folder),
                "was trained on other labels than the tag family's",
                ", ".join(checkpoint_labels(folder)),
                f"the family has the types {', '.join(data.types)}",
            )
        )


def predict_split(model: Model, data: EncodedCorpus, name: str) -> tuple[SplitPredictions, EncodedSplit]:
    """What a model makes of every encoding of a split, and the split."""
    split = data.split(name)
    every = np.arange(len(split.sentences))
    found = detect_label_set([model.config.id2label[number] for number in range(model.config.num_labels)])
    assert found is not None, "its labels were looked at before it was loaded"
    return SplitEvaluator(split, every, data.pad_id, len(data.types), found[0]).evaluate(model), split


def score_split(model: Model, data: EncodedCorpus, name: str) -> VariantScores:
    """A model's scores on the seven variants of one split."""
    reading, split = predict_split(model, data, name)
    return score_variants(split.drawn, reading.counts, split.forms, data.types)


def score_split_with_confusion(
    model: Model, data: EncodedCorpus, name: str, variant: str
) -> tuple[VariantScores, Confusion]:
    """A model's scores on the seven variants of one split, and what it took for what in one of them."""
    reading, split = predict_split(model, data, name)
    scores = score_variants(split.drawn, reading.counts, split.forms, data.types)
    layout = arrange(variant, split.drawn)
    encodings = split.variant_encodings(layout.forms, layout.sentences)
    times = np.bincount(encodings, minlength=len(split.sentences))
    return scores, build_confusion(
        reading.gold, reading.predicted, reading.offsets, times, data.types, variant
    )


def evaluate_checkpoint(folder: Path, data: str, tags: str, seed: int) -> dict[str, VariantScores]:
    """Score a checkpoint on the seven variants of a corpus, encoded with the checkpoint's own tokenizer.

    Scored are dev and test, or what there is where there is neither.

    Raises
    ------
    UserError
        if the checkpoint, the corpus or the family is refused, or their labels differ.
    """
    encoded = encode_for_checkpoint(folder, data, tags, seed)
    held_out = [name for name in encoded.splits if name in ("dev", "test")]
    return score_checkpoint(folder, encoded, held_out or encoded.splits)


def encode_for_checkpoint(folder: Path, data: str, tags: str, seed: int) -> EncodedCorpus:
    """A corpus in a family's labels, encoded with a checkpoint's own tokenizer.

    Raises
    ------
    UserError
        if the checkpoint, the corpus or the family is refused.
    """
    family = load_family(tags)
    checkpoint_labels(folder)  # refused before the corpus is read
    corpus = apply_family(family, load(data, seed=seed, split_dev=False))
    present = {name: sentences for name, sentences in corpus.splits.items() if sentences}
    model = str(folder.resolve())  # a folder may be called as a model is
    window, context = window_and_context(folder)
    present_only = replace(corpus, splits=present)
    return encode_corpus(present_only, family, model, max_length=window, seed=seed, context=context)
