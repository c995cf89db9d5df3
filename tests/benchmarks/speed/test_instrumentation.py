"""Tests of the summary of recorded trials."""

from benchmarks.speed.instrumentation import summarize_log, trial_gaps
from hpo.storage.atomic import write_lines


def test_trial_gaps_are_from_the_end_of_a_run_to_the_first_step_of_the_next_in_its_slot():
    def run(first_step, end):
        return {"first_step": first_step, "time": end}

    assert trial_gaps([run(1, 10), run(2, 5), run(5.5, 12), run(10.25, 20)], slots=2) == [0.5, 0.25]
    assert trial_gaps([run(1, 10)], slots=2) == []


def test_summarize_log_adds_up_the_last_line_of_each_run(tmp_path):
    def line(trial, begun, time, **facts):
        common = {"first_step": begun + 0.5, "steps": 2, "train_s": 2.0, "eval_s": 1.0, "rss": 7, "pid": 1}
        tokens = {"real": {"train": 3, "eval": 2}, "padded": {"train": 4, "eval": 2}}
        return {"trial": trial, "begun": begun, "time": time, **common, **tokens, **facts}

    log = tmp_path / "recording.jsonl"
    lines = [
        {"trial": 0, "begun": 100.0, "time": 100.0, "pid": 1},
        line(0, 100.0, 104.0, epoch=1.0, f1=0.6),
        line(0, 100.0, 108.0, epoch=2.0, f1=0.5, train_s=5.0),
        line(1, 101.0, 105.0, epoch=1.0, f1=0.1),
        line(0, 109.0, 112.0, epoch=3.0, f1=0.4),  # resumed
    ]
    write_lines(log, lines)
    found = summarize_log(log, slots=2)
    assert (found["trials"], found["epochs"], found["best_f1"]) == (2, 4.0, 0.6)
    assert found["work_s"] == (5.0 + 1.0) + (2.0 + 1.0) + (2.0 + 1.0)
    assert found["span_s"] == 12.0
    assert found["tokens"] == {"train": [9, 12], "eval": [6, 6]}
    assert found["gaps_s"] == [109.5 - 105.0]
