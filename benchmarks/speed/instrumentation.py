"""What a worker does, noted from outside: hooks on the model and on the optimizer, the same in every arm.

Nothing here depends on how a training run is written, only on PyTorch and the model's class.
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
    """Notes a process's training steps and evaluations into a log of JSON lines.

    Training is from an optimizer step to the next one, or from the first forward pass after an evaluation;
    evaluation is from its first forward pass to its last. What lies between counts as neither.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._trial: Any = None
        self._install()
        self._clear()

    def _clear(self) -> None:
        self._begun = time.time()
        self._first_step = 0.0
        self._steps = 0
        self._spent = {"train": 0.0, "eval": 0.0}
        self._real = {"train": 0, "eval": 0}
        self._padded = {"train": 0, "eval": 0}
        self._since = 0.0  # when the step began, 0 where its forward pass will say
        self._eval: tuple[float, float] | None = None

    def _install(self) -> None:
        from torch.optim.optimizer import register_optimizer_step_post_hook
        from transformers import BertForTokenClassification

        original = BertForTokenClassification.forward

        @wraps(original)
        def forward(model: Any, *args: Any, **batch: Any) -> Any:
            began = time.time()
            output = original(model, *args, **batch)
            self._passed(model.training, began, batch["input_ids"] != model.config.pad_token_id)
            return output

        BertForTokenClassification.forward = forward
        hook = register_optimizer_step_post_hook(lambda *_: self._stepped())

        def close() -> None:
            BertForTokenClassification.forward = original
            hook.remove()

        self.close = close

    def _passed(self, training: bool, began: float, real: Any) -> None:
        kind = "train" if training else "eval"
        self._real[kind] += int(real.sum())
        self._padded[kind] += real.numel()
        if training:
            self._end_evaluation()
            self._since = self._since or began
        else:
            self._eval = (self._eval[0] if self._eval else began, time.time())
            self._since = 0.0

    def _stepped(self) -> None:
        now = time.time()
        self._first_step = self._first_step or now
        self._steps += 1
        self._spent["train"] += now - (self._since or now)
        self._since = now

    def _end_evaluation(self) -> None:
        if self._eval:
            self._spent["eval"] += self._eval[1] - self._eval[0]
            self._eval = None

    def begin(self, trial: Any) -> None:
        """Start to note a trial."""
        self._clear()
        self._trial = trial
        self._write({"begun": self._begun})

    def measured(self, epoch: float, f1: float) -> None:
        """Write down all that a trial has done up to a measurement."""
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
        with self._log.open("a", encoding="utf-8") as file:  # one write, so that workers' lines do not mix
            file.write(line)


@lru_cache(maxsize=1)
def process_recorder(log: Path) -> TrainingRecorder:
    """The watch of this process, whose hooks are set once."""
    profile_this_process()
    return TrainingRecorder(log)


@dataclass(frozen=True)
class RecordedTrialRunner:
    """Our trials, watched in their workers."""

    run: TrialRunner
    log: Path

    def __call__(self, trial: dict[str, Any], report: Callable[[Measurement], bool]) -> None:
        """As `TrialRunner.__call__`."""
        load_libraries()  # as the first trial would, and not as the watch's own imports would
        recorder = process_recorder(self.log)
        recorder.begin(trial["number"])

        def noted(measurement: Measurement) -> bool:
            recorder.measured(measurement.epoch, measurement.f1)
            return report(measurement)

        self.run(trial, noted)


def summarize_log(log: Path, slots: int = 1) -> dict[str, Any]:
    """What a log of ``slots`` workers comes to: its trials, their best F1, how the time was spent.

    A *gap* is from the last measurement of a trial to the first optimizer step of the trial that comes into
    its place, for all trials but the first of each slot. ``work_s`` is the time in training and evaluation,
    ``span_s`` from the first trial's begin to the last measurement.
    """
    trials: dict[Any, dict[str, Any]] = {}
    began: list[float] = []
    work = {"train_s": 0.0, "eval_s": 0.0}
    runs: dict[tuple[Any, float], dict[str, Any]] = {}
    for line in read_lines(log):
        began.append(line["begun"])
        if "epoch" in line:
            runs[(line["trial"], line["begun"])] = line
            best = max(
                line["f1"], trials.get(line["trial"], line)["best"] if line["trial"] in trials else 0.0
            )
            trials[line["trial"]] = line | {"best": best}
    for line in runs.values():  # a trial that was taken up again has worked more than once
        for kind in work:
            work[kind] += line[kind]
    done = list(trials.values())
    return {
        "trials": len(done),
        "epochs": sum(line["epoch"] for line in done),
        "epochs_by_trial": {str(line["trial"]): line["epoch"] for line in done},
        "best_f1": max((line["best"] for line in done), default=0.0),
        "steps": sum(line["steps"] for line in runs.values()),
        "mean_f1": sum(line["best"] for line in done) / max(1, len(done)),
        "work_s": sum(work.values()),
        **work,
        "span_s": max((line["time"] for line in done), default=0.0) - min(began, default=0.0),
        "first_begun": min(began, default=0.0),
        "gaps_s": trial_gaps(runs.values(), slots),
        "inside_s": [each["first_step"] - each["begun"] for each in runs.values() if each["first_step"]],
        "rss": [(line["pid"], line["rss"]) for line in sorted(runs.values(), key=lambda each: each["time"])],
        "tokens": {
            kind: [sum(line[part][kind] for line in runs.values()) for part in ("real", "padded")]
            for kind in ("train", "eval")
        },
    }


def trial_gaps(runs: Iterable[dict[str, Any]], slots: int) -> list[float]:
    """Seconds from each run's end to the first step of the run after it in the same slot.

    The slots are not told by the processes, of which there may be one per trial: the n-th run to end makes
    room for the n-th to begin after the first ``slots``.
    """
    stepped = sorted(run["first_step"] for run in runs if run["first_step"])
    ended = sorted(run["time"] for run in runs if run["first_step"])
    return [start - end for start, end in zip(stepped[slots:], ended, strict=False)]
