"""Trial controller: proposes trials, consumes their results, decides which continue, journals every step.

The controller does not depend on Ray. Whatever runs the trials calls `TrialController.next_trial` when a
worker is free and reports through `TrialController.on_result`, `TrialController.on_trial_end` and
`TrialController.on_worker_failure`. The journal is the only state, so a study survives its driver.
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
"""How often a trial is resumed after its worker died; the next failure counts as the trial's own."""

_SUCCESSFUL = (State.COMPLETE, State.STOPPED)


class TrialController:
    """Runs the search of one study, from the beginning or from the end of its journal.

    Life of a trial: the sampler proposes its parameters (or the scheduler, as a copy of another trial), the
    worker reports a measurement after every evaluation, and the scheduler answers each with *continue*,
    *pause* or *stop*. A paused trial holds no worker and is resumed from its snapshot when the scheduler
    picks it. A trial whose worker died is resumed from its snapshot before any other trial starts.

    A new controller replays the journal: ended trials stay as they are, and trials that were running when
    the last driver died are resumed from their snapshots first.
    """

    def __init__(self, study: Study, folder: StudyFolder) -> None:
        algorithm = ALGORITHMS[study.algorithm]
        self.study = study
        self.folder = folder
        self.trials = read_trials(read_lines(folder.trials))
        levels = rung_levels(study.grace_epochs, study.reduction_factor, study.max_epochs)
        space = study.space.model_copy(update={"points_to_evaluate": study.initial_points})
        self._sampler = build_sampler(
            algorithm.sampler or study.sampler, space, study.seed, levels, study.seeds
        )
        self._sampler_exhausted = False
        self._scheduler = build_scheduler(study)
        # Members of a population pause together at every boundary, and PBT protects the default itself.
        self._never_stop = frozenset[int]() if algorithm.population_based else study.never_stopped
        self._listeners: list[Callable[[Trial], None]] = []
        self._journal = Journal(folder.trials)
        self._checkpoints = CheckpointStore(folder)
        self._checkpoints.restore_snapshots(trial.number for trial in self.trials if trial.is_open)
        self._interrupted: list[Trial] = []
        self._top_k = TopK(study)
        self._published_threshold: CheckpointThreshold | None = None
        self.folder.threshold.unlink(missing_ok=True)
        self._restore()
        self._update_checkpoints()

    def _restore(self) -> None:
        """Rebuild the scheduler and the top k by replaying the trials; interrupted trials come last.

        The state of neither depends on the order of the trials; see `Scheduler`.
        """
        interrupted = [trial for trial in self.trials if trial.state == State.RUNNING]
        for trial in self.trials:
            if trial.state in _SUCCESSFUL:
                self._top_k.add(trial)
            if trial.state not in (State.FAILED, State.RUNNING):
                for measurement in trial.measurements:
                    self._decide(trial, measurement)
        for trial in interrupted:
            self._rewind_to_snapshot(trial)

    def _rewind_to_snapshot(self, trial: Trial) -> None:
        """Drop measurements made after the trial's snapshot, and queue the trial to be resumed first."""
        reported_epoch = trial.epochs
        snapshot = read_snapshot(self.folder.snapshot(trial.number))
        trial.resume_from(min(reported_epoch, snapshot.last.epoch) if snapshot else 0.0)
        decision = SchedulerDecision.CONTINUE
        for measurement in trial.measurements:
            decision = self._decide(trial, measurement)
        # The driver may have died after journaling the last measurement and before applying its decision.
        if reported_epoch > trial.epochs or self._apply(trial, decision):
            self._interrupted.append(trial)

    def _decide(self, trial: Trial, measurement: Measurement) -> SchedulerDecision:
        """Pass a measurement to the scheduler, and return its decision.

        A trial that must never be stopped (the default configuration) counts in every comparison like any
        other; only the decision to stop or pause it is overruled.
        """
        decision = self._scheduler.on_trial_result(trial, measurement, self.trials)
        return SchedulerDecision.CONTINUE if trial.number in self._never_stop else decision

    def add_listener(self, listener: Callable[[Trial], None]) -> None:
        """Register a function that is called after each change of a trial."""
        self._listeners.append(listener)

    def next_trial(self) -> Trial | None:
        """Return the trial that a free worker starts or resumes next, or None if there is none now.

        None means that the search is `exhausted`, or that paused trials wait for running ones.
        Interrupted trials come first, then paused trials that the scheduler resumes, then new ones.
        """
        if self._interrupted:
            return self._resume(Continuation(self._interrupted.pop(0).number))
        for number in self._scheduler.trials_to_stop(self.trials):
            self.on_trial_end(number, State.STOPPED)
        if continuation := self._scheduler.next_trial_to_resume(self.trials):
            return self._resume(continuation)
        if not self._scheduler.accepts_new_trial(self.trials, self.study.runs):
            return None
        number = len(self.trials)
        self._checkpoints.delete_snapshot(number)
        seed = self._seed_of(number)
        copy = self._scheduler.warm_start_for(number, self.trials)
        if copy and copy.params and self._copy_snapshot(copy.donor, Trial(number, copy.params, seed)):
            return self._start(Trial(number, copy.params, seed), copy.donor)
        params = self._sampler.suggest(number, self.trials)
        if params is None:
            self._sampler_exhausted = True
            return None
        return self._start(Trial(number, params, seed))

    def _seed_of(self, number: int) -> int:
        """Return a trial's training seed; repeats of a configuration use seed, seed + 1, … of the study."""
        if self.study.seeds > 1:
            return self.study.seed + number % self.study.seeds
        return int(np.random.SeedSequence([self.study.seed, number]).generate_state(1)[0] >> 1)

    def _start(self, trial: Trial, donor: int | None = None) -> Trial:
        line: dict[str, Any] = {"trial": trial.number, "params": trial.params, "seed": trial.seed}
        if donor is not None:
            line |= {"from": self.trials[donor].position, "donor": donor}
            trial.resume_from(line["from"], trial.params, donor)
        self.trials.append(trial)
        self._journal.append(line)  # not durable: if the machine dies, the same trial is proposed again
        self._notify(trial)
        return trial

    def _resume(self, continuation: Continuation) -> Trial:
        trial = self.trials[continuation.number]
        # If the donor's snapshot is gone, the trial continues with its own weights.
        donor = continuation.donor if self._copy_snapshot(continuation.donor, trial) else None
        line: dict[str, Any] = {"trial": trial.number, "from": trial.epochs}
        if continuation.params is not None:
            line |= {"params": continuation.params, "donor": donor}
        trial.resume_from(trial.epochs, continuation.params, donor)
        self._journal.append(line, durable=True)
        self._notify(trial)
        return trial

    def _copy_snapshot(self, donor: int | None, trial: Trial) -> bool:
        """Replace a trial's snapshot by a copy of the donor's; return False if the donor has none."""
        target = self.folder.snapshot(trial.number)
        if donor is None or not link_folder(self.folder.snapshot(donor), target):
            return False
        # The best measurement stays the trial's own, because it belongs to the trial's checkpoint.
        if snapshot := read_snapshot(target):
            write_json(target / SNAPSHOT_FILE, replace(snapshot, best=trial.best).to_json())
        return True

    def on_result(self, number: int, measurement: Measurement) -> bool:
        """Record a trial's measurement, and return whether the trial continues.

        A measurement of a trial that is not running is ignored.
        """
        trial = self.trials[number]
        if trial.state != State.RUNNING:
            return False
        trial.measurements.append(measurement)
        self._journal.append({"trial": number, "measurements": [measurement.to_json()]})
        self._checkpoints.persist_snapshot(number)
        return self._apply(trial, self._decide(trial, measurement))

    def _apply(self, trial: Trial, decision: SchedulerDecision) -> bool:
        """Apply a decision, and return whether the trial continues."""
        if decision == SchedulerDecision.STOP:
            self.on_trial_end(trial.number, State.STOPPED)
        elif decision == SchedulerDecision.PAUSE:
            trial.state = State.PAUSED
            self._journal.append({"trial": trial.number, "state": trial.state.value}, durable=True)
            self._notify(trial)
        else:
            self._notify(trial)
        return decision == SchedulerDecision.CONTINUE

    def on_trial_end(self, number: int, state: State, reason: str = "") -> None:
        """Record the end of a trial; a trial that has ended already is left as it is.

        A paused trial can only be stopped: the end of its process follows from the pause.
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
        self._checkpoints.delete_snapshot(number)
        self._update_checkpoints()
        self._notify(trial)

    def on_worker_failure(self, number: int, reason: str) -> None:
        """Record that the worker or machine of a running trial died; the trial is resumed from its snapshot.

        After `MAX_WORKER_FAILURES` resumes the trial fails, with the reason of the last failure.
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
        self._rewind_to_snapshot(trial)
        self._notify(trial)

    def close(self) -> None:
        """Close the journal and the checkpoint store.

        A finished study's journal is rewritten as one line per trial and its snapshots are deleted; an
        unfinished study's snapshots are persisted.
        """
        self._journal.close()
        self._checkpoints.close(trial.number for trial in self.trials if trial.is_open)
        if self.finished:
            write_lines(self.folder.trials, (trial.to_json() for trial in self.trials))
            self._checkpoints.delete_snapshots()

    @property
    def total_trials(self) -> int:
        """Number of trials at the end of the search; a grid may have fewer than the study asks for."""
        return len(self.trials) if self._sampler_exhausted else self.study.runs

    @property
    def exhausted(self) -> bool:
        """Whether no new trial will be proposed: the scheduler accepts none, or the grid is complete."""
        return self._sampler_exhausted or not self._scheduler.accepts_new_trial(self.trials, self.study.runs)

    def no_trials_left(self, running: int) -> bool:
        """Return whether no trial will start or resume any more, given the number of running trials.

        While a trial runs, its worker may die, it may fail and be replaced, or its result may resume
        paused trials.
        """
        return self.exhausted and not self._interrupted and not running

    @property
    def finished(self) -> bool:
        """Whether the search is exhausted and every trial has ended."""
        return self.exhausted and not any(trial.is_open for trial in self.trials)

    @property
    def epochs(self) -> float:
        """Epochs trained by all trials, without those repeated after a restart."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def best(self) -> list[Trial]:
        """The successful trials whose checkpoints are kept for their score, the best first."""
        return self._top_k.best

    @property
    def always_kept(self) -> list[Trial]:
        """The successful trials whose checkpoints are kept whatever their score."""
        return self._top_k.always_kept

    @property
    def checkpoint_threshold(self) -> CheckpointThreshold | None:
        """The score from which a checkpoint is worth writing; None while fewer trials ended than are kept."""
        return self._top_k.threshold

    def _update_checkpoints(self) -> None:
        """Publish the checkpoint threshold to the workers, persist the top checkpoints and delete the others.

        Open trials do not count towards the threshold because they may still fail. Their checkpoints are
        kept, because the measurement that belongs to a checkpoint may not have arrived yet.
        """
        threshold = self.checkpoint_threshold
        if threshold and threshold != self._published_threshold:
            self._published_threshold = threshold
            write_json(self.folder.threshold, threshold.to_json())
        kept = {trial.number for trial in (*self.best, *self.always_kept)}
        for number in kept:
            self._checkpoints.persist_checkpoint(number)
        for number in {int(folder.name) for folder in self.folder.complete_checkpoints()} - kept:
            if number >= len(self.trials) or not self.trials[number].is_open:
                self._checkpoints.delete_checkpoint(number)

    def _notify(self, trial: Trial) -> None:
        for listener in self._listeners:
            listener(trial)
