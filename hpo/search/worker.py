"""What a worker does with one trial: train, measure, and keep what may be among the best."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.config.search_space import Params
from hpo.config.study import Study
from hpo.search.top_k import CheckpointThreshold
from hpo.storage.atomic import read_json
from hpo.storage.study_folder import StudyFolder
from hpo.training.measurement import Measurement, read_snapshot

if TYPE_CHECKING:
    from hpo.encoding.encoded_corpus import EncodedCorpus

TrialFunction = Callable[[dict[str, Any], Callable[[Measurement], bool]], None]
"""Runs one trial: given its number, parameters and seed, and what to call with each measurement."""


@dataclass(frozen=True)
class TrialRunner:
    """Runs the trials of a study; small enough to travel to every worker.

    Paths are absolute: a worker's working directory is Ray's. ``encoded`` holds the corpus, and ``readings``,
    by ``max_length`` and ``context``, each way in which trials read it. ``gpus`` and ``processes`` are of
    each trial, as `Resources` has them.
    """

    study: Study
    folder: StudyFolder
    encoded: Path
    model: str
    readings: Mapping[tuple[int, int], Path] = field(default_factory=dict)
    gpus: float = 0.0
    processes: int = 1

    def __call__(self, trial: dict[str, Any], report: Callable[[Measurement], bool]) -> None:
        """Train one trial, from its snapshot if it has one; ``trial`` is as `Trial.worker_config` has it.

        Raises
        ------
        Exception
            whatever training raises; the caller records it as the trial's end.
        """
        load_libraries()
        import torch

        from hpo.encoding.encoded_corpus import EncodedCorpus
        from hpo.training.ddp.launcher import train_distributed
        from hpo.training.gpu_memory import limit_gpu_memory
        from hpo.training.trainer import train

        state = self.folder.snapshot(trial["number"])
        snapshot = read_snapshot(state)
        # A driver that died may not have heard of the last measurement before it did.
        if snapshot and snapshot.last.epoch > trial["reported_epoch"] and not report(snapshot.last):
            return
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        training_config = self.study.training_config(trial["params"])
        encoded = self.readings.get((training_config.max_length, training_config.context), self.encoded)
        data = EncodedCorpus.open(encoded)
        _free_memory()  # of the trial before, whose thread may have ended in the middle of an epoch
        with limit_gpu_memory(training_config, self.gpus):
            (train if self.processes == 1 else partial(train_distributed, self.processes))(
                training_config,
                data,
                model=self.model,
                train_on=self.study.train_on,
                seed=trial["seed"],
                report=report,
                objective=self.study.goal,
                keep=partial(self._place, trial["number"], trial["params"]),
                state=state,
            )
        if self.study.seeds > 1:
            self._score(trial["number"], data)

    def _score(self, number: int, data: EncodedCorpus) -> None:
        """Score a trial's best model here and now: of all runs of all configurations few models stay."""
        from hpo.evaluation.checkpoint_scores import score_checkpoint
        from hpo.evaluation.score_files import write_scores

        scores = score_checkpoint(self.folder.candidate(number), data, ("dev", "test"))
        write_scores(self.folder.scores(number), scores)

    def _place(self, number: int, params: Params, measurement: Measurement) -> Path | None:
        """Where a new best of a trial is to be written; None if enough that ended are better, as
        `CheckpointThreshold` says.

        A trial whose model is scored in any case has it written in any case.
        """
        if number not in self.study.never_stopped and self.study.seeds == 1:
            with suppress(FileNotFoundError):
                threshold = CheckpointThreshold.from_json(read_json(self.folder.threshold))
                if not threshold.is_reached(measurement.sort_key, params):
                    return None
        return self.folder.candidate(number)


@cache
def load_libraries() -> None:
    """Import what trials train with, and leave what the imports left out of all collections.

    These would take a third of the imports' time, and look through it all again at every trial.
    """
    gc.disable()
    try:
        import hpo.training.ddp.launcher  # noqa: F401 it brings the rest
    finally:
        gc.freeze()
        gc.enable()


def _free_memory() -> None:
    import torch

    gc.collect()
    with suppress(OSError, AttributeError):  # where the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)  # else what was freed stays with the process, and piles up
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
