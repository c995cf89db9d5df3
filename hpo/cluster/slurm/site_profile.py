"""The profile of a SLURM site: the options that every job of this site needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.errors import Issue, UserError
from hpo.storage.yaml_files import Key, YamlFile, read_yaml, validate

_NO_CONTROL = r"^[^\x00-\x1f\x7f]+$"
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.,:=@%+&|()\[\]*/!-]*$", max_length=200)]
"""A value of an ``#SBATCH`` line, without blanks, quotes, ``$``, ``#``, ``;`` and backslashes."""
Line = Annotated[str, Field(pattern=_NO_CONTROL, max_length=1000)]
Folder = Annotated[str, Field(pattern=r"^/[^\x00-\x1f\x7f]*$", max_length=24)]
"""An absolute path, short because Ray's socket paths below it are limited to 107 characters."""


class SiteProfile(BaseModel):
    """The resources that a job requests from SLURM, and the commands it runs before the search."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    nodes: int = Field(1, ge=1, le=1000, description="number of nodes; a Ray node starts on each")
    gpus: int = Field(0, ge=0, le=64, description="GPUs on each node")
    cpus: int | None = Field(None, ge=1, le=4096, description="cores on each node; if unset, whole nodes")
    time: str | None = Field(
        None,
        pattern=r"^(?:[0-9]+|[0-9]+:[0-9]{2}|[0-9]+:[0-9]{2}:[0-9]{2}|[0-9]+-[0-9]{1,2}(?::[0-9]{2}){0,2})$",
        description="time limit as minutes, h:mm:ss or days-hh:mm:ss; if unset, the partition's default",
    )
    partition: Word | None = Field(None, description="partition; if unset, the site's default")
    account: Word | None = Field(None, description="account that is charged")
    qos: Word | None = Field(None, description="quality of service")
    constraint: Word | None = Field(None, description="features that the nodes must have")
    memory: Word | None = Field(None, description="memory of each node, such as 64G; 0 requests all of it")
    modules: tuple[Word, ...] = Field((), description="environment modules to load")
    setup: tuple[Line, ...] = Field((), description="shell lines that run before everything else")
    scratch: Folder = Field("/tmp", description="directory on each node's own disk, for Ray's files")
    container: tuple[Line, ...] = Field((), description="command prefix that starts a container")
    notice_s: int = Field(
        120, ge=30, le=3600, description="seconds before the end at which SLURM warns the job"
    )
    restarts: int = Field(
        10, ge=0, le=1000, description="maximum number of automatic restarts of an interrupted job"
    )
    requeue: bool = Field(True, description="restart by scontrol requeue; if no, by sbatch")

    @field_validator("setup", "container")
    @classmethod
    def _not_blank(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not each.strip() for each in value):
            raise ValueError("entries must not be blank")
        return value

    @property
    def exclusive(self) -> bool:
        """Whether the job requests whole nodes; several nodes always, since Ray runs only once on each."""
        return self.nodes > 1 or self.cpus is None


def load_site_profile(profile: Path | None, given: dict[str, Any]) -> SiteProfile:
    """Return a site profile; the options in ``given`` win over those of the file.

    Raises
    ------
    UserError
        If the profile is invalid; the error lists every problem with its line.
    """
    names = option_names(given)
    if profile is None:
        return validate(SiteProfile, YamlFile(Path("--backend slurm"), given, {}, names))
    document = read_yaml(profile)
    if document.data is None:
        document = YamlFile(document.path, {}, document.lines)
    if not isinstance(document.data, dict):
        raise UserError(Issue(document.location(), "must be a mapping of keys to values"))
    return validate(SiteProfile, YamlFile(document.path, document.data | given, document.lines, names))


def option_names(given: Iterable[str]) -> dict[Key, str]:
    """Return the command-line option of each setting."""
    return {(name,): f"--{name.replace('_', '-')}" for name in given}


def check_gpus_per_trial(site: SiteProfile, gpus_per_trial: Mapping[str, float]) -> None:
    """Reject studies, by name, whose trials need more GPUs than the job has on each node, if it has any.

    Raises
    ------
    UserError
        If there is such a study; the error lists all of them.
    """
    issues = [
        Issue(
            f"study {name}",
            "gpus_per_trial exceeds the GPUs of a node, and a trial must fit on one node",
            gpus,
            f"the job requests {site.nodes} nodes with {site.gpus} GPUs each; request more with --gpus",
        )
        for name, gpus in gpus_per_trial.items()
        if gpus > site.gpus > 0
    ]
    if issues:
        raise UserError(issues)
