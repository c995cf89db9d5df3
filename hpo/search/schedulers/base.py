"""The interface of a scheduler, with defaults that train every trial to its last epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from hpo.config.search_space import Params
from hpo.search.trial import Trial
from hpo.training.measurement import Measurement


class SchedulerDecision(Enum):
    """What happens to a trial after a measurement."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True)
class Continuation:
    """A trial to resume; with new hyperparameters and from a copy of the donor's snapshot, if given."""

    number: int
    params: Params | None = None
    donor: int | None = None


class Scheduler:
    """Decides which trials continue, pause, stop and resume.

    All state follows from the trials and their measurements, so that replaying the journal rebuilds it. The
    measurements of one trial are replayed in their order, but trial after trial: the state must not depend
    on the order of measurements of different trials. Random draws depend only on the study's seed and the
    trial.
    """

    def on_trial_result(
        self, trial: Trial, measurement: Measurement, trials: Sequence[Trial]
    ) -> SchedulerDecision:
        """Record ``measurement``, the latest of ``trial``, and decide whether the trial continues."""
        return SchedulerDecision.CONTINUE

    def remove_trial(self, trial: Trial) -> None:
        """Remove a failed trial from all comparisons."""

    def trials_to_stop(self, trials: Sequence[Trial]) -> Sequence[int]:
        """Return the numbers of the paused trials to stop now."""
        return ()

    def next_trial_to_resume(self, trials: Sequence[Trial]) -> Continuation | None:
        """Return the paused trial to resume now, if any."""
        return None

    def accepts_new_trial(self, trials: Sequence[Trial], max_trials: int) -> bool:
        """Return whether a new trial may start now; ``max_trials`` is the study's number of trials."""
        return len(trials) < max_trials

    def warm_start_for(self, number: int, trials: Sequence[Trial]) -> Continuation | None:
        """Return what new trial ``number`` copies, or None to sample it and start from fresh weights."""
        return None

    def checkpoint_slots(self, workers: int) -> int:
        """Return the largest number of trials that can hold a snapshot at the same time."""
        return workers

    def expected_epochs(self, trials: int, max_epochs: int) -> int:
        """Return how many epochs a study trains if every rung promotes exactly its share."""
        return trials * max_epochs


class NoStopping(Scheduler):
    """Trains every trial to its last epoch, as random search and grid search do."""
