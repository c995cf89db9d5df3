"""Contestants: our training runs without a search, for the cost of a step, padding, and packed batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
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
"""Samplers of batches with one row per sentence, as alternatives to packed batches."""


def time_steps(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the seconds per optimizer step of a trial, of its arithmetic, and of that without clipping.

    The loops that do the arithmetic alone use the batches of the trial, prepared beforehand. ``spec``:
    ``encoded``, ``repeat``, ``folder``.
    """
    torch.set_num_threads(1)
    data = EncodedCorpus.open(Path(spec["encoded"]))
    config = _training_config(EPOCHS)
    found: dict[str, list[float]] = {"ours": [], "bare": [], "unclipped": []}
    steps = []
    for repetition in range(spec["repeat"] + 1):
        batches = list(_batches(data, config, repetition))
        log = Path(spec["folder"]) / f"{repetition}.jsonl"
        trial_s, trial_steps = _time_trial(data, config, repetition, log)
        measured = {
            "ours": trial_s,
            "bare": _time_loop(data, config, batches, repetition, config.max_grad_norm),
            "unclipped": _time_loop(data, config, batches, repetition, None),
        }
        if repetition:  # the first is a warm-up
            for name, seconds in measured.items():
                found[name].append(seconds)
            steps.append([trial_steps, len(batches)])
    return found | {"steps": steps}


def _training_config(epochs: int) -> TrainingConfig:
    return TrainingConfig.model_validate({"learning_rate": 1e-3, "epochs": epochs, "evals_per_epoch": 1})


def _time_trial(data: EncodedCorpus, config: TrainingConfig, seed: int, log: Path) -> tuple[float, int]:
    """Return the seconds per step of a trial, and its number of steps."""
    process_recorder.cache_clear()
    facts = _train_recorded(data, config, seed, log)
    return facts["train_s"] / facts["steps"], facts["steps"]


def _train_recorded(data: EncodedCorpus, config: TrainingConfig, seed: int, log: Path) -> dict[str, Any]:
    """Train with a recorder, and return the summary of its log."""
    recorder = process_recorder(log)
    recorder.start_trial(0)
    _train(data, config, seed, lambda each: recorder.on_measurement(each.epoch, each.f1))
    recorder.close()
    return summarize_log(log)


def _train(
    data: EncodedCorpus, config: TrainingConfig, seed: int, on_measurement: Callable[[Measurement], None]
) -> None:
    def report(measurement: Measurement) -> bool:
        on_measurement(measurement)
        return True

    task = TrainingTask(training_config=config, corpus=data.folder, model=TINY, train_on="cased", seed=seed)
    trainer.train(task, TrainingCallbacks(report))


def _batches(data: EncodedCorpus, config: TrainingConfig, seed: int) -> Iterator[Batch]:
    """Yield the packed batches of a trial with this seed."""
    split = data.split("train")
    windows = WindowDataset(split, split.forms[0], data.pad_id, config.label_alignment)
    sampler = PackedBatchSampler(windows.lengths, config.batch_size, seed)
    for epoch in range(config.epochs):
        sampler.set_epoch(epoch)
        for plan in sampler:
            yield windows.packed_batch(plan)


def _time_loop(
    data: EncodedCorpus, config: TrainingConfig, batches: list[Batch], seed: int, max_norm: float | None
) -> float:
    """Return the seconds per step of a plain loop; a ``max_norm`` of None means no gradient clipping."""
    model = build_model(TINY, data.label_names, data.vocabulary, config, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, fused=True)
    model.train()
    _, attention_inputs = packing_support(model)
    inputs = list(map(attention_inputs, batches))
    start = time.perf_counter()
    for batch in inputs:
        model(**batch).loss.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - start) / len(batches)


def count_padding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Count real and padded tokens in the model's input during our training and evaluation.

    ``spec``: ``encoded``, ``seed``, ``folder``.
    """
    data = EncodedCorpus.open(Path(spec["encoded"]))
    return _train_recorded(data, _training_config(1), spec["seed"], Path(spec["folder"]) / "recording.jsonl")


def train_quality(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Train once, and return the last dev F1.

    ``spec``: ``encoded``, ``training_config``, ``seed``, and ``batches``, which is ``packed`` as in trials or
    a key of `PADDED_SAMPLERS`.
    """
    torch.set_num_threads(1)
    if sampler := PADDED_SAMPLERS.get(spec["batches"]):
        vars(trainer)["packing_support"] = lambda model: (sampler, padded_inputs)
    data = EncodedCorpus.open(Path(spec["encoded"]))
    config = TrainingConfig.model_validate(spec["training_config"])
    scores: list[float] = []
    start = time.perf_counter()
    _train(data, config, spec["seed"], lambda measurement: scores.append(measurement.f1))
    return {"last_f1": scores[-1], "seconds": time.perf_counter() - start}
