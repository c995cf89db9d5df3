"""The model card (README.md) of an exported checkpoint: usage, training data, hyperparameters and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from hpo.config.study import Study
from hpo.config.training_config import TrainingConfig
from hpo.corpora.label_sets import BILOU
from hpo.corpora.spans import MODE, SCHEME, Scores
from hpo.corpora.tag_families import TagFamily
from hpo.evaluation.matrix import MatrixRow
from hpo.evaluation.seqeval_check import SeqevalCheck
from hpo.reporting.matrix_tables import render_matrix
from hpo.reporting.tables import format_value, render_table
from hpo.search.trial import Trial

if TYPE_CHECKING:
    from hpo.encoding.encoded_corpus import EncodedCorpus


@dataclass(frozen=True)
class ExportedModel:
    """The best model of a trial, its row of the matrix, and the corpus that it was trained and scored on."""

    trial: Trial
    row: MatrixRow
    data: EncodedCorpus
    seqeval: SeqevalCheck | None = None


def render_model_card(
    study: Study, family: TagFamily, model: ExportedModel, environment: Mapping[str, Any]
) -> str:
    """Return the README.md of a model folder, with the metadata block that model hubs read."""
    trial, row, data, best = model.trial, model.row, model.data, model.trial.best
    assert best is not None, "only trials with a score keep a model"
    training_config = study.training_config(trial.params)
    metadata = {
        "pipeline_tag": "token-classification",
        "library_name": "transformers",
        "tags": ["named-entity-recognition", "token-classification"],
        "metrics": ["seqeval"],
    }
    if study.model != "tiny":
        metadata["base_model"] = study.model
    parts = [
        f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n",
        f"# {study.name}, trial {trial.number}\n",
        f"A named-entity recognizer for the tag family {family.name} ({', '.join(family.types)}): "
        f"{family.description.strip()}\n",
        render_usage(
            training_config, data.model_labels(training_config.label_scheme)[0], data.has_fast_tokenizer
        ),
        "## Training\n",
        f"Trained from `{study.model}` on the {study.train_on} variant of {study.data} "
        f"({' + '.join(study.train_splits)}), found by {row.algorithm} as trial {trial.number} of "
        f"{study.runs}. The weights are those of epoch {best.epoch:g}, the best on dev "
        f"(micro F1 {best.f1:.5f} on the {study.train_on} variant).\n",
        render_table(
            ("Hyperparameter", "Value", "Searched"),
            [
                (name, format_value(value, digits=6), "yes" if name in trial.params else "")
                for name, value in training_config.model_dump().items()
            ],
        ),
        "## Scores\n",
        f"Span-level micro F1 ({SCHEME}, seqeval's {MODE} mode) by the case variant scored on; "
        f"seed {study.seed}.\n",
    ]
    if model.seqeval:
        parts.append(f"{model.seqeval}\n")
    for split in row.scores:
        parts += [f"{split} ({_spans(row.scores[split])} gold spans, cased):\n", render_matrix([row], split)]
    parts += ["## Versions\n", render_table(("Package", "Version"), list(environment["versions"].items()))]
    parts.append(f"Corpus SHA-256: `{row.corpus_sha256}`\n")
    return "\n".join(parts)


_PREDICT_COMMAND = '```sh\nhpo predict path/to/this/folder --text "…"\n```\n'


def render_usage(training_config: TrainingConfig, label_set: str, fast: bool) -> str:
    """Return how to load the model folder, and its restrictions.

    ``fast`` says whether the tokenizer is a fast one, which maps subtokens to words.
    """
    if training_config.pooling != "first":
        return (
            f"{_PREDICT_COMMAND}\nThe classifier pools the subtokens of a token ({training_config.pooling}). "
            "transformers has no such model, so `pipeline` cannot load it.\n"
        )
    if not fast:
        return (
            f"{_PREDICT_COMMAND}\nThe tokenizer does not map subtokens to words, so `pipeline` supports no "
            "`aggregation_strategy` and labels each subtoken.\n"
        )
    if label_set == BILOU:
        return (
            f"{_PREDICT_COMMAND}\nThe labels are BILOU. `pipeline` loads the model and labels each token, "
            "but merges only B- and I- into entities.\n"
        )
    strategy = "first" if training_config.label_alignment == "first" else "simple"
    call = f'pipeline("ner", "path/to/this/folder", aggregation_strategy="{strategy}")("…")'
    usage = f"```python\nfrom transformers import pipeline\n\n{call}\n```\n"
    if training_config.context:
        usage += (
            f"\nThe model was trained and scored with {training_config.context} subtokens of neighbouring "
            "sentences on either side, which `pipeline` does not provide.\n"
        )
    return usage


def _spans(scores: Mapping[str, Any]) -> str:
    cased = scores.get("cased")
    return f"{cased.gold:,}" if isinstance(cased, Scores) else "?"
