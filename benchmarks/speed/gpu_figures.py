"""What a GPU makes of trials, without Ray: one beside a plain PyTorch loop, several side by side on it."""

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
from hpo.training.gpu_memory import GpuExhausted, limit_gpu_memory
from hpo.training.task import TrainingCallbacks, TrainingTask

_barriers: list[Any] = []
"""Where the processes of a measurement wait for each other; each is given its own copy when it starts."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: the model's configuration over that of BERT-base, and on what."""

    model: Mapping[str, int]
    share: float
    epochs: int
    repeat: int
    side_by_side: Sequence[int]


FULL = Sizes({}, share=1.0, epochs=2, repeat=3, side_by_side=(1, 2, 4, 8))
QUICK = Sizes(
    {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64},
    share=0.02,
    epochs=1,
    repeat=1,
    side_by_side=(1, 2),
)


def measure(out: Path, sizes: Sizes) -> dict[str, Any]:
    """Take the figures and write them to ``out`` as .json and .md.

    The model has BERT-base's shape, random weights and the demo corpus's own vocabulary. Rates count
    training alone; trials per hour count whole trials, evaluation in them, in processes that are warm.

    Raises
    ------
    UserError
        if there is no GPU, unless the sizes are the quick ones, which only show that it works.
    """
    gpu = torch.cuda.is_available()
    if not gpu and sizes is not QUICK:
        raise UserError(
            Issue("python -m benchmarks gpu", "needs a GPU, and there is none", None, "try it with --quick")
        )
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with TemporaryDirectory(prefix="hpo-bench") as folder:
        make({"data": "demo", "tags": "suc-original", "seed": 0, "share": sizes.share, "out": folder})
        encoded, model = Path(folder) / "encoded", Path(folder) / "model"
        data = EncodedCorpus.open(encoded)
        config = BertConfig(vocab_size=data.vocabulary, num_labels=len(data.label_names), **sizes.model)
        BertForTokenClassification(config).save_pretrained(str(model))
        spec = {"encoded": str(encoded), "model": str(model), "epochs": sizes.epochs}
        rates = {
            name: _in_a_process(contestant, spec, sizes.repeat) for name, contestant in CONTESTANTS.items()
        }
        hourly = {str(count): _trials_per_hour(spec, count) for count in sizes.side_by_side}
    found = {
        "gpu": torch.cuda.get_device_name(0) if gpu else None,
        "machine": describe_machine(),
        "precision": "bf16" if _bf16() else "float32",
        "quick": sizes is QUICK,
        "samples_per_s": rates,
        "trials_per_hour": hourly,
    }
    write_json(out.with_suffix(".json"), found)
    write_text(out.with_suffix(".md"), render(found))
    return found


def render(found: Mapping[str, Any]) -> str:
    """The figures as markdown."""
    ours, plain = (median(found["samples_per_s"][name]) for name in ("trial", "plain"))
    lines = [
        "# Trials on a GPU",
        "",
        f"{found['gpu'] or 'No GPU: only to see that it works'}; BERT-base's shape, {found['precision']}, "
        "batches of 32, demo corpus. Medians.",
        "",
        "| training | samples/s |",
        "|---|---:|",
        f"| a trial | {ours:.0f} |",
        f"| plain PyTorch loop, the same batches | {plain:.0f} |",
        "",
        f"A trial runs at {ours / plain:.0%} of the plain loop.",
        "",
        "| trials per GPU | trials/hour |",
        "|---:|---:|",
        *(
            f"| {count} | {'out of memory' if rate is None else f'{rate:.1f}'} |"
            for count, rate in found["trials_per_hour"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _bf16() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _training_config(spec: Mapping[str, Any]) -> TrainingConfig:
    return TrainingConfig.model_validate({"epochs": spec["epochs"], "batch_size": 32, "evals_per_epoch": 1})


def _train(spec: Mapping[str, Any], data: EncodedCorpus) -> None:
    trainer.train(
        TrainingTask(
            training_config=_training_config(spec),
            corpus=data.folder,
            model=spec["model"],
            train_on="cased",
            seed=0,
        ),
        TrainingCallbacks(lambda measurement: True),
    )


def _trial_rate(spec: Mapping[str, Any]) -> float:
    """Training samples per second of a trial, its evaluations and its start left out."""
    data = EncodedCorpus.open(Path(spec["encoded"]))
    train_s, began = 0.0, 0.0
    inner, step = trainer.DevEvaluator.evaluate, trainer.NerTrainer.training_step

    def begin(*words: Any) -> Any:
        nonlocal began
        if not began:
            _synchronize()
            began = time.perf_counter()
        return step(*words)

    def evaluate(*words: Any) -> Any:
        nonlocal train_s, began
        _synchronize()
        train_s, began = train_s + time.perf_counter() - began, 0.0
        return inner(*words)

    with (
        patch.object(trainer.DevEvaluator, "evaluate", evaluate),
        patch.object(trainer.NerTrainer, "training_step", begin),
    ):
        _train(spec, data)
    return len(_rows(data)) * spec["epochs"] / train_s


def _plain_rate(spec: Mapping[str, Any]) -> float:
    """The same of a loop that does nothing but what training is: its batches lie ready beforehand."""
    data, training_config = EncodedCorpus.open(Path(spec["encoded"])), _training_config(spec)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = _rows(data)
    model = (
        build_model(spec["model"], data.label_names, data.vocabulary, training_config, 0).to(device).train()
    )
    batch_sampler, attention_inputs = packing_support(model)
    plans = batch_sampler(rows.lengths, training_config.batch_size, 0)
    ready = [rows.packed_batch(plan) for plan in plans]
    optimizer = torch.optim.AdamW(model.parameters(), lr=training_config.learning_rate, fused=True)
    _synchronize()
    began = time.perf_counter()
    for _ in range(spec["epochs"]):
        for batch in ready:
            with torch.autocast(device.type, torch.bfloat16, enabled=_bf16()):
                loss = model(**attention_inputs({name: part.to(device) for name, part in batch.items()})).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), training_config.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
    _synchronize()
    return len(rows) * spec["epochs"] / (time.perf_counter() - began)


CONTESTANTS = {"trial": _trial_rate, "plain": _plain_rate}


def _rows(data: EncodedCorpus) -> WindowDataset:
    split = data.split("train")
    return WindowDataset(
        split, split.forms[0], data.pad_id, TrainingConfig.model_validate({}).label_alignment
    )


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _in_a_process(contestant: Any, spec: Mapping[str, Any], repeat: int) -> list[float]:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return [pool.submit(contestant, spec).result() for _ in range(repeat + 1)][1:]  # the first warms up


def _trials_per_hour(spec: Mapping[str, Any], count: int) -> float | None:
    """Of so many processes that share the GPU alike; None where a trial does not fit into its share."""
    context = get_context("spawn")
    with ProcessPoolExecutor(
        count, context, initializer=_set_barrier, initargs=(context.Barrier(count),)
    ) as pool:
        try:
            for _ in ("warms up", "counts"):
                spans = list(pool.map(_run_trial, [dict(spec) | {"gpus": 1 / count}] * count))
        except GpuExhausted:
            return None
    return count * 3600 / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def _set_barrier(barrier: Any) -> None:
    _barriers.append(barrier)


def _run_trial(spec: Mapping[str, Any]) -> tuple[float, float]:
    """When a trial began, which all do at once, and when it ended, on the machine's clock."""
    _barriers[0].wait()  # so that each process takes one
    began = time.monotonic()
    with limit_gpu_memory(_training_config(spec), spec["gpus"]):
        _train(spec, EncodedCorpus.open(Path(spec["encoded"])))
    return began, time.monotonic()
