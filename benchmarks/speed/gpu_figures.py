"""Measures trials on a GPU, without Ray: one compared with a plain PyTorch loop, and several in parallel."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from transformers import BertConfig, BertForTokenClassification

from benchmarks.speed.environments import describe_machine
from benchmarks.speed.fixtures import make
from hpo.config.training_config import TrainingConfig
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.window_dataset import WindowDataset
from hpo.errors import Issue, UserError
from hpo.models.build import build_model
from hpo.models.packed_attention import packing_support
from hpo.storage.atomic import write_json, write_text
from hpo.training import trainer
from hpo.training.dev_evaluator import DevEvaluator
from hpo.training.gpu_memory import GpuExhausted, limit_gpu_memory
from hpo.training.task import TrainingCallbacks, TrainingTask

_barriers: list[Any] = []
"""The barrier at which the processes of one measurement wait for each other; set in each process."""


@dataclass(frozen=True)
class Sizes:
    """Amount of work: changes to the configuration of BERT-base, fraction of the demo corpus, repetitions."""

    model: Mapping[str, int]
    fraction: float
    epochs: int
    repeat: int
    parallel_trials: Sequence[int]


FULL = Sizes({}, fraction=1.0, epochs=2, repeat=3, parallel_trials=(1, 2, 4, 8))
QUICK = Sizes(
    {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64},
    fraction=0.02,
    epochs=1,
    repeat=1,
    parallel_trials=(1, 2),
)


def measure(out: Path, sizes: Sizes) -> dict[str, Any]:
    """Measure the figures, write them to ``out`` with the suffixes .json and .md, and return them.

    The model has the shape of BERT-base, random weights, and the vocabulary of the demo corpus. Samples per
    second count training only; trials per hour count complete trials with evaluation, in warm processes.

    Raises
    ------
    UserError
        if there is no GPU and the sizes are not `QUICK`, which is a smoke test.
    """
    gpu = torch.cuda.is_available()
    if not gpu and sizes is not QUICK:
        raise UserError(Issue("python -m benchmarks gpu", "requires a GPU", None, "try it with --quick"))
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with TemporaryDirectory(prefix="hpo-bench") as folder:
        make({"data": "demo", "tags": "suc-original", "seed": 0, "fraction": sizes.fraction, "out": folder})
        encoded, model = Path(folder) / "encoded", Path(folder) / "model"
        data = EncodedCorpus.open(encoded)
        config = BertConfig(vocab_size=data.vocabulary, num_labels=len(data.label_names), **sizes.model)
        BertForTokenClassification(config).save_pretrained(str(model))
        spec = {"encoded": str(encoded), "model": str(model), "epochs": sizes.epochs}
        rates = {
            name: _repeat_in_process(contestant, spec, sizes.repeat)
            for name, contestant in CONTESTANTS.items()
        }
        hourly = {str(count): _trials_per_hour(spec, count) for count in sizes.parallel_trials}
    found = {
        "gpu": torch.cuda.get_device_name(0) if gpu else None,
        "machine": describe_machine(),
        "precision": "bf16" if _use_bf16() else "float32",
        "quick": sizes is QUICK,
        "samples_per_s": rates,
        "trials_per_hour": hourly,
    }
    write_json(out.with_suffix(".json"), found)
    write_text(out.with_suffix(".md"), render(found))
    return found


def render(found: Mapping[str, Any]) -> str:
    """Return the figures as markdown."""
    ours, plain = (median(found["samples_per_s"][name]) for name in ("trial", "plain"))
    lines = [
        "# Trials on a GPU",
        "",
        f"{found['gpu'] or 'No GPU (smoke test)'}; shape of BERT-base, {found['precision']}, batches of 32, "
        "demo corpus. Medians.",
        "",
        "| training | samples/s |",
        "|---|---:|",
        f"| a trial | {ours:.0f} |",
        f"| plain PyTorch loop, the same batches | {plain:.0f} |",
        "",
        f"A trial runs at {ours / plain:.0%} of the speed of the plain loop.",
        "",
        "| trials per GPU | trials/hour |",
        "|---:|---:|",
        *(
            f"| {count} | {'out of memory' if rate is None else f'{rate:.1f}'} |"
            for count, rate in found["trials_per_hour"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _use_bf16() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _training_config(spec: Mapping[str, Any]) -> TrainingConfig:
    return TrainingConfig.model_validate({"epochs": spec["epochs"], "batch_size": 32, "evals_per_epoch": 1})


def _train(spec: Mapping[str, Any], data: EncodedCorpus) -> None:
    task = TrainingTask(
        training_config=_training_config(spec),
        corpus=data.folder,
        model=spec["model"],
        train_on="cased",
        seed=0,
    )
    trainer.train(task, TrainingCallbacks(lambda measurement: True))


def _trial_rate(spec: Mapping[str, Any]) -> float:
    """Return the training samples per second of a trial, excluding its evaluations and its start."""
    data = EncodedCorpus.open(Path(spec["encoded"]))
    train_s, start = 0.0, 0.0
    original_evaluate, original_step = DevEvaluator.evaluate, trainer.NerTrainer.training_step

    def training_step(*args: Any) -> Any:
        nonlocal start
        if not start:
            _synchronize()
            start = time.perf_counter()
        return original_step(*args)

    def evaluate(*args: Any) -> Any:
        nonlocal train_s, start
        _synchronize()
        train_s, start = train_s + time.perf_counter() - start, 0.0
        return original_evaluate(*args)

    with (
        patch.object(DevEvaluator, "evaluate", evaluate),
        patch.object(trainer.NerTrainer, "training_step", training_step),
    ):
        _train(spec, data)
    return len(_train_windows(data)) * spec["epochs"] / train_s


def _plain_rate(spec: Mapping[str, Any]) -> float:
    """Return the training samples per second of a plain loop whose batches are prepared beforehand."""
    data, config = EncodedCorpus.open(Path(spec["encoded"])), _training_config(spec)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    windows = _train_windows(data)
    model = build_model(spec["model"], data.label_names, data.vocabulary, config, 0).to(device).train()
    batch_sampler, attention_inputs = packing_support(model)
    plans = batch_sampler(windows.lengths, config.batch_size, 0)
    batches = [windows.packed_batch(plan) for plan in plans]
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, fused=True)
    _synchronize()
    start = time.perf_counter()
    for _ in range(spec["epochs"]):
        for batch in batches:
            with torch.autocast(device.type, torch.bfloat16, enabled=_use_bf16()):
                inputs = attention_inputs({name: part.to(device) for name, part in batch.items()})
                loss = model(**inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
    _synchronize()
    return len(windows) * spec["epochs"] / (time.perf_counter() - start)


CONTESTANTS = {"trial": _trial_rate, "plain": _plain_rate}


def _train_windows(data: EncodedCorpus) -> WindowDataset:
    split = data.split("train")
    alignment = TrainingConfig.model_validate({}).label_alignment
    return WindowDataset(split, split.forms[0], data.pad_id, alignment)


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _repeat_in_process(contestant: Any, spec: Mapping[str, Any], repeat: int) -> list[float]:
    """Return ``repeat`` rates, measured in a new process after one warm-up."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return [pool.submit(contestant, spec).result() for _ in range(repeat + 1)][1:]


def _trials_per_hour(spec: Mapping[str, Any], count: int) -> float | None:
    """Return the rate of ``count`` processes with equal shares of the GPU; None if a trial needs more."""
    context = get_context("spawn")
    with ProcessPoolExecutor(
        count, context, initializer=_set_barrier, initargs=(context.Barrier(count),)
    ) as pool:
        try:
            for _ in ("warm-up", "measurement"):
                spans = list(pool.map(_run_trial, [dict(spec) | {"gpus": 1 / count}] * count))
        except GpuExhausted:
            return None
    return count * 3600 / (max(end for _, end in spans) - min(start for start, _ in spans))


def _set_barrier(barrier: Any) -> None:
    _barriers.append(barrier)


def _run_trial(spec: Mapping[str, Any]) -> tuple[float, float]:
    """Return the start and end of a trial on the machine's monotonic clock, in seconds."""
    _barriers[0].wait()  # so that each process takes one trial, and all start together
    start = time.monotonic()
    with limit_gpu_memory(_training_config(spec), spec["gpus"]):
        _train(spec, EncodedCorpus.open(Path(spec["encoded"])))
    return start, time.monotonic()
