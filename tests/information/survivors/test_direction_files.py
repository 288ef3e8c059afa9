"""Sensitive directions in files: written once, read by a target's spec, and worse than a random one of their size."""

from __future__ import annotations

from pathlib import Path

from foretell.distributions import Distributions
from foretell.information.survivors.direction_files import direction_files
from foretell.information.survivors.family_members import Member
from foretell.information.survivors.member_losses import member_losses
from foretell.targets.specs import open_target
from foretell.targets.target import Target


def test_a_nudge_along_a_sensitive_direction_costs_more(
    tiny: Target, tiny_truth: Distributions, tmp_path: Path
) -> None:
    files = direction_files(tiny_truth, tiny, tmp_path / "directions", 2)
    before = [file.stat().st_mtime_ns for file in files]
    assert direction_files(tiny_truth, tiny, tmp_path / "directions", 2) == files
    assert [file.stat().st_mtime_ns for file in files] == before
    members = [Member.of(f"nudged:{along}:0.0001:tiny") for along in (files[0], files[1], 1)]
    first, second, random = member_losses(tiny_truth, members, tmp_path, open_target).losses.mean(axis=1)
    assert first > second > 100 * random
