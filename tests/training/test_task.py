"""A training task survives the JSON that the launcher sends to its workers."""

import json
from pathlib import Path

import pytest

from hpo.config.objective import Objective
from hpo.config.training_config import TrainingConfig
from hpo.training.task import TrainingTask


@pytest.mark.parametrize("objective", [None, Objective("min", ("cased", "uncased"))])
@pytest.mark.parametrize("resume_dir", [None, Path("snapshots/3")])
def test_training_task_after_json_is_equal(objective, resume_dir):
    task = TrainingTask(
        training_config=TrainingConfig(learning_rate=3e-4, epochs=7),
        corpus=Path("encoded"),
        model="tiny",
        train_on="uncased",
        seed=11,
        objective=objective,
        resume_dir=resume_dir,
    )
    restored = TrainingTask.from_json(json.loads(json.dumps(task.to_json())))
    assert restored == task
    assert restored.training_config.model_fields_set == {"learning_rate", "epochs"}
