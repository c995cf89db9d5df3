"""What a bench is run on, and how large its figures are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.speed.fixtures import Material
from benchmarks.speed.processes import run_arm

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much work each figure does; epochs of a search are its ``max_epochs``, its rungs 1 and 3."""

    few: int = 8
    many: int = 50
    epochs: int = 3
    short_s: float = 3.0
    long_s: float = 10.0
    span_tokens: int = 1_000_000
    model_epochs: int = 3
    disk_trials: int = 20
    reports: int = 4
    driver_trials: tuple[int, int, int] = (100, 1000, 10_000)
    demo_trials: int = 50
    memory_trials: int = 50
    quality_seeds: int = 10
    quality_epochs: int = 6


TRIAL_RUN = Sizes(
    few=3,
    many=4,
    epochs=2,
    short_s=0.5,
    long_s=1.0,
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
class Setting:
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
    tell: Callable[[str], None] = lambda text: None

    def arm(self, name: str, spec: Spec, *, disk: bool = False, ours: bool = False) -> dict[str, Any]:
        """Run an arm, and say so; ``ours`` are those that are profiled."""
        self.tell(f"{name} …")
        profile = self.profile / f"{name.replace(' ', '-')}.txt" if self.profile and ours else None
        return run_arm(name, dict(spec) | {"workers": self.workers}, disk=disk, profile=profile)

    def material(self, share: float = 1.0) -> Material:
        """The corpus, or a share of its train and dev, made on the first call."""
        folder = self.folder / f"material-{share:.4f}"
        if not (folder / "material.json").exists():
            options = {"data": self._data, "tags": self._tags, "seed": self.seed, "share": share}
            self.arm("material", options | {"out": str(folder)})
        return Material(folder)

    def material_of(self, epoch_s: float) -> tuple[Material, float]:
        """The share of the corpus that takes the bare Trainer so many seconds an epoch, and how many it does.

        A corpus that takes less is taken as a whole.
        """
        whole = self._epoch_s(self.material())
        if whole <= epoch_s:
            return self.material(), whole
        material = self.material(round(epoch_s / whole, 4))
        return material, self._epoch_s(material)

    def _epoch_s(self, material: Material) -> float:
        note = material.folder / "epoch_s"
        if not note.exists():
            seconds = self.arm("trainer epoch", {"material": str(material.folder)})["epoch_s"]
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
