"""Claims say what the numbers say, no more, and what is not known is said to be unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from foretell.forecasters.sandbox import UNSAFE
from foretell.verdicts.charter import Charter
from foretell.verdicts.charter_text import charter_toml
from foretell.verdicts.claim import Claims, down, near, percent_down, percent_up, up
from foretell.verdicts.claims import claims, one_line
from foretell.verdicts.claims_context import Context

from .made_scores import GOOD, GRID, SKILL, UNKNOWN_SKILL, made_score

ALWAYS_WITHHELD = {"elsewhere", "rare", "unreachable", "not-run", "draw", "together", "helpers", "copies", "enough"}


def of(score: dict[str, Any], context: Context | None = None, place: int = 0) -> Claims:
    return claims(score, score["forecasts"][place], context)


def ids(found: Claims) -> tuple[set[str], set[str]]:
    sides = [[claim.id for claim in side] for side in (found.claimed, found.not_claimed)]
    assert all(len(set(side)) == len(side) for side in sides)
    return set(sides[0]), set(sides[1])


def test_the_numbers_are_those_of_the_score() -> None:
    score = GOOD
    record = score["forecasts"][0]
    found = of(score)
    assert found["mean"].numbers["hi"] == record["loss"]["hi"]
    assert up(record["loss"]["hi"]) in found["mean"].sentence
    within = record["within_tolerance"]
    assert found["beyond"].numbers["share"] == pytest.approx(1 - within["lo"])
    assert f"At most {percent_up(1 - within['lo'])} of that population's documents" in found["beyond"].sentence
    assert f"({within['of'] - within['count']} of {within['of']} in the sample" in found["beyond"].sentence
    worst = next(one for one in record["slices"] if one["slice"] == record["worst_slice"]["slice"])
    assert found["worst-slice"].numbers["hi"] == worst["loss"]["hi"]
    assert "picked as the worst of 2" in found["worst-slice"].sentence
    assert "at least 90% confidence" in found["worst-slice"].sentence


@pytest.mark.parametrize("score", GRID.values(), ids=GRID)
def test_every_score_has_both_lists_and_they_are_deterministic(score: dict[str, Any]) -> None:
    for place, record in enumerate(score["forecasts"]):
        claimed, withheld = ids(of(score, place=place))
        assert {"sampled", "mean", "capped", "helpers"} <= claimed
        assert withheld >= ALWAYS_WITHHELD
        assert ("verdict" in claimed) == (record["verdict"]["decision"] != "unjudged")
        stored = record["claims"]
        assert stored == {"context": Context().record()} | of(score, place=place).record()
        assert (
            Claims.of_record(json.loads(json.dumps(stored, allow_nan=False))).record()
            == of(score, place=place).record()
        )


@pytest.mark.parametrize("documents", [1, 29, 304, 10_000])
def test_the_arithmetic_of_rare_triggers(documents: int) -> None:
    score = GOOD | {"truth": GOOD["truth"] | {"documents": documents, "prompts": documents + 1}}
    found = of(score)
    share = found["rare"].numbers["share"]
    assert (1 - share) ** documents == pytest.approx(0.05)
    if documents > 100:
        assert share == pytest.approx(3 / documents, rel=0.02)
    # What the sentence says is missed at least so often as it says.
    said = float(found["rare"].sentence.split("1 of ")[1].split()[0].replace(",", ""))
    assert (1 - 1 / said) ** documents >= 0.05
    least = found["resolution"].numbers["least"]
    assert least == pytest.approx(1 - 0.025 ** (1 / documents))
    assert f"{documents + 1:,} prompts are no more than these" in found["resolution"].sentence


def test_what_a_text_reader_has_is_told_or_said_to_be_unknown() -> None:
    with_reference, alone = of(GOOD), of(GRID["one forecast"])
    assert "was off by" in with_reference["text"].sentence
    assert with_reference["text"].numbers["reference"] == "ngram:2:t"
    assert with_reference["text"].numbers["difference_hi"] < 0
    assert "unknown" in alone["text"].sentence
    assert "text" in ids(alone)[1]
    assert "unknown" in with_reference["skill"].sentence
    assert "text-only reference" in of(GOOD, place=1)["text"].sentence
    assert "skill" not in ids(of(GOOD, place=1))[1]


def test_skill_is_claimed_where_it_is_known() -> None:
    found = of(GOOD, Context(skill=SKILL))
    assert "a share of 0.6 (skill; 0.49 to 0.7, 95%)" in found["skill"].sentence
    assert "skill" in ids(found)[0] - ids(found)[1]
    assert "the reference may lose nothing" in of(GOOD, Context(skill=UNKNOWN_SKILL))["skill"].sentence


def test_helpers_are_those_of_the_record_and_the_declared() -> None:
    found = of(GRID["helped"], Context(track="open", helpers=("a friend's model",)))
    assert found["helpers"].numbers["helpers"] == ["a friend's model", "m w"]
    assert "names no AI system" in of(GOOD)["helpers"].sentence


@pytest.mark.parametrize(
    ("context", "claimed", "withheld"),
    [
        (Context(), None, "a score alone does not tell"),
        (Context("open", "p", 300), "committed before the answer was revealed", "in secret cannot be excluded"),
        (Context("prospective", "p", 300), "before the model's digest was in the ledger", "the lab's word"),
        (Context("blind", "p", 300, program_bits=8000), "a program of 8,000 bits", "on other prompts and beforehand"),
    ],
)
def test_tracks(context: Context, claimed: str | None, withheld: str) -> None:
    found = of(GOOD, context)
    assert withheld in found["not-run"].sentence
    claimed_ids, withheld_ids = ids(found)
    assert ("order" in claimed_ids) == (claimed is not None)
    assert ("order" in withheld_ids) == (claimed is None)
    if claimed is not None:
        assert claimed in found["order"].sentence
        assert "drawn by rule" in found["sampled"].sentence
    assert "sandbox" not in withheld_ids


def test_a_program_without_a_sandbox() -> None:
    for context, score in ((Context("blind", "p", 9, unsandboxed=True), GOOD), (Context(), GRID["unsandboxed"])):
        found = of(score, context)
        assert "without a sandbox" in found["sandbox"].sentence
    assert "without a sandbox" in of(GOOD, Context("blind", "p", 9, unsandboxed=True))["order"].sentence


def test_an_inadmissible_attempt_claims_nothing_from_its_score() -> None:
    found = of(GOOD, Context("open", "p", 9, inadmissible=("undeclared helper: m w",)))
    assert ids(found)[0] == {"sampled", "inadmissible"}
    assert "undeclared helper: m w" in one_line(found)


def test_top_k_truths_and_unknown_weights() -> None:
    found = of(GRID["top-k"])
    assert "likeliest tokens only" in found["top-k"].sentence
    assert "at most" in found["beyond"].sentence
    assert "top-k" not in ids(of(GOOD))[1]
    server = GOOD | {"truth": GOOD["truth"] | {"weights": "unknown: gpt"}}
    assert "its word is all there is" in of(server)["copies"].sentence


def test_capped_prompts_are_counted() -> None:
    assert "2 prompts lost more" in of(GRID["capped"])["capped"].sentence
    assert "none was above" in of(GOOD)["capped"].sentence


def test_a_context_under_a_charter(content: Callable[..., dict[str, Any]]) -> None:
    charter = Charter.parse(charter_toml(content()).encode())
    context = Context.under(charter, helpers=("x",), program_bytes=100, sandbox=UNSAFE)
    assert (context.track, context.pool, context.pool_prompts) == ("open", "boats", 30)
    assert (context.program_bits, context.unsandboxed, context.helpers) == (800, True, ("x",))
    assert Context.of_record(json.loads(json.dumps(context.record()))) == context


def test_the_line_for_a_terminal() -> None:
    line = one_line(of(GOOD))
    assert "\n" not in line
    assert line.startswith("Claimed of what the prompts are drawn from: The mean KL divergence over that population is")
    assert "Not claimed: all else" in line


def test_bounds_are_rounded_outwards() -> None:
    rng = np.random.default_rng(0)
    for value in (*(10 ** rng.uniform(-7, 5, 300)), 0.0, 1.0, 0.1, 1234567.0):
        assert float(down(value).replace(",", "")) <= value * (1 + 1e-8)
        assert float(up(value).replace(",", "")) >= value * (1 - 1e-8)
        assert float(near(value).replace(",", "")) == pytest.approx(value, rel=0.0051)
    for share in rng.uniform(0, 1, 100):
        assert float(percent_down(share)[:-1]) / 100 <= share <= float(percent_up(share)[:-1]) / 100


def test_another_metric_has_its_own_unit() -> None:
    assert "of total variation" in of(made_score(metric="tv", tolerance=0.5))["mean"].sentence
