"""Replays the winning hyperparameter schedule of population-based training from scratch, without a search."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hpo.config.renamed_keys import translate_params
from hpo.config.search_space import Params
from hpo.config.study import Study, stored_study
from hpo.errors import Issue, StudyFailed, UserError
from hpo.reporting.tables import format_params
from hpo.search.trial import rank_trials, read_trials
from hpo.storage.atomic import write_json
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.storage.yaml_files import read_yaml, validate
from hpo.workflows.export import export_checkpoint
from hpo.workflows.prepare import encode_study, read_corpus

if TYPE_CHECKING:  # these import torch
    from hpo.encoding.encoded_corpus import EncodedCorpus
    from hpo.evaluation.checkpoint_scores import VariantScores
    from hpo.training.measurement import Measurement

Log = Callable[[str], object]
"""Receives one line per segment and evaluation."""


class Segment(BaseModel):
    """Hyperparameters that apply from an epoch on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    from_epoch: float = Field(ge=0)
    params: Params

    _present_names = field_validator("params", mode="before")(translate_params)


class Schedule(BaseModel):
    """Segments in ascending order of epochs; the first starts at epoch 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: tuple[Segment, ...] = Field(min_length=1)


def read_schedule(folder: StudyFolder) -> tuple[Segment, ...]:
    """Return the schedule that a study has written.

    Raises
    ------
    UserError
        If the file does not exist or is invalid.
    """
    if not folder.schedule.exists():
        hint = "only a finished study of pbt or pb2 has one"
        raise UserError(Issue(f"study {folder.name}", "has no schedule to replay", None, hint))
    document = read_yaml(folder.schedule)
    data = {"segments": document.data}
    segments = validate(Schedule, type(document)(document.path, data, document.lines)).segments
    starts = [segment.from_epoch for segment in segments]
    if starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts)):
        raise UserError(Issue(str(folder.schedule), "epochs must start at 0 and increase", starts))
    return segments


def replay(name: str, log: Log) -> tuple[Path, dict[str, VariantScores]]:
    """Train with a study's schedule, write the best checkpoint to ``results/STUDY/replay``, and score it.

    The scores are close to those of the study but not equal: the seed is that of the winning trial, whose
    weights were copied from trials with other seeds.

    Raises
    ------
    UserError
        If the study has no schedule, or another process has locked it.
    StudyFailed
        If the training diverges.
    """
    from hpo.evaluation.checkpoint_scores import score_checkpoint

    folder = StudyFolder(name)
    study = stored_study(folder)
    segments = read_schedule(folder)
    trials = read_trials(read_lines(folder.trials))
    winners = rank_trials(trials)
    seed = winners[0].seed if winners else study.seed
    corpus, family = read_corpus(study)
    data = next(iter(encode_study(study, corpus, family).values()))
    with folder.lock():
        shutil.rmtree(folder.replay_state, ignore_errors=True)
        try:
            checkpoint = train_schedule(study, segments, data, seed, folder.replay_state, log)
            export_checkpoint(checkpoint, folder.replay, data.tokenizer)
        finally:
            shutil.rmtree(folder.replay_state, ignore_errors=True)
        scores = score_checkpoint(folder.replay, data, ("dev", "test"))
        write_json(folder.replay / "scores.json", _plain(scores))
    return folder.replay, scores


def train_schedule(
    study: Study,
    segments: tuple[Segment, ...],
    data: EncodedCorpus,
    seed: int,
    work_dir: Path,
    log: Log,
) -> Path:
    """Train each segment from the snapshot of the previous one; return the best checkpoint.

    Raises
    ------
    StudyFailed
        If the loss is not finite at an evaluation.
    """
    from hpo.training.task import NonFiniteLoss, TrainingCallbacks, TrainingTask
    from hpo.training.trainer import train

    checkpoint = work_dir / "best"
    ends = [*(segment.from_epoch for segment in segments[1:]), math.inf]
    for segment, end in zip(segments, ends, strict=True):
        log(f"from epoch {segment.from_epoch:g}: {format_params(segment.params)}")

        def report(measurement: Measurement, end: float = end) -> bool:
            log(f"epoch {measurement.epoch:g}: dev F1 {measurement.f1:.5f}, loss {measurement.loss:.4f}")
            return measurement.epoch < end

        task = TrainingTask(
            training_config=study.training_config(segment.params),
            corpus=data.folder,
            model=study.model,
            train_on=study.train_on,
            seed=seed,
            objective=study.objective_fn,
            resume_dir=work_dir / "state",
        )
        try:
            train(task, TrainingCallbacks(report, lambda measurement: checkpoint))
        except NonFiniteLoss as error:
            raise StudyFailed(Issue(f"study {study.name}", "cannot be replayed", None, str(error))) from None
    return checkpoint


def _plain(scores: Mapping[str, Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, Any]).dump_python(dict(scores), mode="json")
