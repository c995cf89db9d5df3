"""The profile of a SLURM site: what its administrators want to see in a job, and what a job asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.errors import Issue, UserError
from hpo.storage.yaml_files import YamlFile, read_yaml, validate

_NO_CONTROL = r"^[^\x00-\x1f\x7f]+$"
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.,:=@%+&|()\[\]*/!-]*$", max_length=200)]
"""A value of an ``#SBATCH`` line: no blank, quote, ``$``, ``#``, ``;`` or backslash."""
Line = Annotated[str, Field(pattern=_NO_CONTROL, max_length=1000)]
Folder = Annotated[str, Field(pattern=r"^/[^\x00-\x1f\x7f]*$", max_length=24)]
"""Absolute; short, since the name of a socket of Ray's under it may have 107 characters in all."""


class Site(BaseModel):
    """What a job asks SLURM for, and what it does before the search."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    nodes: int = Field(1, ge=1, le=1000, description="machines; a Ray node starts on each")
    gpus: int = Field(0, ge=0, le=64, description="GPUs on each node")
    cpus: int | None = Field(None, ge=1, le=4096, description="cores on each node; whole nodes without it")
    time: str | None = Field(
        None,
        pattern=r"^(?:[0-9]+|[0-9]+:[0-9]{2}|[0-9]+:[0-9]{2}:[0-9]{2}|[0-9]+-[0-9]{1,2}(?::[0-9]{2}){0,2})$",
        description="minutes, h:mm:ss or days-hh:mm:ss; the partition's default without it",
    )
    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    memory: Word | None = Field(None, description="of each node, such as 64G; 0 takes all")
    modules: tuple[Word, ...] = Field((), description="given to module load")
    setup: tuple[Line, ...] = Field((), description="lines of shell that run first, as they stand")
    scratch: Folder = Field("/tmp", description="on each node's own disk; a private folder in it is Ray's")
    container: tuple[Line, ...] = Field((), description="the words before a command that runs in a container")
    notice_s: int = Field(120, ge=30, le=3600, description="seconds before its end that the job is warned")
    restarts: int = Field(10, ge=0, le=1000, description="how often an interrupted job goes on by itself")
    requeue: bool = Field(True, description="by scontrol requeue; else it submits itself again")

    @field_validator("setup", "container")
    @classmethod
    def _not_blank(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not each.strip() for each in value):
            raise ValueError("an entry may not be blank")
        return value

    @property
    def exclusive(self) -> bool:
        """Whether whole nodes are asked for: several always, since Ray can be started once on each."""
        return self.nodes > 1 or self.cpus is None


def load_site(profile: Path | None, given: dict[str, Any]) -> Site:
    """Read a profile; what was ``given`` besides wins over it.

    Raises
    ------
    UserError
        with every problem, each at its line.
    """
    if profile is None:
        return validate(Site, YamlFile(Path("--backend slurm"), given, {}))
    document = read_yaml(profile)
    if document.data is None:
        document = YamlFile(document.path, {}, document.lines)
    if not isinstance(document.data, dict):
        raise UserError(Issue(document.location(), "must be a mapping of keys to values"))
    return validate(Site, YamlFile(document.path, document.data | given, document.lines))


def refuse_too_many_gpus(site: Site, gpus_per_trial: Mapping[str, float]) -> None:
    """Refuse studies, by name, whose trials want more GPUs than the job has on a node; a job may have none.

    Raises
    ------
    UserError
        with each of them.
    """
    issues = [
        Issue(
            f"study {name}",
            "gpus_per_trial is more than a node's, and a trial lies on one",
            gpus,
            f"the job asks for {site.nodes} nodes with {site.gpus} each",
        )
        for name, gpus in gpus_per_trial.items()
        if gpus > site.gpus > 0
    ]
    if issues:
        raise UserError(issues)
