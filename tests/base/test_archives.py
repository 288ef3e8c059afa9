"""Archives: whatever is strange about one is refused with its own words, and nothing of it is left."""

from __future__ import annotations

import random
import stat
import zipfile
from pathlib import Path

import pytest

from foretell.base.archives import unpack
from foretell.base.errors import ForetellError, ForgeryError, InputError


def packed(to: Path, *names: str, kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(to, "w", kind) as file:
        for name in names:
            file.writestr(name, "" if name.endswith("/") else name * 100)
    return to


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/./b"], r"a name that no file has: got 'a/\./b'"),
        (["a//b", "a/b"], "a name that no file has: got 'a//b'"),
        (["./a"], r"a name that no file has: got '\./a'"),
        (["x" * 300], "a name that no file has: got 'xxx"),
        (["a", "a/b"], "a file that is a folder too: got 'a'"),
        (["a/b", "../c/"], r"a path that leads out of the folder: got '\.\./c/'"),
        (["a/b", "//c"], "a path that leads out of the folder: got '//c'"),
    ],
)
def test_names(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(ForgeryError, match=message):
        unpack(packed(tmp_path / "a.zip", *names), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_an_empty_name(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("q")
    entry.filename = ""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(entry, "x")
    with pytest.raises(ForgeryError, match="a name that no file has: got ''"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions(tmp_path: Path, kind: int) -> None:
    with pytest.raises(ForgeryError, match=f"another compression: got type {kind} of 'a'"):
        unpack(packed(tmp_path / "a.zip", "a", kind=kind), tmp_path / "out")


def test_a_folder_that_is_a_link(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("linked/")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(entry, "/etc")
        file.writestr("linked/passwd", "x")
    with pytest.raises(ForgeryError, match="a link or device: got 'linked/'"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "a")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    with pytest.raises(InputError, match="the folder exists"):
        unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "kept"


def test_a_limit_on_bytes(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "a", "b")
    unpack(archive, tmp_path / "fits", most_bytes=200)
    with pytest.raises(ForgeryError, match="an archive that grows without end: got more at 'b'"):
        unpack(archive, tmp_path / "out", most_bytes=199)
    assert not (tmp_path / "out").exists()


def test_one_folder_around_all_is_taken_off(tmp_path: Path) -> None:
    unpack(packed(tmp_path / "a.zip", "top/", "top/a", "top/deep/b"), tmp_path / "one")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["a", "deep"]
    unpack(packed(tmp_path / "b.zip", "top/a", "other/b"), tmp_path / "two")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["other", "top"]


def test_any_byte_changed_gives_the_same_files_or_an_error_of_ours(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "top/a", "top/deep/b")
    data, dice = archive.read_bytes(), random.Random(7)
    refused = 0
    for number, place in enumerate(range(len(data))):
        changed = bytearray(data)
        changed[place] ^= 1 << dice.randrange(8)
        archive.write_bytes(changed)
        try:
            unpack(archive, tmp_path / str(number))
        except ForetellError:
            refused += 1
            assert not (tmp_path / str(number)).exists()
            continue
        for path in (path for path in (tmp_path / str(number)).rglob("*") if path.is_file()):
            assert path.read_bytes() in (b"top/a" * 100, b"top/deep/b" * 100)
    assert refused > len(data) // 3
