"""The manual: its commands and its Python run, the modules that it names exist, the README stays short."""

import os
import pydoc
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from hpo.corpora.demo import generate
from hpo.storage.atomic import write_lines

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
# getting-started comes first: other pages show the study that it makes.
PAGES = [
    REPOSITORY / "docs" / "getting-started.md",
    *sorted(set((REPOSITORY / "docs").glob("*.md")) - {REPOSITORY / "docs" / "getting-started.md"}),
    README,
]
CLUSTER = "<!-- requires a cluster -->"
BLOCK = re.compile(
    rf"^(?P<cluster>{CLUSTER}\n)?```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
CI = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
BENCHMARK_TESTS = {
    "bench": "speed/test_commands.py",
    "bench-search": "search/test_comparison.py",
    "bench-gpu": "speed/test_gpu_figures.py",
}
"""Targets that take hours, and the tests that run them at small sizes."""
MAX_TRIALS = 4
"""Commands with more trials run with two trials of one epoch."""
TYPES = {"person": "PER", "place": "LOC", "inst": "ORG"}


class Block(NamedTuple):
    """A fenced block of a page."""

    needs_cluster: bool
    language: str
    title: str | None
    body: str


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(bool(found["cluster"]), found["language"], found["title"], found["body"])
        for found in BLOCK.finditer(text)
    ]


def commands_of(page):
    """The words of each command of a page that needs no cluster."""
    for block in blocks_of(page):
        if block.language == "sh" and not block.needs_cluster:
            for line in block.body.splitlines():
                if words := shlex.split(line, comments=True):
                    yield words


def shortened(words):
    """A command with a tiny model in place of one from the hub, and with few trials."""
    words = ["tiny-bert" if word == "bert-base-cased" else word for word in words]
    if "--trials" in words and int(words[words.index("--trials") + 1]) > MAX_TRIALS:
        words[words.index("--trials") + 1] = "2"
        words += ["--epochs", "1"]
    return words


def run_hpo(words, folder):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "hpo", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip


def as_conll(label):
    prefix, _, name = label.partition("-")
    return f"{prefix}-{TYPES[name]}" if name in TYPES else "O"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with the files that the manual names, and the study of its first page."""
    folder = tmp_path_factory.mktemp("manual")
    (folder / "my-corpus").mkdir()
    for split, count in {"train": 120, "dev": 60, "test": 60}.items():
        lines = [
            {"id": each.id, "tokens": each.tokens, "ner_tags": [as_conll(label) for label in each.labels]}
            for each in generate(1).splits[split][:count]
        ]
        write_lines(folder / "my-corpus" / f"{split}.jsonl", lines)
    for page in PAGES:
        for block in blocks_of(page):
            if block.title:
                (folder / block.title).write_text(block.body, encoding="utf-8")
    (folder / "news.txt").write_text("Ada Lindqvist lives in Uppsala.\n", encoding="utf-8")
    done = run_hpo(["run", "--trials", "4", "--epochs", "2", "--study", "first"], folder)
    assert done.returncode == 0, done.stderr
    from transformers import AutoModel, AutoTokenizer

    best = folder / "results" / "first" / "best" / "1"
    AutoModel.from_pretrained(best).save_pretrained(folder / "tiny-bert")
    AutoTokenizer.from_pretrained(best).save_pretrained(folder / "tiny-bert")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_docs_hpo_commands_of_a_page_succeed(page, folder):
    for words in commands_of(page):
        if words[0] == "hpo":
            done = run_hpo(shortened(words[1:]), folder)
            assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_docs_make_commands_are_accepted_and_run_by_ci(page):
    for words in commands_of(page):
        if words[0] == "make":
            target = words[1]
            if target in BENCHMARK_TESTS:
                assert (REPOSITORY / "tests" / "benchmarks" / BENCHMARK_TESTS[target]).exists()
            else:
                assert re.search(rf"^make {target}\b", CI, re.MULTILINE), f".ci/run lacks: make {target}"
            done = subprocess.run(
                ["make", "--dry-run", *words[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr


def test_docs_commands_are_of_hpo_and_make_only():
    found = {words[0] for page in PAGES for words in commands_of(page)}
    assert found == {"hpo", "make"}


@pytest.mark.slow
def test_docs_python_page_example_runs(tmp_path):
    """The example of the README is run by tests/test_api.py."""
    page = REPOSITORY / "docs" / "python.md"
    code = "".join(block.body for block in blocks_of(page) if block.language == "python")
    assert code
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_docs_modules_and_names_in_a_page_exist(page):
    for name in set(re.findall(r"`(hpo(?:\.\w+)+)", page.read_text(encoding="utf-8"))):
        found = pydoc.locate(name)
        assert found is not None, name


def test_readme_has_fewer_than_120_lines():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 120


def test_readme_matrix_is_that_of_the_results_page():
    table = re.search(
        r"<!-- matrix -->\n(.*?)<!-- /matrix -->", README.read_text(encoding="utf-8"), re.DOTALL
    )
    assert table.group(1).strip() in (REPOSITORY / "results" / "README.md").read_text(encoding="utf-8")
