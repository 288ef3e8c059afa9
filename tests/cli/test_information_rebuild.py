"""`foretell information rebuild` through the example server on the shipped target: exact, resumed, refused."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import DistributionError, EndpointError, ForetellError, InputError
from foretell.cli.app import app
from foretell.distributions import DenseBlock, Distributions
from foretell.suites import Prompt, Suite, save_suite
from foretell.targets.target import Target

EXAMPLE = Path(__file__).parents[2] / "examples" / "top_k_server.py"


def asked(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["information", "rebuild", *map(str, arguments)])


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("example_top_k_server", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def url(example: Any, tiny: Target) -> Iterator[str]:
    served: ThreadingHTTPServer = example.server(tiny, "tiny", 0)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"endpoint:http://127.0.0.1:{served.server_port}#tiny"
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "two.jsonl"
    prompts = (Prompt("lamp", "The lamp in the hall", "prose"), Prompt("code", "def add(a, b):\n    return", "code"))
    save_suite(Suite("two", prompts), path)
    return path


@pytest.fixture(scope="module")
def rebuilt(url: str, suite: Path, tiny_truth: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rebuilt")
    result = asked(
        url, "--tokenizer", tiny_truth.folder, "--suite", suite, "--out", folder / "out", "--against", "tiny",
        "--json", folder / "told.json",
    )  # fmt: skip
    assert result.exit_code == 0, (result.output, result.exception)
    (folder / "printed.txt").write_text(result.output)
    return folder


def test_it_is_the_truth(rebuilt: Path, tiny: Target) -> None:
    found = Distributions(rebuilt / "out")
    assert (found.kind, len(found)) == ("dense", 2)
    measured = found.manifest["measured"]
    for index, prompt in enumerate(found.prompts):
        (truth,) = tiny.distributions([prompt.token_ids], [prompt.positions], "dense")
        mine = found.block(index)
        assert isinstance(truth, DenseBlock)
        assert isinstance(mine, DenseBlock)
        assert np.abs(mine.logprobs - truth.logprobs).max() <= measured["error_nats"] < 1e-4
    assert found.manifest["noise_floor"]["max_kl_nats"] < 1e-9
    assert 1 / 19 < measured["queries_per_logit"] < 1 / 15
    assert "rebuilt from the top 20 and logit bias up to 100, by reference" in found.manifest["source"]["engine"]


def test_error_and_bits_are_told(rebuilt: Path) -> None:
    told = json.loads((rebuilt / "told.json").read_text())
    assert (told["schema"], told["positions"], told["against"]["truth"]) == ("foretell.rebuild/1", 2, "tiny")
    assert told["against"]["largest_nats"] <= told["measured"]["error_nats"]
    assert told["against"]["worst_bits"] > told["measured"]["bits"] > 13
    words = " ".join((rebuilt / "printed.txt").read_text().split())
    assert "queries per logit: 0.06" in words
    assert "bits of a probability that are right" in words


def test_a_finished_folder_is_compared_without_asking(
    rebuilt: Path, url: str, suite: Path, tiny_truth: Distributions, folder_bytes: Callable[[Path], dict[str, bytes]]
) -> None:
    before = folder_bytes(rebuilt / "out")
    arguments = (url, "--tokenizer", tiny_truth.folder, "--suite", suite, "--out", rebuilt / "out", "--json", "-")
    result = asked(*arguments, "--against", rebuilt / "out")
    assert json.loads(result.stdout)["against"]["largest_nats"] == 0
    assert folder_bytes(rebuilt / "out") == before


def test_a_stopped_run_goes_on(
    example: Any, rebuilt: Path, url: str, suite: Path, tiny_truth: Distributions, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, folder_bytes: Callable[[Path], dict[str, bytes]],
) -> None:  # fmt: skip
    arguments = (url, "--tokenizer", tiny_truth.folder, "--suite", suite, "--out", tmp_path / "out")
    answers, own = [0], example.Model.complete

    def failing(model: Any, body: dict[str, Any]) -> dict[str, Any]:
        answers[0] += 1
        if answers[0] > 150:
            raise ValueError("enough for today")
        return dict(own(model, body))

    monkeypatch.setattr(example.Model, "complete", failing)
    stopped = asked(*arguments)
    assert isinstance(stopped.exception, EndpointError)
    assert "enough for today" in str(stopped.exception)
    monkeypatch.undo()
    assert len(list((tmp_path / "out" / "shards").iterdir())) == 1
    assert asked(*arguments).exit_code == 0
    assert folder_bytes(tmp_path / "out") == folder_bytes(rebuilt / "out")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (("--top", "50"), EndpointError, "logprobs up to 20"),
        (("--max-bias", "4"), EndpointError, "tokens that no bias lifts into the list"),
        (("--method", "sum"), EndpointError, "nothing is left of the precision"),
        (("--against", "TRUTH"), DistributionError, "other prompts"),
    ],
)
def test_what_is_refused(
    url: str, suite: Path, tiny_truth: Distributions, tmp_path: Path, options: tuple[str, ...],
    kind: type[ForetellError], message: str,
) -> None:  # fmt: skip
    given = [str(tiny_truth.folder) if one == "TRUTH" else one for one in options]
    result = asked(url, "--tokenizer", tiny_truth.folder, "--suite", suite, "--out", tmp_path / "out", *given)
    assert isinstance(result.exception, kind), (result.output, result.exception)
    assert message in str(result.exception)


def test_a_server_that_reports_before_the_bias(
    example: Any, url: str, suite: Path, tiny_truth: Distributions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = example.Model.complete
    monkeypatch.setattr(example.Model, "complete", lambda model, body: own(model, body | {"logit_bias": {}}))
    result = asked(url, "--tokenizer", tiny_truth.folder, "--suite", suite, "--out", tmp_path / "out")
    assert isinstance(result.exception, EndpointError)
    assert "the server reports log-probabilities from before the bias" in str(result.exception)


def test_a_target_that_is_no_server(suite: Path, tmp_path: Path) -> None:
    result = asked("tiny", "--suite", suite, "--out", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert "foretell collect --target tiny" in str(result.exception)
