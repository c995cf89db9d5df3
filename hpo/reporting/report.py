"""The report of a study: matrix tables, winning hyperparameters, comparisons, classes and trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hpo.corpora.spans import MODE, SCHEME, Scores
from hpo.evaluation.matrix import MatrixRow
from hpo.reporting.default_vs_best import render_default_vs_best
from hpo.reporting.group_by import render_groups
from hpo.reporting.importance import render_importance
from hpo.reporting.matrix_tables import render_hyperparameters, render_matrix
from hpo.reporting.milestones import render_milestones
from hpo.reporting.per_class import render_class_scores, render_confusion
from hpo.reporting.seeds import render_seed_scores
from hpo.reporting.study_record import StudyRecord, read_record
from hpo.reporting.tables import MISSING, format_f1, format_name, format_value, render_table
from hpo.search.trial import Trial, rank_trials
from hpo.storage.atomic import write_text
from hpo.storage.study_folder import StudyFolder


def render_matrices(rows: Sequence[MatrixRow]) -> str:
    """Return dev, test and hyperparameter tables of some rows, one set for each corpus and model."""
    sets: dict[tuple[str | None, ...], list[MatrixRow]] = {}
    for row in rows:
        sets.setdefault((row.corpus, row.corpus_sha256, row.model), []).append(row)
    parts = []
    for (corpus, _, model), members in sets.items():
        if len(sets) > 1:
            parts.append(f"## {', '.join(filter(None, (corpus, model)))}\n")
        for split in ("dev", "test"):
            parts += [f"Micro F1 on {split}, by the case variant scored on:\n", render_matrix(members, split)]
        parts += ["Winning hyperparameters:\n", render_hyperparameters(members)]
    return "\n".join(parts)


def write_report(folder: StudyFolder) -> None:
    """Write a study's report.md and its figures."""
    from hpo.reporting.plots import draw_plots

    record = read_record(folder)
    plots = draw_plots(record, folder.figures)
    images = [(plot.title, f"{folder.figures.name}/{plot.name}.png") for plot in plots]
    write_text(folder.report, render_report(record, images))


def render_report(record: StudyRecord, images: Sequence[tuple[str, str]] = ()) -> str:
    """Return the report.md of a study whose best model is scored; ``images`` are titles and paths."""
    study, trials, row = record.study, record.trials, record.row
    assert row is not None, "the best model is scored before the report is written"
    states = Counter(trial.state.value for trial in trials)
    epochs = sum(trial.epochs for trial in trials)
    max_epochs = f"{study.max_epochs} epoch{'' if study.max_epochs == 1 else 's'}"
    parts = [
        f"# {study.name}\n",
        f"{row.algorithm} over {', '.join(study.space.parameters)}: {len(trials)} trials "
        f"({', '.join(f'{count} {state}' for state, count in sorted(states.items()))}), {epochs:.1f} epochs, "
        f"at most {max_epochs} per trial; model {study.model}, data {study.data}, seed {study.seed}.\n",
        render_matrices([row]),
    ]
    if record.seqeval:
        parts.append(f"{record.seqeval}\n")
    notes = (record.environment or {}).get("notes", ())
    if notes:
        parts += ["Notes on the corpus:\n", *(f"- {note}" for note in notes), ""]
    parts += render_sections(record)
    for split, by_variant in row.scores.items():
        scores = by_variant.get(study.train_on)
        if isinstance(scores, Scores):
            parts += [
                f"## Scores of the best model on {split} by class\n",
                render_class_scores(split, scores, record.confusions.get(split)),
            ]
            if split in record.confusions:
                parts.append(render_confusion(split, record.confusions[split]))
    if images:
        parts += ["## Figures\n", *(f"![{title}]({path})\n" for title, path in images)]
    parts += ["## Trials, best first\n", render_trials(trials)]
    return "\n".join(parts)


def render_sections(record: StudyRecord) -> list[str]:
    """Return the sections that apply to any study, finished or not; those without content are left out."""
    scored = any(trial.best for trial in record.trials)
    choices = [
        name for name, each in record.study.space.parameters.items() if scored and each.values is not None
    ]
    sections = {
        f"Default vs best, on {record.study.train_on}": render_default_vs_best(record),
        "Best score after n trials": render_milestones(record),
        "Configurations with several seeds": render_seed_scores(record),
        "Best configurations retrained with new seeds": (
            render_seed_scores(record.reranked) if record.reranked else ""
        ),
        "Hyperparameter importance": render_importance(record),
        **{f"Scores by {format_name(name)}": render_groups(record, name) for name in choices},
    }
    return [part for heading, text in sections.items() if text for part in (f"## {heading}\n", text)]


def render_trials(trials: Sequence[Trial]) -> str:
    """Return one line per trial, the best first and those without a score last."""
    unscored = [trial for trial in trials if trial.best is None]
    names = list(trials[0].params) if trials else []
    return render_table(
        ("trial", "state", "best dev F1", "at epoch", "epochs", *names, "reason"),
        [
            (
                str(trial.number),
                trial.state.value,
                format_f1(trial.best.f1 if trial.best else None),
                f"{trial.best.epoch:g}" if trial.best else MISSING,
                f"{trial.epochs:g}",
                *(format_value(value, digits=4) for value in trial.params.values()),
                trial.reason or MISSING,
            )
            for trial in (*rank_trials(trials, include_failed=True), *unscored)
        ],
    )


def render_scores(scores: Mapping[str, Mapping[str, Scores]]) -> str:
    """Return the micro scores of a checkpoint on each split and case variant."""
    parts = []
    for split, by_variant in scores.items():
        rows = [
            (variant, *map(format_f1, (each.precision, each.recall, each.f1)), f"{each.gold:,}")
            for variant, each in by_variant.items()
        ]
        parts += [
            f"{split}, micro, {SCHEME}, seqeval's {MODE} mode:\n",
            render_table(("variant", "precision", "recall", "F1", "spans"), rows),
        ]
    return "\n".join(parts)
