"""The house stands: imports go down only, siblings stay strangers, public names are the ones listed."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import whet

SOURCE = Path(whet.__file__).parent
LAYERS = (
    "errors rng entry recipe record files journal quadrature figures openmp",
    "activations losses optim regularise augment search",
    "norm theory",
    "surgery",
    "init",
    "data tasks families",
    "train model",
    "fields setups",
    "build diagnosis remedies",
    "runners",
    "network delivery run_folder run contest screen prior profiling "
    "report conclude improve choosing result tune hunt in_time afresh pooling refit comparing "
    "predicting generating exporting shelf doctor attempts plans repairing repaired naming asked",
    "cli commands roles __init__ __main__ sklearn callbacks",
)
FRIENDLY = (0, 10, 11)
"""Layers whose parts may import each other: plain data, runners with the search they serve, the conductor's room, the
faces. Everywhere else a package knows itself and what is below it."""
TORCHLESS = ("errors", "rng", "entry", "recipe", "record", "files", "journal", "openmp", "search")


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def layer_of(part: str) -> int:
    return next(i for i, parts in enumerate(LAYERS) if part in parts.split())


def whet_imports(path: Path) -> set[str]:
    """The modules of whet that a file imports anywhere but under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.split(".")[0] == "whet"}
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "whet":
            found |= {f"whet.{a.name}" for a in node.names} if node.module == "whet" else {node.module}
    return found


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_imports_only_from_lower_layers(path: Path) -> None:
    part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    own = layer_of(part)
    for module in whet_imports(path):
        other = part_of(module)
        if other == part:
            continue
        allowed = layer_of(other) < own or (own in FRIENDLY and layer_of(other) == own)
        assert allowed, f"{path.name} (layer {own}) imports {module} (layer {layer_of(other)})"


def test_the_plain_layers_and_the_search_never_import_torch() -> None:
    names = [f"whet.{name}" for name in TORCHLESS] + ["whet.search.first", "whet.search.score", "whet.cli"]
    code = f"import sys, importlib\nfor n in {names}: importlib.import_module(n)\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    for name in whet.__all__:
        assert getattr(whet, name).__doc__, f"whet.{name} says nothing"


PUBLIC = """fit Result compare Comparison predict Predictions generate export profile Profile Setup watch diagnose
Diagnosis repair Repair load Data Recipe Choice Edit Record Step Finding Entry Catalogue
WhetError UserError DataError RecipeError BudgetError OutputError WhetClassifier WhetRegressor"""


def test_the_list_of_public_names_is_this_one() -> None:
    assert sorted(whet.__all__) == sorted(PUBLIC.split())


def test_a_public_function_stays_a_function_once_its_module_is_imported() -> None:
    for name in ("predict", "export", "profile", "fit", "load"):
        importlib.import_module(whet._HOMES[name])
        assert callable(getattr(whet, name)), f"whet.{name} is shadowed by a module"


def test_the_command_line_has_an_option_for_every_role() -> None:
    from whet.data.core import Roles
    from whet.roles import ROLES

    assert [*ROLES] == [*Roles.__dataclass_fields__]


def test_every_test_file_has_a_name_of_its_own() -> None:
    """pytest imports them by name alone."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})


def test_no_record_of_a_benchmark_names_a_folder_of_the_machine_that_made_it() -> None:
    """Of a command that failed the whole line was kept, with the folders of whoever ran it."""
    records = Path(__file__).parents[1] / "benchmarks" / "results"
    own = re.compile(r"(?<![\w.:])/(home|root|tmp|work|Users|var|opt|mnt)/")
    found = [f"{p.name}:{n}" for p in sorted(records.glob("*.jsonl")) for n, s in numbered(p) if own.search(s)]
    assert not found


def numbered(path: Path) -> enumerate[str]:
    return enumerate(path.read_text().splitlines(), 1)
