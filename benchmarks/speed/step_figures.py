"""Trainings of ours without a search: the cost of a step, the padding, the worth of packing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.instrumentation import process_recorder, summarize_log
from hpo.config.training_config import TINY, TrainingConfig
from hpo.encoding.batch_samplers import LengthGroupedBatchSampler, PackedBatchSampler, RandomBatchSampler
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.window_dataset import Batch, WindowDataset, padded_inputs
from hpo.models.build import build_model
from hpo.models.packed_attention import packing_support
from hpo.training import trainer
from hpo.training.measurement import Measurement
from hpo.training.task import TrainingCallbacks, TrainingTask

EPOCHS = 6
PADDED_SAMPLERS = {"random": RandomBatchSampler, "similar length": LengthGroupedBatchSampler}
"""Batches with a line for each sentence, in place of packed ones."""


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds per optimizer step: of a trial, of its bare arithmetic, and of that without clipping.

    The bare loops are given the very batches of the trial, made beforehand. ``spec``: ``encoded``,
    ``repeat``, ``folder``.
    """
    torch.set_num_threads(1)
    data = EncodedCorpus.open(Path(spec["encoded"]))
    training_config = TrainingConfig.model_validate(
        {"learning_rate": 1e-3, "epochs": EPOCHS, "evals_per_epoch": 1}
    )
    found: dict[str, list[float]] = {"ours": [], "bare": [], "unclipped": []}
    steps = []
    for repetition in range(spec["repeat"] + 1):
        batches = list(_batches(data, training_config, repetition))
        ours, count = _trial(data, training_config, repetition, Path(spec["folder"]) / f"{repetition}.jsonl")
        taken = {
            "ours": ours,
            "bare": _bare(data, training_config, batches, repetition, training_config.max_grad_norm),
            "unclipped": _bare(data, training_config, batches, repetition, None),
        }
        if repetition:  # the first warms up
            for name, seconds in taken.items():
                found[name].append(seconds)
            steps.append([count, len(batches)])
    return found | {"steps": steps}


def _trial(data: EncodedCorpus, training_config: TrainingConfig, seed: int, log: Path) -> tuple[float, int]:
    process_recorder.cache_clear()
    recorder = process_recorder(log)
    recorder.begin(0)
    _train(
        data, training_config, seed, lambda measurement: recorder.measured(measurement.epoch, measurement.f1)
    )
    recorder.close()
    facts = summarize_log(log)
    return facts["train_s"] / facts["steps"], facts["steps"]


def _train(data: EncodedCorpus, training_config: TrainingConfig, seed: int, noted: Any) -> None:
    def report(measurement: Measurement) -> bool:
        noted(measurement)
        return True

    trainer.train(
        TrainingTask(
            training_config=training_config, corpus=data.folder, model=TINY, train_on="cased", seed=seed
        ),
        TrainingCallbacks(report),
    )


def _batches(data: EncodedCorpus, training_config: TrainingConfig, seed: int) -> Iterator[Batch]:
    split = data.split("train")
    rows = WindowDataset(split, split.forms[0], data.pad_id, training_config.label_alignment)
    batches = PackedBatchSampler(rows.lengths, training_config.batch_size, seed)
    for epoch in range(training_config.epochs):
        batches.set_epoch(epoch)
        for plan in batches:
            yield rows.packed_batch(plan)


def _bare(
    data: EncodedCorpus,
    training_config: TrainingConfig,
    batches: list[Batch],
    seed: int,
    max_norm: float | None,
) -> float:
    model = build_model(TINY, data.label_names, data.vocabulary, training_config, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=training_config.learning_rate, fused=True)
    model.train()
    _, attention_inputs = packing_support(model)
    inputs = list(map(attention_inputs, batches))
    at = time.perf_counter()
    for batch in inputs:
        model(**batch).loss.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - at) / len(batches)


def count_padding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Real and padded tokens that the model sees in our training and evaluation."""
    log = Path(spec["folder"]) / "recording.jsonl"
    recorder = process_recorder(log)
    recorder.begin(0)
    training_config = TrainingConfig.model_validate(
        {"learning_rate": 1e-3, "epochs": 1, "evals_per_epoch": 1}
    )
    data = EncodedCorpus.open(Path(spec["encoded"]))
    _train(
        data,
        training_config,
        spec["seed"],
        lambda measurement: recorder.measured(measurement.epoch, measurement.f1),
    )
    return summarize_log(log)


def train_quality(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Best and last dev F1 of one training with ``batches`` as in trials, or of `PADDED_SAMPLERS`."""
    torch.set_num_threads(1)
    if drawn := PADDED_SAMPLERS.get(spec["batches"]):
        vars(trainer)["packing_support"] = lambda model: (drawn, padded_inputs)
    measured: list[float] = []
    data, training_config = (
        EncodedCorpus.open(Path(spec["encoded"])),
        TrainingConfig.model_validate(spec["training_config"]),
    )
    at = time.perf_counter()
    _train(data, training_config, spec["seed"], lambda measurement: measured.append(measurement.f1))
    return {"best_f1": max(measured), "last_f1": measured[-1], "seconds": time.perf_counter() - at}
