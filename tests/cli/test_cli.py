"""The command line: errors in one line each, JSON output, help with an example."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from hpo.cli import app as cli
from hpo.config.study import build_study, load_study
from hpo.corpora.variants import VARIANTS
from hpo.evaluation.matrix import Matrix, MatrixRow
from hpo.storage.atomic import write_json, write_text
from hpo.storage.study_folder import StudyFolder
from hpo.storage.yaml_files import parse_yaml

COMMANDS = (
    "run",
    "resume",
    "replay",
    "ls",
    "show",
    "rerank",
    "evaluate",
    "predict",
    "compare",
    "matrix",
    "grid",
    "corpus",
    "families",
    "spaces",
    "validate",
    "submit",
    "status",
    "logs",
    "stop",
)

LIGHT = "light"
"""The name of a finished study."""


@pytest.fixture
def hpo(empty_folder, monkeypatch, capsys):
    """Return a function that runs the program in an empty folder: exit code, output and error output."""
    for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr("hpo.models.build.count_parameters", lambda model: 1_000_000)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["hpo", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return call


@pytest.fixture
def done():
    """Return a function that writes a finished study under results/."""

    def put(name):
        study = build_study({"name": name})
        folder = StudyFolder(name)
        row = MatrixRow(
            tag_family="Original", trained_on="cased", algorithm="ASHA", study=name, corpus="demo",
            model="tiny", scores={"test": {"cased": 0.875}}, hyperparameters={"learning_rate": 1e-4},
        )  # fmt: skip
        write_text(folder.study, study.to_yaml())
        write_text(folder.report, f"# {name}\n")
        write_json(folder.matrix, Matrix(rows=(row,)).model_dump(mode="json"))

    return put


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run --alg ahsa", r"--alg: must be one of asha, .* \(got 'ahsa'\)"),
        ("run --train-on lower", r"--train-on: must be one of cased, .* \(got 'lower'\)"),
        ("run --sampler bohb", r"--sampler: must be one of optuna, hyperopt \(got 'bohb'\)"),
        ("run --trials 0", r"--trials: must be at least 1 \(got 0\)"),
        ("run --epochs 0", r"--epochs: must be at least 1 \(got 0\)"),
        ("run --trials many", r"--trials: must be a whole number \(got 'many'\)"),
        ("run --gpus-per-trial x", r"--gpus-per-trial: must be a number \(got 'x'\)"),
        ("run --subsample train", r"--subsample: must have the form SPLIT=FRACTION \(got 'train'\)"),
        ("run --fixed epochs=many", r"--fixed epochs: must be a whole number \(got 'many'\)"),
        ("run --alg random --sampler hyperopt", r"--sampler: is not an option of random, .*used by asha\)"),
        ("run --tags conl", r"tag families: unknown name \(got 'conl'; known: .*conll.*\)"),
        ("run --tags conl --dry-run", r"tag families: unknown name \(got 'conl'; known: .*conll.*\)"),
        ("run --data /no/such", r"/no/such: no such file or folder \(name a file.*\)"),
        ("run --space no.yaml", r"no\.yaml: no such file"),
        ("run --space sucks", r"search spaces: unknown name \(got 'sucks'; known: .*demo, .*suc.*\)"),
        ("run no.yaml", r"no\.yaml: no such file"),
        ("run --study ../x", r"--study: .* \(got '\.\./x'\)"),
        ("run --study a/b", r"--study: .* \(got 'a/b'\)"),
        ("resume nope", r"study nope: no study of this name under results/ \(hpo ls lists .*\)"),
        ("show nope", r"study nope: no study of this name under results/ \(hpo ls lists .*\)"),
        ("rerank nope", r"study nope: no study of this name under results/ \(hpo ls lists .*\)"),
        ("run --tracker comet", r"--tracker: must be one of tensorboard, mlflow, wandb \(got 'comet'\)"),
        ("run --seeds 5", r"--seeds: must be 1 for asha, .* \(got 5; use random or grid, .*hpo rerank .*"),
        ("show nope --json", r"study nope: no study of this name under results/ \(hpo ls lists .*\)"),
        ("matrix nope", r"study nope: no study of this name under results/"),
        ("matrix", r"results/: no finished study \(create one with: hpo run\)"),
        ("grid --train-on cased,lower", r"--train-on: unknown case variant \(got 'lower'; known: .*\)"),
        ("grid no.yaml --tags conll", r"no\.yaml: no such file"),
        ("grid --tags conll,conl --dry-run", r"tag families: unknown name \(got 'conl'; known: .*\)"),
        ("grid --alg asha,sha --dry-run", r"--alg: must be one of .* \(got 'sha'\)"),
        ("validate no.yaml", r"no\.yaml: no such file"),
    ],
)  # fmt: skip
def test_command_invalid_input_prints_one_line_and_exits_with_2(hpo, words, message):
    code, out, err = hpo(*words.split())
    assert code == 2
    assert re.fullmatch(message, err.strip()), err
    assert out == ""


@pytest.mark.parametrize("command", ["resume", "show", "matrix"])
@pytest.mark.parametrize("name", ["../x", "a b", "", "/etc", "..", "a/b"])
def test_command_hostile_study_name_is_rejected_before_any_file_access(hpo, command, name, empty_folder):
    write_text(empty_folder / "x" / "study.yaml", build_study({}).to_yaml())
    code, _, err = hpo(command, name)
    assert code == 2
    assert (
        err.strip() == f"study: must be letters, digits and ._+- after a first letter or digit (got {name!r})"
    )
    assert sorted(path.name for path in empty_folder.iterdir()) == ["x"]


@pytest.mark.parametrize(
    "words", ["rerank x --top many", "run --nope", "nope", "show", "ls too many", "run --seed"]
)
def test_command_unparsable_input_exits_with_2_without_traceback(hpo, words):
    code, out, err = hpo(*words.split())
    assert code == 2
    assert "Error" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--alg foo", r"--alg: .*asha, .*\(got 'foo'.*\)"),
        ("--keep-checkpoints 0", r"--keep-checkpoints: .*\(got 0\)"),
        ("--fixed batch_size=0", r"--fixed batch_size: .*1.*0.*"),
        ("--epochs 0", r"--epochs: .*1.*0.*"),
        ("--subsample train=2", r"--subsample train: .*\(got 2\)"),
    ],
)
def test_run_invalid_option_beside_a_file_is_named_as_typed(hpo, empty_folder, words, message):
    (empty_folder / "my.yaml").write_text("name: x\n")
    for command in (["run"], ["run", "my.yaml"], ["submit", "my.yaml"], ["grid", "my.yaml"]):
        code, _, err = hpo(*command, *words.split())
        assert code == 2
        assert re.fullmatch(message, err.splitlines()[0]), err


def test_study_file_with_errors_reports_each_at_its_line(hpo, empty_folder):
    (empty_folder / "my.yaml").write_text(
        "name: x\ntrails: 5\ntrials: 0\nspace:\n  parameters:\n"
        "    learning_rate: {type: loguniform, low: 0, high: 1}\n    foo: {type: uniform, low: 1, high: 0}\n"
    )
    for words in (("run", "my.yaml"), ("validate", "my.yaml")):
        code, _, err = hpo(*words)
        assert code == 2
        assert sorted(line.split(": ")[0] for line in err.splitlines()) == [
            f"my.yaml:{n}" for n in (2, 3, 6, 7, 7)
        ]


def test_run_rejected_study_leaves_nothing_on_disk(hpo, empty_folder):
    hpo("run", "--alg", "nope")
    hpo("run", "--tags", "nope", "--dry-run")
    assert list(empty_folder.iterdir()) == []


def test_validate_reports_valid_files_and_all_errors(hpo, empty_folder):
    (empty_folder / "good.yaml").write_text("trials: 3\n")
    (empty_folder / "bad.yaml").write_text("trials: 0\n")
    (empty_folder / "worse.yaml").write_text("a: [\n")
    code, out, err = hpo("validate", "bad.yaml", "good.yaml", "worse.yaml")
    assert code == 2
    assert out == "good.yaml: study, valid\n"
    assert [line.split(":")[0] for line in err.splitlines()] == ["bad.yaml", "worse.yaml"]
    assert hpo("validate", "good.yaml") == (0, "good.yaml: study, valid\n", "")


@pytest.mark.parametrize(
    "words", [[], ["--alg", "grid", "--epochs", "2"], ["--model", "tiny", "--study", "1e-5"]]
)
def test_run_dry_run_prints_study_and_cost(hpo, words, empty_folder):
    code, out, _ = hpo("run", "--trials", "7", "--dry-run", *words)
    assert code == 0
    path = empty_folder / "printed.yaml"
    path.write_text(out)
    fields = {"alg": "algorithm", "study": "name"}
    options = {fields.get(k[2:], k[2:]): v for k, v in zip(words[::2], words[1::2], strict=True)}
    if "epochs" in options:
        options["fixed"] = {"epochs": int(options.pop("epochs"))}
    assert load_study(path) == build_study({"trials": 7} | options)
    assert re.search(r"^# cost: at most \d+ epochs \(7 trials x \d\)", out, flags=re.MULTILINE)
    assert re.search(r"^# disk: at most [0-9.]+ GB: [0-9]+ models of 4 MB", out, flags=re.MULTILINE)
    assert [each.name for each in empty_folder.iterdir()] == ["printed.yaml"]


def test_grid_dry_run_prints_a_study_for_every_row(hpo):
    code, out, _ = hpo("grid", "--tags", "conll,suc-original", "--alg", "asha,random", "--dry-run")
    assert code == 0
    names = re.findall(r"^name: (.*)$", out, flags=re.MULTILINE)
    assert len(set(names)) == len(names) == 2 * 2 * len(VARIANTS)


def test_run_taken_default_name_gets_a_number(hpo, done):
    first = yaml.safe_load(hpo("run", "--dry-run")[1])["name"]
    done(first)
    assert yaml.safe_load(hpo("run", "--dry-run")[1])["name"] == first
    assert yaml.safe_load(hpo("run", "--dry-run", "--trials", "9")[1])["name"] == f"{first}-2"


def test_run_empty_option_equals_no_option(hpo):
    assert hpo("run", "--dry-run", "--alg", "", "--study", "") == hpo("run", "--dry-run")


@pytest.mark.parametrize("command", [("run",), ("submit",), ("grid", "--train-on", "cased")])
@pytest.mark.parametrize(
    ("value", "trackers"),
    [
        (None, ["tensorboard"]),
        ("tensorboard, mlflow:sqlite:///r.db", ["tensorboard", "mlflow:sqlite:///r.db"]),
        ("wandb:mine", ["wandb:mine"]),
        ("none", []),
    ],
)
def test_tracker_option_selects_trackers(hpo, command, value, trackers, empty_folder):
    code, out, _ = hpo(*command, "--dry-run", *(["--tracker", value] if value else []))
    assert code == 0
    printed = out[out.index("name: ") :].partition("\n# ")[0]
    assert parse_yaml(printed, empty_folder).data["trackers"] == trackers


def test_run_options_override_study_file(hpo, empty_folder):
    (empty_folder / "my.yaml").write_text("trials: 3\nfixed: {epochs: 4, precision: 'off'}\n")
    _, out, _ = hpo("run", "my.yaml", "--epochs", "2", "--dry-run")
    printed = parse_yaml(out, empty_folder).data
    assert printed["fixed"] == {"epochs": 2, "precision": "off"}
    assert printed["trials"] == 3


@pytest.mark.parametrize(
    "words",
    ["ls", "families", "spaces", "spaces --hyperparameters", "corpus demo", "matrix", f"show {LIGHT}"],
)
def test_command_with_json_prints_only_json(hpo, done, words):
    done(LIGHT)
    code, out, err = hpo(*words.split(), "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)


@pytest.mark.parametrize(
    "words",
    ["ls", "families", "spaces", "spaces --hyperparameters", "corpus demo", "matrix", f"show {LIGHT}"],
)
def test_command_without_json_prints_text(hpo, done, words):
    done(LIGHT)
    code, out, err = hpo(*words.split())
    assert (code, err) == (0, "")
    assert out.strip()


def test_corpus_with_errors_exits_with_2(hpo, empty_folder):
    code, out, _ = hpo("corpus", "/no/such", "--json")
    assert code == 2
    assert "no such file or folder" in json.loads(out)["issues"][0]


def test_ls_without_studies_prints_a_hint(hpo):
    assert hpo("ls") == (0, "no studies under results/; create one with: hpo run\n", "")
    assert json.loads(hpo("ls", "--json")[1]) == []


def test_matrix_with_out_writes_a_file(hpo, done, empty_folder):
    done(LIGHT)
    assert hpo("matrix", "--out", "a/matrix.md") == (0, "", "")
    assert "0.87500" in (empty_folder / "a" / "matrix.md").read_text()
    code, _, err = hpo("matrix", "--out", "a")
    assert code == 2
    assert err.startswith("a: cannot be written (got ")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_help_has_an_example(hpo, command):
    code, out, _ = hpo(command, "--help")
    assert code == 0
    assert re.search(rf"Example: hpo {command}\b", " ".join(out.split()))
    assert command in hpo("--help")[1]


def test_commands_are_all_tested_for_help():
    assert {command.name or command.callback.__name__ for command in cli.app.registered_commands} == set(
        COMMANDS
    )


def test_command_interrupted_exits_with_130_and_a_hint(hpo, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("hpo.reporting.study_list.summarize_studies", interrupt)
    code, _, err = hpo("ls")
    assert code == 130
    assert err == "interrupted; finished work is kept: hpo ls, hpo resume STUDY\n"


def test_command_with_closed_pipe_prints_no_traceback():
    command = f"{sys.executable} -m hpo spaces --hyperparameters | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def test_command_with_full_disk_prints_one_line(hpo, monkeypatch):
    def fill():
        raise OSError(28, "No space left on device", "results/s")

    monkeypatch.setattr("hpo.reporting.study_list.summarize_studies", fill)
    assert hpo("ls") == (1, "", "results/s: cannot be read or written: No space left on device\n")
