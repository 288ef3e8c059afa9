"""Policies as files: what is read, and what is refused with the name of its field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from foretell.base.errors import InputError
from foretell.verdicts.policy import Policy
from foretell.verdicts.policy_parts import InspectPart, LmEvalPart, VerdictPart
from foretell.verdicts.policy_text import policy_toml

HEAD = 'schema = "foretell.policy/1"\ntitle = "t"\n'
RULE = 'rule = {all=["exam"]}\n'
EXAM = '[[parts]]\nname = "exam"\nkind = "json"\nfile = "exam.json"\npointer = "/score"\nat_least = 0.5\n'
PASS = '[[parts]]\nname = "forecast"\nkind = "verdict"\ntarget = "tiny"\n'


def parse(text: str) -> Policy:
    return Policy.parse(text.encode())


def test_the_template_is_a_policy() -> None:
    policy = parse(policy_toml("Before the next run — “B”", 'a "tiny" one'))
    assert policy.title == "Before the next run — “B”"
    assert [type(part) for part in policy.parts] == [VerdictPart, LmEvalPart, InspectPart]
    assert isinstance(policy.parts[0], VerdictPart)
    assert policy.parts[0].target == 'a "tiny" one'
    assert policy.rule.told == "all of (forecast, at least 1 of (exam, sums))"


def test_the_template_with_everything_switched_on() -> None:
    """Every field that stands behind a '#' is one."""
    lines = policy_toml("t", "tiny").replace('"exam", "sums"', '"exam", "sums", "red team", "audit"').splitlines()
    start = lines.index("# [[parts]]")
    on = [line[2:] if re.match(r"# (\w+ = |\[\[parts)", line) else line for line in lines]
    policy = parse("\n".join(on))
    assert lines[start] != on[start]
    assert [part.kind for part in policy.parts] == ["verdict", "lm-eval", "inspect", "json", "statement"]
    assert policy.expires is not None
    assert policy.evaluators == ["institute+01234567+AAAA"]


def test_the_text_is_kept() -> None:
    text = HEAD + 'rule = { all = ["exam"] }\n' + EXAM + "# é\n"
    assert parse(text).text == text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no policy: got no such file, expected a policy in TOML"):
        Policy.read(tmp_path / "policy.toml")
    with pytest.raises(InputError, match="no policy: got a folder"):
        Policy.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + 'evaluators = ["institute"]\n' + RULE + EXAM, "evaluators.0: a policy that is wrong: got 'institute'"),
        ("", r"policy\.toml: schema: a policy that is wrong: got nothing, expected a value"),
        (HEAD + EXAM, "rule: a policy that is wrong: got nothing, expected a value"),
        (HEAD.replace("/1", "/2") + RULE + EXAM, "schema: a policy that is wrong"),
        (
            HEAD + 'rule = {all=["exam", "audit"]}\n' + EXAM,
            "a rule that names no part: got 'audit', expected one of exam",
        ),
        (HEAD + RULE + EXAM + PASS, "a part that the rule does not use: got 'forecast'"),
        (HEAD + RULE + EXAM + EXAM, "a name of two parts: got 'exam'"),
        (HEAD + 'rule = {all=["exam"], any=["exam"]}\n' + EXAM, "rule: a policy that is wrong: .* one of `all`, `any`"),
        (HEAD + 'rule = "exam"\n' + EXAM, "rule: a policy that is wrong: got 'exam', expected a"),
        (HEAD + "rule = {all=[]}\nparts = []\n", "parts: a policy that is wrong"),
        (HEAD + "rule = " + "{all=[" * 80 + "]}" * 80 + "\n" + EXAM, "rule.*: a policy that is wrong"),
        (HEAD + "rule = " + "{all=[" * 5000 + "]}" * 5000, "not a policy: got maximum recursion depth exceeded"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.5", "nan", "at_least: a policy that is wrong: got nan, expected a finite number"),
        ("at_least = 0.5", "", "`at_least`, `at_most` or both, or else `equals`"),
        ("at_least = 0.5", "at_least = 0.5\nequals = 1", "`at_least`, `at_most` or both, or else `equals`"),
        ("at_least = 0.5", "at_least = 0.5\nat_most = 0.4", "`at_least` up to `at_most`"),
        ("at_least = 0.5", "at_least = true", "at_least: a policy that is wrong: got True"),
        ("at_least", "model = 'm'\nat_least", "model: a policy that is wrong: got a field that no policy has"),
        ("at_least", "not_before = 2026-01-01\nat_least", "not_before: a policy that is wrong"),
        ("at_least", "not_before = 2026-01-01T00:00:00\nat_least", "not_before: .* timezone"),
        (
            "at_least",
            "not_before = 2026-01-02T00:00:00Z\nnot_after = 2026-01-01T00:00:00Z\nat_least",
            "`not_before` before `not_after`",
        ),
        ("exam.json", "/exam.json", "file: a policy that is wrong: .* a relative path below the folder of this file"),
        ("exam.json", "policy.toml", r"evidence by the name of policy\.toml: got 'exam'"),
        ('"json"', '"csv"', "parts.0: a policy that is wrong"),
        ('"/score"', '"score"', "pointer: a policy that is wrong"),
        ('"exam"\nkind', '"exam\\n"\nkind', "name: a policy that is wrong"),
    ],
)
def test_parts_that_are_refused(old: str, new: str, message: str) -> None:
    assert old in EXAM
    with pytest.raises(InputError, match=message):
        parse(HEAD + RULE + EXAM.replace(old, new))


@pytest.mark.parametrize(
    "lines", ["tolerance = 0.5", 'metric = "tv"\ntolerance = 0.5', "cap = 7", "slice_tolerances = {code = 1.0}"]
)
def test_a_verdict_part_asks_for_a_whole_test_or_for_none(lines: str) -> None:
    with pytest.raises(InputError, match="metric, tolerance and cap together"):
        parse(HEAD + 'rule = {all=["forecast"]}\n' + PASS + lines)
