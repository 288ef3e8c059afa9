"""A published folder with a file deleted, cut, lengthened, renamed, swapped, linked or added no longer verifies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.errors import InputError
from foretell.verifier import Check, verify
from tests.attempts.playing import TINY, new_game

MANIFEST = "manifest.json"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def rename(path: Path) -> None:
    path.rename(path.with_name(f"0{path.name}"))


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: tuple[Callable[[Path], object], ...] = (Path.unlink, cut, lengthen, empty, rename, put_folder)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_game(tmp_path_factory.mktemp("changed")).play("blind")
    assert all(check.holds for check in verify(folder))
    return folder


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "copy"))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def failing(folder: Path) -> list[Check]:
    return [check for check in verify(folder) if check.holds is False]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_one_file_changed(published: Path, tmp_path: Path, change: Callable[[Path], object]) -> None:
    passed = []
    for number, name in enumerate(names(published)):
        copy = Path(shutil.copytree(published, tmp_path / str(number)))
        change(copy / name)
        if not failing(copy):
            passed.append(name)
        shutil.rmtree(copy)
    assert passed == []


def test_one_file_is_a_link_to_its_own_bytes(published: Path, tmp_path: Path) -> None:
    """They lie elsewhere, where they can be changed after the folder was verified."""
    passed = []
    for number, name in enumerate(names(published)):
        copy = Path(shutil.copytree(published, tmp_path / str(number)))
        elsewhere = tmp_path / f"{number}.elsewhere"
        (copy / name).rename(elsewhere)
        (copy / name).symlink_to(elsewhere)
        if not failing(copy):
            passed.append(name)
    assert passed == []


def test_two_files_swapped(copy: Path) -> None:
    contents = {name: (copy / name).read_bytes() for name in names(copy)}
    pairs = [pair for pair in combinations(contents, 2) if contents[pair[0]] != contents[pair[1]]]
    passed = []
    for pair in pairs:
        swap(copy, *pair)
        if not failing(copy):
            passed.append(pair)
        swap(copy, *pair)
    assert passed == []
    assert len(pairs) > len(contents)
    assert failing(copy) == []


def swap(folder: Path, one: str, other: str) -> None:
    spare = folder.with_name("spare")
    (folder / one).rename(spare)
    (folder / other).rename(folder / one)
    spare.rename(folder / other)


@pytest.mark.parametrize("name", ["empty", ".hidden", "manifest.json.orig"])
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["file", "folder"])
def test_something_added_anywhere(copy: Path, make: Callable[[Path], object], name: str) -> None:
    folders = [copy, *(path for path in sorted(copy.rglob("*")) if path.is_dir())]
    for folder in folders:
        make(folder / name)
        assert failing(copy), folder
        (folder / name).unlink() if (folder / name).is_file() else (folder / name).rmdir()
    assert failing(copy) == []


@pytest.mark.parametrize("name", ["00000099", "00000000", "latest"])
def test_a_timestamp_of_nothing(copy: Path, name: str) -> None:
    """In a ledger: a published folder's manifest does not name it."""
    (copy / MANIFEST).unlink()
    (copy / "log/.lock").touch()
    assert failing(copy) == []
    (copy / "timestamps").mkdir()
    (copy / f"timestamps/{name}.tsr").touch()
    (check,) = failing(copy)
    assert "a timestamp of no checkpoint of this log" in check.detail


def test_without_its_manifest_it_is_not_taken_for_a_ledger(copy: Path) -> None:
    (copy / MANIFEST).unlink()
    (check,) = failing(copy)
    assert check.name == "files"
    assert "a published folder without its manifest" in check.detail


def test_other_permissions_change_nothing(copy: Path) -> None:
    """What is signed is bytes; modes do not survive every copy, and say nothing."""
    for mode in (0o600, 0o444, 0o777):
        for name in names(copy):
            (copy / name).chmod(mode)
        assert failing(copy) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read(copy: Path) -> None:
    for name in names(copy):
        (copy / name).chmod(0)
        assert failing(copy), name
        (copy / name).chmod(0o644)


def test_what_a_published_folder_cannot_hold_is_not_signed(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("blind")
    program = game.program()
    (program / "empty").mkdir()
    (program / ".hidden").touch()
    with pytest.raises(InputError, match=r"a hidden file in a program: got \.hidden"):
        attempts.commit_program(game.ledger, program, game.team)
    (program / ".hidden").unlink()
    attempts.commit_program(game.ledger, program, game.team)
    attempts.run_program(game.ledger, TINY.vocabulary, game.evaluator)
    assert failing(game.end()) == []
