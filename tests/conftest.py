"""What tests of several rooms share."""

import pytest
from hypothesis import settings

from hpo.training.measurement import Measurement

settings.register_profile("steady", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("steady")


@pytest.fixture(scope="session")
def measure():
    """Makes a measurement of an epoch, an F1 and a loss."""

    def make(epoch, f1, loss=0.5):
        return Measurement(
            epoch=epoch, step=int(10 * epoch), f1=f1, precision=f1, recall=f1, loss=loss, train_loss=loss,
            seconds=epoch,
        )  # fmt: skip

    return make


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """A working directory of its own, for what looks under results/ or in the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
