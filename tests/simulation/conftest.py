"""Fixtures of the simulation tests: a made-up curve table."""

import numpy as np
import pytest

from hpo.config.search_space import load_space
from hpo.search.samplers.random_and_grid import RandomSampler
from hpo.simulation.curve_tables import Curve, CurveTable


@pytest.fixture(scope="session")
def curve_of():
    """Return a made-up learning curve: higher and faster the closer the learning rate is to 1e-3."""

    def curve(params, seed=0):
        distance = abs(np.log10(params["learning_rate"]) + 3)
        f1 = tuple(float(round(max(0.0, 0.5 - distance / 4 - 0.4 / epoch), 5)) for epoch in range(1, 10))
        loss = tuple(round(1 - score, 5) for score in f1)
        epochs = tuple(float(epoch) for epoch in range(1, 10))
        return Curve(params, seed, epochs, f1, loss, tuple(2 * epoch for epoch in epochs))

    return curve


@pytest.fixture(scope="session")
def table(curve_of):
    """Return a table of 80 random configurations of the demo space."""
    space = load_space("demo").model_copy(update={"points_to_evaluate": ()})
    sampler = RandomSampler(space, 1)
    conditions = {
        "corpus": "made-up", "corpus_sha256": "0" * 64, "tags": "none", "train_on": "cased", "model": "none",
        "epochs": 9, "space": space.model_dump(mode="json", exclude_none=True),
    }  # fmt: skip
    curves = tuple(curve_of(sampler.suggest(number, ())) for number in range(80))
    return CurveTable("made-up", conditions, space, curves)
