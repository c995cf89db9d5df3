"""Loads model folders, and writes them atomically in a background thread."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import torch
from transformers import AutoModelForTokenClassification, PreTrainedModel

from hpo.encoding.tokenizers import first_line
from hpo.errors import Issue, UserError
from hpo.models.lora import adapter_weights, merged_weights, write_adapter
from hpo.models.pooling_head import PooledTagger  # noqa: F401 (transformers' loader must know it)
from hpo.storage.atomic import atomic_replace

MEASUREMENT = "measurement.json"
Model: TypeAlias = PreTrainedModel
"""The result of `load_checkpoint`, for packages that do not import transformers."""


def load_checkpoint(folder: Path) -> Model:
    """Load a token-classification model from a folder, onto the GPU if there is one.

    Raises
    ------
    UserError
        If the folder has no complete token-classification model in safetensors.
    """
    message = "is not a complete token-classification model in safetensors"
    try:
        model, loading = AutoModelForTokenClassification.from_pretrained(
            str(folder.resolve()),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # transformers, safetensors and torch share no base class
        raise UserError(Issue(str(folder), message, None, first_line(error))) from None
    missing = sorted(loading["missing_keys"])
    if missing:  # transformers would initialize them randomly
        hint = f"{missing[0]} and {len(missing) - 1} more weights are missing"
        raise UserError(Issue(str(folder), message, None, hint))
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


class CheckpointWriter:
    """Writes a run's best model in the background, one at a time, while training continues.

    `write` copies the weights; the folder appears under its name when it is complete on disk. Leaving the
    context waits for the last write.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            self.wait()

    def write(self, model: PreTrainedModel, facts: dict[str, Any], folder: Path) -> None:
        """Write the model, and ``facts`` as JSON, to a folder, replacing its previous content.

        Raises
        ------
        OSError
            If the previous write failed.
        """
        self.wait()
        weights, adapter = (_copied(part) for part in (merged_weights(model), adapter_weights(model)))
        self._pending = self._pool.submit(_write, model, weights, adapter, facts, folder)

    def wait(self) -> None:
        """Wait until the last write is on disk.

        Raises
        ------
        OSError
            If it failed.
        """
        if self._pending is not None:
            self._pending.result()
            self._pending = None


def _copied(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}


def _write(
    model: PreTrainedModel,
    weights: dict[str, torch.Tensor],
    adapter: dict[str, torch.Tensor],
    facts: dict[str, Any],
    folder: Path,
) -> None:
    with atomic_replace(folder) as fresh:
        fresh.mkdir()
        model.save_pretrained(str(fresh), state_dict=weights)
        if adapter:
            write_adapter(model, adapter, fresh)
        (fresh / MEASUREMENT).write_text(json.dumps(facts), encoding="utf-8")
