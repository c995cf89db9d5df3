"""The study file: every field of a search, its default and its limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from hpo.config.algorithms import ALGORITHMS, CHANGEABLE, TPE_LIBRARIES
from hpo.config.objective import TRAINED_ON, Objective, parse_objective
from hpo.config.option import DATA, OUTPUT, RESOURCES, SEARCH, TRAINING, option
from hpo.config.search_space import (
    Params,
    Space,
    combination_issues,
    config_issues,
    load_space,
)
from hpo.config.trackers import take_apart
from hpo.config.training_config import TrainingConfig
from hpo.config.training_rules import unread_hyperparameters
from hpo.corpora.variants import VARIANTS
from hpo.errors import Issue, UserError
from hpo.storage.study_folder import STUDY_NAME, StudyFolder
from hpo.storage.yaml_files import (
    Key,
    ValidationIssues,
    YamlFile,
    dump_yaml,
    read_yaml,
    validate,
)

SplitName = Literal["train", "dev", "test"]
Name = Annotated[str, Field(pattern=STUDY_NAME)]
NEXT_TO_THE_SEARCH = frozenset({"name", "workers", "gpus_per_trial", "trackers"})
"""Fields that say how a study is run and not what it finds."""


class Study(BaseModel):
    """One search: one row of the result matrix.

    Two studies that agree in all but `NEXT_TO_THE_SEARCH` look for the same thing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Name = option(
        OUTPUT, "folder under results/", flag="study", default_text="derived from the settings"
    )
    data: str = option(DATA, "corpus: demo, a file, a folder, or a hub id name:config", "demo", min_length=1)
    tags: str = option(DATA, "tag family, by name or as a YAML file", "suc-original", min_length=1)
    train_on: str = option(DATA, f"case variant to train on: {', '.join(VARIANTS)}", "cased")
    model: str = option(
        DATA,
        "model to fine-tune: tiny (trained from scratch), a hub id, or a folder with safetensors",
        "tiny",
        min_length=1,
    )
    algorithm: str = option(SEARCH, f"search algorithm: {', '.join(ALGORITHMS)}", "asha", flag="alg")
    objective: str = option(
        SEARCH,
        "what the search maximizes: trained-on, a case variant, or mean(…) or min(…) of several",
        TRAINED_ON,
    )
    sampler: str = option(
        SEARCH, f"library whose TPE proposes configurations for asha: {', '.join(TPE_LIBRARIES)}", "optuna"
    )
    trials: int = option(SEARCH, "number of configurations to try", 50, ge=1, le=100_000)
    seed: int = option(
        TRAINING,
        "random seed of the search, the training runs, the mixed case variants and the dev split",
        42,
        ge=0,
        lt=2**32,
    )
    seeds: int = option(
        SEARCH,
        "training runs per configuration of grid and random, with seeds SEED, SEED + 1, …",
        1,
        ge=1,
        le=1000,
    )
    baseline: bool = option(SEARCH, "train the default configuration to its last epoch as trial 0", True)
    space: Space = option(
        SEARCH,
        "search space, by name or as a YAML file",
        default_text="demo for the tiny model, else suc",
    )
    warm_start: tuple[Name, ...] = option(
        SEARCH, "earlier studies whose best configurations are tried first", ()
    )
    fixed: Params = option(
        TRAINING,
        "hyperparameters to set; they override those of the search space",
        {},
        shorthands=("epochs",),
    )
    grace_epochs: int = option(SEARCH, "epochs before a trial can be stopped", 1, ge=1, le=1000)
    reduction_factor: int = option(SEARCH, "one in this many trials continues at each rung", 3, ge=2, le=100)
    population_size: int = option(
        SEARCH, "population size of pbt and pb2, at most the number of trials", 8, ge=2, le=100_000
    )
    perturbation_interval: float = option(
        SEARCH, "epochs between perturbations in pbt and pb2", 1, gt=0, le=1000
    )
    keep_checkpoints: int = option(OUTPUT, "number of best models to keep on disk", 3, ge=1, le=100)
    dev_fraction: float = option(
        DATA, "fraction of train that becomes dev if the corpus has no dev split", 0.1, gt=0, lt=1
    )
    train_splits: tuple[SplitName, ...] = option(DATA, "splits to train on", ("train",), min_length=1)
    subsample: dict[SplitName, Annotated[float, Field(gt=0, le=1)]] = option(
        DATA, "fraction of a split to use", {}
    )
    workers: int | None = option(
        RESOURCES,
        "number of trials that run in parallel",
        None,
        ge=1,
        le=100_000,
        default_text="all cores or GPUs",
    )
    gpus_per_trial: float = option(
        RESOURCES, "GPUs per trial; a fraction below 1 shares a GPU, 0 trains on the CPU", 1, ge=0, le=64
    )
    trackers: tuple[str, ...] = option(
        OUTPUT,
        "experiment trackers: tensorboard, mlflow or mlflow:URI, wandb or wandb:PROJECT; none for no tracker",
        ("tensorboard",),
        flag="tracker",
    )

    @field_validator("space", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return load_space(value) if isinstance(value, str) else value

    @field_validator("train_on", "algorithm", "sampler")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        known = {"train_on": VARIANTS, "algorithm": ALGORITHMS, "sampler": TPE_LIBRARIES}[
            str(info.field_name)
        ]
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return value

    @field_validator("gpus_per_trial")
    @classmethod
    def _share_or_whole(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("must be a share below 1, or a whole number of GPUs")
        return value

    @field_validator("train_splits")
    @classmethod
    def _each_once(cls, value: tuple[SplitName, ...]) -> tuple[SplitName, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a split may stand only once")
        return value

    @field_validator("trackers")
    @classmethod
    def _known_trackers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [take_apart(tracker)[0] for tracker in value]
        if len(set(names)) < len(names):
            raise ValueError("a tracker may stand only once")
        return value

    @field_validator("objective")
    @classmethod
    def _cells(cls, value: str) -> str:
        parse_objective(value, "cased")
        return value

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Study:
        issues = list(config_issues(self.fixed, ("fixed",)))
        issues += [
            (("fixed", name), "is searched by the space")
            for name in self.fixed
            if name in self.space.parameters
        ]
        if issues or (issues := list(self._combination_issues())):
            raise ValidationIssues(issues)
        for name in ("max_length", "context"):
            domain = self.space.parameters.get(name)
            if domain and domain.type != "choice":
                raise ValueError(
                    f"{name} decides how the corpus is encoded, once for each value; search it as a choice"
                )
        chosen = self.sampler != type(self).model_fields["sampler"].default
        if chosen and ALGORITHMS[self.algorithm].sampler is not None:
            raise ValueError(f"{self.algorithm} chooses its configurations itself and takes no sampler")
        if self.seeds > 1:
            self._check_seeds()
        if ALGORITHMS[self.algorithm].stops and self.max_epochs < self.grace_epochs:
            raise ValueError(
                f"epochs ({self.max_epochs}) must not be under grace_epochs ({self.grace_epochs})"
            )
        if ALGORITHMS[self.algorithm].population and (issues := list(self._population_issues())):
            raise ValidationIssues(issues)
        return self

    def _combination_issues(self) -> Iterator[tuple[Key, str]]:
        """What the training configuration, or the algorithm, has against hyperparameters that are each in
        order."""
        possible = self.space.possible(self.space.fixed | self.fixed)
        places: dict[str, Key] = {name: ("space", "fixed", name) for name in self.space.fixed}
        places |= {name: ("space", "parameters", name) for name in self.space.parameters}
        places |= {name: ("fixed", name) for name in self.fixed}
        yield from combination_issues(possible, places)
        for name, rule in unread_hyperparameters(self.fixed, possible):
            yield places[name], rule
        if any(possible["patience"]) and not ALGORITHMS[self.algorithm].allows_early_end:
            rule = f"must be 0 under {self.algorithm}, whose trials wait for each other at set epochs"
            yield places["patience"], f"{rule} (asha, random and grid let a trial end when it will)"

    def _check_seeds(self) -> None:
        known = [name for name, each in ALGORITHMS.items() if each.repeats]
        if self.algorithm not in known:
            raise ValueError(
                f"{self.algorithm} tries no configuration twice, so seeds ({self.seeds}) can only be 1 "
                f"(can: {', '.join(known)}; after the search, hpo rerank STUDY --seeds {self.seeds} "
                "trains the best under fresh seeds)"
            )
        if self.seed + self.seeds > 2**32:
            raise ValueError(f"seed + seeds must not be over {2**32}, and is {self.seed + self.seeds}")

    def _population_issues(self) -> Iterator[tuple[Key, str]]:
        """What a search that changes hyperparameters on the way has against the study."""
        for name in self.space.parameters:
            if name not in CHANGEABLE:
                rule = f"cannot change on the way, as {self.algorithm} would have it; set it in fixed"
                yield ("space", "parameters", name), f"{rule} (can: {', '.join(CHANGEABLE)})"
        ranges = any(each.type in ("uniform", "loguniform") for each in self.space.parameters.values())
        if self.algorithm == "pb2" and not ranges:
            yield (
                ("space", "parameters"),
                "pb2 models continuous hyperparameters, and there is none; take pbt",
            )
        if self.population_size > self.trials:
            yield (
                ("population_size",),
                f"must not be over trials ({self.trials}), and is {self.population_size}",
            )
        if self.perturbation_interval >= self.max_epochs:
            yield (
                ("perturbation_interval",),
                f"must be under epochs ({self.max_epochs}), and is {self.perturbation_interval:g}",
            )
        evaluations = self.perturbation_interval * self._fixed_training_config.evals_per_epoch
        if round(evaluations) < 1 or abs(evaluations - round(evaluations)) > 1e-9:
            per_epoch = self._fixed_training_config.evals_per_epoch
            rule = f"must be whole evaluations, {per_epoch} of which are an epoch"
            yield ("perturbation_interval",), f"{rule}, and is {self.perturbation_interval:g}"

    @property
    def _fixed_training_config(self) -> TrainingConfig:
        """A training configuration of the space, for the hyperparameters that are not searched."""
        return self.training_config({name: domain.ends[0] for name, domain in self.space.parameters.items()})

    @property
    def goal(self) -> Objective:
        """The objective, with the variant trained on filled in."""
        return parse_objective(self.objective, self.train_on)

    def training_config(self, params: Params) -> TrainingConfig:
        """The training configuration of a trial: the space's fixed hyperparameters, the study's, the
        trial's, the defaults."""
        return TrainingConfig.model_validate(self.space.fixed | self.fixed | params)

    @property
    def guesses(self) -> tuple[Params, ...]:
        """What is tried first: the default configuration, then the space's points to evaluate."""
        first = (self.space.defaults,) if self.baseline else ()
        return (*first, *(guess for guess in self.space.points_to_evaluate if guess not in first))

    @property
    def never_stopped(self) -> frozenset[int]:
        """The trials that no algorithm stops or changes: that of the default configuration."""
        return frozenset([0]) if self.baseline else frozenset()

    @property
    def runs(self) -> int:
        """Trainings that the study asks for: each configuration under every seed."""
        return self.trials * self.seeds

    @property
    def max_epochs(self) -> int:
        """The most epochs that a trial can train for."""
        if "epochs" in self.space.parameters:
            return int(max(self.space.parameters["epochs"].ends))
        return self._fixed_training_config.epochs

    @property
    def identity(self) -> dict[str, Any]:
        """What the study looks for, as JSON holds it."""
        return self.model_dump(mode="json", exclude=set(NEXT_TO_THE_SEARCH))

    def to_yaml(self) -> str:
        """The resolved study, every field written out."""
        return dump_yaml(self.model_dump(mode="json", exclude_none=True))


def load_study(
    path: Path, overrides: Mapping[str, Any] | None = None, names: Mapping[Key, str] | None = None
) -> Study:
    """Read a study file; fields that it leaves out take their defaults, ``overrides`` win.

    ``names`` are what the user calls the overrides, for error messages; by default the fields' names.

    Raises
    ------
    UserError
        with every problem of the file, each at its line, and of the overrides, each at its name.
    """
    document = read_yaml(path)
    if isinstance(document.data, dict):
        given = dict(overrides or {})
        data = document.data | given
        if "fixed" in given and isinstance(document.data.get("fixed"), dict):
            data["fixed"] = document.data["fixed"] | given["fixed"]
        elsewhere = {key: name for key, name in (names or _own_names(given)).items() if key[0] in given}
        document = YamlFile(document.path, with_defaults(data), document.lines, elsewhere)
    return validate(Study, document)


def stored_study(folder: StudyFolder) -> Study:
    """The study that a results folder holds, under the folder's name.

    Raises
    ------
    UserError
        if there is none, or its file has problems.
    """
    if not folder.study.exists():
        raise UserError(
            Issue(f"study {folder.name}", "is not under results/", None, "hpo ls lists those that are")
        )
    return validate(Study, read_yaml(folder.study)).model_copy(update={"name": folder.name})


def build_study(options: Mapping[str, Any], names: Mapping[Key, str] | None = None) -> Study:
    """A study from its fields; ``names`` are what the user calls them, by default the fields' names.

    Raises
    ------
    UserError
        with every problem, each at the name of its field.
    """
    return validate(Study, YamlFile(Path("study"), with_defaults(options), {}, names or _own_names(options)))


def _own_names(options: Mapping[str, Any]) -> dict[Key, str]:
    return {(name,): name for name in (*Study.model_fields, *options)}


def with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the fields whose default depends on others.

    The space follows from the model, a population from the number of trials, the name from all.
    """
    filled = dict(options)
    algorithm, trials = ALGORITHMS.get(str(filled.get("algorithm"))), filled.get("trials")
    if algorithm and algorithm.population and isinstance(trials, int):
        most = Study.model_fields["population_size"].default
        filled.setdefault("population_size", max(2, min(trials, most)))
    filled.setdefault("space", "demo" if filled.get("model", "tiny") == "tiny" else "suc")
    if not filled.get("name"):
        filled["name"] = default_name(filled)
    return filled


def default_name(options: Mapping[str, Any]) -> str:
    """A name that says what a reader of ``hpo ls`` wants to know."""
    parts = [
        str(options.get(field) or Study.model_fields[field].default)
        for field in ("data", "tags", "train_on", "model", "algorithm")
    ]
    if options.get("sampler") not in (None, Study.model_fields["sampler"].default):
        parts.append(str(options["sampler"]))
    if parts[3] == "tiny":
        del parts[3]
    short = [Path(part).stem if "/" in part or part.endswith(".yaml") else part for part in parts]
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", "-".join(short)).strip("._+-")[:100] or "study"
