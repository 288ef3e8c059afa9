"""Which known model: the shipped checkpoints and organisms of a simulation, ties, none, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import VocabularyError
from foretell.distributions import Distributions, Head, TopKBlock, Vocabulary
from foretell.information.fingerprint.fingerprint import Fingerprint, Listed, answer, fingerprint, log10_chance
from foretell.information.fingerprint.fingerprint_rates import WITH, WITHOUT, Source, rates, record
from foretell.information.fingerprint.fingerprint_reading import (
    check_one_vocabulary,
    common_precision,
    drawn_rows,
    stated_error_nats,
)
from foretell.information.fingerprint.precision import Precision, precision_of, rounded
from foretell.targets.specs import open_target
from foretell.targets.target import Target
from foretell.targets.tiny import steps

CHECKPOINTS = [f"tiny@{step}" for step in steps()]
TEXT = "The lamp in the hall was lit at six, and nobody"


@pytest.fixture(scope="module")
def targets() -> dict[str, Target]:
    return {name: open_target(name) for name in CHECKPOINTS}


@pytest.fixture(scope="module")
def heads(targets: dict[str, Target]) -> dict[str, Head]:
    return {name: head for name, target in targets.items() if (head := target.head) is not None}


@pytest.fixture(scope="module")
def sources(targets: dict[str, Target], heads: dict[str, Head]) -> list[Source]:
    """Every position of one text, of each checkpoint."""
    found = []
    for name, target in targets.items():
        ids = target.encode(TEXT)
        (block,) = target.distributions([ids], [range(len(ids))], "dense")
        logprobs = getattr(block, "logprobs")  # noqa: B009
        found.append(Source(name, heads[name], [Listed(np.arange(2048), logprobs)]))
    return found


def told(row: Listed, heads: dict[str, Head], error: float = 0.0) -> Fingerprint:
    return fingerprint([row], heads, precision_of(row.logprobs, error))


def test_one_distribution_tells_each_checkpoint(sources: list[Source], heads: dict[str, Head]) -> None:
    for source in sources:
        (row,) = source.rows
        found = told(Listed(row.tokens, row.logprobs[-1:]), heads)
        assert (found.status, found.candidates, found.positions) == ("found", (source.name,), 1)
        others = {name: head for name, head in heads.items() if name != source.name}
        without = told(Listed(row.tokens, row.logprobs[-1:]), others)
        assert (without.status, without.candidates) == ("none", ())
        assert without.conclusion() == "From 1 distribution in float32: none of these."


def test_error_rates_of_the_shipped_checkpoints(sources: list[Source], heads: dict[str, Head]) -> None:
    found = {
        (one.precision, one.question): one
        for one in rates(sources, heads, ["float16", "1", "0"])
        if one.source == "all"
    }
    trials = sum(len(source.rows[0].logprobs) for source in sources)
    assert trials > 60
    for precision in ("float16", "1"):
        for question in (WITH, WITHOUT):
            assert found[precision, question].counts == {"right": trials}
            assert found[precision, question].record()["bounds"]["wrong"][1] < 0.06
    # With no decimals neighbours among the checkpoints are not told apart any more; never is the own one left out.
    assert found["0", WITH].counts.get("wrong", 0) == 0
    assert found["0", WITH].counts["several"] > 0
    assert record(list(found.values()))["method"].startswith("exact binomial")


def test_distributions_of_two_models_are_of_none(sources: list[Source], heads: dict[str, Head]) -> None:
    rows = [Listed(source.rows[0].tokens, source.rows[0].logprobs[-1:]) for source in sources[-2:]]
    assert fingerprint(rows, heads, Precision(23)).status == "none"


def test_models_that_share_a_layer_tie(sources: list[Source], heads: dict[str, Head]) -> None:
    own = heads["tiny@3072"]
    twins = heads | {"frozen": replace(own), "scaled": replace(own, scale=0.5)}
    row = sources[-1].rows[0]
    found = told(row, twins)
    assert (found.status, found.candidates, found.one_layer) == ("tie", ("tiny@3072", "frozen", "scaled"), True)
    assert "which share an output layer and so have one image" in found.conclusion()
    coarse = fingerprint([Listed(row.tokens, row.logprobs[:1])], heads, Precision(23, 0, error_nats=0.5))
    assert (coarse.status, coarse.one_layer) == ("tie", False)
    assert "cannot be told apart in this precision" in coarse.conclusion()


@pytest.mark.parametrize(
    ("change", "precision", "status"),
    [
        (1e-2, "float32", "none"),
        (1e-4, "float32", "none"),
        (1e-2, "3", "none"),
        (1e-4, "3", "found"),
        (1e-8, "float32", "found"),
    ],
)
def test_a_layer_that_was_changed_a_little(
    sources: list[Source], heads: dict[str, Head], change: float, precision: str, status: str
) -> None:
    """A fine-tune is told from its base where its layer moved more than rounding does: 'found' is the wrong answer."""
    own = heads["tiny@3072"]
    moved = own.weight * (1 + change * np.random.default_rng(0).normal(size=own.weight.shape)).astype(np.float32)
    row = sources[-1].rows[0]
    found = told(Listed(row.tokens, rounded(row.logprobs, precision)), {"moved": replace(own, weight=moved)})
    assert found.status == status
    assert found.fits[0].visible is not None
    assert (found.fits[0].visible > change / 3) == (status == "found")


@pytest.mark.parametrize(
    ("listed", "status"),
    [(129, "not determined"), (131, "found"), (140, "found"), (200, "found"), (20, "not determined")],
)
def test_listed_tokens_will_do_where_they_are_more_than_the_width(
    sources: list[Source], heads: dict[str, Head], listed: int, status: str
) -> None:
    row = sources[-1].rows[0]
    likeliest = np.sort(np.argsort(-row.logprobs[-1])[:listed])
    few = Listed(likeliest, row.logprobs[-1:, likeliest])
    found = told(few, heads)
    assert found.status == status
    assert found.status == "not determined" or found.candidates == ("tiny@3072",)
    if status == "not determined":
        assert "its image has 129 dimensions: anything fits" in found.fits[0].sentence()


def test_too_coarse_for_too_few_tokens(sources: list[Source], heads: dict[str, Head]) -> None:
    row = sources[-1].rows[0]
    likeliest = np.sort(np.argsort(-row.logprobs[-1])[:135])
    found = told(Listed(likeliest, row.logprobs[-1:, likeliest].round(1)), heads)
    assert found.status == "not determined"
    assert any("so near are unrelated models by chance" in fit.sentence() for fit in found.fits)
    assert found.conclusion().startswith("From 1 distribution in 1 decimal: not determined; what is left: ")


def test_a_flat_distribution_and_no_distribution_tell_nothing(heads: dict[str, Head]) -> None:
    flat = Listed(np.arange(2048), np.full((1, 2048), -np.log(2048)))
    assert told(flat, heads).status == "not determined"
    assert fingerprint([], heads, Precision(23)).status == "not determined"
    assert answer({}, {}, Precision(23)).status == "not determined"


def test_a_model_without_a_layer_stays_open(sources: list[Source], heads: dict[str, Head]) -> None:
    row = sources[-1].rows[0]
    known: dict[str, Head | str] = {"tiny@96": heads["tiny@96"], "served": "it gives no output layer"}
    found = fingerprint([row], known, Precision(23))
    assert (found.status, found.candidates) == ("not determined", ("served",))
    with_own = fingerprint([row], heads | {"served": "it gives no output layer"}, Precision(23))
    assert (with_own.status, with_own.candidates, with_own.one_layer) == ("tie", ("tiny@3072", "served"), False)
    assert with_own.record()["models"][-1]["reason"] == "it gives no output layer"


def test_stated_noise_widens_the_threshold(sources: list[Source], heads: dict[str, Head]) -> None:
    row = sources[-1].rows[0]
    noisy = row.logprobs[-1:] + np.random.default_rng(0).uniform(-0.01, 0.01, 2048).astype(np.float32)
    assert told(Listed(row.tokens, noisy), heads).status == "none"
    assert told(Listed(row.tokens, noisy), heads, error=0.01).candidates == ("tiny@3072",)


def test_the_chance_is_an_upper_bound() -> None:
    rng = np.random.default_rng(0)
    for freedom in (1, 3, 10):
        chi = np.sqrt((rng.normal(size=(20_000, freedom)) ** 2).sum(axis=1) / freedom)
        for threshold in (0.1, 0.3, 0.7):
            assert np.mean(chi <= threshold) <= 10 ** log10_chance(threshold, 1.0, freedom) + 0.005


def test_rows_are_drawn_with_their_precision(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions]
) -> None:
    rows = drawn_rows(tiny_truth, 5)
    assert [row.logprobs.shape for row in rows] == [(5, 2048)]
    assert common_precision(rows) == Precision(23)
    assert sum(len(row.logprobs) for row in drawn_rows(tiny_truth, 10**6)) == len(tiny_truth)
    assert drawn_rows(tiny_truth, 5)[0].logprobs.tobytes() == rows[0].logprobs.tobytes()
    assert stated_error_nats(tiny_truth) == 0
    assert common_precision([]) == Precision(0)


def test_top_k_rows_list_what_they_list(tiny_truth: Distributions, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 20
    ids, logs = np.tile([7, 2, -1], (rows, 1)), np.tile(np.log([0.5, 0.25, 0.1]), (rows, 1))
    block = TopKBlock(ids, logs, np.full(rows, np.log(0.25)))
    monkeypatch.setattr(tiny_truth, "block", lambda index: block)
    (row,) = drawn_rows(tiny_truth, 1)
    assert row.tokens.tolist() == [2, 7]
    np.testing.assert_allclose(np.exp(row.logprobs), [[0.25, 0.5]])


def test_another_vocabulary_is_refused(tiny_truth: Distributions, tmp_path: Path) -> None:
    check_one_vocabulary(tiny_truth, "same", tiny_truth.vocabulary)
    with pytest.raises(VocabularyError, match=r"--known other against .*another vocabulary: got 2050 tokens"):
        check_one_vocabulary(tiny_truth, "other", Vocabulary(tiny_truth.vocabulary.path, 2050))
