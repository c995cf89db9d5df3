"""The trials of a search in a plain PyTorch loop, packed on warm processes, and nothing else done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpo.config.training_config import TINY, TrainingConfig
from hpo.corpora.spans import count, score
from hpo.encoding.batch_samplers import LengthGroupedBatchSampler
from hpo.encoding.encoded_corpus import EncodedCorpus
from hpo.encoding.window_dataset import WindowDataset
from hpo.models.build import build_model

BATCH = 32
EVAL_BATCH = 64

_warm: dict[str, Any] = {}
"""What a process has laid out before the clock starts."""


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Train given configurations for given epochs each, dev evaluated after each of them.

    The longest come first, which packs them best; learning rates fall linearly towards ``epochs``, whether a
    trial gets there or not. ``spec``: ``encoded``, ``configs``, ``epochs_by_trial``, ``epochs``, ``seed``,
    ``workers``.
    """
    context = get_context("spawn")
    ready = context.Barrier(spec["workers"] + 1)
    tasks = [
        {**config, "train_for": round(spec["epochs_by_trial"][str(number)]), "number": number}
        for number, config in enumerate(spec["configs"])
        if str(number) in spec["epochs_by_trial"]
    ]
    tasks.sort(key=lambda task: -task["train_for"])
    with context.Pool(
        spec["workers"], _lay_out, (spec["encoded"], spec["epochs"], spec["seed"], ready)
    ) as pool:
        ready.wait()
        at = time.perf_counter()
        curves = list(pool.imap_unordered(_train, tasks))
        seconds = time.perf_counter() - at
    best = [max(curve) for curve in curves]
    return {
        "search_s": seconds,
        "trials": len(curves),
        "epochs": sum(map(len, curves)),
        "best_f1": max(best),
        "mean_f1": sum(best) / len(best),
    }


def _lay_out(encoded: str, epochs: int, seed: int, ready: Any) -> None:
    torch.set_num_threads(1)
    data = EncodedCorpus.open(Path(encoded))
    train, dev = data.split("train"), data.split("dev")
    rows = WindowDataset(train, train.forms[0], data.pad_id, "first")
    questions = WindowDataset(dev, dev.forms[0], data.pad_id, "first")
    order = np.argsort(-questions.lengths, kind="stable")
    cut = [order[at : at + EVAL_BATCH] for at in range(0, len(order), EVAL_BATCH)]
    _warm.update(
        data=data, rows=rows, epochs=epochs, seed=seed, dev=[questions.__getitems__(part) for part in cut]
    )
    _train({"learning_rate": 1e-3, "weight_decay": 0.0, "train_for": 1, "number": 0}, steps=2)
    ready.wait()


def _train(task: Mapping[str, Any], steps: int | None = None) -> list[float]:
    data, rows, epochs, seed = (_warm[name] for name in ("data", "rows", "epochs", "seed"))
    seed += task["number"]
    model = build_model(TINY, data.label_names, data.vocabulary, TrainingConfig.model_validate({}), seed)
    decayed = [each for each in model.parameters() if each.ndim > 1]
    others = [each for each in model.parameters() if each.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": task["weight_decay"]}, {"params": others}]
    optimizer = torch.optim.AdamW(groups, lr=task["learning_rate"], weight_decay=0.0, fused=True)
    batches = LengthGroupedBatchSampler(rows.lengths, BATCH, seed)
    total = len(batches) * epochs
    done, curve = 0, []
    for epoch in range(task["train_for"]):
        batches.set_epoch(epoch)
        model.train()
        for placement in batches:
            for group in optimizer.param_groups:
                group["lr"] = task["learning_rate"] * (1 - done / total)
            model(**rows.padded_batch(placement.windows, pooled=False)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            done += 1
            if done == steps:
                break
        curve.append(_evaluate(model, data))
    return curve


def _evaluate(model: torch.nn.Module, data: EncodedCorpus) -> float:
    """Micro F1 on dev, every batch a sentence list of its own."""
    model.eval()
    gold, predicted, lengths = [], [], []
    with torch.inference_mode():
        for batch in _warm["dev"]:
            answers = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            marked = batch["labels"] >= 0
            gold.append(batch["labels"][marked])
            predicted.append(answers.argmax(-1)[marked])
            lengths.append(marked.sum(1))
    offsets = np.concatenate([[0], np.cumsum(torch.cat(lengths).numpy())])
    counts = count(torch.cat(gold).numpy(), torch.cat(predicted).numpy(), offsets, len(data.types))
    return score(counts.by_type(), data.types).f1
