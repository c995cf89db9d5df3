"""`ResumableTrainer` relies on private members of the Trainer, which a new version may change."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
import transformers
from transformers import Trainer

from hpo.training.resumable_trainer import OVERRIDDEN_METHODS, PRIVATE_ATTRIBUTES, ResumableTrainer

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TESTED_RANGE = "transformers>=5.23,<6"
ADVICE = (
    f"transformers {transformers.__version__} is not compatible with hpo/training/resumable_trainer.py: "
    "adapt the module, or narrow the version range in pyproject.toml"
)


def test_transformers_requirement_is_the_tested_range():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    requirement = next(each for each in project["dependencies"] if each.startswith("transformers"))
    assert requirement == TESTED_RANGE, f"check resumable_trainer.py against {requirement}, then update this"
    installed = tuple(map(int, re.findall(r"\d+", transformers.__version__)[:2]))
    assert (5, 23) <= installed < (6, 0), ADVICE


@pytest.mark.parametrize("name", OVERRIDDEN_METHODS)
def test_overridden_trainer_method_has_the_expected_parameters(name):
    method = getattr(Trainer, name, None)
    assert method is not None, f"Trainer.{name} does not exist; {ADVICE}"
    parameters = tuple(inspect.signature(method).parameters)
    assert parameters == OVERRIDDEN_METHODS[name], f"Trainer.{name} has other parameters; {ADVICE}"
    assert tuple(inspect.signature(getattr(ResumableTrainer, name)).parameters) == parameters
    assert f"self.{name}(" in inspect.getsource(Trainer), f"Trainer never calls {name}; {ADVICE}"


@pytest.mark.parametrize("name", PRIVATE_ATTRIBUTES)
def test_private_trainer_attribute_exists(name):
    assert f"self.{name}" in inspect.getsource(Trainer), f"Trainer.{name} does not exist; {ADVICE}"
