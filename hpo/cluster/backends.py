"""The places that run studies, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from hpo.cluster.base import Backend, Submission
from hpo.cluster.local import Local, LocalSettings
from hpo.cluster.ray_jobs import RayJobs, RaySettings
from hpo.cluster.slurm.backend import Slurm
from hpo.cluster.slurm.site_profile import Site, load_site
from hpo.errors import Issue, UserError, unknown
from hpo.storage.yaml_files import YamlFile, validate


class Place(NamedTuple):
    """How a backend is made, and from what settings."""

    settings: type[BaseModel]
    build: Callable[[Any], Backend]


BACKENDS: dict[str, Place] = {
    "local": Place(LocalSettings, Local),
    "slurm": Place(Site, Slurm),
    "ray": Place(RaySettings, RayJobs),
}


def read_settings(name: str, profile: Path | None, given: dict[str, Any]) -> BaseModel:
    """The settings of a backend, from what the command line gave.

    Raises
    ------
    UserError
        if there is no such backend, or it does not know a setting, or refuses its value.
    """
    if name not in BACKENDS:
        raise unknown("--backend", "backend", name, BACKENDS)
    model = BACKENDS[name].settings
    if model is Site:
        return load_site(profile, given)
    issues = [
        Issue(f"--{option}", f"is nothing that --backend {name} knows", value)
        for option, value in (({"profile": str(profile)} if profile else {}) | given).items()
        if option not in model.model_fields
    ]
    if issues:
        raise UserError(issues)
    return validate(model, YamlFile(Path(f"--backend {name}"), given, {}))


def open_backend(submission: Submission) -> Backend:
    """The backend that has a study, with the settings that it was submitted with.

    Raises
    ------
    UserError
        if the submission was written by another version, and has problems.
    """
    if submission.backend not in BACKENDS:
        raise unknown(f"study {submission.study}", "backend", submission.backend, BACKENDS)
    place = BACKENDS[submission.backend]
    where = Path(f"study {submission.study}")
    return place.build(validate(place.settings, YamlFile(where, submission.settings, {})))
