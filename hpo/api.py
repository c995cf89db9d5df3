"""The functions that the command line calls, for Python: ``import hpo`` and ``hpo.run_study(…)``.

Nothing here is heavy before it is called. Every mistake in what is given is a `hpo.UserError`, whose text
says where, the rule, the value and what to do; nothing has been started then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.config.study import Study, stored_study
from hpo.config.study import build_study as build_from
from hpo.config.study import load_study as load_file
from hpo.corpora.sentences import Corpus
from hpo.corpora.tag_families import TagFamily, load_family
from hpo.errors import StudyFailed
from hpo.evaluation.matrix import MatrixRow
from hpo.storage.study_folder import StudyFolder

if TYPE_CHECKING:  # these bring torch
    from hpo.evaluation.checkpoint_scores import VariantScores
    from hpo.evaluation.significance import Comparison
    from hpo.inference.predict import Prediction
    from hpo.reporting.seeds import SeededConfiguration


def build_study(**fields: Any) -> Study:
    """A study from its fields, those of a study file; what is left out takes its default.

    ``hpo.build_study(data="my-corpus", tags="conll", trials=20, fixed={"epochs": 3})``

    Raises
    ------
    UserError
        with every problem, each at its field.
    """
    return build_from(fields)


def load_study(file: str | Path, **fields: Any) -> Study:
    """A study from a YAML file; fields that are given win over the file's.

    Raises
    ------
    UserError
        with every problem of the file, each at its line.
    """
    return load_file(Path(file), fields)


def run_study(study: Study | str | Path | None = None, *, quiet: bool = False, **fields: Any) -> MatrixRow:
    """Search, score the best models, and give the study's row of the result matrix.

    ``study`` is one that was built, the path of a study file, or left out; ``fields`` win over it. The same
    settings again go on with a study that was interrupted, and give the row of one that is done. Where
    no name is given, it is made of the settings. Progress is shown on standard error, unless ``quiet``.
    Everything is written under ``results/NAME`` in the working directory; the best model is the folder
    ``results/NAME/best/1``.

    Raises
    ------
    UserError
        if a setting, the corpus, the family or the model is refused; nothing has been written then.
    StudyFailed
        if no trial succeeded.
    StudyInterrupted
        if the user stopped it; `resume_study` goes on.
    """
    from hpo.workflows.resolve import with_free_name, with_warm_start
    from hpo.workflows.run import run

    if isinstance(study, Study):
        resolved = build_from(study.model_dump(mode="json") | fields) if fields else study
    elif study is not None:
        resolved = load_study(study, **fields)
    else:
        resolved = build_study(**fields)
    resolved = with_warm_start(resolved)
    if study is None and not fields.get("name"):
        resolved = with_free_name(resolved)
    return run(resolved, quiet=quiet)


def resume_study(name: str, *, quiet: bool = False) -> MatrixRow:
    """Go on with a study under ``results/`` that was interrupted, where it was; else as `run_study`.

    Raises
    ------
    UserError
        if there is no such study, or another process runs it.
    """
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
    """A study for every variant × family × algorithm, one after the other; those that are done are skipped.

    Each is a name, several with commas between them, or a list; ``fields`` are those of every study.

    Raises
    ------
    UserError
        if a study is refused; none has been started then.
    StudyFailed
        after all have run, with the reason of each that failed; the rows of the others are `matrix_rows`.
    """
    from hpo.workflows.grid import GridRows, plan_rows, run_rows

    variants, families, searches = (
        names if isinstance(names, str) else ",".join(names) for names in (train_on, tags, algorithms)
    )
    studies = plan_rows(fields, GridRows(variants, families, searches))
    rows, failures = run_rows(studies, quiet=quiet)
    if failures:
        raise StudyFailed(issue for failure in failures for issue in failure.issues)
    return rows


def rerank_study(
    name: str, *, top: int = 5, seeds: int = 5, quiet: bool = False
) -> list[SeededConfiguration]:
    """Train the best configurations of a study, and the default one, under fresh seeds; the best mean first.

    They stand by their means on dev. Each has its parameters, and every F1 on dev and test with mean
    and population standard deviation. Interrupted, it goes on where it was when it is called again.

    Raises
    ------
    UserError
        if the study is not done, cannot be reranked, or was reranked with other numbers.
    StudyFailed
        if no run succeeded.
    StudyInterrupted
        if the user stopped it.
    """
    from hpo.workflows.rerank import rerank

    return rerank(name, top, seeds, quiet=quiet)


def replay_study(name: str, *, quiet: bool = False) -> tuple[Path, Mapping[str, VariantScores]]:
    """Train one model from scratch with the schedule that a study of ``pbt`` or ``pb2`` found.

    Gives the model's folder, and its scores by split, then by variant.

    Raises
    ------
    UserError
        if the study has no schedule.
    StudyFailed
        if the training diverged.
    """
    import sys

    from hpo.workflows.replay import replay

    return replay(name, lambda line: None if quiet else print(line, file=sys.stderr))


def list_studies() -> list[dict[str, Any]]:
    """A summary of each study, oldest first: state, trials, epochs, best dev F1 and test F1."""
    from hpo.reporting.study_list import summarize_studies

    return summarize_studies()


def show_study(name: str) -> dict[str, Any]:
    """A study whole: ``summary``, ``settings``, ``environment``, ``row``, and ``trials`` with measurements.

    F1, precision and recall are micro scores in [0, 1], losses mean cross entropies in nats, ``seconds``
    count from a trial's start.

    Raises
    ------
    UserError
        if there is no such study.
    """
    from hpo.reporting.study_list import describe_study

    return describe_study(name)


def matrix_rows(*names: str) -> list[MatrixRow]:
    """The rows of the result matrix of some studies, or of all that are done.

    ``row.f1("test", "cased")`` is one cell, a micro F1 in [0, 1].

    Raises
    ------
    UserError
        if a named study is missing or not done, or none is done at all.
    """
    from hpo.reporting.study_list import collect_rows

    return collect_rows(names)


def render_matrix(rows: Iterable[MatrixRow]) -> str:
    """Rows as the markdown tables that ``hpo matrix`` prints: dev, test, winning hyperparameters."""
    from hpo.reporting.report import render_matrices

    return render_matrices(list(rows))


def evaluate(
    checkpoint: str | Path, data: str | Path, tags: str | Path, *, seed: int = 42
) -> Mapping[str, VariantScores]:
    """Score a model folder on the seven case variants of a corpus: scores by split, then by variant.

    Each is a `hpo.Scores`: micro, macro and per type, in [0, 1], with span counts. ``seed`` draws the mixes.

    Raises
    ------
    UserError
        if the checkpoint, the corpus or the family is refused, or their labels differ.
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
    """Whether the second model folder beats the first on a split: by variant, the difference in F1, its
    interval of 95 %, and p. ``seed`` draws the mixes and the test.

    Raises
    ------
    UserError
        if a checkpoint, the corpus or the family is refused, or there is no such split.
    """
    from hpo.evaluation.significance import compare_checkpoints

    folders = Path(first), Path(second)
    return compare_checkpoints(*folders, str(data), str(tags), split=split, seed=seed)


def predict(checkpoint: str | Path, texts: str | Iterable[str | Sequence[str]]) -> list[Prediction]:
    """The entity spans that a model folder finds in a text, or in several, in their order.

    A text is a string, which is split into words (`hpo.inference.tokenize_text.split_words`), or a list of
    tokens. ``prediction.spans`` have a type, token and character offsets (ends exclusive), the text between
    them, and a score in (0, 1], the mean probability of their tokens' labels.

    Raises
    ------
    UserError
        if the folder is no checkpoint.
    """
    from hpo.inference.predict import predict as predict_texts
    from hpo.inference.tokenize_text import from_tokens, tokenize_line

    given = [texts] if isinstance(texts, str) else texts
    read = (
        tokenize_line(text, str(number)) if isinstance(text, str) else from_tokens(text, str(number))
        for number, text in enumerate(given, 1)
    )
    return list(predict_texts(Path(checkpoint), read))


def load_corpus(data: str | Path = "demo", tags: str | Path | None = None, *, seed: int = 42) -> Corpus:
    """A corpus as sentences with IOB2 labels, by split; with ``tags`` in the labels of that tag family.

    ``data`` is ``demo``, a file, a folder or a hub id; where it has no dev split, a tenth of train is cut
    off by ``seed``. ``corpus.notes`` says what reading did to it.

    Raises
    ------
    UserError
        with every problem of every file, each at its line.
    """
    from hpo.corpora.loading import load
    from hpo.corpora.tag_families import apply

    corpus = load(str(data), seed=seed)
    return corpus if tags is None else apply(load_family(str(tags)), corpus)


def load_tags(name: str | Path) -> TagFamily:
    """A tag family, by its name or as a YAML file: its entity types in order, and what maps to them.

    Raises
    ------
    UserError
        if there is no such family, or its file has problems.
    """
    return load_family(str(name))
