"""The TensorBoard tracker, checked by reading its event files."""

import struct

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from hpo.search.trial import State
from hpo.tracking.dispatcher import start_trackers


def masked(data):
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(folder):
    """Yield the events of a run from its TFRecord files, after checking both checksums of each record."""
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,), head = struct.unpack("<Q", data[:8]), data[:8]
            assert struct.unpack("<I", data[8:12])[0] == masked(head)
            body, rest = data[12 : 12 + length], data[12 + length :]
            assert struct.unpack("<I", rest[:4])[0] == masked(body)
            yield Event.FromString(body)
            data = rest[4:]


def scalars(folder):
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            if not value.tag.startswith("_hparams_"):
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def track(study, folder, trials, row=None):
    warnings = []
    with start_trackers(study("tensorboard"), folder, warnings.append) as dispatcher:
        dispatcher.report_existing(trials)
        if row:
            dispatcher.on_scores(row)
    assert warnings == []


def test_tensorboard_events_trials_write_one_run_each(study, folder, trials):
    track(study, folder, trials)
    assert sorted(path.name for path in folder.tensorboard.iterdir()) == [
        "trial-0000", "trial-0001", "trial-0002",
    ]  # fmt: skip
    first = scalars(folder.tensorboard / "trial-0000")
    assert first["dev/f1"] == [(10, 0.25), (20, 0.5), (30, 0.375)]
    assert first["dev/loss"] == [(10, 0.5), (20, 0.5), (30, 0.5)]
    assert first["train/epoch"] == [(10, 1), (20, 2), (30, 3)]
    assert first["best/dev_f1"] == [(20, 0.5)]
    third = scalars(folder.tensorboard / "trial-0002")
    assert [value for _, value in third["hyperparameter/learning_rate"]] == pytest.approx([4e-4, 8e-4])
    assert "hyperparameter/learning_rate" not in first and "best/dev_f1" not in third


def test_tensorboard_events_trial_writes_the_hparams_summaries(study, folder, trials):
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    track(study, folder, trials)
    plugin = {
        value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for event in events(folder.tensorboard / "trial-0000")
        for value in event.summary.value
        if value.tag.startswith("_hparams_")
    }
    start = plugin["_hparams_/session_start_info"].session_start_info.hparams
    assert start["learning_rate"].number_value == 1e-4
    assert start["lr_schedule"].string_value == "linear"
    assert [each.name.tag for each in plugin["_hparams_/experiment"].experiment.metric_infos] == [
        "best/dev_f1"
    ]
    assert "_hparams_/session_end_info" in plugin


def test_tensorboard_events_resumed_study_writes_no_duplicate_points(study, folder, trials, measure):
    track(study, folder, trials)
    trials[2].measurements.append(measure(3, 0.875))
    trials[2].state = State.COMPLETE
    track(study, folder, trials)
    assert scalars(folder.tensorboard / "trial-0000")["dev/f1"] == [(10, 0.25), (20, 0.5), (30, 0.375)]
    third = scalars(folder.tensorboard / "trial-0002")
    assert third["dev/f1"] == [(10, 0.125), (20, 0.75), (30, 0.875)]
    assert third["best/dev_f1"] == [(30, 0.875)]


def test_tensorboard_events_paused_and_resumed_trial_is_one_run(study, folder, trials, measure):
    trial = trials[2]
    with start_trackers(study("tensorboard"), folder, print) as dispatcher:
        dispatcher.on_trial_update(trial)
        trial.state = State.PAUSED
        dispatcher.on_trial_update(trial)
        trial.resume_from(2)
        dispatcher.on_trial_update(trial)
        trial.measurements.append(measure(3, 0.5))
        dispatcher.on_trial_update(trial)
    assert scalars(folder.tensorboard / "trial-0002")["dev/f1"] == [(10, 0.125), (20, 0.75), (30, 0.5)]
    assert len(list((folder.tensorboard / "trial-0002").iterdir())) == 2


def test_tensorboard_events_final_scores_are_a_separate_run(study, folder, trials):
    from hpo.evaluation.matrix import MatrixRow

    row = MatrixRow(
        tag_family="F", trained_on="cased", algorithm="A", scores={"test": {"cased": 0.5, "uncased": None}}
    )
    track(study, folder, trials, row)
    assert scalars(folder.tensorboard / "scores") == {"test/cased": [(0, 0.5)]}
