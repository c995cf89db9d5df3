"""Studies: every setting of a search, with its default and limits, and loading of study files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hpo.config.algorithms import ALGORITHMS, TPE_LIBRARIES
from hpo.config.objective import TRAINED_ON, Objective, parse_objective
from hpo.config.option import DATA, OUTPUT, RESOURCES, SEARCH, TRAINING, option
from hpo.config.renamed_keys import STUDY_KEYS, translate_study
from hpo.config.search_space import Params, Space, load_space
from hpo.config.study_rules import study_issues
from hpo.config.trackers import parse_tracker
from hpo.config.training_config import TrainingConfig
from hpo.config.training_rules import Possible
from hpo.corpora.variants import VARIANTS
from hpo.errors import Issue, UserError
from hpo.storage.study_folder import NO_SUCH_STUDY, STUDY_NAME, StudyFolder
from hpo.storage.yaml_files import (
    FieldIssue,
    Key,
    ValidationIssues,
    YamlFile,
    dump_yaml,
    field_issues,
    read_yaml,
    validate,
)

SplitName = Literal["train", "dev", "test"]
Name = Annotated[str, Field(pattern=STUDY_NAME)]
RUNTIME_ONLY_FIELDS = frozenset({"name", "workers", "gpus_per_trial", "trackers"})
"""Fields that affect how a study runs but not its result."""
_PLACEHOLDERS = {
    "name": "study",
    "space": {"parameters": {"learning_rate": {"type": "choice", "values": [1e-4]}}},
}
"""Values for required fields that are invalid, with which the other fields are checked."""


class Study(BaseModel):
    """One search: one row of the result matrix.

    Two studies that differ only in `RUNTIME_ONLY_FIELDS` have the same result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    renamed_keys: ClassVar[Mapping[str, str]] = STUDY_KEYS

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
    trials: int = option(
        SEARCH,
        "number of configurations, with the default configuration and other points to evaluate; with --seeds "
        "each is trained several times; for pbt and pb2 the maximum number of trials, with replacements of "
        "failed ones",
        50,
        ge=1,
        le=100_000,
    )
    seed: int = option(
        TRAINING,
        "random seed of the search, the training runs, the mixed case variants and the dev split",
        42,
        ge=0,
        lt=2**32,
    )
    seeds: int = option(
        SEARCH,
        "training runs per configuration of grid and random, with seeds SEED, SEED + 1, …; with 1, each "
        "trial has a seed derived from SEED and its number",
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
        "hyperparameters that are not searched; they override `fixed` of the search space",
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
        DATA, "fraction of a split to use, such as train=0.2", {}, metavar="SPLIT=FRACTION"
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
    def _load_named_space(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return load_space(value)
        except UserError as error:
            raise ValidationIssues(error.issues) from None

    @field_validator("train_on", "algorithm", "sampler")
    @classmethod
    def _known_name(cls, value: str, info: ValidationInfo) -> str:
        known = {"train_on": VARIANTS, "algorithm": ALGORITHMS, "sampler": TPE_LIBRARIES}[
            str(info.field_name)
        ]
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return value

    @field_validator("gpus_per_trial")
    @classmethod
    def _fraction_or_whole(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("must be a fraction below 1 or a whole number")
        return value

    @field_validator("train_splits")
    @classmethod
    def _distinct_splits(cls, value: tuple[SplitName, ...]) -> tuple[SplitName, ...]:
        if len(set(value)) < len(value):
            raise ValueError("must be distinct")
        return value

    @field_validator("trackers")
    @classmethod
    def _known_trackers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names, issues = [], []
        for tracker in value:
            try:
                names.append(parse_tracker(tracker)[0])
            except ValueError as error:
                issues.append(FieldIssue((), str(error), tracker))
        if issues:
            raise ValidationIssues(issues)
        if len(set(names)) < len(names):
            raise ValueError("must name each tracker once")
        return value

    @field_validator("objective")
    @classmethod
    def _valid_objective(cls, value: str) -> str:
        parse_objective(value, "cased")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _all_issues(cls, data: Any, handler: ModelWrapValidatorHandler[Study]) -> Study:
        """Check the valid fields against each other even if other fields are invalid."""
        issues: list[FieldIssue | Issue] = []
        invalid: set[str] = set()
        try:
            study = handler(data)
        except ValidationError as error:
            if not isinstance(data, dict):
                raise
            issues += field_issues(error, cls)
            invalid = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
            placeholders = {name: value for name, value in _PLACEHOLDERS.items() if name in invalid}
            study = handler({k: v for k, v in data.items() if k not in invalid} | placeholders)
        issues += study_issues(study, invalid)
        if issues:
            raise ValidationIssues(issues)
        return study

    @property
    def possible(self) -> Possible:
        """The values that each hyperparameter can take."""
        return self.space.possible(self.space.fixed | self.fixed)

    @property
    def objective_fn(self) -> Objective:
        """The objective, with the variant trained on filled in."""
        return parse_objective(self.objective, self.train_on)

    def training_config(self, params: Params) -> TrainingConfig:
        """Return the training configuration of a trial.

        Precedence: the trial's parameters, the study's fixed values, the space's, the defaults.
        """
        return TrainingConfig.model_validate(self.space.fixed | self.fixed | params)

    @property
    def initial_points(self) -> tuple[Params, ...]:
        """The first trials: the default configuration, then the space's points to evaluate."""
        first = (self.space.defaults,) if self.baseline else ()
        return (*first, *(point for point in self.space.points_to_evaluate if point not in first))

    @property
    def never_stopped(self) -> frozenset[int]:
        """The trials that no algorithm stops or changes: the baseline, if there is one."""
        return frozenset([0]) if self.baseline else frozenset()

    @property
    def runs(self) -> int:
        """The number of training runs: every configuration under every seed."""
        return self.trials * self.seeds

    @property
    def max_epochs(self) -> int:
        """The most epochs that a trial can train for."""
        return int(max(self.possible["epochs"]))

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The fields that determine the result, as JSON values."""
        return self.model_dump(mode="json", exclude=set(RUNTIME_ONLY_FIELDS))

    def to_yaml(self) -> str:
        """Return the study as YAML, with every field."""
        return dump_yaml(self.model_dump(mode="json", exclude_none=True))


def load_study(
    path: Path, overrides: Mapping[str, Any] | None = None, names: Mapping[Key, str] | None = None
) -> Study:
    """Load a study file; ``overrides`` replace fields of the file, missing fields take their defaults.

    ``names`` are the locations of the overrides in error messages, by default the names of the fields.

    Raises
    ------
    UserError
        If the study is invalid; with every problem, located at its line or at the name of the override.
    """
    file = read_yaml(path)
    if isinstance(file.data, dict):
        given = dict(overrides or {})
        data = file.data | given
        if "fixed" in given and isinstance(file.data.get("fixed"), dict):
            data["fixed"] = file.data["fixed"] | given["fixed"]
        elsewhere = {key: name for key, name in (names or _own_names(given)).items() if key[0] in given}
        file = YamlFile(file.path, with_defaults(data), file.lines, elsewhere)
    return validate(Study, file)


def stored_study(folder: StudyFolder) -> Study:
    """Return the study of a results folder, with the name of the folder.

    Keys of earlier versions are translated.

    Raises
    ------
    UserError
        If there is no study, or its file is invalid.
    """
    if not folder.study.exists():
        raise UserError(Issue(f"study {folder.name}", NO_SUCH_STUDY, None, "hpo ls lists the studies"))
    file = read_yaml(folder.study)
    current = YamlFile(file.path, translate_study(file.data), file.lines)
    return validate(Study, current).model_copy(update={"name": folder.name})


def build_study(options: Mapping[str, Any], names: Mapping[Key, str] | None = None) -> Study:
    """Build a study from its fields; ``names`` are their locations in error messages.

    Raises
    ------
    UserError
        If the study is invalid; with every problem, located at the name of its field.
    """
    return validate(Study, YamlFile(Path("study"), with_defaults(options), {}, names or _own_names(options)))


def _own_names(options: Mapping[str, Any]) -> dict[Key, str]:
    return {(name,): name for name in (*Study.model_fields, *options)}


def with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the defaults that depend on other fields.

    The space depends on the model, the population size on the number of trials, the name on all fields.
    """
    filled = dict(options)
    algorithm, trials = ALGORITHMS.get(str(filled.get("algorithm"))), filled.get("trials")
    if algorithm and algorithm.population_based and isinstance(trials, int):
        default = Study.model_fields["population_size"].default
        filled.setdefault("population_size", max(2, min(trials, default)))
    filled.setdefault("space", "demo" if filled.get("model", "tiny") == "tiny" else "suc")
    if not filled.get("name"):
        filled["name"] = default_name(filled)
    return filled


def default_name(options: Mapping[str, Any]) -> str:
    """Return a study name of the settings that distinguish rows of ``hpo ls``."""
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
