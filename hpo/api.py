"""The Python interface: ``import hpo`` offers the functions behind the command line, such as `run_study`.

Invalid input raises `UserError`, whose text states location, problem, value and fix; nothing has been
written then. A study that runs without a result raises `StudyFailed`, one that the user stops
`StudyInterrupted`. Libraries such as torch are imported only when a function needs them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.config.study import Study, stored_study
from hpo.config.study import build_study as build_from_fields
from hpo.config.study import load_study as load_from_file
from hpo.config.training_config import TrainingConfig
from hpo.corpora.sentences import Corpus, Sentence
from hpo.corpora.spans import Scores
from hpo.corpora.tag_families import TagFamily, load_family
from hpo.errors import Issue, StudyFailed, StudyInterrupted, UserError
from hpo.evaluation.matrix import MatrixRow
from hpo.inference.prediction import Prediction, Span
from hpo.storage.study_folder import StudyFolder

if TYPE_CHECKING:  # these import torch
    from hpo.evaluation.checkpoint_scores import VariantScores
    from hpo.evaluation.significance import Comparison
    from hpo.reporting.seeds import SeededConfiguration

__all__ = [
    "Corpus", "Issue", "MatrixRow", "Prediction", "Scores", "Sentence", "Span", "Study", "StudyFailed",
    "StudyInterrupted", "TagFamily", "TrainingConfig", "UserError",
    "build_study", "compare", "evaluate", "list_studies", "load_corpus", "load_study", "load_tags",
    "matrix_rows", "predict", "render_matrix", "replay_study", "rerank_study", "resume_study", "run_grid",
    "run_study", "show_study",
]  # fmt: skip


def build_study(**fields: Any) -> Study:
    """Return a study with these fields, which are the keys of a study file; the others take their defaults.

    ``hpo.build_study(data="my-corpus", tags="conll", trials=20, fixed={"epochs": 3})``
    """
    return build_from_fields(fields)


def load_study(file: str | Path, **fields: Any) -> Study:
    """Return the study of a YAML file; ``fields`` override it."""
    return load_from_file(Path(file), fields)


def run_study(study: Study | str | Path | None = None, *, quiet: bool = False, **fields: Any) -> MatrixRow:
    """Search, score the best models and return the study's row of the result matrix.

    ``study`` is a `Study`, the path of a study file, or None; ``fields`` override it. Rerunning with the same
    settings resumes an interrupted study and returns the row of a finished one. Without a name, the study
    gets one that is derived from its settings. Everything is written to ``results/NAME`` in the working
    directory, the best model to ``results/NAME/best/1``. Progress goes to standard error, unless ``quiet``.
    """
    from hpo.workflows.resolve import with_free_name, with_warm_start
    from hpo.workflows.run import run

    if isinstance(study, Study):
        resolved = build_from_fields(study.model_dump(mode="json") | fields) if fields else study
    elif study is not None:
        resolved = load_study(study, **fields)
    else:
        resolved = build_study(**fields)
    resolved = with_warm_start(resolved)
    if study is None and not fields.get("name"):
        resolved = with_free_name(resolved)
    return run(resolved, quiet=quiet)


def resume_study(name: str, *, quiet: bool = False) -> MatrixRow:
    """Resume an interrupted study under ``results/`` and return its row of the result matrix."""
    from hpo.workflows.run import run

    return run(stored_study(StudyFolder(name)), quiet=quiet)


def run_grid(
    *,
    train_on: str | Iterable[str] = "all",
    tags: str | Iterable[str] = "suc-original",
    algorithms: str | Iterable[str] = "asha",
    quiet: bool = False,
    **fields: Any,
) -> list[MatrixRow]:
    """Run a study for every combination of case variant, tag family and algorithm; skip finished ones.

    Each of the three is a list or a string with commas; ``fields`` apply to every study. If studies fail,
    the others still run, and `StudyFailed` states every reason at the end.
    """
    from hpo.workflows.grid import GridRows, plan_rows, run_rows

    variants, families, searches = (
        names if isinstance(names, str) else ",".join(names) for names in (train_on, tags, algorithms)
    )
    rows, failures = run_rows(plan_rows(fields, GridRows(variants, families, searches)), quiet=quiet)
    if failures:
        raise StudyFailed(issue for failure in failures for issue in failure.issues)
    return rows


def rerank_study(
    name: str, *, top: int = 5, seeds: int = 5, quiet: bool = False
) -> list[SeededConfiguration]:
    """Retrain the ``top`` configurations of a study and the default one under new seeds, best mean first."""
    from hpo.workflows.rerank import rerank

    return rerank(name, top, seeds, quiet=quiet)


def replay_study(name: str, *, quiet: bool = False) -> tuple[Path, Mapping[str, VariantScores]]:
    """Train a model with the hyperparameter schedule that PBT or PB2 found; return its folder and scores."""
    from hpo.workflows.replay import replay

    return replay(name, lambda line: None if quiet else print(line, file=sys.stderr))


def list_studies() -> list[dict[str, Any]]:
    """Return a summary of each study under ``results/``, oldest first."""
    from hpo.reporting.study_list import summarize_studies

    return summarize_studies()


def show_study(name: str) -> dict[str, Any]:
    """Return ``summary``, ``settings``, ``environment``, ``row`` and ``trials`` of a study.

    F1, precision and recall are micro scores in [0, 1], losses are mean cross entropies in nats, and
    ``seconds`` count from the start of a trial.
    """
    from hpo.reporting.study_list import describe_study

    return describe_study(name)


def matrix_rows(*names: str) -> list[MatrixRow]:
    """Return the rows of the result matrix of these studies, or of all finished ones.

    ``row.f1("test", "cased")`` is one cell, a micro F1 in [0, 1].
    """
    from hpo.reporting.study_list import collect_rows

    return collect_rows(names)


def render_matrix(rows: Iterable[MatrixRow]) -> str:
    """Return rows as the markdown tables of ``hpo matrix``: dev, test and winning hyperparameters."""
    from hpo.reporting.report import render_matrices

    return render_matrices(list(rows))


def evaluate(
    checkpoint: str | Path, data: str | Path, tags: str | Path, *, seed: int = 42
) -> Mapping[str, VariantScores]:
    """Score a model folder on the seven case variants of a corpus; return `Scores` by split and variant.

    ``seed`` draws the mixed case variants.
    """
    from hpo.evaluation.checkpoint_scores import evaluate_checkpoint

    return evaluate_checkpoint(Path(checkpoint), str(data), str(tags), seed)


def compare(
    first: str | Path,
    second: str | Path,
    data: str | Path,
    tags: str | Path,
    *,
    split: str = "test",
    seed: int = 42,
) -> Mapping[str, Comparison]:
    """Compare two models by variant: F1 difference, 95 % interval and two-sided p-value."""
    from hpo.evaluation.significance import compare_checkpoints

    return compare_checkpoints(Path(first), Path(second), str(data), str(tags), split=split, seed=seed)


def predict(checkpoint: str | Path, texts: str | Iterable[str | Sequence[str]]) -> list[Prediction]:
    """Return the entity spans of a text, or of each of several texts, in their order.

    A text is a string, which is split into words, or a sequence of tokens.
    """
    from hpo.inference.predict import predict as predict_texts
    from hpo.inference.tokenize_text import from_tokens, tokenize_line

    tokenized = (
        tokenize_line(text, str(number)) if isinstance(text, str) else from_tokens(text, str(number))
        for number, text in enumerate([texts] if isinstance(texts, str) else texts, 1)
    )
    return list(predict_texts(Path(checkpoint), tokenized))


def load_corpus(data: str | Path = "demo", tags: str | Path | None = None, *, seed: int = 42) -> Corpus:
    """Return a corpus as sentences with IOB2 labels by split; with ``tags``, in that family's labels.

    If the corpus has no dev split, ``seed`` draws a tenth of train for it; ``corpus.notes`` reports it.
    """
    from hpo.corpora.loading import load
    from hpo.corpora.tag_families import apply

    corpus = load(str(data), seed=seed)
    return corpus if tags is None else apply(load_family(str(tags)), corpus)


def load_tags(name: str | Path) -> TagFamily:
    """Return a tag family by its name, or from a YAML file."""
    return load_family(str(name))
