"""Renders the reference tables of the docs from the fields of the settings models, as markdown."""

from __future__ import annotations

from hpo.cli.options import Option, job_options, study_options
from hpo.reporting.catalog import render_hyperparameter_table
from hpo.reporting.tables import render_table


def options_table() -> str:
    """Return a table of every setting of a study: option, make variable, key of a study file, meaning."""
    return render_table(
        ("Option", "make", "Study file", "Default", "Meaning"),
        [
            (f"`{option.flag}`", f"`{option.variable}`", f"`{_key(option)}`", option.default, option.help)
            for option in study_options()
        ],
    )


def job_options_table() -> str:
    """Return a table of the options of a submitted job, by backend."""
    return render_table(
        ("Option", "Backend", "Default", "Meaning"),
        [
            (f"`{option.flag}`", option.panel.split()[-1], option.default, option.help)
            for option in job_options()
        ],
    )


def hyperparameter_table() -> str:
    """Return a table of every hyperparameter of the training configuration."""
    return render_hyperparameter_table()


def _key(option: Option) -> str:
    return f"{option.field}.{option.key}" if option.key else option.field
