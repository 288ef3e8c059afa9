"""A charter says what it promises, is named by its exact bytes, and is refused with the field that is wrong."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import InputError
from foretell.scoring import ScoreSettings
from foretell.verdicts.charter import Charter
from foretell.verdicts.charter_summary import summary
from foretell.verdicts.charter_text import charter_toml
from foretell.verdicts.judging import JudgeSettings

Content = Callable[..., dict[str, Any]]
FUTURE = dict.fromkeys(("target__name", "target__weights", "target__engine", "target__dtype"))
LIMITS = {
    "size_budget_bytes": 1000,
    "seconds": 60,
    "memory_bytes": 1 << 28,
    "processes": 4,
    "output_bytes": 1 << 20,
}


def parsed(content: dict[str, Any]) -> Charter:
    return Charter.parse(charter_toml(content).encode())


def test_what_is_written_is_what_is_read(content: Content) -> None:
    for made in (
        content(),
        content(blind=LIMITS, track__kind="blind"),
        content(target__future="the next one", track__kind="prospective", **FUTURE),
        content(weights=None, score__slice_tolerances=None, score__metric="tv", score__cap=1.0),
    ):
        text = charter_toml(made)
        assert tomllib.loads(text) == made
        terms = Charter.parse(text.encode()).model_dump(by_alias=True, exclude_none=True)
        for optional, where in (("weights", terms), ("slice_tolerances", terms["score"])):
            if not where[optional]:
                del where[optional]
        assert terms == made


def test_every_field_has_a_comment(content: Content) -> None:
    lines = charter_toml(content(blind=LIMITS, track__kind="blind")).splitlines()
    fields = [i for i, line in enumerate(lines) if " = " in line and not line.startswith(("#", '"'))]
    tables = [i for i, line in enumerate(lines) if line in ("[weights]", "[pool.slices]", "[score.slice_tolerances]")]
    assert len(fields) == 30
    assert all(lines[i - 1].startswith("# ") for i in [*fields, *tables])
    assert max(map(len, lines)) <= 130


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_any_text_comes_back(content: Content, text: str) -> None:
    made = content(title=text, pool__slices={text: 10, text + "2": 20}, weights={text: 0.5})
    made["score"]["slice_tolerances"] = {text: 0.1}
    charter = parsed(made)
    assert charter.title == text
    assert (charter.pool.slices[text], charter.weights, charter.score.slice_tolerances) == (
        10,
        {text: 0.5},
        {text: 0.1},
    )


def test_the_digest_is_that_of_the_bytes(content: Content, tmp_path: Path) -> None:
    data = charter_toml(content()).encode()
    path = tmp_path / "charter.toml"
    path.write_bytes(data)
    charter = Charter.read(path)
    assert charter.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert charter.data == data
    assert Charter.parse(data + b"# more\n").digest != charter.digest


def test_settings_are_those_of_the_charter(content: Content) -> None:
    charter = parsed(content(score__metric="tv", score__cap=1, score__tolerance=0.25, score__floor=0.0))
    assert charter.judge_settings() == JudgeSettings(0.25, 0.95, 1.0, {"plain prose": 0.75}, "tv")
    assert charter.score_settings() == ScoreSettings(0.0, 10)


def test_a_target_is_compared_field_by_field(content: Content) -> None:
    made = content()
    target = parsed(made).target
    assert target.differences({**made["target"], "kind": "dense"}) == []
    assert target.differences({**made["target"], "dtype": "float16"}) == ["dtype: 'float16', not 'float32'"]
    future = parsed(content(target__future="the next one", track__kind="prospective", **FUTURE)).target
    assert future.differences({**made["target"], "weights": "another"}) == []
    assert future.differences({"tokenizer": "x"}) == [f"tokenizer: 'x', not {made['target']['tokenizer']!r}"]


BAD_TOML = [
    (b"\xff", "utf-8"),
    (b"title = ", "Invalid value"),
    (b"title = 'a'\ntitle = 'b'", "Cannot overwrite a value"),
    (b"a = " + b"9" * 5000, "digits"),
    (b"a = " + b"[" * 100_000, "recursion"),
    (b"#" * ((1 << 20) + 1), "1048577 bytes"),
]


@pytest.mark.parametrize(("data", "words"), BAD_TOML, ids=[words for _, words in BAD_TOML])
def test_what_is_no_toml(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=f"charter.toml: not a charter: got .*{words}"):
        Charter.parse(data)


EAST = timezone(timedelta(hours=1))
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"schema": "foretell.charter/2"}, r"schema: .* expected 'foretell.charter/1'"),
    ({"title": ""}, r"title: .* got ''"),
    ({"score__level": None}, r"score.level: .* got nothing, expected a value"),
    ({"score": None}, r"score: .* got nothing"),
    ({"score__metric": "top1_agreement"}, r"score.metric: .* got 'top1_agreement'"),
    ({"score__tolerance": 0.0}, r"score.tolerance: .* expected greater than 0"),
    ({"score__tolerance": math.nan}, r"score.tolerance: .* got nan"),
    ({"score__cap": math.inf}, r"score.cap: .* got inf"),
    ({"score__tolerance": "0.5"}, r"score.tolerance: .* got '0.5', expected a valid number"),
    ({"score__tolerance": 7.5}, r"score.tolerance: .*contradicts itself.* expected less than the cap of 7.5"),
    ({"score__slice_tolerances": {"code": 8.0}}, r"score.slice_tolerances.code: .* less than the cap"),
    ({"score__slice_tolerances": {"maths": 0.5}}, r"score.slice_tolerances.maths: .* one of code, plain prose"),
    ({"weights": {"maths": 0.5}}, r"weights.maths: .* got a slice that the pool has not"),
    ({"weights": {"code": -1.0}}, r"weights.code: .* greater than 0"),
    ({"score__level": 0.5}, r"score.level: .* greater than 0.5"),
    ({"score__level": 1.0}, r"score.level: .* less than 1"),
    ({"score__tail": "reference:x"}, r"score.tail: .* expected 'uniform'"),
    ({"draw__prompts": 31}, r"draw.prompts: .* got 31, expected at most the 30 prompts"),
    ({"draw__prompts": 0}, r"draw.prompts: .* greater than or equal to 1"),
    ({"draw__prompts": 1}, r"score.slice_tolerances.plain prose: .* got a slice that the draw may leave out"),
    ({"pool__prompts": 29}, r"pool.prompts: .* got 29, expected 30, the sum"),
    ({"pool__commitment": "AB" * 32}, r"pool.commitment: "),
    ({"track__deadline": datetime(2030, 1, 1)}, r"track.deadline: .* expected a date and time in UTC"),
    ({"track__deadline": datetime(2030, 1, 1, tzinfo=EAST)}, r"track.deadline: .* got 2030-01-01T00:00:00\+01:00"),
    ({"track__kind": "blind"}, r"blind: .* got no limits"),
    ({"blind": LIMITS}, r"blind: .* got limits"),
    ({"track__kind": "prospective"}, r"track.kind: .* 'prospective' for a future target"),
    ({"target__weights": None}, r"target.weights: .* got nothing, expected a whole identity"),
    ({"target__future": "soon"}, r"target.name: .* got an identity beside `future`"),
    ({"target__future": "soon", **FUTURE}, r"track.kind: .* got 'open'"),
    ({"team__key": "team+0+x"}, r"team: .* expected name\+hash"),
    ({"team__recipient": "age1nobody"}, r"team: "),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[message.split(":")[0] for _, message in WRONG])
def test_the_wrong_field_is_named(content: Content, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match="charter.toml: " + message):
        parsed(content(**changes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title = ", "surprise = 1\ntitle = ", r"surprise: .* got a field that no charter has"),
        ("[score]", "[score]\nsurprise = 1", r"score.surprise: .* got a field that no charter has"),
        ("[helpers]", "[[helpers]]", r"helpers: .* expected a table"),
        ("prompts = 12", "prompts = true", r"draw.prompts: .* got True, expected a valid integer"),
        ("prompts = 12", "prompts = 12.0", r"draw.prompts: .* got 12.0"),
        ("cap = 7.5", "cap = " + "9" * 400, r"score.cap: "),
        ("prompts = 30", "prompts = " + "9" * 400, r"pool.prompts: .* less than or equal to"),
        ("2030-01-31T12:00:00Z", "2030-01-31", r"track.deadline: .* got datetime.date"),
    ],
)
def test_what_no_content_can_say_is_refused_too(content: Content, old: str, new: str, message: str) -> None:
    text = charter_toml(content())
    assert text.count(old) == 1
    with pytest.raises(InputError, match="charter.toml: " + message):
        Charter.parse(text.replace(old, new).encode())


def test_the_roles_have_keys_of_their_own(content: Content) -> None:
    made = content()
    with pytest.raises(InputError, match=r"team.key: .* got the evaluator's key"):
        parsed(made | {"team": made["evaluator"]})


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no charter: got no such file"):
        Charter.read(tmp_path / "none.toml")
    with pytest.raises(InputError, match="no charter: got a folder"):
        Charter.read(tmp_path)


def test_the_summary_says_every_number(content: Content) -> None:
    made = content(blind=LIMITS, track__kind="blind")
    rows = dict(summary(parsed(made)))
    assert "the 95% bounds of the mean KL divergence over all prompts end at 0.5 nats or below" in rows["passes when"]
    assert "plain prose at 0.75 nats" in rows["passes when"]
    assert "12 drawn from the 30 of boats (code 10, plain prose 20)" in rows["prompts"]
    assert "a prompt counts 2 in code" in rows["prompts"]
    assert "until 2030-01-31 12:00:00 UTC" in rows["track"]
    assert "1,000 bytes; 60 s" in rows["program"]
    assert rows["team"].startswith("team.example+")
    for value in made["target"].values():
        assert value in rows["target"]
    other = content(
        target__future="the next one", track__kind="prospective", score__metric="tv", score__cap=1, **FUTURE
    )
    rows = dict(summary(parsed(other)))
    assert rows["target"].startswith("not there yet: the next one; tokenizer sha256:2")
    assert "the mean total variation over all prompts end at 0.5 or below" in rows["passes when"]
