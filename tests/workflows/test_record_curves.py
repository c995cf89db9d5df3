"""Tests of recording a curve table, with a made-up training in place of a real one."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpo.config.study import build_study
from hpo.corpora.sentences import Corpus
from hpo.errors import UserError
from hpo.simulation.curve_tables import read_curve_table
from hpo.training.task import NonFiniteLoss
from hpo.workflows.record_curves import record


@pytest.fixture
def made_up_training(monkeypatch, measure):
    """Replace encoding and training; configurations with batch size 64 diverge."""

    def train(task, callbacks):
        config = task.training_config
        for epoch in range(1, config.epochs + 1):
            callbacks.report(measure(epoch, config.hidden_dropout, config.learning_rate))
            if config.batch_size == 64:
                raise NonFiniteLoss

    def encode_corpus(*args, **options):
        return SimpleNamespace(folder=Path("encoded"))

    monkeypatch.setattr("hpo.training.trainer.train", train)
    monkeypatch.setattr("hpo.encoding.corpus_encoder.encode_corpus", encode_corpus)
    monkeypatch.setattr(
        "hpo.workflows.record_curves.read_corpus", lambda study: (Corpus("made-up", {}, "0" * 64), None)
    )


def test_record_resumes_a_table_and_rejects_one_with_other_settings(empty_folder, made_up_training):
    options = {"name": "r", "algorithm": "random", "fixed": {"epochs": 2, "evals_per_epoch": 1}}
    path = empty_folder / "table.jsonl"
    assert list(record(build_study(options | {"trials": 2}), path)) == [1, 2]
    first = path.read_bytes()
    path.write_bytes(first[:-20])  # as if killed in the middle of a line
    assert list(record(build_study(options | {"trials": 3}), path)) == [1, 2, 3]
    resumed = read_curve_table(path)
    assert [len(curve.f1) for curve in resumed.curves] == [
        1 if curve.params["batch_size"] == 64 else 2 for curve in resumed.curves
    ]
    lines = [json.loads(line) for line in first.splitlines()]
    assert resumed.curves[0].params == lines[1]["params"]
    assert resumed.curves[1].f1 == tuple(lines[2]["f1"]), "the incomplete curve is trained again"
    with pytest.raises(UserError, match=r"was recorded with seed = 42 \(got 1\)"):
        list(record(build_study(options | {"trials": 3, "seed": 1}), path))
