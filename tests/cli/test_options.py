"""Every option is declared once, as a field: the command line, make and the docs have all of them."""

import re
import subprocess
from pathlib import Path

import pytest
import typer

from hpo.cli import make_options, reference
from hpo.cli.app import app
from hpo.cli.options import collect, grid_options, job_options, study_options
from hpo.cluster.slurm.site_profile import SiteProfile
from hpo.config.study import Study
from hpo.config.training_config import TrainingConfig
from hpo.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
OWN = {
    "run": {"file", "dry_run", "help"},
    "grid": {"file", "backend", "profile", "dry_run", "help"},
    "submit": {"source", "backend", "profile", "dry_run", "as_json", "help"},
}
"""Parameters of a command that are not settings of a study or a job."""


def flags(command):
    parameters = typer.main.get_command(app).commands[command].params
    return {parameter.opts[0] for parameter in parameters if parameter.name not in OWN[command]}


def test_study_options_cover_every_field_and_shorthand():
    assert {option.field for option in study_options()} == set(Study.model_fields)
    assert [option.name for option in study_options() if option.key] == ["epochs"]
    assert len({option.variable for option in study_options()}) == len(study_options()) == 27


@pytest.mark.parametrize("command", OWN)
def test_command_has_an_option_for_every_field(command):
    expected = {option.flag for option in study_options()}
    if command != "run":
        expected |= {option.flag for option in job_options()}
    assert flags(command) == expected


def test_job_options_are_the_single_valued_settings_of_the_backends():
    lists = {"modules", "setup", "container"}
    assert {option.field for option in job_options()} == {*SiteProfile.model_fields, "address"} - lists


def test_grid_options_differ_only_in_the_fields_of_its_rows_and_the_name():
    changed = {a.field for a, b in zip(study_options(), grid_options(), strict=True) if a != b}
    assert changed == {"train_on", "tags", "algorithm", "name"}


def test_options_mk_is_up_to_date():
    text = (REPOSITORY / "options.mk").read_text(encoding="utf-8")
    assert text == make_options.render(), "run: make fix"
    for option in study_options():
        assert f"$(call flag,{option.variable},{option.name})" in text
        assert re.search(rf"^##   {option.variable}=", text, flags=re.MULTILINE)


def make(*words):
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(REPOSITORY), *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_make_help_lists_every_variable_and_target():
    code, out, _ = make("help")
    assert code == 0
    for option in study_options():
        assert f"  {option.variable}=" in out
    targets = [
        "hpo",
        "slurm",
        "install",
        "test",
        "test-slow",
        "test-slurm",
        "test-extras",
        "check",
        "fix",
        "docs",
        "bench",
        "clean",
    ]
    assert all(re.search(rf"^  {target} ", out, flags=re.MULTILINE) for target in targets)


def test_make_passes_a_value_through_the_environment():
    code, out, err = make("-n", "hpo", "FIXED=lora_targets=$$(touch x)", "TRIALS=3", "SEED=", "DRY_RUN=1")
    assert code == 0, err
    assert out.strip().splitlines()[-1] == '.venv/bin/hpo run --trials "$TRIALS" --fixed "$FIXED" --dry-run'


def test_make_rejects_an_unknown_variable():
    code, _, err = make("-n", "hpo", "TRAILS=3")
    assert code == 2
    assert "unknown variable: TRAILS (known: DATA " in err


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (reference.options_table, [f"--{option.name}" for option in study_options()]),
        (reference.job_options_table, [f"--{option.name}" for option in job_options()]),
    ],
)
def test_reference_table_has_a_row_for_every_option(table, names):
    rows = table().splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [f"`{name}`" for name in names]


def test_hyperparameter_table_has_a_row_for_every_field():
    rows = reference.hyperparameter_table().splitlines()[2:]
    assert [row.split("|")[1].strip(" `") for row in rows] == list(TrainingConfig.model_fields)


def given(**values):
    return collect([(option, values.get(option.argument)) for option in study_options()])


def test_collect_reads_lists_and_mappings():
    options = given(
        fixed=["epochs=3,learning_rate=1e-4", "lora_targets=query, value"],
        epochs="5",
        subsample=["train=0.5"],
        warm_start=["a,b", "c"],
        trackers=["none"],
        name="",
        trials=None,
    )
    assert options.fields == {
        "fixed": {"epochs": 5, "learning_rate": 1e-4, "lora_targets": "query, value"},
        "subsample": {"train": 0.5},
        "warm_start": ("a", "b", "c"),
        "trackers": (),
    }


def test_collect_names_what_the_user_typed():
    names = given(fixed=["batch_size=0"], epochs="5").names
    assert names[("algorithm",)] == "--alg"
    assert names[("fixed", "batch_size")] == "--fixed batch_size"
    assert names[("fixed", "epochs")] == "--epochs"


def test_collect_mapping_without_a_value_is_rejected():
    with pytest.raises(UserError, match=r"--fixed: must have the form NAME=VALUE \(got 'epochs'\)"):
        given(fixed=["epochs"])
