"""The house: which room may know which, what a start of the program loads, and how long a file may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = sorted((REPOSITORY / "hpo").rglob("*.py"))
MOST_LINES = 400

LAYERS = (
    ("hpo.errors", "hpo.environment"),
    ("hpo.storage",),
    ("hpo.corpora",),
    ("hpo.config",),
    ("hpo.encoding",),
    ("hpo.models",),
    ("hpo.training",),
    ("hpo.evaluation",),
    ("hpo.inference",),
    ("hpo.search",),
    ("hpo.simulation",),
    ("hpo.reporting", "hpo.tracking", "hpo.cluster"),
    ("hpo.workflows",),
    ("hpo.api",),
    ("hpo.cli",),
    ("hpo.__main__",),
)
"""From plain data up to the command line: a module imports from lower layers and from its own package."""

OWNERS = {
    "ray": ("hpo.search.ray", "hpo.cluster"),
    "optuna": ("hpo.search.samplers", "hpo.reporting.importance"),
    "hyperopt": ("hpo.search.samplers",),
    "transformers": ("hpo.encoding", "hpo.models", "hpo.training"),
    "tokenizers": ("hpo.encoding",),
    "accelerate": ("hpo.training",),
    "peft": ("hpo.models.lora",),
    # environment names the GPUs; worker frees their memory between trials.
    "torch": ("hpo.encoding", "hpo.models", "hpo.training", "hpo.environment", "hpo.search.worker"),
    "safetensors": ("hpo.models", "hpo.training"),
    "datasets": ("hpo.corpora",),
    "seqeval": ("hpo.evaluation.seqeval_check",),
    "matplotlib": ("hpo.reporting.plots",),
    "PIL": ("hpo.reporting.plots",),
    "tensorboardX": ("hpo.tracking.tensorboard_events",),
    "mlflow": ("hpo.tracking.mlflow_runs",),
    "wandb": ("hpo.tracking.wandb_runs",),
    "typer": ("hpo.cli",),
    "rich": ("hpo.cli", "hpo.reporting", "hpo.workflows"),
}
"""Which modules may import a library, anywhere in their code."""

HEAVY = (
    "torch", "ray", "transformers", "datasets", "optuna", "hyperopt", "pyarrow", "matplotlib", "tensorboardX",
    "mlflow", "wandb",
)  # fmt: skip


def name_of(path):
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(module, room):
    return module == room or module.startswith(f"{room}.")


def imports_of(path):
    """Every module that a file imports, in functions too; `from a import b` is a.b if that is a module."""
    modules = {name_of(source) for source in SOURCES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def layer_of(module):
    found = [
        (len(room), level) for level, rooms in enumerate(LAYERS) for room in rooms if within(module, room)
    ]
    assert found, f"{module} stands in no layer; give it a place in LAYERS"
    return max(found)[1]


def room_of(module):
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_point_one_way(path):
    module = name_of(path)
    if module == "hpo":
        return
    for imported in imports_of(path):
        if within(imported, "hpo") and room_of(imported) != room_of(module):
            assert layer_of(imported) < layer_of(module), f"{module} imports {imported}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {name_of(path): {m for m in imports_of(path) if within(m, "hpo")} for path in SOURCES}
    done = set()

    def follow(module, way):
        assert module not in way, " -> ".join([*way, module])
        if module not in done:
            for imported in graph[module] - {module}:
                follow(imported, [*way, module])
            done.add(module)

    for module in graph:
        follow(module, [])


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_known_only_to_its_room(library):
    for path in SOURCES:
        if any(within(imported, library) for imported in imports_of(path)):
            assert any(within(name_of(path), room) for room in OWNERS[library]), name_of(path)


@pytest.mark.parametrize(
    "module",
    [
        "hpo.environment",
        "hpo.search.worker",
        "hpo.search.ray.driver",
        "hpo.search.controller",
        "hpo.cluster.ray_jobs",
    ],
)
def test_torch_and_ray_are_imported_only_when_work_starts(module):
    path = REPOSITORY / f"{module.replace('.', '/')}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[0] in HEAVY]


def loaded_by(code):
    """The libraries that a piece of code has loaded at its end, and what it printed."""
    probe = (
        "import sys\n"
        f"try:\n    {code}\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.split(), done.stdout


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["families"], ["spaces"], ["ls", "--json"], ["status"]]
)
def test_a_command_that_only_tells_loads_no_heavy_library(words):
    heavy, printed = loaded_by(f"sys.argv = ['hpo', *{words}]; from hpo.cli.app import main; main()")
    assert heavy == []
    assert printed


def test_an_import_does_no_work():
    """Nothing is printed, loaded beyond need, or set for other libraries."""
    heavy, printed = loaded_by(
        "import os; before = dict(os.environ); import hpo, hpo.api, hpo.cli.app, hpo.workflows.run, "
        "hpo.workflows.grid, hpo.workflows.validate, hpo.search.ray.driver; assert dict(os.environ) == before"
    )
    assert (heavy, printed) == ([], "")


def test_no_file_is_too_long():
    files = [*SOURCES, *(REPOSITORY / "tests").rglob("*.py")]
    assert len(files) > len(SOURCES) > 40
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: length for name, length in lengths.items() if length > MOST_LINES}
