"""The structure of the code: layers, owners of libraries, cheap imports, short files and signatures."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = sorted((REPOSITORY / "hpo").rglob("*.py"))
MAX_LINES = 400
MAX_PARAMETERS = 6


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


def within(module, package):
    return module == package or module.startswith(f"{package}.")


def imports_of(path):
    """Every module that a file imports, also in functions; `from a import b` is a.b if that is a module."""
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
        (len(package), level)
        for level, packages in enumerate(LAYERS)
        for package in packages
        if within(module, package)
    ]
    assert found, f"{module} is in no layer; add it to LAYERS"
    return max(found)[1]


def package_of(module):
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_of_every_module_point_to_lower_layers(path):
    module = name_of(path)
    if module == "hpo":
        return
    for imported in imports_of(path):
        if within(imported, "hpo") and package_of(imported) != package_of(module):
            assert layer_of(imported) < layer_of(module), f"{module} imports {imported}"


def test_imports_have_no_cycles():
    graph = {name_of(path): {m for m in imports_of(path) if within(m, "hpo")} for path in SOURCES}
    done = set()

    def follow(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for imported in graph[module] - {module}:
                follow(imported, [*path, module])
            done.add(module)

    for module in graph:
        follow(module, [])


@pytest.mark.parametrize("library", OWNERS)
def test_libraries_are_imported_only_by_their_owners(library):
    for path in SOURCES:
        if any(within(imported, library) for imported in imports_of(path)):
            assert any(within(name_of(path), package) for package in OWNERS[library]), name_of(path)


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
def test_imports_of_heavy_libraries_are_inside_functions(module):
    path = REPOSITORY / f"{module.replace('.', '/')}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[0] in HEAVY]


def loaded_by(code):
    """The heavy libraries that a piece of code has loaded, and what it printed."""
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
def test_commands_without_work_load_no_heavy_library(words):
    heavy, printed = loaded_by(f"sys.argv = ['hpo', *{words}]; from hpo.cli.app import main; main()")
    assert heavy == []
    assert printed


def test_import_hpo_has_no_side_effects():
    """Importing prints nothing, loads no heavy library and sets no environment variable."""
    heavy, printed = loaded_by(
        "import os; before = dict(os.environ); import hpo, hpo.api, hpo.cli.app, hpo.workflows.run, "
        "hpo.workflows.grid, hpo.workflows.validate, hpo.search.ray.driver; assert dict(os.environ) == before"
    )
    assert (heavy, printed) == ([], "")


def test_files_have_at_most_400_lines():
    files = [*SOURCES, *(REPOSITORY / "tests").rglob("*.py")]
    assert len(files) > len(SOURCES) > 40
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: length for name, length in lengths.items() if length > MAX_LINES}


def injected(argument):
    """Whether a decorator of the command line passes the argument, so that no caller does."""
    return isinstance(argument.annotation, ast.Name) and argument.annotation.id == "GivenOptions"


def test_public_functions_have_at_most_six_parameters():
    """Parameters that belong together are grouped in a dataclass; ``self`` and ``cls`` do not count."""
    too_many = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (
                not node.name.startswith("_") or node.name == "__init__"
            ):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = sum(each.arg not in ("self", "cls") and not injected(each) for each in arguments)
                if count > MAX_PARAMETERS:
                    too_many.append(f"{name_of(path)}.{node.name}: {count}")
    assert not too_many


def test_tests_import_no_private_names():
    private = []
    for path in (REPOSITORY / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and within(node.module or "", "hpo"):
                private += [f"{path.name}: {each.name}" for each in node.names if each.name.startswith("_")]
    assert not private


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_say_their_purpose_in_one_line(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text, f"{path} has no docstring"
    assert text.splitlines()[0].endswith("."), f"{path}: the first line is not a sentence"
