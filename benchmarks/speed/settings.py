"""What a bench is run on, and how large its figures are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.speed.fixtures import Fixture
from benchmarks.speed.processes import run_contestant

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much work each figure does; epochs of a search are its ``max_epochs``, its rungs 1 and 3."""

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
"""So little that all of it takes a few minutes, and its figures mean nothing."""


@dataclass(frozen=True)
class BenchmarkContext:
    """One run of the bench.

    ``repeat`` overrides each figure's own number of repetitions; ``folder`` holds what is made once for
    several figures; ``profile``, where given, takes py-spy's stacks of our arms.
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

    def contestant(self, name: str, spec: Spec, *, disk: bool = False, ours: bool = False) -> dict[str, Any]:
        """Run an arm, and say so; ``ours`` are those that are profiled."""
        self.on_progress(f"{name} …")
        profile = self.profile / f"{name.replace(' ', '-')}.txt" if self.profile and ours else None
        return run_contestant(name, dict(spec) | {"workers": self.workers}, disk=disk, profile=profile)

    def fixture(self, share: float = 1.0) -> Fixture:
        """The corpus, or a share of its train and dev, made on the first call."""
        folder = self.folder / f"material-{share:.4f}"
        if not (folder / "fixture.json").exists():
            options = {"data": self._data, "tags": self._tags, "seed": self.seed, "share": share}
            self.contestant("fixture", options | {"out": str(folder)})
        return Fixture(folder)

    def fixture_for_epoch_time(self, epoch_s: float) -> tuple[Fixture, float]:
        """The share of the corpus that takes the bare Trainer so many seconds an epoch, and how many it does.

        A corpus that takes less is taken as a whole.
        """
        whole = self._epoch_s(self.fixture())
        if whole <= epoch_s:
            return self.fixture(), whole
        fixture = self.fixture(round(epoch_s / whole, 4))
        return fixture, self._epoch_s(fixture)

    def _epoch_s(self, fixture: Fixture) -> float:
        note = fixture.folder / "epoch_s"
        if not note.exists():
            seconds = self.contestant("trainer epoch", {"fixture": str(fixture.folder)})["epoch_s"]
            note.write_text(repr(seconds), encoding="ascii")
        return float(note.read_text(encoding="ascii"))

    @property
    def _data(self) -> str:
        """The corpus, as an arm finds it from another working directory."""
        return (
            str(Path(self.data).expanduser().resolve())
            if Path(self.data).expanduser().exists()
            else self.data
        )

    @property
    def _tags(self) -> str:
        return str(Path(self.tags).resolve()) if Path(self.tags).is_file() else self.tags
