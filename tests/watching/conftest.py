"""A run to watch, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.watching.running import Running, new_run


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return new_run(tmp_path)
