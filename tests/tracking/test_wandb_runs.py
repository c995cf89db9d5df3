"""The Weights & Biases tracker, checked by reading its offline runs."""

import json
import struct

import pytest

from hpo.search.trial import State
from hpo.tracking.dispatcher import start_trackers

pytest.importorskip("wandb", reason="the extra wandb is not installed")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def records(data):
    """Yield the records of a LevelDB log file: blocks of 32 KiB, each record in one or more parts."""
    assert data[:4] == b":W&B"
    offset, parts = 7, b""
    while offset + 7 <= len(data):
        if 32768 - offset % 32768 < 7:
            offset += 32768 - offset % 32768
            continue
        length, kind = struct.unpack("<HB", data[offset + 4 : offset + 7])
        parts += data[offset + 7 : offset + 7 + length]
        offset += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def read_runs(folder):
    """Return each run's name, group, config, history and summary, keyed by trial number."""
    from wandb.proto.wandb_internal_pb2 import Record

    runs = {}
    for path in sorted(folder.wandb.glob("offline-run-*/run-*.wandb")):
        for data in records(path.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("run"):
                run = runs.setdefault(record.run.run_id.split("-")[1], {"history": [], "summary": {}})
                run |= {"name": record.run.display_name, "group": record.run.run_group}
                run |= {"project": record.run.project, "id": record.run.run_id}
                run["config"] = {item.key: json.loads(item.value_json) for item in record.run.config.update}
            elif record.HasField("history"):
                items = {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                run["history"].append((items["_step"], items["dev/f1"]))
            elif record.HasField("summary"):
                for item in record.summary.update:
                    run["summary"][item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return runs


def track(study, folder, trials, row=None):
    warnings = []
    with start_trackers(study("wandb:mine"), folder, warnings.append) as dispatcher:
        dispatcher.report_existing(trials)
        if row:
            dispatcher.on_scores(row)
    assert warnings == []


def test_wandb_runs_resumed_offline_study_continues_one_run_per_trial(study, folder, trials, measure):
    from hpo.evaluation.matrix import MatrixRow

    row = MatrixRow(tag_family="F", trained_on="cased", algorithm="A", scores={"test": {"cased": 0.5}})
    track(study, folder, trials, row)
    runs = read_runs(folder)
    assert sorted(runs) == ["0", "1", "2", "study"]
    assert {(run["group"], run["project"]) for run in runs.values()} == {("tracked", "mine")}
    assert runs["0"]["name"] == "tracked trial 0"
    assert runs["0"]["config"]["learning_rate"] == 1e-4
    assert runs["0"]["history"] == [(10, 0.25), (20, 0.5), (30, 0.375)]
    assert runs["0"]["summary"]["best/dev_f1"] == 0.5
    assert runs["1"]["summary"]["reason"] == "out of memory"
    assert runs["study"]["summary"]["test/cased"] == 0.5

    # A resumed study logs only new measurements, under the same ids.
    trials[2].measurements.append(measure(3, 0.875))
    trials[2].state = State.COMPLETE
    track(study, folder, trials)
    again = read_runs(folder)
    assert {number: run["id"] for number, run in again.items()} == {
        number: run["id"] for number, run in runs.items()
    }
    assert again["0"]["history"] == runs["0"]["history"]
    assert again["2"]["history"] == [(10, 0.125), (20, 0.75), (30, 0.875)]
    assert again["2"]["summary"]["state"] == "complete"
