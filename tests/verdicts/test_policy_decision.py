"""Parts against what there is: what counts is met or not met, and what does not count is missing, with why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.lineage import Standing
from foretell.verdicts.evidence_files import Result
from foretell.verdicts.policy_decision import Shown, decide

from .policies import ASKED, AUDIT, DIGEST, EXAM, FORECAST, HEAD, JUDGE, NOW, STRICT, policy, result, standing

JUDGES = {JUDGE}


def exam(lines: str, found: Result | None) -> Shown:
    """The one part of a policy about an exam."""
    return decide(policy('{all=["exam"]}', EXAM + lines), {"exam": found}, None, JUDGES, NOW).parts[0]


def forecast(lines: str, *found: Standing) -> Shown:
    """The one part of a policy about a forecast."""
    return decide(policy('{all=["forecast"]}', FORECAST + lines), {}, found, JUDGES, NOW).parts[0]


@pytest.mark.parametrize(
    ("lines", "value", "state"),
    [
        ("at_least = 0.5", 0.5, "met"),
        ("at_least = 0.5", 0.4999, "not met"),
        ("at_most = 0.5", 0.5, "met"),
        ("at_most = 0.5", 0.5001, "not met"),
        ("at_least = 0.4\nat_most = 0.5", 0.45, "met"),
        ("at_least = 0.4\nat_most = 0.5", 0.6, "not met"),
        ("equals = 1", 1.0, "met"),
        ("equals = 1", True, "not met"),
        ("equals = true", True, "met"),
        ("equals = true", 1.0, "not met"),
        ('equals = "1"', 1.0, "not met"),
        ('equals = "pass"', "pass", "met"),
        ('equals = "pass"', "PASS", "not met"),
    ],
)
def test_bounds(lines: str, value: float | str | bool, state: str) -> None:
    shown = exam(lines, result(value))
    assert shown.state == state
    assert shown.result == result(value)
    assert "is asked" in shown.said


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_bounds_are_plain_comparisons(value: float, bound: float) -> None:
    assert (exam(f"at_least = {bound!r}", result(value)).state == "met") == (value >= bound)
    assert (exam(f"at_most = {bound!r}", result(value)).state == "met") == (value <= bound)


def test_a_bound_on_a_word() -> None:
    with pytest.raises(InputError, match=r"exam\.json: sums acc,none: not a number: got 'high'"):
        exam("at_least = 0.5", result("high"))


@pytest.mark.parametrize(
    ("lines", "changes", "why"),
    [
        ('model = "other"', {}, "it is of tiny, not of other"),
        ('model = "other"', {"model": None}, "it is of a model that is not named, not of other"),
        ("", {"partly": "on 2 of 5 samples"}, "it was run on 2 of 5 samples"),
        ("not_before = 2026-05-02T00:00:00Z", {}, "it is of 2026-05-01, before 2026-05-02"),
        ("not_after = 2026-04-30T00:00:00Z", {}, "it is of 2026-05-01, after 2026-04-30"),
        ("not_after = 2026-04-30T00:00:00Z", {"made": None}, "its date is unknown"),
        ("", {"made": NOW + timedelta(days=1)}, "it is dated 2026-06-02 12:00, which is after 2026-06-01 12:00"),
    ],
)
def test_evidence_that_does_not_count(lines: str, changes: dict[str, Any], why: str) -> None:
    """Neither a yes nor a no, whatever it says."""
    for value in (0.1, 0.9):
        shown = exam(f"at_least = 0.5\n{lines}", result(value, **changes))
        assert shown.state == "missing"
        assert why in shown.said
        assert shown.result is not None


@pytest.mark.parametrize(
    ("lines", "changes"),
    [
        ('model = "tiny"', {}),
        ("", {"model": None}),
        ("partial = true", {"partly": "on 2 of 5 samples"}),
        ("not_before = 2026-05-01T00:00:00Z\nnot_after = 2026-05-02T00:00:00Z", {}),
        ("", {"made": None}),
        ("", {"made": NOW}),
    ],
)
def test_evidence_that_counts(lines: str, changes: dict[str, Any]) -> None:
    assert exam(f"at_least = 0.5\n{lines}", result(0.9, **changes)).state == "met"


def test_no_file() -> None:
    assert exam("at_least = 0.5", None) == Shown("exam", "lm-eval", "missing", "there is no file exam.json")


@pytest.mark.parametrize("lines", ["", ASKED, f'target = "{DIGEST}"', 'track = "blind"', 'slices = ["code"]'])
def test_a_pass_that_stands(lines: str) -> None:
    own = FORECAST.replace('target = "tiny"\n', "") if "target" in lines else FORECAST
    shown = decide(policy('{all=["forecast"]}', own + lines), {}, [standing()], JUDGES, NOW).parts[0]
    assert (shown.state, shown.attempt) == ("met", 1)
    assert shown.said == "attempt 1, 2026-05-22: pass (0.4 is within 0.5)"


LOOSE = replace(STRICT, tolerance=1.0)
OPEN = replace(STRICT, track="open")


@pytest.mark.parametrize(
    ("lines", "changes", "why"),
    [
        ("", {"decision": "inconclusive"}, "attempt 1 does not count: its verdict is inconclusive"),
        ("", {"decision": "inadmissible"}, "its verdict is inadmissible"),
        ("", {"fallen": ("revoked (leak)",)}, "revoked (leak)"),
        ("", {"decision": "fail", "fallen": ("revoked (leak)",)}, "revoked (leak)"),
        ("", {"until": NOW - timedelta(days=1)}, "it expired on 2026-05-31"),
        ("", {"judged": NOW + timedelta(days=1)}, "it is dated 2026-06-02"),
        ("not_before = 2026-05-30T00:00:00Z", {}, "it is of 2026-05-22, before 2026-05-30"),
        (ASKED, {"strictness": LOOSE}, "its tolerance shows 1 nats, and 0.5 nats is asked"),
        (ASKED, {"strictness": replace(STRICT, level=0.9)}, "its confidence is 0.9, and 0.95 is asked"),
        (ASKED, {"strictness": replace(STRICT, cap=0.6)}, "says nothing of kl_nats up to 7.6"),
        (ASKED, {"strictness": replace(STRICT, metric="tv", tolerance=0.1, cap=1.0)}, "tv up to 1 says nothing of kl"),
        (ASKED + "slice_tolerances = {code = 0.5}", {}, "it judged no tolerance in code"),
        ('slices = ["poems"]', {}, "its prompts have no slice 'poems'"),
        ('track = "blind"', {"strictness": OPEN}, "it was on the open track"),
        ('track = "prospective"', {"strictness": OPEN}, "it was on the open track"),
    ],
)
def test_verdicts_that_answer_another_question(lines: str, changes: dict[str, Any], why: str) -> None:
    shown = forecast(lines, standing(**changes))
    assert (shown.state, shown.attempt) == ("missing", None)
    assert why in shown.said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tolerance": 0.1}, "it failed a tolerance of 0.1, and 0.5 is asked"),
        ({"metric": "tv"}, "it failed by tv, and kl_nats is asked"),
        ({"cap": 9.0}, "it counted losses up to 9, and 7.6 is asked"),
        ({"slice_tolerances": {"code": 0.4}}, "it may have failed in a slice whose tolerance is not asked"),
    ],
)
def test_a_fail_of_more_than_is_asked_or_of_something_else(change: dict[str, Any], why: str) -> None:
    shown = forecast(ASKED, standing(decision="fail", strictness=replace(STRICT, **change)))
    assert (shown.state, shown.attempt) == ("missing", None)
    assert why in shown.said


@pytest.mark.parametrize("strictness", [STRICT, LOOSE, OPEN, replace(STRICT, cap=1.0)])
def test_a_fail_of_no_more_than_is_asked(strictness: Any) -> None:
    shown = forecast(ASKED, standing(decision="fail", strictness=strictness))
    assert (shown.state, shown.attempt) == ("not met", 1)
    assert forecast("", standing(decision="fail")).state == "not met"


def test_another_metric_counts_by_what_it_implies() -> None:
    """A mean KL divergence of at most 0.5 nats is a total variation of at most 0.5 (Pinsker)."""
    lines = 'metric = "tv"\ntolerance = {}\ncap = 1.0\n'
    assert forecast(lines.format(0.5), standing()).state == "met"
    assert forecast(lines.format(0.49), standing()).state == "missing"


def test_the_latest_verdict_that_answers_decides() -> None:
    passed, failed, unsure = standing(1), standing(2, "fail"), standing(3, "inconclusive")
    assert forecast("", passed, failed, unsure).attempt == 2
    assert forecast("", passed, failed, unsure).state == "not met"
    assert forecast("", passed, unsure).state == "met"
    assert forecast("", passed, unsure).said.endswith("the target has 2 verdicts")
    assert forecast("", standing(1, "fail"), standing(2)).state == "met"


def test_verdicts_on_others_are_none() -> None:
    other = standing(target={"name": "other", "weights": "sha256:00"})
    assert forecast("", other).said == "there is no verdict on tiny"
    assert forecast("", standing(target={})).state == "missing"
    assert decide(policy('{all=["forecast"]}', FORECAST), {}, None, JUDGES, NOW).parts[0].said == "there is no ledger"


def test_a_verdict_of_somebody_whom_nobody_asked() -> None:
    """Anybody may sign charters into a ledger, and judge what they like."""
    own = standing(evaluator="team+89abcdef+BBBB")
    assert forecast("", own).said == (
        "attempt 1 does not count: it was judged by team+89abcdef, whose verdicts are not asked for"
    )
    assert forecast("", standing(1), replace(own, attempt=2, decision="fail")).attempt == 1
    head = HEAD + 'evaluators = ["team+89abcdef+BBBB"]\n'
    assert decide(policy('{all=["forecast"]}', FORECAST, head=head), {}, [own], JUDGES, NOW).outcome == "met"


def test_at_most_three_verdicts_are_told() -> None:
    shown = forecast("", *(standing(number, "inconclusive") for number in range(1, 6)))
    assert [f"attempt {number} " in shown.said for number in range(1, 6)] == [False, False, True, True, True]


RULE = '{all=["forecast", {any=["exam", "audit"]}]}'
PARTS = (FORECAST, EXAM + "at_least = 0.5\n", AUDIT + 'equals = "pass"\n')


def test_a_whole_policy() -> None:
    made = decide(policy(RULE, *PARTS), {"exam": result(0.9), "audit": None}, [standing()], JUDGES, NOW)
    assert (made.outcome, made.wanting) == ("met", ())
    assert made.sentence == "met; missing, and not needed for that: audit"
    made = decide(policy(RULE, *PARTS), {"exam": result(0.1), "audit": None}, [], JUDGES, NOW)
    assert (made.outcome, made.wanting) == ("undecided", ("forecast", "audit"))
    assert made.sentence == "undecided, and hangs on what is missing: forecast, audit"
    made = decide(policy(RULE, *PARTS), {"exam": result(0.9), "audit": None}, [standing(decision="fail")], JUDGES, NOW)
    assert made.sentence == "not met; missing, and not needed for that: audit"


def test_nothing_follows_from_a_policy_that_has_expired() -> None:
    head = HEAD + "expires = 2026-05-31T00:00:00Z\n"
    made = decide(policy('{all=["forecast"]}', FORECAST, head=head), {}, [standing()], JUDGES, NOW)
    assert (made.outcome, made.expired, made.parts[0].state) == ("undecided", True, "met")
    assert made.sentence == "undecided: the policy has expired"
    head = HEAD + "expires = 2026-06-01T12:00:00Z\n"
    assert decide(policy('{all=["forecast"]}', FORECAST, head=head), {}, [standing()], JUDGES, NOW).outcome == "met"
