"""Conditions on several fields of a study, each with the fields that it reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from hpo.config.algorithms import ALGORITHMS, CHANGEABLE, TPE_LIBRARIES
from hpo.config.search_space import Params, Space, combination_issues, value_issues
from hpo.config.training_rules import Possible, unread_hyperparameters
from hpo.storage.yaml_files import FieldIssue, Key

MAX_SEED = 2**32


class Study(Protocol):
    """The fields of `hpo.config.study.Study` that the rules read."""

    algorithm: str
    sampler: str
    trials: int
    seed: int
    seeds: int
    space: Space
    fixed: Params
    grace_epochs: int
    population_size: int
    perturbation_interval: float

    @property
    def possible(self) -> Possible:
        """The values that each hyperparameter can take."""


def study_issues(study: Study, invalid: Collection[str] = ()) -> Iterator[FieldIssue]:
    """Yield the rules that a study breaks; rules that read an ``invalid`` field are skipped."""
    for fields, rule in RULES:
        if not any(field in invalid for field in fields):
            yield from rule(study)


def _fixed_values(study: Study) -> Iterator[FieldIssue]:
    yield from value_issues(study.fixed, ("fixed",))


def _fixed_or_searched(study: Study) -> Iterator[FieldIssue]:
    for name in study.fixed:
        if name in study.space.parameters:
            yield FieldIssue(("fixed", name), "is searched by the space")


def _combinations(study: Study) -> Iterator[FieldIssue]:
    keys = _keys(study)
    yield from combination_issues(_valid_values(study), keys)
    for name, message in unread_hyperparameters(study.fixed, _valid_values(study)):
        yield FieldIssue(keys[name], message)


def _early_end(study: Study) -> Iterator[FieldIssue]:
    if any(_valid_values(study).get("patience", ())) and not ALGORITHMS[study.algorithm].allows_early_end:
        allowing = [name for name, each in ALGORITHMS.items() if each.allows_early_end]
        message = f"must be 0 for {study.algorithm}, whose trials wait for each other at set epochs"
        yield FieldIssue(_keys(study)["patience"], message, None, f"or use {', '.join(allowing)}")


def _encodings(study: Study) -> Iterator[FieldIssue]:
    for name in ("max_length", "context"):
        domain = study.space.parameters.get(name)
        if domain and domain.type != "choice":
            message = "must have type choice, because the corpus is encoded once for each value"
            yield FieldIssue(("space", "parameters", name), message, domain.type)


def _own_sampler(study: Study) -> Iterator[FieldIssue]:
    if study.sampler != TPE_LIBRARIES[0] and ALGORITHMS[study.algorithm].sampler is not None:
        using = [name for name, each in ALGORITHMS.items() if each.sampler is None]
        message = f"is not an option of {study.algorithm}, which has its own sampler"
        yield FieldIssue(("sampler",), message, study.sampler, f"used by {', '.join(using)}")


def _repeats(study: Study) -> Iterator[FieldIssue]:
    if study.seeds > 1 and not ALGORITHMS[study.algorithm].repeats:
        repeating = [name for name, each in ALGORITHMS.items() if each.repeats]
        yield FieldIssue(
            ("seeds",),
            f"must be 1 for {study.algorithm}, which trains each configuration once",
            study.seeds,
            f"use {' or '.join(repeating)}, or after the search: hpo rerank STUDY --seeds {study.seeds}",
        )


def _last_seed(study: Study) -> Iterator[FieldIssue]:
    if study.seed + study.seeds > MAX_SEED:
        yield FieldIssue(("seeds",), f"seed + seeds must be at most {MAX_SEED}", study.seed + study.seeds)


def _grace(study: Study) -> Iterator[FieldIssue]:
    epochs = _max_epochs(study)
    if ALGORITHMS[study.algorithm].stops and epochs is not None and epochs < study.grace_epochs:
        yield FieldIssue(("grace_epochs",), f"must be at most epochs = {epochs}", study.grace_epochs)


def _changeable(study: Study) -> Iterator[FieldIssue]:
    algorithm = ALGORITHMS[study.algorithm]
    if not algorithm.population_based:
        return
    for name in study.space.parameters:
        if name not in CHANGEABLE:
            message = f"cannot be searched by {study.algorithm}, because it cannot change during training"
            hint = f"set it in fixed; can be searched: {', '.join(CHANGEABLE)}"
            yield FieldIssue(("space", "parameters", name), message, None, hint)
    if algorithm.needs_continuous and not any(each.is_continuous for each in study.space.parameters.values()):
        message = f"need a continuous hyperparameter for {study.algorithm}, which models only these"
        yield FieldIssue(("space", "parameters"), message, None, "use pbt")


def _population_size(study: Study) -> Iterator[FieldIssue]:
    if ALGORITHMS[study.algorithm].population_based and study.population_size > study.trials:
        message = f"must be at most trials = {study.trials}"
        yield FieldIssue(("population_size",), message, study.population_size)


def _perturbation_interval(study: Study) -> Iterator[FieldIssue]:
    if not ALGORITHMS[study.algorithm].population_based:
        return
    interval, key = study.perturbation_interval, ("perturbation_interval",)
    epochs = _max_epochs(study)
    if epochs is not None and interval >= epochs:
        yield FieldIssue(key, f"must be less than epochs = {epochs}", interval)
    for per_epoch in _valid_values(study).get("evals_per_epoch", ())[:1]:  # cannot be searched
        evaluations = interval * per_epoch
        if round(evaluations) < 1 or abs(evaluations - round(evaluations)) > 1e-9:
            message = f"must be a whole number of evaluations, of which an epoch has {per_epoch}"
            yield FieldIssue(key, message, interval)


RULES: tuple[tuple[tuple[str, ...], Callable[[Study], Iterator[FieldIssue]]], ...] = (
    (("fixed",), _fixed_values),
    (("fixed", "space"), _fixed_or_searched),
    (("fixed", "space"), _combinations),
    (("fixed", "space", "algorithm"), _early_end),
    (("space",), _encodings),
    (("algorithm", "sampler"), _own_sampler),
    (("algorithm", "seeds"), _repeats),
    (("seed", "seeds"), _last_seed),
    (("algorithm", "grace_epochs", "fixed", "space"), _grace),
    (("algorithm", "space"), _changeable),
    (("algorithm", "population_size", "trials"), _population_size),
    (("algorithm", "perturbation_interval", "fixed", "space"), _perturbation_interval),
)


def _keys(study: Study) -> dict[str, Key]:
    """Return where each hyperparameter is set; a study's fixed value wins over its space's."""
    keys: dict[str, Key] = {name: ("space", "fixed", name) for name in study.space.fixed}
    keys |= {name: ("space", "parameters", name) for name in study.space.parameters}
    return keys | {name: ("fixed", name) for name in study.fixed}


def _valid_values(study: Study) -> Possible:
    """Return the values that each hyperparameter can take, without those that have an issue already."""
    issues = [*_fixed_values(study), *_fixed_or_searched(study)]
    wrong = {issue.key[1] for issue in issues}
    possible = study.possible
    return {name: values for name, values in possible.items() if name not in wrong}


def _max_epochs(study: Study) -> int | None:
    """Return the most epochs of a trial, None if the values are invalid."""
    epochs = _valid_values(study).get("epochs")
    return int(max(epochs)) if epochs else None
