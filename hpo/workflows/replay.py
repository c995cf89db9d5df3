"""The winning schedule of a population, trained once more from scratch, without a search."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from hpo.config.search_space import Params
from hpo.config.study import Study, stored_study
from hpo.errors import Issue, StudyFailed, UserError
from hpo.search.trial import format_params, rank_trials, read_trials
from hpo.storage.atomic import write_json
from hpo.storage.journal import read_lines
from hpo.storage.study_folder import StudyFolder
from hpo.storage.yaml_files import read_yaml, validate
from hpo.workflows.export import export_checkpoint
from hpo.workflows.prepare import encode_study, read_corpus

if TYPE_CHECKING:  # these bring torch, which hpo --help has no use for
    from hpo.encoding.encoded_corpus import EncodedCorpus
    from hpo.evaluation.checkpoint_scores import VariantScores
    from hpo.training.measurement import Measurement

Tell = Callable[[str], object]
"""Told of each evaluation, in a line."""


class Segment(BaseModel):
    """Hyperparameters that are in force from an epoch on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    from_epoch: float = Field(ge=0)
    params: Params


class Schedule(BaseModel):
    """Segments in the order of their epochs, the first from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: tuple[Segment, ...] = Field(min_length=1)


def read_schedule(folder: StudyFolder) -> tuple[Segment, ...]:
    """The schedule that a study has written.

    Raises
    ------
    UserError
        if there is none, or its file has problems.
    """
    if not folder.schedule.exists():
        hint = "a study of pbt or pb2 writes one when it is done"
        raise UserError(Issue(f"study {folder.name}", "has no schedule to replay", None, hint))
    document = read_yaml(folder.schedule)
    data = {"segments": document.data}
    segments = validate(Schedule, type(document)(document.path, data, document.lines)).segments
    starts = [segment.from_epoch for segment in segments]
    if starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts)):
        raise UserError(Issue(str(folder.schedule), "must begin at epoch 0 and rise from there", starts))
    return segments


def replay(name: str, tell: Tell) -> tuple[Path, dict[str, VariantScores]]:
    """Train with a study's schedule, write the best model, and score it.

    The model stands in ``results/STUDY/replay``, its scores beside it. The seed is that of the trial
    that won, whose weights came from other trials with other seeds: the scores come near to the
    study's and are not the same.

    Raises
    ------
    UserError
        if the study has no schedule, or another process holds it.
    StudyFailed
        if the training diverged.
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
            checkpoint = train_schedule(study, segments, data, seed, folder.replay_state, tell)
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
    place: Path,
    tell: Tell,
) -> Path:
    """Train segment by segment, each from the snapshot of the one before; the folder of the best model.

    Raises
    ------
    StudyFailed
        if the loss is not finite at an evaluation.
    """
    from hpo.training.trainer import NonFiniteLoss, train

    checkpoint = place / "best"
    ends = [*(segment.from_epoch for segment in segments[1:]), math.inf]
    for segment, end in zip(segments, ends, strict=True):
        tell(f"from epoch {segment.from_epoch:g}: {format_params(segment.params)}")

        def report(measurement: Measurement, end: float = end) -> bool:
            tell(f"epoch {measurement.epoch:g}: dev F1 {measurement.f1:.5f}, loss {measurement.loss:.4f}")
            return measurement.epoch < end

        try:
            train(
                study.training_config(segment.params),
                data,
                model=study.model,
                train_on=study.train_on,
                seed=seed,
                report=report,
                objective=study.goal,
                keep=lambda measurement: checkpoint,
                state=place / "state",
            )
        except NonFiniteLoss as error:
            raise StudyFailed(Issue(f"study {study.name}", "cannot be replayed", str(error))) from None
    return checkpoint


def _plain(scores: Mapping[str, Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, Any]).dump_python(dict(scores), mode="json")
