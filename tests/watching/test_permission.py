"""No permission is no permission: a file that is absent, torn or of another schema lets nobody train."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell.base.errors import OrderError
from foretell.watching.callback import PermissionGate
from foretell.watching.permission import PERMISSION, Permission, read_permission, wait_for_permission, write_permission


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for permission in (Permission("a", 20), Permission("b", None), Permission("c", 20, "checkpoint 20: FAIL")):
        write_permission(tmp_path / "run", permission)
        assert read_permission(tmp_path / "run") == permission


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "foretell.permission/2", "run": "a", "train_to": null}'])
def test_what_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    assert read_permission(tmp_path) is None
    (tmp_path / PERMISSION).write_text(text)
    assert read_permission(tmp_path) is None
    assert PermissionGate(tmp_path).due(7)  # so it saves, and waits
    with pytest.raises(OrderError, match="no permission to train on: got nothing that can be read"):
        wait_for_permission(tmp_path, 7, timeout_seconds=0)


def test_waiting_ends_with_leave_with_a_stop_or_with_an_error(tmp_path: Path) -> None:
    write_permission(tmp_path, Permission("a", 20))
    assert wait_for_permission(tmp_path, 19).allows(19)
    with pytest.raises(OrderError, match="no permission to train on: got train_to 20, expected leave to train beyond"):
        wait_for_permission(tmp_path, 20, timeout_seconds=0)
    come = iter([Permission("a", 20), Permission("a", 40)])
    waited = wait_for_permission(tmp_path, 20, sleep=lambda _: write_permission(tmp_path, next(come)))
    assert waited.train_to == 40
    write_permission(tmp_path, Permission("a", 40, "checkpoint 40: FAIL"))
    assert wait_for_permission(tmp_path, 20).stopped == "checkpoint 40: FAIL"
    assert not PermissionGate(tmp_path).passed(20, tmp_path)
