"""A stamped ledger, published: the verifier says when the log was so, by an authority that the reader trusts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.errors import OrderError
from foretell.verifier import Outside, verify
from foretell.verifier.layout import timestamp_file
from tests.attempts.playing import TINY, new_game
from tests.ledger.authority import Authority, serving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which plays the authority, is absent")


def test_a_stamped_commitment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    game, ours, others = new_game(tmp_path), Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    with serving(ours.answer) as url:
        with pytest.raises(OrderError, match="nothing to stamp"):
            attempts.stamp(game.ledger, url)
        game.begin("open")
        game.answer("open")
        assert attempts.stamp(game.ledger, url) == timestamp_file(game.ledger, 4)
    attempts.reveal(game.ledger, TINY, game.evaluator)
    attempts.judge(game.ledger, game.evaluator)
    attempts.publish(game.ledger, tmp_path / "published", game.evaluator)

    def told(authorities: bytes | None) -> tuple[bool | None, str]:
        checks = verify(tmp_path / "published", Outside(authorities=authorities))
        (found,) = [check for check in checks if check.name == "timestamp 4"]
        assert all(check.holds for check in checks if check is not found)
        return found.holds, found.detail

    assert told(None)[0] is None
    holds, detail = told(ours.roots)
    assert holds, detail
    assert detail.startswith("the first 4 entries existed at 20")
    assert told(others.roots)[0] is False
