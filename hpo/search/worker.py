"""Runs one trial in a worker: trains, reports, and writes checkpoints that may be among the best."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.top_k import CheckpointThreshold
from hpo.storage.atomic import read_json
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import Measurement, read_snapshot

TrialFunction = Callable[[dict[str, Any], Callable[[Measurement], bool]], None]
"""Runs one trial, given its number, parameters and seed, and a function that receives each measurement."""


@dataclass(frozen=True)
class TrialRunner:
    """Runs the trials of a study; Ray serialises it for every worker.

    Paths are absolute, because Ray sets the working directory of a worker. ``encodings`` holds the
    encoded corpus for each pair of ``max_length`` and ``context`` that a trial may use. ``gpus`` and
    ``processes`` apply to each trial, as in `Resources`.
    """

    study: Study
    folder: StudyFolder
    model: str
    encodings: Mapping[tuple[int, int], Path]
    gpus: float = 0.0
    processes: int = 1

    def __call__(self, trial: dict[str, Any], report: Callable[[Measurement], bool]) -> None:
        """Train one trial, from its snapshot if there is one; ``trial`` is a `Trial.worker_config`.

        Raises
        ------
        Exception
            If the training raises; the caller records the exception.
        """
        load_libraries()
        import torch

        from hpo.training.ddp.launcher import train_distributed
        from hpo.training.gpu_memory import limit_gpu_memory
        from hpo.training.task import TrainingCallbacks, TrainingTask
        from hpo.training.trainer import train

        resume_dir = self.folder.snapshot(trial["number"])
        snapshot = read_snapshot(resume_dir)
        # A driver that crashed may have missed the last measurement.
        if snapshot and snapshot.last.epoch > trial["reported_epoch"] and not report(snapshot.last):
            return
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        training_config = self.study.training_config(trial["params"])
        encoded = self.encodings[training_config.max_length, training_config.context]
        task = TrainingTask(
            training_config=training_config,
            corpus=encoded,
            model=self.model,
            train_on=self.study.train_on,
            seed=trial["seed"],
            objective=self.study.objective_fn,
            resume_dir=resume_dir,
        )
        callbacks = TrainingCallbacks(report, partial(self.checkpoint_dir, trial["number"], trial["params"]))
        _free_memory()  # of the previous trial, which may have been stopped in the middle of an epoch
        with limit_gpu_memory(training_config, self.gpus):
            if self.processes == 1:
                train(task, callbacks)
            else:
                train_distributed(self.processes, task, callbacks)
        if self.study.seeds > 1:
            self._score(trial["number"], encoded)

    def _score(self, number: int, encoded: Path) -> None:
        """Score the best checkpoint of a trial now, because most checkpoints of repeated runs are deleted."""
        from hpo.encoding.encoded_corpus import EncodedCorpus
        from hpo.evaluation.checkpoint_scores import score_checkpoint
        from hpo.evaluation.score_files import write_scores

        data = EncodedCorpus.open(encoded)
        scores = score_checkpoint(self.folder.candidate(number), data, ("dev", "test"))
        write_scores(self.folder.scores(number), scores)

    def checkpoint_dir(self, number: int, params: Params, measurement: Measurement) -> Path | None:
        """Return the directory for a new best of a trial, or None if it is below `CheckpointThreshold`.

        Trials that are always scored have no threshold.
        """
        if number not in self.study.never_stopped and self.study.seeds == 1:
            with suppress(FileNotFoundError):
                threshold = CheckpointThreshold.from_json(read_json(self.folder.threshold))
                if not threshold.is_reached(measurement.sort_key, params):
                    return None
        return self.folder.candidate(number)


@cache
def load_libraries() -> None:
    """Import the training libraries once, and exclude their objects from garbage collection.

    Collections would take a third of the import time, and visit these objects again in every trial.
    """
    gc.disable()
    try:
        import hpo.training.ddp.launcher
        import hpo.training.trainer  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()


def _free_memory() -> None:
    import torch

    gc.collect()
    with suppress(OSError, AttributeError):  # the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)  # return freed memory to the system
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
