"""What all tests share: a Hypothesis profile, and the shipped target with a small truth and forecasts of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from foretell.distributions import Distributions
from foretell.evaluation import collect, make_forecast
from foretell.forecasters.specs import open_forecaster
from foretell.suites import Prompt, Scored, Suite, save_suite
from foretell.targets.specs import open_target
from foretell.targets.target import Target

# The first example of a test compiles kernels, and other work may share the machine: neither is a failure.
settings.register_profile("foretell", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
settings.load_profile("foretell")

#: From arguments of `foretell`, and variables to set, to the finished process.
Foretell = Callable[..., "subprocess.CompletedProcess[str]"]

SCORED: tuple[Scored, ...] = ("last", "all", (-2, -1), (0,))
TEXTS = {
    "code": ["def add(a, b):\n    return", "import os\nimport sys\n\n\nclass", "for i in range(", "try:\n    x = 1\n"],
    "prose": ["The lamp in the hall", "Nobody said why; nobody asked, and the", "She counted 12 boats", "A list of"],
}


@pytest.fixture(scope="session")
def small_suite() -> Suite:
    """Eight short prompts: two slices, a document of two, unequal weights, and all three ways of scoring."""
    prompts = [
        Prompt(f"{name}-{i}", text, name, weight=1.0 + i / 2, document=f"{name}-{i // 2}", scored=scored)
        for name, texts in TEXTS.items()
        for i, (text, scored) in enumerate(zip(texts, SCORED, strict=True))
    ]
    return Suite("small", tuple(prompts))


@pytest.fixture(scope="session")
def small_suite_file(small_suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small suite as JSONL."""
    path = tmp_path_factory.mktemp("suite") / "small.jsonl"
    save_suite(small_suite, path)
    return path


@pytest.fixture(scope="session")
def tiny() -> Target:
    """The shipped target."""
    return open_target("tiny")


@pytest.fixture(scope="session")
def tiny_truth(tiny: Target, small_suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """What the shipped target says to the small suite."""
    return collect(tiny, small_suite, tmp_path_factory.mktemp("truth") / "truth")


@pytest.fixture(scope="session")
def tiny_forecasts(tiny_truth: Distributions, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Distributions]:
    """Forecasts of that truth by two references and by the target itself, by spec."""
    folder = tmp_path_factory.mktemp("forecasts")
    made = {}
    for number, spec in enumerate(("uniform", "unigram:tiny", "model:tiny")):
        forecaster = open_forecaster(spec, tiny_truth.vocabulary, open_target=open_target)
        made[spec] = make_forecast(
            forecaster,
            tiny_truth.prompts,
            tiny_truth.vocabulary,
            folder / str(number),
            suite=tiny_truth.manifest["suite"],
        )
    return made


@pytest.fixture(scope="session")
def foretell() -> Foretell:
    """Run the command line in a process of its own."""

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from foretell.cli import main; main()", *map(str, arguments)]
        environment = os.environ | {"COLUMNS": "120"} | variables
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)

    return run


@pytest.fixture(scope="session")
def folder_bytes() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a folder, hidden ones included, by name."""

    def read(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB of its own, where the machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "foretell-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
