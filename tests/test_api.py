"""The Python interface, and the example of the README."""

import inspect
import json
import re
from pathlib import Path

import pytest

import hpo
from hpo.corpora.tag_families import load_family
from hpo.errors import StudyFailed, UserError
from hpo.evaluation.matrix import Matrix, MatrixRow
from hpo.storage.atomic import write_json, write_text
from hpo.storage.study_folder import StudyFolder

README = Path(__file__).parent.parent / "README.md"


def example():
    section = README.read_text(encoding="utf-8").split("## Python\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return code


def test_package_every_name_is_documented():
    assert set(hpo.__all__) <= set(dir(hpo))
    for name in hpo.__all__:
        assert getattr(hpo, name).__doc__, name
    with pytest.raises(AttributeError, match="module 'hpo' has no attribute 'nope'"):
        hpo.nope  # noqa: B018


def test_package_is_typed():
    assert (Path(hpo.__file__).parent / "py.typed").exists()


def test_docs_list_every_function():
    assert "::: hpo.api\n" in (README.parent / "docs" / "python.md").read_text(encoding="utf-8")
    functions = [name for name in hpo.__all__ if name.islower()]
    assert all(getattr(hpo, name).__module__ == "hpo.api" for name in functions)


def test_functions_take_at_most_six_parameters():
    functions = [name for name in hpo.__all__ if name.islower()]
    assert len(functions) >= 13
    assert all(len(inspect.signature(getattr(hpo, name)).parameters) <= 6 for name in functions)


def test_build_study_invalid_field_raises_user_error():
    assert hpo.UserError is UserError
    with pytest.raises(hpo.UserError, match=r"train_on: must be one of .* \(got 'upper'"):
        hpo.build_study(train_on="upper")
    with pytest.raises(hpo.UserError, match="study nope: no study of this name under results/"):
        hpo.resume_study("nope")


def write_finished(name, **fields):
    """Write a finished study, as far as its row is concerned."""
    study = hpo.build_study(name=name, **fields)
    row = MatrixRow(
        tag_family="Original", trained_on=study.train_on, algorithm="ASHA", study=name, corpus="demo",
        model="tiny", scores={"test": {"cased": 0.875}},
    )  # fmt: skip
    folder = StudyFolder(name)
    write_text(folder.study, study.to_yaml())
    write_json(folder.matrix, Matrix(rows=(row,)).model_dump(mode="json"))
    return study, row


def test_run_study_finished_study_returns_its_row(empty_folder, capsys):
    study, row = write_finished("s", trials=3)
    (empty_folder / "s.yaml").write_text("name: s\ntrials: 3\n")
    assert hpo.run_study(study, quiet=True) == row
    assert hpo.run_study("s.yaml", quiet=True) == row
    assert hpo.run_study(name="s", trials=3, quiet=True) == row
    assert capsys.readouterr() == ("", "")
    assert hpo.resume_study("s") == row
    out, err = capsys.readouterr()
    assert (out, err) == ("", "s is already finished; showing its result\n")
    with pytest.raises(UserError, match=r"was created with trials=3 \(got 4"):
        hpo.run_study(study, trials=4)
    with pytest.raises(UserError, match=r"was created with trials=3 \(got 4"):
        hpo.run_study("s.yaml", trials=4)


def test_matrix_rows_and_list_studies_return_finished_study(empty_folder):
    _, row = write_finished("s")
    assert hpo.matrix_rows() == hpo.matrix_rows("s") == [row]
    assert "| Original   | cased      | ASHA    | 0.87500" in hpo.render_matrix([row])
    assert [each["study"] for each in hpo.list_studies()] == ["s"]
    assert hpo.show_study("s")["row"]["study"] == "s"


def test_run_grid_lists_and_comma_strings_are_equivalent(empty_folder, monkeypatch):
    planned = []

    def run_rows(studies, *, quiet):
        planned.append([(each.train_on, each.tags, each.trials) for each in studies])
        return [], [UserError(hpo.Issue("study x", "failed"))] if len(planned) == 2 else []

    monkeypatch.setattr("hpo.workflows.grid.run_rows", run_rows)
    assert hpo.run_grid(train_on=["cased", "uncased"], tags="conll,finer", trials=2) == []
    with pytest.raises(StudyFailed, match="study x: failed"):
        hpo.run_grid(train_on="cased,uncased", tags=["conll", "finer"], trials=2)
    assert planned[0] == planned[1] == [
        (variant, family, 2) for family in ("conll", "finer") for variant in ("cased", "uncased")
    ]  # fmt: skip


def test_rerank_replay_and_compare_call_the_workflows(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        "hpo.workflows.rerank.rerank", lambda *args, quiet: calls.append((*args, quiet)) or ["r"]
    )
    monkeypatch.setattr(
        "hpo.workflows.replay.replay", lambda name, tell: (tell("epoch 1"), calls.append(name))
    )
    monkeypatch.setattr(
        "hpo.evaluation.significance.compare_checkpoints",
        lambda *args, **options: calls.append((*map(str, args), options)) or {},
    )
    assert hpo.rerank_study("s", top=3, quiet=True) == ["r"]
    hpo.replay_study("s")
    hpo.replay_study("t", quiet=True)
    hpo.compare("a", "b", "demo", "conll", split="dev")
    assert calls == [
        ("s", 3, 5, True), "s", "t", ("a", "b", "demo", "conll", {"split": "dev", "seed": 42})
    ]  # fmt: skip
    assert capsys.readouterr() == ("", "epoch 1\n")


@pytest.mark.parametrize("call", [hpo.rerank_study, hpo.replay_study])
def test_rerank_and_replay_missing_study_raise_user_error(call, empty_folder):
    with pytest.raises(UserError, match="nope"):
        call("nope")


def test_load_corpus_with_and_without_tag_family(tmp_path):
    lines = [json.dumps({"tokens": ["Ada", "x"], "ner_tags": ["B-PER", "O"]})] * 20
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    raw = hpo.load_corpus(tmp_path)
    assert {name: len(sentences) for name, sentences in raw.splits.items()} == {"train": 18, "dev": 2}
    mapped = hpo.load_corpus(tmp_path, tags="uner")
    assert mapped.splits["train"][0].labels == ("B-PER", "O")
    assert hpo.load_tags("uner") == load_family("uner")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_readme_example_runs(empty_folder, capsys):
    exec(compile(example(), str(README), "exec"), {})
    out, _ = capsys.readouterr()
    assert "| Original   | cased      | ASHA" in out
    assert (empty_folder / "results" / "from-python" / "best" / "1" / "model.safetensors").exists()


def test_readme_example_calls_existing_functions():
    called = set(re.findall(r"hpo\.(\w+)", example()))
    assert called - set(hpo.__all__) == set()
    assert len(called) >= 4
