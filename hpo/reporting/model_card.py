"""The model card of a checkpoint: what it was trained on, how, and how it scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from hpo.config.study import Study
from hpo.config.training_config import TrainingConfig
from hpo.corpora.label_sets import BILOU
from hpo.corpora.spans import MODE, SCHEME, Scores
from hpo.corpora.tag_families import TagFamily
from hpo.evaluation.matrix import MatrixRow
from hpo.reporting.matrix_tables import render_matrix, render_table
from hpo.search.trial import Trial

if TYPE_CHECKING:
    from hpo.encoding.encoded_corpus import EncodedCorpus


def render_model_card(
    study: Study,
    family: TagFamily,
    trial: Trial,
    row: MatrixRow,
    environment: Mapping[str, Any],
    data: EncodedCorpus,
) -> str:
    """The README.md of a model folder, with the metadata block that model hubs read."""
    best = trial.best
    assert best is not None, "a model is kept only for a trial that has measured"
    training_config = study.training_config(trial.params)
    searched = set(trial.params)
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
        f"{study.runs}; these are the weights of epoch {best.epoch:g}, the best on dev "
        f"(micro F1 {best.f1:.5f} on the trained-on variant).\n",
        render_table(
            ("Hyperparameter", "Value", "Searched"),
            [
                (
                    name,
                    f"{value:.6g}" if isinstance(value, float) else str(value),
                    "yes" if name in searched else "",
                )
                for name, value in training_config.model_dump().items()
            ],
        ),
        "## Scores\n",
        f"Micro F1 over spans, {SCHEME}, seqeval's {MODE} mode, by the case variant scored on; "
        f"seed {study.seed}.\n",
    ]
    for split in row.scores:
        parts += [f"{split} ({_spans(row.scores[split])} gold spans, cased):\n", render_matrix([row], split)]
    parts += ["## Made with\n", render_table(("What", "Version"), list(environment["versions"].items()))]
    parts.append(f"Corpus SHA-256: `{row.corpus_sha256}`\n")
    return "\n".join(parts)


_OURS = '```sh\nhpo predict path/to/this/folder --text "…"\n```\n'


def render_usage(training_config: TrainingConfig, label_set: str, fast: bool) -> str:
    """How the folder is put to work, and by what not; ``fast``: its tokenizer tells where words begin."""
    if training_config.pooling != "first":
        return (
            f"{_OURS}\nIts classifier reads a token's subtokens pooled ({training_config.pooling}), "
            "for which "
            "transformers has no model, so that `pipeline` does not load it.\n"
        )
    if not fast:
        return (
            f"{_OURS}\nIts tokenizer does not tell where words begin, so that `pipeline` knows no "
            "`aggregation_strategy` for it, and labels its subtokens one by one.\n"
        )
    if label_set == BILOU:
        return (
            f"{_OURS}\nIts labels are BILOU. `pipeline` loads it, and gives each token's label, but "
            "puts only B- and I- together.\n"
        )
    call = (
        f'pipeline("ner", "path/to/this/folder", aggregation_strategy="{_aggregation(training_config)}")("…")'
    )
    lines = [f"```python\nfrom transformers import pipeline\n\n{call}\n```\n"]
    if training_config.context:
        lines.append(
            f"It was trained and scored with {training_config.context} subtokens of neighbouring sentences "
            "on either "
            "side, which `pipeline` does not give it.\n"
        )
    return "\n".join(lines)


def _aggregation(training_config: TrainingConfig) -> str:
    """How transformers' pipeline must put words together from what their subtokens were trained to say."""
    return "first" if training_config.label_alignment == "first" else "simple"


def _spans(scores: Mapping[str, Any]) -> str:
    cased = scores.get("cased")
    return f"{cased.gold:,}" if isinstance(cased, Scores) else "?"
