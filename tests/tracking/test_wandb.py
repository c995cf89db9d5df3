"""What Weights & Biases writes of a study when it is offline."""

import json
import struct

import pytest

from hpo.search.trial import State
from hpo.tracking.dispatcher import tracked

pytest.importorskip("wandb", reason="the extra wandb is not installed")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def records(data):
    """The records of a file in LevelDB's log format: blocks of 32 KiB, a record in one or more parts."""
    assert data[:4] == b":W&B"
    place, parts = 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def read_runs(folder):
    """What the files of the runs hold: their name, group and history, by the number of the trial."""
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
    told = []
    with tracked(study("wandb:mine"), folder, told.append) as tracking:
        tracking.catch_up(trials)
        if row:
            tracking.score(row)
    assert told == []


def test_a_trial_is_an_offline_run_in_the_group_of_its_study(study, folder, trials, measure):
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

    # Taken up, it goes on under the same names with what is new alone.
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
