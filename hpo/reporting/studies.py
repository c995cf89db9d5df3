"""The report of a study, and of several: matrix tables, the winning hyperparameters, every trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hpo.corpora.spans import MODE, SCHEME, Scores
from hpo.evaluation.matrix import MatrixRow
from hpo.reporting.markdown import render_hyperparameters, render_matrix, render_table
from hpo.search.trials import Trial, ranked
from hpo.study import Study


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


def render_report(study: Study, row: MatrixRow, trials: Sequence[Trial], notes: Sequence[str]) -> str:
    """The report.md of a study."""
    states = Counter(trial.state.value for trial in trials)
    epochs = sum(trial.epochs for trial in trials)
    parts = [
        f"# {study.name}\n",
        f"{row.algorithm} over {', '.join(study.space.parameters)}: {len(trials)} trials "
        f"({', '.join(f'{count} {state}' for state, count in sorted(states.items()))}), {epochs:.1f} epochs, "
        f"at most {study.max_epochs} per trial; model {study.model}, data {study.data}, seed {study.seed}.\n",
        render_matrices([row]),
    ]
    if notes:
        parts += ["Notes on the corpus:\n", *(f"- {note}" for note in notes), ""]
    parts += ["## Trials, best first\n", render_trials(trials)]
    return "\n".join(parts)


def render_trials(trials: Sequence[Trial]) -> str:
    """One line per trial: the best first, those without a score last."""
    first = ranked(trials)
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
