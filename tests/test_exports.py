"""What packages export is there, and the core works where none of the extras is installed."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import foretell

EXTRAS = ("torch", "transformers", "accelerate", "gguf", "httpx", "tenacity", "onnx")
PACKAGES = [
    "foretell",
    *(f"foretell.{module.name}" for module in pkgutil.iter_modules(foretell.__path__) if module.ispkg),
]

#: Runs before anything else: the named modules cannot be imported, as if they were not installed.
WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def run_without(absent: tuple[str, ...], code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = WITHOUT.format(absent=set(absent)) + code
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


MAIN = "from foretell.cli import main; main()"


@pytest.mark.parametrize("package", PACKAGES)
def test_exported_names_are_there(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in getattr(module, "__all__", []) if not hasattr(module, name)] == []


@pytest.mark.parametrize("module", ["foretell", "foretell.cli"])
def test_the_core_imports_without_the_extras(module: str) -> None:
    done = run_without(EXTRAS, f"import {module}\nassert not set(sys.modules) & {set(EXTRAS)!r}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["demo", "collect"])
def test_verbs_explain_themselves_without_the_extras(verb: str) -> None:
    done = run_without(EXTRAS, MAIN, verb, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


@pytest.mark.parametrize(
    ("spec", "absent", "extra"),
    [
        ("hf:somewhere", ("torch", "transformers"), "models"),
        ("smollm2", ("torch", "transformers"), "models"),
        ("gguf:file.gguf", ("torch", "transformers", "gguf"), "models"),
        ("endpoint:http://127.0.0.1:9#m", ("httpx",), "endpoint"),
        ("endpoint:http://127.0.0.1:9#m", ("tenacity",), "endpoint"),
    ],
)
def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    spec: str, absent: tuple[str, ...], extra: str, tmp_path: Path
) -> None:
    out = tmp_path / "truth"
    done = run_without(absent, MAIN, "collect", "--target", spec, "--suite", "foretell-300", "--out", out)
    assert done.returncode == 4
    assert f"Run: pip install 'foretell[{extra}]'" in done.stderr
    assert done.stderr.count("MissingExtraError") == 1
    assert "Traceback" not in done.stderr
    assert not out.exists()
