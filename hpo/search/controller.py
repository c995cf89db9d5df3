"""The head of a search: it proposes trials, hears their measurements, decides, and writes all of it down.

It knows nothing of Ray: whatever runs the trials asks `TrialController.next_trial` and tells the rest. All
that it knows can be rebuilt from the journal, so a study survives the death of its driver.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hpo.config.algorithms import ALGORITHMS
from hpo.config.study import Study
from hpo.search.checkpoint_store import CheckpointStore
from hpo.search.rungs import rung_levels
from hpo.search.samplers import build_sampler
from hpo.search.schedulers import build_scheduler
from hpo.search.schedulers.base import Continuation, SchedulerDecision
from hpo.search.top_k import CheckpointThreshold, TopK
from hpo.search.trial import State, Trial, read_trials
from hpo.storage.atomic import link_folder, write_json, write_lines
from hpo.storage.journal import Journal, read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import SNAPSHOT_FILE, Measurement, read_snapshot

MAX_WORKER_FAILURES = 3
"""How often a trial is taken up again after its worker died; one that dies each time is its own cause."""

_ENDED_WELL = (State.COMPLETE, State.STOPPED)


class TrialController:
    """Runs the search of one study, from its start or from where its journal ends.

    Trials that ended stay as they are. Those that were running when the last driver died go on from
    their snapshots, before any other.
    """

    def __init__(self, study: Study, folder: StudyFolder) -> None:
        algorithm = ALGORITHMS[study.algorithm]
        self.study = study
        self.folder = folder
        self.trials = read_trials(read_lines(folder.trials))
        levels = rung_levels(study.grace_epochs, study.reduction_factor, study.max_epochs)
        space = study.space.model_copy(update={"points_to_evaluate": study.guesses})
        self._sampler = build_sampler(
            algorithm.sampler or study.sampler, space, study.seed, levels, study.seeds
        )
        self._scheduler = build_scheduler(algorithm.scheduler, study)
        self._listeners: list[Callable[[Trial], None]] = []
        self._used_up = False
        self._journal = Journal(folder.trials)
        self._checkpoints = CheckpointStore(folder)
        self._checkpoints.bring_back(trial.number for trial in self.trials if trial.is_open)
        self._cut_off: list[Trial] = []
        self._top_k = TopK(study)
        self._published_threshold: CheckpointThreshold | None = None
        self.folder.threshold.unlink(missing_ok=True)
        self._hear_again()
        self._update_threshold()

    def _hear_again(self) -> None:
        """Rebuild the scheduler from the trials; those that were cut off come last, as the latest to tell."""
        cut_off = [trial for trial in self.trials if trial.state == State.RUNNING]
        for trial in self.trials:
            if trial.state in _ENDED_WELL:
                self._top_k.add(trial)
            if trial.state not in (State.FAILED, State.RUNNING):
                for measurement in trial.measurements:
                    self._scheduler.on_trial_result(trial, measurement, self.trials)
        for trial in cut_off:
            self._cut_off_at_snapshot(trial)

    def _cut_off_at_snapshot(self, trial: Trial) -> None:
        """Put a trial back to its snapshot, from which it goes on before any other starts."""
        heard = trial.epochs
        trial.resume_from(self._snapshot_epoch(trial))
        decision = SchedulerDecision.CONTINUE
        for measurement in trial.measurements:
            decision = self._scheduler.on_trial_result(trial, measurement, self.trials)
        # The driver may have died after it wrote a measurement down and before its verdict.
        if heard > trial.epochs or self._obey(trial, decision):
            self._cut_off.append(trial)

    def _snapshot_epoch(self, trial: Trial) -> float:
        """Up to which of its measurements a cut-off trial need not be trained again."""
        snapshot = read_snapshot(self.folder.snapshot(trial.number))
        return min(trial.epochs, snapshot.last.epoch) if snapshot else 0.0

    def add_listener(self, listener: Callable[[Trial], None]) -> None:
        """Have a function called after each change of a trial."""
        self._listeners.append(listener)

    def next_trial(self) -> Trial | None:
        """The trial to start or to go on with next; None while there is nothing for a free worker.

        There is nothing either because the study is `exhausted`, or because paused trials wait for those
        that are running.
        """
        if self._cut_off:
            return self._take_up(Continuation(self._cut_off.pop(0).number))
        for number in self._scheduler.trials_to_stop(self.trials):
            self.on_trial_end(number, State.STOPPED)
        if continuation := self._scheduler.next_trial_to_resume(self.trials):
            return self._take_up(continuation)
        if not self._scheduler.accepts_new_trial(self.trials, self.study.runs):
            return None
        number = len(self.trials)
        self._checkpoints.forget(number)
        seed = self._seed_of(number)
        copy = self._scheduler.warm_start_for(number, self.trials)
        if copy and copy.params and self._inherit(copy.donor, Trial(number, copy.params, seed)):
            return self._start(Trial(number, copy.params, seed), copy.donor)
        params = self._sampler.suggest(number, self.trials)
        if params is None:
            self._used_up = True
            return None
        return self._start(Trial(number, params, seed))

    def _seed_of(self, number: int) -> int:
        """A trial's seed: its own, or where configurations are repeated, that of the run: seed, seed + 1 …"""
        if self.study.seeds > 1:
            return self.study.seed + number % self.study.seeds
        return int(np.random.SeedSequence([self.study.seed, number]).generate_state(1)[0] >> 1)

    def _start(self, trial: Trial, donor: int | None = None) -> Trial:
        line: dict[str, Any] = {"trial": trial.number, "params": trial.params, "seed": trial.seed}
        if donor is not None:
            line |= {"from": self.trials[donor].position, "donor": donor}
            trial.resume_from(line["from"], trial.params, donor)
        self.trials.append(trial)
        self._journal.append(line)  # lost with the machine, it would be proposed again
        self._tell(trial)
        return trial

    def _inherit(self, donor: int | None, trial: Trial) -> bool:
        """Put a copy of a donor's snapshot in place of a trial's; False if there is none to copy."""
        target = self.folder.snapshot(trial.number)
        if donor is None or not link_folder(self.folder.snapshot(donor), target):
            return False
        # The best so far stays the trial's own: it is what stands in its checkpoint.
        if snapshot := read_snapshot(target):
            write_json(target / SNAPSHOT_FILE, replace(snapshot, best=trial.best).to_json())
        return True

    def _take_up(self, continuation: Continuation) -> Trial:
        trial = self.trials[continuation.number]
        # Where the donor's snapshot has vanished, the trial goes on with its own weights.
        donor = continuation.donor if self._inherit(continuation.donor, trial) else None
        line: dict[str, Any] = {"trial": trial.number, "from": trial.epochs}
        if continuation.params is not None:
            line |= {"params": continuation.params, "donor": donor}
        trial.resume_from(trial.epochs, continuation.params, donor)
        self._journal.append(line, durable=True)
        self._tell(trial)
        return trial

    def on_result(self, number: int, measurement: Measurement) -> bool:
        """Take a trial's measurement in, and say whether the trial is to go on; one that has ended is not."""
        trial = self.trials[number]
        if trial.state != State.RUNNING:
            return False
        trial.measurements.append(measurement)
        self._journal.append({"trial": number, "measurements": [measurement.to_json()]})
        self._checkpoints.save(number)
        return self._obey(trial, self._scheduler.on_trial_result(trial, measurement, self.trials))

    def _obey(self, trial: Trial, decision: SchedulerDecision) -> bool:
        """Carry a verdict out, and say whether the trial is to go on."""
        if decision == SchedulerDecision.STOP:
            self.on_trial_end(trial.number, State.STOPPED)
        elif decision == SchedulerDecision.PAUSE:
            trial.state = State.PAUSED
            self._journal.append({"trial": trial.number, "state": trial.state.value}, durable=True)
            self._tell(trial)
        else:
            self._tell(trial)
        return decision == SchedulerDecision.CONTINUE

    def on_trial_end(self, number: int, state: State, reason: str = "") -> None:
        """Take a trial's end in; a trial ends once, and what comes later is not heard.

        A paused trial can only be stopped: that its process has ended is why it is paused.
        """
        trial = self.trials[number]
        if not trial.is_open or (trial.state == State.PAUSED and state != State.STOPPED):
            return
        trial.state, trial.reason = state, reason
        self._journal.append({"trial": number, "state": state.value, "reason": reason}, durable=True)
        if state == State.FAILED:
            self._scheduler.remove_trial(trial)
        else:
            self._top_k.add(trial)
        self._checkpoints.forget(number)
        self._update_threshold()
        self._tell(trial)

    def on_worker_failure(self, number: int, reason: str) -> None:
        """Take in that a running trial's worker or machine died: it goes on from its snapshot elsewhere.

        After `MAX_WORKER_FAILURES` of them it has failed, with the reason of the last.
        """
        trial = self.trials[number]
        if trial.state != State.RUNNING:
            return
        if trial.failures >= MAX_WORKER_FAILURES:
            self.on_trial_end(number, State.FAILED, f"{reason} (and {trial.failures} times before)")
            return
        trial.failures += 1
        self._journal.append({"trial": number, "lost": reason}, durable=True)
        self._scheduler.remove_trial(trial)
        self._cut_off_at_snapshot(trial)
        self._tell(trial)

    def close(self) -> None:
        """Write the journal out as one line per trial, once all have ended, and leave all else on disk."""
        self._journal.close()
        self._checkpoints.close(trial.number for trial in self.trials if trial.is_open)
        if self.finished:
            write_lines(self.folder.trials, (trial.to_json() for trial in self.trials))
            self._checkpoints.free()

    @property
    def budget(self) -> int:
        """Trials that the study will have had in the end: fewer than it asks for where a grid is smaller."""
        return len(self.trials) if self._used_up else self.study.runs

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left to start: the scheduler wants no more, or the grid is tried
        through."""
        return self._used_up or not self._scheduler.accepts_new_trial(self.trials, self.study.runs)

    def no_trials_left(self, running: int) -> bool:
        """Whether no trial will start any more, where so many are running.

        One that runs may yet lose its worker, wake those that are paused, or fail and leave its place.
        """
        return self.exhausted and not self._cut_off and not running

    @property
    def finished(self) -> bool:
        """Whether the budget is used up and every trial has ended."""
        return self.exhausted and not any(trial.is_open for trial in self.trials)

    @property
    def epochs(self) -> float:
        """Epochs trained by all trials together, without those that a restart threw away."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def best(self) -> list[Trial]:
        """The best of the trials that ended well, the best first: only a better one can displace them."""
        return self._top_k.best

    def _update_threshold(self) -> None:
        """Tell the workers which measurement is worth a checkpoint, and drop those that no longer are.

        A trial that has not ended has no part in the bar, since it may yet fail, and keeps its checkpoint,
        whose measurement may not have come in yet.
        """
        threshold = self._top_k.threshold
        if threshold and threshold != self._published_threshold:
            self._published_threshold = threshold
            write_json(self.folder.threshold, threshold.to_json())
        kept = {trial.number for trial in (*self.best, *self._top_k.always_kept)}
        for number in kept:
            self._checkpoints.keep(number)
        for number in {int(folder.name) for folder in self.folder.complete_checkpoints()} - kept:
            if number >= len(self.trials) or not self.trials[number].is_open:
                self._checkpoints.drop(number)

    def _tell(self, trial: Trial) -> None:
        for listener in self._listeners:
            listener(trial)
