"""Defines the settings of a benchmark run: corpus, sizes of the figures, seeds and workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.speed.fixtures import Fixture
from benchmarks.speed.processes import run_contestant

Spec = Mapping[str, Any]
"""The input of a contestant, as JSON-serializable data."""


@dataclass(frozen=True)
class Sizes:
    """Amount of work of each figure; ``epochs`` is the ``max_epochs`` of a search with rungs at 1 and 3."""

    few_trials: int = 8
    many_trials: int = 50
    epochs: int = 3
    short_epoch_s: float = 3.0
    long_epoch_s: float = 10.0
    span_tokens: int = 1_000_000
    model_epochs: int = 3
    disk_trials: int = 20
    reports: int = 4
    driver_trials: tuple[int, int, int] = (100, 1000, 10_000)
    demo_trials: int = 50
    memory_trials: int = 50
    quality_seeds: int = 10
    quality_epochs: int = 6


QUICK_SIZES = Sizes(
    few_trials=3,
    many_trials=4,
    epochs=2,
    short_epoch_s=0.5,
    long_epoch_s=1.0,
    span_tokens=20_000,
    model_epochs=1,
    disk_trials=3,
    driver_trials=(10, 10, 10),
    demo_trials=3,
    memory_trials=5,
    quality_seeds=2,
    quality_epochs=1,
)
"""Sizes of a smoke test: all figures take a few minutes, and their values mean nothing."""


@dataclass(frozen=True)
class BenchmarkContext:
    """Settings of one benchmark run.

    ``repeat`` overrides the number of repetitions of each figure, ``folder`` holds the fixtures that several
    figures share, and ``profile`` is the folder for py-spy's stacks of our contestants, if wanted.
    """

    data: str
    tags: str
    folder: Path
    seed: int = 0
    workers: int = 2
    repeat: int | None = None
    sizes: Sizes = field(default_factory=Sizes)
    profile: Path | None = None
    on_progress: Callable[[str], None] = lambda text: None

    def run(self, name: str, spec: Spec, *, disk: bool = False, ours: bool = False) -> dict[str, Any]:
        """Run a contestant and return its measurements; only ``ours`` are profiled."""
        self.on_progress(f"{name} …")
        profile = self.profile / f"{name.replace(' ', '-')}.txt" if self.profile and ours else None
        return run_contestant(name, dict(spec) | {"workers": self.workers}, disk=disk, profile=profile)

    def fixture(self, fraction: float = 1.0) -> Fixture:
        """Return the corpus, or a fraction of its train and dev splits; it is made on the first call."""
        folder = self.folder / f"fixture-{fraction:.4f}"
        if not (folder / "fixture.json").exists():
            options = {"data": self._data, "tags": self._tags, "seed": self.seed, "fraction": fraction}
            self.run("fixture", options | {"out": str(folder)})
        return Fixture(folder)

    def fixture_for_epoch_time(self, epoch_s: float) -> tuple[Fixture, float]:
        """Return the fraction of the corpus on which a plain Trainer takes ``epoch_s`` seconds per epoch.

        The second value is the measured number of seconds. A faster corpus is returned as a whole.
        """
        complete_s = self._epoch_s(self.fixture())
        if complete_s <= epoch_s:
            return self.fixture(), complete_s
        fixture = self.fixture(round(epoch_s / complete_s, 4))
        return fixture, self._epoch_s(fixture)

    def _epoch_s(self, fixture: Fixture) -> float:
        """Return the measured seconds per epoch, which are stored beside the fixture."""
        path = fixture.folder / "epoch_s"
        if not path.exists():
            seconds = self.run("trainer epoch", {"fixture": str(fixture.folder)})["epoch_s"]
            path.write_text(repr(seconds), encoding="ascii")
        return float(path.read_text(encoding="ascii"))

    @property
    def _data(self) -> str:
        """The corpus; a path is absolute, because contestants have another working directory."""
        path = Path(self.data).expanduser()
        return str(path.resolve()) if path.exists() else self.data

    @property
    def _tags(self) -> str:
        return str(Path(self.tags).resolve()) if Path(self.tags).is_file() else self.tags
