"""The law of the layers: a folder imports only folders above it, and nothing of ours inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import foretell

#: From the words that everybody shares to the command line; each imports only what stands before it.
LAYERS = (
    "base",
    "distributions",
    "suites",
    "targets",
    "forecasters",
    "scoring",
    "ledger",
    "lineage",
    "verdicts",
    "information",
    "organisms",
    "reports",
    "evaluation",
    "scale",
    "verifier",
    "attempts",
    "watching",
    "studies",
    "cli",
)
HEAVY, HEAVY_FOLDERS = ("torch", "transformers"), ("targets", "organisms")
#: Modules that load others by name: targets, our own architecture, what trains organisms, Trainer's callbacks, and a
#: user's own forecaster.
LAZY_LOADERS = (
    "foretell.targets.specs",
    "foretell.targets.torch_loading",
    "foretell.forecasters.python_function",
    "foretell.organisms.training",
    "foretell.watching.callback",
)
SOURCE = Path(foretell.__file__).parent


@dataclass(frozen=True)
class Import:
    """One module that is imported, with the names taken from it, and whether this happens inside a function."""

    module: str
    names: tuple[str, ...]
    inside: bool


def imports_of(module: str, source: str, package: bool) -> Iterator[Import]:
    """Every import of a module, with relative ones resolved."""
    for node, inside in _walk(ast.parse(source), inside=False):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, (), inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: None if package and node.level == 1 else -max(node.level - package, 0) or None]
            origin = ".".join([*base, node.module or ""]).rstrip(".") if node.level else str(node.module)
            names = tuple(alias.name for alias in node.names)
            layers = {name for name in names if origin == "foretell" and name in LAYERS}
            yield from (Import(f"foretell.{name}", (), inside) for name in sorted(layers))
            yield Import(origin, tuple(name for name in names if name not in layers), inside)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "__import__",
            "import_module",
        ):
            yield Import("importlib", ("import_module()",), inside)


def _walk(node: ast.AST, inside: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, inside
        yield from _walk(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def layer(module: str) -> str:
    """The folder or top-level module of ours; '' for foretell itself and for other packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == "foretell" and len(parts) > 1 else ""


def violations(sources: dict[str, str], packages: frozenset[str] = frozenset()) -> list[str]:
    """What breaks the law, among sources by module name."""
    found, graph = [], {}
    for module, source in sources.items():
        taken = list(imports_of(module, source, module in packages))
        graph[module] = _edges(taken, sources)
        for one in taken:
            found += [f"{module}: {problem}" for problem in _problems(module, one)]
    return found + [" → ".join(cycle) for cycle in _cycles(graph)]


def _problems(module: str, one: Import) -> Iterator[str]:
    mine, yours = layer(module), layer(one.module)
    if yours and yours not in LAYERS:
        yield f"{yours} is no layer"
    elif yours and mine and LAYERS.index(yours) > LAYERS.index(mine):
        yield f"imports {one.module}, which is below"
    if one.inside and (yours or one.module == "foretell"):
        yield f"imports {one.module} inside a function"
    private = [
        part for part in (*one.module.split("."), *one.names) if part.startswith("_") and not part.startswith("__")
    ]
    if yours and yours != mine and private:
        yield f"reaches into {one.module} for {private[0]}"
    if one.module.split(".")[0] in HEAVY and mine not in HEAVY_FOLDERS:
        yield f"imports {one.module}"
    if one.names == ("import_module()",) and module not in LAZY_LOADERS:
        yield "loads modules by name"


def _edges(taken: list[Import], sources: dict[str, str]) -> set[str]:
    """Modules of ours that an import runs: the submodule where one is named, else the package."""
    edges = set()
    for one in taken:
        submodules = {f"{one.module}.{name}" for name in one.names} & set(sources)
        edges |= submodules or ({one.module} & set(sources))
    return edges


def _cycles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> Iterator[list[str]]:
        if module in path:
            yield [*path[path.index(module) :], module]
        elif module not in done:
            for other in sorted(graph[module]):
                yield from visit(other, [*path, module])
            done.add(module)

    for module in sorted(graph):
        yield from visit(module, [])


def read_sources() -> tuple[dict[str, str], frozenset[str]]:
    sources, packages = {}, set()
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ("foretell", *path.relative_to(SOURCE).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] == "__init__":
            packages.add(name)
        sources[name] = path.read_text(encoding="utf-8")
    return sources, frozenset(packages)


def test_the_law_holds() -> None:
    sources, packages = read_sources()
    assert len(sources) > 50
    assert violations(sources, packages) == []


def test_every_folder_has_its_place() -> None:
    inside = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert inside - {"__init__", "__main__"} <= set(LAYERS)


def test_every_file_says_what_it_is_for() -> None:
    for path in sorted([*SOURCE.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ({"foretell.base.a": "import foretell.cli.app"}, "imports foretell.cli.app, which is below"),
        ({"foretell.base.a": "from foretell.suites import Suite"}, "imports foretell.suites, which is below"),
        ({"foretell.base.a": "from ..suites import Suite"}, "imports foretell.suites, which is below"),
        ({"foretell.scoring.a": "from foretell import verdicts"}, "which is below"),
        ({"foretell.scoring.a": "if x:\n    from foretell.verdicts import y"}, "which is below"),
        ({"foretell.helpers.a": "", "foretell.cli.a": "import foretell.helpers.a"}, "helpers is no layer"),
        ({"foretell.cli.a": "def f():\n    from foretell.base import b"}, "inside a function"),
        ({"foretell.cli.a": "class C:\n  def f(self):\n    if x:\n      import foretell"}, "inside a function"),
        ({"foretell.cli.a": "from foretell.base._b import c"}, "reaches into foretell.base._b for _b"),
        ({"foretell.cli.a": "from foretell.base import _b"}, "reaches into foretell.base for _b"),
        ({"foretell.scoring.a": "def f():\n    import torch"}, "imports torch"),
        ({"foretell.forecasters.a": "from transformers.x import y"}, "imports transformers.x"),
        ({"foretell.scoring.a": "import importlib\nimportlib.import_module('torch')"}, "loads modules by name"),
        (
            {"foretell.base.a": "from foretell.base.b import x", "foretell.base.b": "from foretell.base import a"},
            "foretell.base.a → foretell.base.b → foretell.base.a",
        ),
        (
            {"foretell.base": "from .a import x", "foretell.base.a": "from foretell.base import x"},
            "foretell.base → foretell.base.a → foretell.base",
        ),
    ],
)
def test_the_test_sees_what_breaks_it(sources: dict[str, str], problem: str) -> None:
    packages = frozenset(name for name in sources if name.count(".") == 1)
    found = violations(sources, packages)
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    "source",
    [
        "from foretell.base.errors import InputError",
        "from foretell import __version__",
        "from foretell.scoring._own import x",
        "from . import positions",
        "def f():\n    import scipy",
        "import importlib.resources",
    ],
)
def test_the_test_lets_pass_what_is_right(source: str) -> None:
    assert violations({"foretell.scoring.a": source}) == []
