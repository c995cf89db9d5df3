"""The dry run: the resolved study, with upper bounds of its training epochs and its disk use."""

from __future__ import annotations

from hpo.config.study import Study
from hpo.corpora.tag_families import load_family
from hpo.environment import available_cores
from hpo.search.schedulers import build_scheduler
from hpo.search.trial import REPORTED_TRIAL_COUNTS


def render_dry_run(study: Study) -> str:
    """Return the resolved study as YAML, with comments on its cost in epochs and on its disk use.

    Raises
    ------
    UserError
        If the tag family or the model does not exist.
    """
    load_family(study.tags)
    upper, expected = epochs_bound(study)
    epochs = f"at most {upper:,} epochs ({study.runs:,} trials x {study.max_epochs})"
    if expected < upper:
        epochs += f", about {expected:,} if one trial in {study.reduction_factor} passes each rung"
    return f"{study.to_yaml()}\n# cost: {epochs}\n# disk: {describe_disk_use(study)}\n"


def describe_disk_use(study: Study) -> str:
    """Describe the most disk space that a study may use at one time."""
    from hpo.models.build import BYTES_PER_PARAMETER, count_parameters, state_bytes

    states = build_scheduler(study).checkpoint_slots(study.workers or available_cores())
    default = len(study.never_stopped)
    at_milestones = sum(count < study.runs for count in REPORTED_TRIAL_COUNTS)
    of_values = sum(map(len, study.space.few_valued.values()))
    reported = at_milestones + of_values if study.seeds == 1 else 0
    models = study.keep_checkpoints + default + reported
    model = count_parameters(study.model) * BYTES_PER_PARAMETER
    resumable = 2 * states * state_bytes(study.model)  # the old state is deleted after the new one is written
    return (
        f"at most {(models * model + resumable) / 1e9:,.2f} GB: {models} models of {model / 1e6:,.0f} MB "
        f"({study.keep_checkpoints} best, {default} default, up to {reported} for the report), "
        f"and up to {resumable / 1e9:,.2f} GB for snapshots of {states} trials "
        "(in memory, /dev/shm, if it fits); the encoded corpus is not included"
    )


def epochs_bound(study: Study) -> tuple[int, int]:
    """Return the most epochs that a study can train, and the number that its scheduler expects."""
    expected = build_scheduler(study).expected_epochs(study.runs, study.max_epochs)
    return study.runs * study.max_epochs, expected
