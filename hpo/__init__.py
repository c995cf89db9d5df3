"""Hyperparameter search for named-entity recognition, from Python.

The functions are those that the command line calls, and are told of in `hpo.api`. Importing this package
loads none of the libraries that do the work; each name below is found when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.api import (
        build_study,
        compare,
        evaluate,
        list_studies,
        load_corpus,
        load_study,
        load_tags,
        matrix_rows,
        predict,
        render_matrix,
        replay_study,
        rerank_study,
        resume_study,
        run_grid,
        run_study,
        show_study,
    )
    from hpo.config.study import Study
    from hpo.config.training_config import TrainingConfig
    from hpo.corpora.sentences import Corpus, Sentence
    from hpo.corpora.spans import Scores
    from hpo.corpora.tag_families import TagFamily
    from hpo.errors import Issue, StudyFailed, StudyInterrupted, UserError
    from hpo.evaluation.matrix import MatrixRow
    from hpo.inference.predict import Prediction, Span

_ROOMS = {
    "hpo.api": (
        "build_study", "compare", "evaluate", "list_studies", "load_corpus", "load_study", "load_tags",
        "matrix_rows", "predict", "render_matrix", "replay_study", "rerank_study", "resume_study", "run_grid",
        "run_study", "show_study",
    ),
    "hpo.corpora.tag_families": ("TagFamily",),
    "hpo.corpora.sentences": ("Corpus", "Sentence"),
    "hpo.corpora.spans": ("Scores",),
    "hpo.errors": ("Issue", "StudyFailed", "StudyInterrupted", "UserError"),
    "hpo.evaluation.matrix": ("MatrixRow",),
    "hpo.inference.predict": ("Prediction", "Span"),
    "hpo.config.study": ("Study",),
    "hpo.config.training_config": ("TrainingConfig",),
}  # fmt: skip
_PLACES = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Corpus",
    "Issue",
    "MatrixRow",
    "Prediction",
    "Scores",
    "Sentence",
    "Span",
    "Study",
    "StudyFailed",
    "StudyInterrupted",
    "TagFamily",
    "TrainingConfig",
    "UserError",
    "build_study",
    "compare",
    "evaluate",
    "list_studies",
    "load_corpus",
    "load_study",
    "load_tags",
    "matrix_rows",
    "predict",
    "render_matrix",
    "replay_study",
    "rerank_study",
    "resume_study",
    "run_grid",
    "run_study",
    "show_study",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
