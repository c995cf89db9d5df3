"""The registry of backends: where a study can run, and how its settings are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from hpo.cluster.base import Backend, Submission
from hpo.cluster.local import LocalBackend, LocalSettings
from hpo.cluster.ray_jobs import RayJobsBackend, RaySettings
from hpo.cluster.slurm.backend import SlurmBackend
from hpo.cluster.slurm.site_profile import SiteProfile, load_site_profile, option_names
from hpo.errors import Issue, UserError, unknown
from hpo.storage.yaml_files import YamlFile, validate


class BackendType(NamedTuple):
    """The settings model of a backend, and the function that creates it from them."""

    settings: type[BaseModel]
    build: Callable[[Any], Backend]


BACKENDS: dict[str, BackendType] = {
    "local": BackendType(LocalSettings, LocalBackend),
    "slurm": BackendType(SiteProfile, SlurmBackend),
    "ray": BackendType(RaySettings, RayJobsBackend),
}


def read_settings(name: str, profile: Path | None, given: dict[str, Any]) -> BaseModel:
    """Return the settings of a backend from command-line options and, for SLURM, a site profile.

    Raises
    ------
    UserError
        If the backend is unknown, or an option is unknown to it or has an invalid value.
    """
    if name not in BACKENDS:
        raise unknown("--backend", "backend", name, BACKENDS)
    model = BACKENDS[name].settings
    if model is SiteProfile:
        return load_site_profile(profile, given)
    options = ({"profile": str(profile)} if profile else {}) | given
    issues = [
        Issue(f"--{option}", f"is not an option of --backend {name}", value, "use --backend slurm")
        for option, value in options.items()
        if option not in model.model_fields
    ]
    if issues:
        raise UserError(issues)
    return validate(model, YamlFile(Path(f"--backend {name}"), given, {}, option_names(given)))


def open_backend(submission: Submission) -> Backend:
    """Return the backend of a submission, with the settings that it was submitted with.

    Raises
    ------
    UserError
        If another version wrote the submission, with a backend or settings that this one does not know.
    """
    location = f"study {submission.study}"
    if submission.backend not in BACKENDS:
        raise unknown(location, "backend", submission.backend, BACKENDS)
    backend = BACKENDS[submission.backend]
    return backend.build(validate(backend.settings, YamlFile(Path(location), submission.settings, {})))
