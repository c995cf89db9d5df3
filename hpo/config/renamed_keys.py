"""Keys of earlier versions: new input that contains one is rejected, stored results are translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STUDY_KEYS = {
    "searcher": "sampler",
    "keep": "keep_checkpoints",
    "prune": "subsample",
    "population": "population_size",
    "perturb_every": "perturbation_interval",
    "dev_share": "dev_fraction",
}
SEARCH_SPACE_KEYS = {"first_guesses": "points_to_evaluate"}
HYPERPARAMETERS = {"schedule": "lr_schedule", "gamma": "lr_gamma", "cycles": "lr_cycles"}


def translate_params(params: Any) -> Any:
    """Return stored hyperparameters under their present names, in the same order."""
    return _renamed(params, HYPERPARAMETERS)


def translate_space(space: Any) -> Any:
    """Return a stored search space with its present keys and hyperparameter names."""
    translated = _renamed(space, SEARCH_SPACE_KEYS)
    if isinstance(translated, dict):
        for part in ("parameters", "fixed"):
            if part in translated:
                translated[part] = translate_params(translated[part])
        if isinstance(points := translated.get("points_to_evaluate"), list):
            translated["points_to_evaluate"] = [translate_params(point) for point in points]
    return translated


def translate_study(study: Any) -> Any:
    """Return a stored study with its present keys, those of its search space included."""
    translated = _renamed(study, STUDY_KEYS)
    if isinstance(translated, dict):
        for part, translate in (("space", translate_space), ("fixed", translate_params)):
            if part in translated:
                translated[part] = translate(translated[part])
    return translated


def translate_trial(line: Any) -> Any:
    """Return a line of ``trials.jsonl`` with the present names of its hyperparameters."""
    if not isinstance(line, dict):
        return line
    translated = dict(line)
    if "params" in line:
        translated["params"] = translate_params(line["params"])
    if line.get("changes"):
        translated["changes"] = [
            {**change, "params": translate_params(change["params"])} for change in line["changes"]
        ]
    return translated


def _renamed(mapping: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(mapping, dict):
        return mapping
    return {names.get(key, key): value for key, value in mapping.items()}
