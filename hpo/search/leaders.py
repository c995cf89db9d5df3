"""The trials whose models stay on disk, followed as trials end."""

from __future__ import annotations

from hpo.search.trials import Trial, milestone_leaders, ranked
from hpo.study import Study


class Leaders:
    """The best trials that ended well, and those whose models are scored whatever their rank.

    `best` holds the study's ``keep``, the best first: only a better one can displace them. `apart` holds
    the trial of the default configuration, and who led after 10, 27, 50 … trials. Hearing of an end costs
    the same however many came before.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._spared: list[Trial] = []
        # Of repeated runs each is scored as it ends.
        self._total = study.runs if study.seeds == 1 else 0
        self._on_the_way: dict[int, Trial] = {}
        self.best: list[Trial] = []

    def add(self, trial: Trial) -> None:
        """Take in a trial that ended well."""
        self.best = ranked([*self.best, trial])[: self._study.keep]
        self._on_the_way = milestone_leaders([*self._on_the_way.values(), trial], self._total)
        if trial.number in self._study.spared:
            self._spared.append(trial)

    @property
    def apart(self) -> list[Trial]:
        """See the class."""
        return [*self._spared, *self._on_the_way.values()]
