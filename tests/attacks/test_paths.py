"""A path climbs out of the folder, or is a link, in a folder and in an archive; an archive grows without end."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.base import archives
from foretell.base.archives import unpack
from foretell.base.errors import ForgeryError, InputError
from foretell.verifier.layout import FORECAST, OPENINGS, TRUTH
from tests.attacks.forging import copied, failures, part, write_json
from tests.attempts.playing import Game

_BIG = 50 << 20


def published_copy(game: Game, to: Path) -> Path:
    return Path(shutil.copytree(game.folder / "published-open", to))


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd", "shards/../../x", "..\\x"])
def test_a_manifest_that_climbs(open_game: Game, tmp_path: Path, name: str) -> None:
    published = published_copy(open_game, tmp_path / "published")
    manifest = json.loads((published / "manifest.json").read_text())
    manifest["files"][name] = "sha256:" + "0" * 64
    write_json(published / "manifest.json", manifest)
    assert "a path that leads out of the folder" in failures(published)


@pytest.mark.parametrize("name", [OPENINGS, f"{FORECAST}/manifest.json", f"{TRUTH}/shards", FORECAST])
def test_links(open_game: Game, tmp_path: Path, name: str) -> None:
    root, outside = copied(open_game, tmp_path / "ledger"), tmp_path / "outside"
    part(root, name).rename(outside)
    part(root, name).symlink_to(outside)
    told = failures(root)
    assert "link" in told or "a missing file" in told, told


def test_a_link_in_the_published_folder(open_game: Game, tmp_path: Path) -> None:
    published, outside = published_copy(open_game, tmp_path / "published"), tmp_path / "outside"
    part(published, OPENINGS).rename(outside)
    part(published, OPENINGS).symlink_to(outside)
    assert f"{OPENINGS}: a link or device" in failures(published)


def climbing(file: zipfile.ZipFile) -> None:
    file.writestr("../outside.txt", "x")


def absolute(file: zipfile.ZipFile) -> None:
    file.writestr("/tmp/outside.txt", "x")


def windows(file: zipfile.ZipFile) -> None:
    file.writestr("C:/outside.txt", "x")


def link(file: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("folder/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    file.writestr(entry, "/etc/passwd")


def device(file: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("null")
    entry.external_attr = (stat.S_IFCHR | 0o666) << 16
    file.writestr(entry, "")


def bomb(file: zipfile.ZipFile) -> None:
    file.writestr("zeros", bytes(_BIG))


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (climbing, "a path that leads out of the folder: got '../outside.txt'"),
        (absolute, "a path that leads out of the folder: got '/tmp/outside.txt'"),
        (windows, "a path that leads out of the folder: got 'C:/outside.txt'"),
        (link, "a link or device: got 'folder/link'"),
        (device, "a link or device: got 'null'"),
        (bomb, "an archive that grows without end"),
    ],
)
def test_archives(tmp_path: Path, forge: Callable[[zipfile.ZipFile], None], message: str) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("good", "x")
        forge(file)
    with pytest.raises(ForgeryError, match=message):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "outside.txt").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("same", "x")
        file.writestr("same", "y")
    with pytest.raises(ForgeryError, match="a name twice: got 'same'"):
        unpack(archive, tmp_path / "out")


def test_a_size_that_lies(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(_BIG))
    small = (10).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(_BIG.to_bytes(4, "little"), small))
    with pytest.raises((ForgeryError, InputError), match=r"grows without end|not an archive that can be read"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(4):
            file.writestr(str(number), "x")
    with pytest.raises(ForgeryError, match="an archive of too many files: got 4 files"):
        unpack(archive, tmp_path / "out")


def test_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match="not an archive that can be read"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_an_honest_archive_unpacks(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("folder/a", "x")
        file.writestr("folder/deep/b", bytes(1000))
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "x"
    assert (tmp_path / "out" / "deep" / "b").stat().st_size == 1000
