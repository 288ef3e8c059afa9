"""Ready-made families: everybody once, of many kinds, and every spec opens."""

from __future__ import annotations

from collections import Counter

import pytest

from foretell.base.errors import InputError
from foretell.information.survivors.family_members import Member, copies, names_files, relatives
from foretell.targets.specs import open_target

DIRECTIONS = [f"/d/{number}.safetensors" for number in range(8)]


def test_the_family_of_the_shipped_target_is_256_with_it() -> None:
    members = relatives("tiny", DIRECTIONS)
    assert len(members) == len({one.spec for one in members}) == len({one.name for one in members}) == 255
    assert Counter(one.kind for one in members) == {
        "checkpoint": 5,
        "mixture": 65,
        "quantised": 12,
        "pruned": 9,
        "random nudge": 64,
        "sensitive nudge": 48,
        "part left out": 52,
    }
    # A path is no part of a name.
    assert not [one.name for one in members if "/" in one.name]


def test_a_checkpoint_has_the_other_checkpoints() -> None:
    others = [one.spec for one in relatives("tiny@768") if one.kind == "checkpoint"]
    assert others == ["tiny@96", "tiny@192", "tiny@384", "tiny@1536", "tiny@3072"]


def test_one_of_each_kind_opens() -> None:
    first = {one.kind: one for one in reversed(relatives("tiny"))}
    for member in first.values():
        assert open_target(member.spec).identity.name == member.spec


def test_copies_of_any_target() -> None:
    members = copies("hf:model")
    assert {one.kind for one in members} == {"quantised", "pruned", "random nudge"}
    assert all(one.spec.endswith(":hf:model") for one in members)


def test_who_may_change_under_a_name() -> None:
    assert names_files("nudged:/d/0.safetensors:0.1:tiny")
    assert not any(names_files(one.spec) for one in relatives("tiny"))
    assert Member.of("endpoint:http://127.0.0.1:1#m").kind == "given"


def test_another_target_is_no_relative() -> None:
    with pytest.raises(InputError, match="a family of another target: got target smollm2, expected tiny or tiny@STEP"):
        relatives("smollm2")
