"""Contestant: our search, as `hpo run` runs it between reading the corpus and scoring the best models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed.contestants import seconds_since_start
from benchmarks.speed.instrumentation import RecordedTrialRunner, summarize_log
from hpo.config.study import Study, build_study
from hpo.search.checkpoint_store import use_memory_scratch
from hpo.search.ray.driver import Resources, run_search
from hpo.search.schedulers import build_scheduler
from hpo.search.worker import TrialRunner
from hpo.storage.study_folder import StudyFolder

NAME = "bench"


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run a study on the corpus of the folder ``encoded`` or, without one, on the ``data`` of the study.

    ``spec``: ``study`` (options of a study), ``workers``, ``encoded`` (optional), ``folder``.
    """
    folder = Path(spec["folder"])
    study = build_study(spec["study"] | {"name": NAME})
    encoded = Path(spec["encoded"]) if spec.get("encoded") else _encode(study)
    from hpo.models.build import state_bytes
    from hpo.search.controller import TrialController

    log = folder / "recording.jsonl"
    scratch_bytes = build_scheduler(study).checkpoint_slots(spec["workers"]) * state_bytes(study.model)
    study_folder = use_memory_scratch(StudyFolder(NAME, folder.resolve()), scratch_bytes)
    controller = TrialController(study, study_folder)
    before, start = seconds_since_start(), time.time()
    try:
        run_search(
            controller,
            RecordedTrialRunner(TrialRunner(study, study_folder, study.model, {(512, 0): encoded}), log),
            Resources(spec["workers"], 1, 0.0),
        )
    finally:
        controller.close()
    weights = [path.stat().st_size for path in study_folder.checkpoints.glob("*/model.safetensors")]
    failed = [trial.reason for trial in controller.trials if trial.reason]
    assert controller.finished and not failed, failed
    end = time.time()
    return summarize_log(log, spec["workers"]) | {
        "before_s": before,
        "search_s": end - start,
        "model_bytes": max(weights, default=0),
    }


def _encode(study: Study) -> Path:
    from hpo.workflows.prepare import encode_study, read_corpus

    return next(iter(encode_study(study, *read_corpus(study)).values())).folder
