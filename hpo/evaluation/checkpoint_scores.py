"""Score a checkpoint on every case variant; each distinct form of a sentence is predicted once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hpo.config.training_config import TrainingConfig
from hpo.corpora.label_sets import detect_label_set
from hpo.corpora.loading import load
from hpo.corpora.spans import IntArray, Scores
from hpo.corpora.tag_families import apply as apply_family
from hpo.corpora.tag_families import load_family
from hpo.corpora.variants import arrange
from hpo.encoding.corpus_encoder import encode_corpus
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.encoded_split import EncodedSplit
from hpo.encoding.sentence_encoder import EncodingOptions
from hpo.errors import Issue, UserError
from hpo.evaluation.composition import score_variants
from hpo.evaluation.confusion import Confusion, build_confusion
from hpo.evaluation.seqeval_check import ScoredLabels
from hpo.models.build import CONTEXT_KEY
from hpo.models.checkpoints import Model, load_checkpoint
from hpo.training.evaluator import SplitEvaluator, SplitPredictions

MAX_WINDOW_SUBTOKENS = 8192
"""Tokenizers store a huge number as their maximum length to mean "unlimited"; larger values are ignored."""
CHECKPOINT_HINT = "give a folder such as results/STUDY/best/1"
VariantScores = dict[str, Scores]
"""Scores by case variant."""


@dataclass(frozen=True)
class SplitResult:
    """A model's scores on one split: on all variants, with the confusion and the labels of one variant."""

    scores: VariantScores
    confusion: Confusion
    labels: ScoredLabels


def checkpoint_labels(folder: Path) -> tuple[str, ...]:
    """Return the label names of a checkpoint in the order of their numbers.

    Raises
    ------
    UserError
        If the folder has no model configuration with label names.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise UserError(Issue(str(folder), "no such folder", None, CHECKPOINT_HINT))
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["id2label"]
        return tuple(labels[str(number)] for number in range(len(labels)))
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(Issue(str(path), "has no label names (id2label)", None, CHECKPOINT_HINT)) from None


def window_and_context(folder: Path) -> tuple[int, int]:
    """Return the window length and the context, both in subtokens, that a checkpoint was trained with."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config.get("tagger", config)
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # loading the tokenizer reports what is wrong with it
        settings = {}
    window = settings.get("model_max_length")
    if not isinstance(window, int) or window > MAX_WINDOW_SUBTOKENS:
        window = TrainingConfig.model_fields["max_length"].default
    return window, int(config.get(CONTEXT_KEY, 0))


def require_matching_labels(folder: Path, data: EncodedCorpus) -> None:
    """Check that a checkpoint's labels are those of the data, in any label set.

    Raises
    ------
    UserError
        If they differ.
    """
    labels = checkpoint_labels(folder)
    found = detect_label_set(labels)
    if found is None or found[1] != data.types:
        hint = f"the family has the types {', '.join(data.types)}"
        rule = "the checkpoint's labels must be those of the tag family"
        raise UserError(Issue(str(folder), rule, ", ".join(labels), hint))


def score_checkpoint(folder: Path, data: EncodedCorpus, splits: Iterable[str]) -> dict[str, VariantScores]:
    """Score a checkpoint on all seven variants of each split that the corpus has.

    ``data`` must be encoded with the checkpoint's own tokenizer and labels.

    Raises
    ------
    UserError
        If the checkpoint cannot be loaded, or its labels are not those of the data.
    """
    require_matching_labels(folder, data)
    model = load_checkpoint(folder)
    return {name: score_split(model, data, name) for name in splits if name in data.splits}


def score_with_confusion(
    folder: Path, data: EncodedCorpus, splits: Iterable[str], variant: str
) -> dict[str, SplitResult]:
    """Score as `score_checkpoint`, and keep the confusion and the labels of one variant."""
    require_matching_labels(folder, data)
    model = load_checkpoint(folder)
    return {name: _score_with_confusion(model, data, name, variant) for name in splits if name in data.splits}


def _score_with_confusion(model: Model, data: EncodedCorpus, name: str, variant: str) -> SplitResult:
    prediction, split = predict_split(model, data, name)
    layout = arrange(variant, split.drawn)
    encodings = split.variant_encodings(layout.forms, layout.sentences)
    times = np.bincount(encodings, minlength=len(split.encoding_sentences))
    gold, predicted, offsets = prediction.gold, prediction.predicted, prediction.offsets
    scores = score_variants(split.drawn, prediction.counts, split.forms, data.types)
    return SplitResult(
        scores=scores,
        confusion=build_confusion(gold, predicted, offsets, times, data.types, variant),
        labels=ScoredLabels(
            gold=_by_sentence(gold, offsets, encodings),
            predicted=_by_sentence(predicted, offsets, encodings),
            types=data.types,
            f1=scores[variant].f1,
        ),
    )


def _by_sentence(labels: IntArray, offsets: IntArray, encodings: IntArray) -> list[IntArray]:
    return [labels[offsets[number] : offsets[number + 1]] for number in encodings]


def predict_split(model: Model, data: EncodedCorpus, name: str) -> tuple[SplitPredictions, EncodedSplit]:
    """Predict the labels of every encoding of a split; return the predictions and the split."""
    split = data.split(name)
    every = np.arange(len(split.encoding_sentences))
    found = detect_label_set([model.config.id2label[number] for number in range(model.config.num_labels)])
    assert found is not None, "the labels are checked before the model is loaded"
    return SplitEvaluator(split, every, data.pad_id, len(data.types), found[0]).evaluate(model), split


def score_split(model: Model, data: EncodedCorpus, name: str) -> VariantScores:
    """Score a model on the seven variants of one split."""
    prediction, split = predict_split(model, data, name)
    return score_variants(split.drawn, prediction.counts, split.forms, data.types)


def evaluate_checkpoint(folder: Path, data: str, tags: str, seed: int) -> dict[str, VariantScores]:
    """Score a checkpoint on the seven variants of a corpus, encoded with the checkpoint's own tokenizer.

    Dev and test are scored, or every split of a corpus that has neither.

    Raises
    ------
    UserError
        If the checkpoint, the corpus or the family is invalid, or their labels differ.
    """
    encoded = encode_for_checkpoint(folder, data, tags, seed)
    held_out = [name for name in encoded.splits if name in ("dev", "test")]
    return score_checkpoint(folder, encoded, held_out or encoded.splits)


def encode_for_checkpoint(folder: Path, data: str, tags: str, seed: int) -> EncodedCorpus:
    """Load a corpus with a family's labels, and encode it with a checkpoint's own tokenizer.

    Raises
    ------
    UserError
        If the checkpoint, the corpus or the family is invalid.
    """
    family = load_family(tags)
    checkpoint_labels(folder)  # report an invalid folder before reading the corpus
    corpus = apply_family(family, load(data, seed=seed, split_dev=False))
    present = {name: sentences for name, sentences in corpus.splits.items() if sentences}
    model = str(folder.resolve())  # a relative folder could be mistaken for a model name
    window, context = window_and_context(folder)
    options = EncodingOptions(max_length=window, seed=seed, context=context)
    return encode_corpus(replace(corpus, splits=present), family, model, options)
