"""Renders the script of a SLURM job: a header from the site profile and the study, then a fixed body.

Values of a study or profile are quoted for the shell. ``#SBATCH`` lines contain only words that `SiteProfile`
accepts. The ``setup`` lines of a profile are shell code by design.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpo.cluster.slurm.site_profile import SiteProfile
from hpo.storage.study_folder import ROOT, StudyFolder, array_script

RESERVE_S = 20
"""Seconds of the notice that the script keeps for itself after it has given up on its driver."""
BODY = Path(__file__).with_name("job.sh")


@dataclass(frozen=True)
class Job:
    """A SLURM job of one study, or an array of several; paths are relative to the directory of submission.

    ``programs`` is the absolute directory of the ``hpo`` and ``ray`` programs.
    """

    studies: tuple[str, ...]
    programs: Path

    @property
    def name(self) -> str:
        """Job name, as ``squeue`` shows it."""
        return f"hpo-{self.studies[0]}" if len(self.studies) == 1 else f"hpo-{self.studies[0]}-{self._rest}"

    @property
    def _rest(self) -> str:
        return f"and-{len(self.studies) - 1}-more"

    @property
    def is_array(self) -> bool:
        """Whether the job is an array with an element for each study."""
        return len(self.studies) > 1

    @property
    def script(self) -> Path:
        """Path of the script."""
        return array_script(self.name) if self.is_array else StudyFolder(self.studies[0]).job_script

    def log(self, job: str) -> Path:
        """Return the log file for a job number, or for SLURM's pattern of one."""
        return self.script.parent / f"job-{job}.log"


def render_script(job: Job, site: SiteProfile) -> str:
    """Return the text of a job's script.

    Raises
    ------
    UserError
        If a study's name is invalid.
    """
    for study in job.studies:
        StudyFolder(study)
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            *(f"#SBATCH --{option}" for option in _options(job, site)),
            "# Written by hpo; hpo status, hpo logs and hpo stop know its job.",
            "",
            *(f"module load {shlex.quote(module)}" for module in site.modules),
            *site.setup,
            "",
            # A container has its own programs on its own PATH.
            *([] if site.container else [f'export PATH={shlex.quote(str(job.programs))}:"$PATH"']),
            f"results={shlex.quote(str(ROOT))}",
            f"script={shlex.quote(str(job.script))}",
            _array("studies", job.studies),
            f"scratch={shlex.quote(site.scratch)}",
            _array("container", site.container),
            f"max_restarts={site.restarts}",
            f"stop_timeout_s={site.notice_s - RESERVE_S}",
            f"requeue={'yes' if site.requeue else 'no'}",
            "",
            BODY.read_text(encoding="utf-8"),
        ]
    )


def _options(job: Job, site: SiteProfile) -> Iterator[str]:
    yield f"job-name={job.name}"
    if job.is_array:
        yield f"array=0-{len(job.studies) - 1}"
    yield f"output={job.log('%A_%a' if job.is_array else '%j')}"
    yield "open-mode=append"
    yield f"nodes={site.nodes}"
    yield "ntasks-per-node=1"
    if site.cpus:
        yield f"cpus-per-task={site.cpus}"
    if site.exclusive:
        yield "exclusive"
    if site.gpus:
        yield f"gpus-per-node={site.gpus}"
    named = {
        "time": site.time,
        "partition": site.partition,
        "account": site.account,
        "qos": site.qos,
        "constraint": site.constraint,
        "mem": site.memory,
    }
    yield from (f"{option}={value}" for option, value in named.items() if value is not None)
    yield f"signal=B:USR1@{site.notice_s}"
    yield "requeue" if site.requeue else "no-requeue"
    yield "no-kill"


def _array(name: str, values: Sequence[str]) -> str:
    return f"{name}=({' '.join(map(shlex.quote, values))})"
