"""Records what workers do with hooks on the model and the optimizer, in the same way for all contestants.

The hooks depend on PyTorch and on the model class only, not on the implementation of the training loop.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

from benchmarks.speed.processes import profile_this_process, resident_bytes
from hpo.search.worker import TrialRunner, load_libraries
from hpo.storage.journal import read_lines
from hpo.training.measurement import Measurement


class TrainingRecorder:
    """Records the training steps and evaluations of a process in a log of JSON lines.

    A training step lasts from the previous optimizer step, or from the first forward pass after an
    evaluation, to its own optimizer step. An evaluation lasts from its first forward pass to its last. Time
    in between counts as neither.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._trial: Any = None
        self._install_hooks()
        self._reset()

    def _reset(self) -> None:
        self._begun = time.time()
        self._first_step = 0.0
        self._steps = 0
        self._spent = {"train": 0.0, "eval": 0.0}
        self._real = {"train": 0, "eval": 0}
        self._padded = {"train": 0, "eval": 0}
        self._step_start = 0.0  # 0 if the step starts with the next forward pass
        self._evaluation: tuple[float, float] | None = None  # start and end of the current one

    def _install_hooks(self) -> None:
        from torch.optim.optimizer import register_optimizer_step_post_hook
        from transformers import BertForTokenClassification

        original = BertForTokenClassification.forward

        @wraps(original)
        def forward(model: Any, *args: Any, **batch: Any) -> Any:
            start = time.time()
            output = original(model, *args, **batch)
            self._on_forward(model.training, start, batch["input_ids"] != model.config.pad_token_id)
            return output

        BertForTokenClassification.forward = forward
        hook = register_optimizer_step_post_hook(lambda *_: self._on_optimizer_step())

        def close() -> None:
            BertForTokenClassification.forward = original
            hook.remove()

        self.close = close

    def _on_forward(self, training: bool, start: float, is_real: Any) -> None:
        kind = "train" if training else "eval"
        self._real[kind] += int(is_real.sum())
        self._padded[kind] += is_real.numel()
        if training:
            self._end_evaluation()
            self._step_start = self._step_start or start
        else:
            self._evaluation = (self._evaluation[0] if self._evaluation else start, time.time())
            self._step_start = 0.0

    def _on_optimizer_step(self) -> None:
        now = time.time()
        self._first_step = self._first_step or now
        self._steps += 1
        self._spent["train"] += now - (self._step_start or now)
        self._step_start = now

    def _end_evaluation(self) -> None:
        if self._evaluation:
            start, end = self._evaluation
            self._spent["eval"] += end - start
            self._evaluation = None

    def start_trial(self, trial: Any) -> None:
        """Reset the record, and log the start of a trial."""
        self._reset()
        self._trial = trial
        self._write({"begun": self._begun})

    def on_measurement(self, epoch: float, f1: float) -> None:
        """Log everything that the trial has done up to a measurement."""
        self._end_evaluation()
        self._write(
            {
                "begun": self._begun,
                "first_step": self._first_step,
                "steps": self._steps,
                "epoch": epoch,
                "f1": f1,
                "train_s": self._spent["train"],
                "eval_s": self._spent["eval"],
                "real": self._real,
                "padded": self._padded,
                "rss": resident_bytes(),
            }
        )

    def _write(self, facts: dict[str, Any]) -> None:
        line = json.dumps({"trial": self._trial, "pid": os.getpid(), "time": time.time()} | facts) + "\n"
        with self._log.open("a", encoding="utf-8") as file:  # one write, so that lines of workers do not mix
            file.write(line)


@lru_cache(maxsize=1)
def process_recorder(log: Path) -> TrainingRecorder:
    """Return the recorder of this process, whose hooks are installed once."""
    profile_this_process()
    return TrainingRecorder(log)


@dataclass(frozen=True)
class RecordedTrialRunner:
    """A trial runner that records its trials in their workers."""

    run: TrialRunner
    log: Path

    def __call__(self, trial: dict[str, Any], report: Callable[[Measurement], bool]) -> None:
        """As `TrialRunner.__call__`."""
        load_libraries()  # before the hooks import a part of them, so that they load as without recording
        recorder = process_recorder(self.log)
        recorder.start_trial(trial["number"])

        def record_and_report(measurement: Measurement) -> bool:
            recorder.on_measurement(measurement.epoch, measurement.f1)
            return report(measurement)

        self.run(trial, record_and_report)


def summarize_log(log: Path, slots: int = 1) -> dict[str, Any]:
    """Summarize the log of ``slots`` parallel workers: trials, best F1, and how the time was spent.

    ``work_s`` is the time in training and evaluation, ``span_s`` the time from the start of the first trial
    to the last measurement, ``gaps_s`` as `trial_gaps`, and ``inside_s`` the time from the start of each
    trial to its first optimizer step. A trial that was resumed has several runs, each with its last line.
    """
    trials: dict[Any, dict[str, Any]] = {}
    starts: list[float] = []
    runs: dict[tuple[Any, float], dict[str, Any]] = {}
    for line in read_lines(log):
        starts.append(line["begun"])
        if "epoch" in line:
            number = line["trial"]
            runs[(number, line["begun"])] = line
            before = trials[number]["best"] if number in trials else 0.0
            trials[number] = line | {"best": max(line["f1"], before)}
    work = {kind: sum((line[kind] for line in runs.values()), 0.0) for kind in ("train_s", "eval_s")}
    done = list(trials.values())
    return {
        "trials": len(done),
        "epochs": sum(line["epoch"] for line in done),
        "epochs_by_trial": {str(line["trial"]): line["epoch"] for line in done},
        "best_f1": max((line["best"] for line in done), default=0.0),
        "steps": sum(line["steps"] for line in runs.values()),
        "work_s": sum(work.values()),
        **work,
        "span_s": max((line["time"] for line in done), default=0.0) - min(starts, default=0.0),
        "gaps_s": trial_gaps(runs.values(), slots),
        "inside_s": [each["first_step"] - each["begun"] for each in runs.values() if each["first_step"]],
        "rss": [(line["pid"], line["rss"]) for line in sorted(runs.values(), key=lambda each: each["time"])],
        "tokens": {
            kind: [sum(line[part][kind] for line in runs.values()) for part in ("real", "padded")]
            for kind in ("train", "eval")
        },
    }


def trial_gaps(runs: Iterable[dict[str, Any]], slots: int) -> list[float]:
    """Return the seconds from the last measurement of each run to the first step of the next in its slot.

    Slots are matched by order of time, because every trial may have its own process: the n-th run that ends
    frees its slot for the n-th run that starts after the first ``slots``. Example: with 2 slots, runs
    that end at 5 and 10 and runs whose first steps are at 1, 2, 5.5 and 10.25 give [0.5, 0.25].
    """
    first_steps = sorted(run["first_step"] for run in runs if run["first_step"])
    ends = sorted(run["time"] for run in runs if run["first_step"])
    return [start - end for start, end in zip(first_steps[slots:], ends, strict=False)]
