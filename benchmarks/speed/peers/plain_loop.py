"""Contestant: the trials of a search in a plain PyTorch loop, distributed over warm processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpo.config.training_config import TINY, TrainingConfig
from hpo.corpora.spans import count, score
from hpo.encoding.batch_samplers import LengthGroupedBatchSampler
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.window_dataset import Batch, WindowDataset
from hpo.models.build import build_model

BATCH_SIZE = 32
EVAL_BATCH_SIZE = 64


@dataclass(frozen=True)
class Prepared:
    """What a process loads before the time starts: the corpus, its train windows and its dev batches."""

    data: EncodedCorpus
    windows: WindowDataset
    dev: list[Batch]
    epochs: int
    seed: int


_prepared: list[Prepared] = []
"""Set in each process by the initializer of the pool."""


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Train given configurations for a given number of epochs each, with an evaluation after every epoch.

    The longest trials start first, which balances the processes. Learning rates decrease linearly to 0 at
    ``epochs``, even in shorter trials. ``spec``: ``encoded``, ``configs``, ``epochs_by_trial``, ``epochs``,
    ``seed``, ``workers``.
    """
    context = get_context("spawn")
    ready = context.Barrier(spec["workers"] + 1)
    tasks = [
        {**config, "epochs": round(spec["epochs_by_trial"][str(number)]), "number": number}
        for number, config in enumerate(spec["configs"])
        if str(number) in spec["epochs_by_trial"]
    ]
    tasks.sort(key=lambda task: -task["epochs"])
    arguments = (spec["encoded"], spec["epochs"], spec["seed"], ready)
    with context.Pool(spec["workers"], _prepare, arguments) as pool:
        ready.wait()
        start = time.perf_counter()
        curves = list(pool.imap_unordered(_train, tasks))
        seconds = time.perf_counter() - start
    return {
        "search_s": seconds,
        "trials": len(curves),
        "epochs": sum(map(len, curves)),
        "best_f1": max(map(max, curves)),
    }


def _prepare(encoded: str, epochs: int, seed: int, ready: Any) -> None:
    """Load the corpus, train two steps to warm up, and wait for the other processes."""
    torch.set_num_threads(1)
    data = EncodedCorpus.open(Path(encoded))
    train, dev = data.split("train"), data.split("dev")
    windows = WindowDataset(train, train.forms[0], data.pad_id, "first")
    dev_windows = WindowDataset(dev, dev.forms[0], data.pad_id, "first")
    order = np.argsort(-dev_windows.lengths, kind="stable")
    parts = [order[start : start + EVAL_BATCH_SIZE] for start in range(0, len(order), EVAL_BATCH_SIZE)]
    dev_batches = [dev_windows.__getitems__(part) for part in parts]
    _prepared.append(Prepared(data, windows, dev_batches, epochs, seed))
    _train({"learning_rate": 1e-3, "weight_decay": 0.0, "epochs": 1, "number": 0}, max_steps=2)
    ready.wait()


def _train(task: Mapping[str, Any], max_steps: int | None = None) -> list[float]:
    """Train one configuration, and return its dev F1 after each epoch."""
    [prepared] = _prepared
    data, windows, seed = prepared.data, prepared.windows, prepared.seed + task["number"]
    model = build_model(TINY, data.label_names, data.vocabulary, TrainingConfig.model_validate({}), seed)
    decayed = [each for each in model.parameters() if each.ndim > 1]
    others = [each for each in model.parameters() if each.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": task["weight_decay"]}, {"params": others}]
    optimizer = torch.optim.AdamW(groups, lr=task["learning_rate"], weight_decay=0.0, fused=True)
    batches = LengthGroupedBatchSampler(windows.lengths, BATCH_SIZE, seed)
    total = len(batches) * prepared.epochs
    step, curve = 0, []
    for epoch in range(task["epochs"]):
        batches.set_epoch(epoch)
        model.train()
        for plan in batches:
            for group in optimizer.param_groups:
                group["lr"] = task["learning_rate"] * (1 - step / total)
            model(**windows.padded_batch(plan.windows, pooled=False)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if step == max_steps:
                break
        curve.append(_evaluate(model, prepared))
    return curve


def _evaluate(model: torch.nn.Module, prepared: Prepared) -> float:
    """Return the micro F1 on dev, in [0, 1]."""
    model.eval()
    types = prepared.data.types
    gold, predicted, lengths = [], [], []
    with torch.inference_mode():
        for batch in prepared.dev:
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            labelled = batch["labels"] >= 0
            gold.append(batch["labels"][labelled])
            predicted.append(logits.argmax(-1)[labelled])
            lengths.append(labelled.sum(1))
    offsets = np.concatenate([[0], np.cumsum(torch.cat(lengths).numpy())])
    counts = count(torch.cat(gold).numpy(), torch.cat(predicted).numpy(), offsets, len(types))
    return score(counts.by_type(), types).f1
