"""The head of a search: it proposes trials, hears their measurements, decides, and writes all of it down.

It knows nothing of Ray: whatever runs the trials asks `Conductor.next_trial` and tells the rest. All
that it knows can be rebuilt from the journal, so a study survives the death of its driver.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import numpy as np

from hpo.results import Journal, StudyFolder, read_lines, write_json, write_lines
from hpo.search.algorithms import ALGORITHMS
from hpo.search.asha import Halving
from hpo.search.samplers import build_sampler
from hpo.search.trials import State, Trial, ranked, read_trials
from hpo.study import Study
from hpo.training.measurement import Measurement


class Conductor:
    """Runs the search of one study, from its start or from where its journal ends.

    Trials that ended stay as they are. Those that were running when the last driver died are
    proposed again, with their configuration and seed, before any new one.
    """

    def __init__(self, study: Study, folder: StudyFolder) -> None:
        algorithm = ALGORITHMS[study.algorithm]
        self.study = study
        self.folder = folder
        self.trials = read_trials(read_lines(folder.trials))
        self.began = time.monotonic()
        self._sampler = build_sampler(algorithm.sampler or study.searcher, study.space, study.seed)
        self._halving = (
            Halving(study.grace_epochs, study.reduction_factor, study.max_epochs) if algorithm.stops else None
        )
        self._again: list[Trial] = []
        for trial in self.trials:
            if trial.state == State.RUNNING:
                trial.measurements.clear()
                self._again.append(trial)
            elif trial.state != State.FAILED:
                for measurement in trial.measurements:
                    self._passes(trial, measurement)
        self._journal = Journal(folder.trials)
        self._listeners: list[Callable[[Trial], None]] = []
        self._raise_bar()

    def listen(self, listener: Callable[[Trial], None]) -> None:
        """Have a function called after each change of a trial."""
        self._listeners.append(listener)

    def next_trial(self) -> Trial | None:
        """The trial to start next, or None when the study's trials are used up."""
        if self._again:
            trial = self._again.pop(0)
        else:
            number = len(self.trials)
            params = self._sampler.suggest(number, self.trials) if number < self.study.trials else None
            if params is None:
                return None
            seed = int(np.random.SeedSequence([self.study.seed, number]).generate_state(1)[0] >> 1)
            trial = Trial(number, params, seed)
            self.trials.append(trial)
        self._journal.append(
            {"trial": trial.number, "params": trial.params, "seed": trial.seed}, durable=True
        )
        self._tell(trial)
        return trial

    def measured(self, number: int, measurement: Measurement) -> bool:
        """Take a trial's measurement in, and say whether the trial is to go on; one that has ended is not."""
        trial = self.trials[number]
        if trial.state != State.RUNNING:
            return False
        trial.measurements.append(measurement)
        self._journal.append({"trial": number, "measurements": [measurement.to_json()]})
        passes = self._passes(trial, measurement)
        if not passes:
            self.ended(number, State.STOPPED)
        else:
            self._tell(trial)
        return passes

    def ended(self, number: int, state: State, reason: str = "") -> None:
        """Take a trial's end in; a trial ends once, and what comes later is not heard."""
        trial = self.trials[number]
        if trial.state != State.RUNNING:
            return
        trial.state, trial.reason = state, reason
        self._journal.append({"trial": number, "state": state.value, "reason": reason}, durable=True)
        if state == State.FAILED and self._halving:
            self._halving.forget(number)
        self._raise_bar()
        self._tell(trial)

    def close(self) -> None:
        """Write the journal out as one line per trial, once all have ended."""
        self._journal.close()
        if self.finished:
            write_lines(self.folder.trials, (trial.to_json() for trial in self.trials))

    @property
    def finished(self) -> bool:
        """Whether the budget is used up and every trial has ended."""
        over = (
            len(self.trials) >= self.study.trials
            or self._sampler.suggest(len(self.trials), self.trials) is None
        )
        return over and all(trial.state != State.RUNNING for trial in self.trials)

    @property
    def epochs(self) -> float:
        """Epochs trained by all trials together, without those that a restart threw away."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def best(self) -> list[Trial]:
        """The best of the trials that ended well, the best first: only a better one can displace them."""
        ended = (trial for trial in self.trials if trial.state in (State.COMPLETE, State.STOPPED))
        return ranked(ended)[: self.study.keep]

    def _passes(self, trial: Trial, measurement: Measurement) -> bool:
        return self._halving is None or self._halving.goes_on(trial.number, measurement)

    def _raise_bar(self) -> None:
        """Tell the workers which measurement is worth a checkpoint, and drop those that no longer are.

        A running trial has no part in the bar, since it may yet fail, and keeps its checkpoint, whose
        measurement may not have come in yet.
        """
        best = self.best
        if len(best) == self.study.keep and best[-1].best is not None:
            write_json(self.folder.bar, best[-1].best.rank)
        else:
            self.folder.bar.unlink(missing_ok=True)
        running = (each for each in self.trials if each.state == State.RUNNING and each not in self._again)
        kept = {str(trial.number) for trial in (*best, *running)}
        for folder in self.folder.written_checkpoints():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _tell(self, trial: Trial) -> None:
        for listener in self._listeners:
            listener(trial)
