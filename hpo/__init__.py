"""Hyperparameter optimization for named-entity recognition, from Python.

`hpo.api` defines and documents every name. It is imported when the first of them is used, so ``import hpo``
is fast and loads none of the libraries that do the work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.api import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        api = import_module("hpo.api")
        if name in ("__all__", *api.__all__):
            return getattr(api, name)
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("hpo.api").__all__})
