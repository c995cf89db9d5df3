"""Records the learning curves of random configurations into a curve table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hpo.config.study import Study
from hpo.environment import describe_environment
from hpo.errors import Issue, UserError
from hpo.search.samplers.random_and_grid import RandomSampler
from hpo.simulation.curve_tables import Curve
from hpo.storage.journal import Journal, read_lines
from hpo.workflows.prepare import read_corpus

DIGITS = 5
"""Significant digits of every number in a table; trainings use the rounded hyperparameters."""


def record(study: Study, path: Path) -> Iterator[int]:
    """Train ``study.trials`` random configurations in sequence, each to its last epoch.

    Resumes after the last curve in the file, and yields the number of curves in it after each one. Ignores
    the ``points_to_evaluate`` of the space: every curve is a random draw.

    Raises
    ------
    UserError
        If the corpus is invalid, or if the file holds a table with other settings.
    """
    from hpo.encoding.corpus_encoder import encode_corpus
    from hpo.encoding.sentence_encoder import EncodingOptions

    corpus, family = read_corpus(study)
    training_config = study.training_config({})
    options = EncodingOptions(training_config.max_length, study.seed, training_config.context)
    data = encode_corpus(corpus, family, study.model, options)
    settings = _settings(study, corpus.name, corpus.sha256, training_config.epochs)
    present = list(read_lines(path))
    if present:
        _require_same_settings(path, present[0], settings)
    journal = Journal(path)
    try:
        if not present:
            journal.append(settings, durable=True)
        start = max(0, len(present) - 1)
        yield from range(1, start + 1)
        for done, curve in enumerate(_curves(study, data, start), start + 1):
            journal.append(asdict(curve), durable=True)
            yield done
    finally:
        journal.close()


def _curves(study: Study, data: Any, start: int) -> Iterator[Curve]:
    from hpo.training.measurement import Measurement
    from hpo.training.task import NonFiniteLoss, TrainingCallbacks, TrainingTask
    from hpo.training.trainer import train

    space = study.space.model_copy(update={"points_to_evaluate": ()})
    sampler = RandomSampler(space, study.seed)
    for number in range(start, study.trials):
        params = {name: _rounded(value) for name, value in sampler.suggest(number, ()).items()}
        seed = int(np.random.SeedSequence([study.seed, number]).generate_state(1)[0] >> 1)
        measured: list[Measurement] = []

        def report(measurement: Measurement, measured: list[Measurement] = measured) -> bool:
            measured.append(measurement)
            return True

        task = TrainingTask(
            training_config=study.training_config(params),
            corpus=data.folder,
            model=study.model,
            train_on=study.train_on,
            seed=seed,
        )
        # A diverged curve ends early; it is recorded even if it is empty, so that resuming can count it.
        with suppress(NonFiniteLoss):
            train(task, TrainingCallbacks(report))
        columns = {
            field: tuple(_rounded(getattr(each, field)) for each in measured)
            for field in ("epoch", "f1", "loss", "seconds")
        }
        yield Curve(params, seed, **columns)


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _settings(study: Study, corpus: str, sha256: str, epochs: int) -> dict[str, Any]:
    versions = describe_environment()["versions"]
    return {
        "corpus": corpus,
        "corpus_sha256": sha256,
        "tags": study.tags,
        "train_on": study.train_on,
        "model": study.model,
        "epochs": epochs,
        "fixed": study.space.fixed | study.fixed,
        "seed": study.seed,
        "space": study.space.model_copy(update={"points_to_evaluate": ()}).model_dump(
            mode="json", exclude_none=True
        ),
        "versions": {name: versions[name] for name in ("hpo", "torch", "transformers")},
    }


def _require_same_settings(path: Path, recorded: dict[str, Any], settings: dict[str, Any]) -> None:
    issues = [
        Issue(str(path), f"was recorded with {key} = {recorded.get(key)!r}", settings[key])
        for key in settings
        if key != "versions" and recorded.get(key) != settings[key]
    ]
    if issues:
        raise UserError(issues)
