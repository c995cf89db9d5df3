"""The report of a study, and of several: matrix tables, the winning hyperparameters, every trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hpo.corpora.spans import MODE, SCHEME, Scores
from hpo.evaluation.matrix import MatrixRow
from hpo.reporting.default_vs_best import render_default_vs_best, render_milestones
from hpo.reporting.group_by import render_groups, render_importance
from hpo.reporting.matrix_tables import render_hyperparameters, render_matrix, render_table
from hpo.reporting.per_class import render_class_scores, render_confusion
from hpo.reporting.seeds import render_seed_scores
from hpo.reporting.study_record import StudyRecord, read_record
from hpo.search.trial import Trial, rank_trials
from hpo.storage.atomic import write_text
from hpo.storage.study_folder import StudyFolder


def render_matrices(rows: Sequence[MatrixRow]) -> str:
    """Dev, test and hyperparameter tables of some rows, one set for each corpus and model."""
    sets: dict[tuple[str | None, ...], list[MatrixRow]] = {}
    for row in rows:
        sets.setdefault((row.corpus, row.corpus_sha256, row.model), []).append(row)
    parts = []
    for (corpus, _, model), mine in sets.items():
        if len(sets) > 1:
            parts.append(f"## {', '.join(filter(None, (corpus, model)))}\n")
        for split in ("dev", "test"):
            parts += [f"Micro F1 on {split}, by the case variant scored on:\n", render_matrix(mine, split)]
        parts += ["Winning hyperparameters:\n", render_hyperparameters(mine)]
    return "\n".join(parts)


def write_report(folder: StudyFolder) -> None:
    """Write a study's report.md from what stands in its folder, its pictures beside it."""
    from hpo.reporting.plots import draw_plots

    record = read_record(folder)
    drawn = draw_plots(record, folder.figures)
    images = [(picture.title, f"{folder.figures.name}/{picture.name}.png") for picture in drawn]
    write_text(folder.report, render_report(record, images))


def render_report(record: StudyRecord, images: Sequence[tuple[str, str]] = ()) -> str:
    """The report.md of a study whose best model is scored; ``images`` are titles and paths."""
    study, trials, row = record.study, record.trials, record.row
    assert row is not None, "a report is of a study that has been scored"
    states = Counter(trial.state.value for trial in trials)
    epochs = sum(trial.epochs for trial in trials)
    parts = [
        f"# {study.name}\n",
        f"{row.algorithm} over {', '.join(study.space.parameters)}: {len(trials)} trials "
        f"({', '.join(f'{count} {state}' for state, count in sorted(states.items()))}), {epochs:.1f} epochs, "
        f"at most {study.max_epochs} per trial; model {study.model}, data {study.data}, seed {study.seed}.\n",
        render_matrices([row]),
    ]
    notes = (record.environment or {}).get("notes", ())
    if notes:
        parts += ["Notes on the corpus:\n", *(f"- {note}" for note in notes), ""]
    parts += render_sections(record)
    for split, by_variant in row.scores.items():
        scores = by_variant.get(study.train_on)
        if isinstance(scores, Scores):
            parts += [
                f"## The best model on {split}, by class\n",
                render_class_scores(split, scores, record.confusions.get(split)),
            ]
            if split in record.confusions:
                parts.append(render_confusion(split, record.confusions[split]))
    if images:
        parts += ["## Pictures\n", *(f"![{title}]({path})\n" for title, path in images)]
    parts += ["## Trials, best first\n", render_trials(trials)]
    return "\n".join(parts)


def render_sections(record: StudyRecord) -> list[str]:
    """What can be told of a study at any time: the defaults, the course, the seeds, the hyperparameters."""
    again = render_seed_scores(record.reranked) if record.reranked else ""
    of_choice = [name for name, each in record.study.space.parameters.items() if each.values is not None]
    measured = any(trial.best for trial in record.trials)
    hyperparameters = {f"By {name.replace('_', ' ')}": name for name in of_choice if measured}
    told = {
        f"Default configuration and best, on {record.study.train_on}": render_default_vs_best(record),
        "Best after so many trials": render_milestones(record),
        "Every configuration under several seeds": render_seed_scores(record),
        "The best trained again": again,
        "Which hyperparameters told the best trials from the others": render_importance(record),
        **{
            heading: render_groups(record, hyperparameter)
            for heading, hyperparameter in hyperparameters.items()
        },
    }
    return [part for heading, text in told.items() if text for part in (f"## {heading}\n", text)]


def render_trials(trials: Sequence[Trial]) -> str:
    """One line per trial: the best first, those without a score last."""
    first = rank_trials(trials, include_failed=True)
    rest = [trial for trial in trials if trial.best is None]
    names = list(trials[0].params) if trials else []
    return render_table(
        ("trial", "state", "best dev F1", "at epoch", "epochs", *names, "reason"),
        [
            (
                str(trial.number),
                trial.state.value,
                f"{trial.best.f1:.5f}" if trial.best else "-",
                f"{trial.best.epoch:g}" if trial.best else "-",
                f"{trial.epochs:g}",
                *(
                    f"{value:.4g}" if isinstance(value, float) else str(value)
                    for value in trial.params.values()
                ),
                trial.reason or "-",
            )
            for trial in (*first, *rest)
        ],
    )


def render_scores(scores: Mapping[str, Mapping[str, Scores]]) -> str:
    """A checkpoint's scores: each split and case variant, micro and by entity type."""
    parts = []
    for split, by_variant in scores.items():
        rows = [
            (variant, *map("{:.5f}".format, (each.precision, each.recall, each.f1)), f"{each.gold:,}")
            for variant, each in by_variant.items()
        ]
        parts += [
            f"{split}, micro, {SCHEME}, seqeval's {MODE} mode:\n",
            render_table(("variant", "precision", "recall", "F1", "spans"), rows),
        ]
    return "\n".join(parts)
