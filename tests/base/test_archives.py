"""Archives: whatever is strange about one is refused with its own words, and nothing of it is left."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow
import pytest

from foretell.base.archives import read_member, unpack
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


def zstandard(name: str, data: bytes, *, checksum: int | None = None, flags: int = 0) -> bytes:
    """An archive of one member in Zstandard, which this Python's library does not write (APPNOTE.TXT 4.3.7, 4.3.12)."""
    body = pyarrow.compress(data, codec="zstd", asbytes=True)
    crc = zlib.crc32(data) if checksum is None else checksum
    fields = struct.pack("<5H3L2H", 20, flags, 93, 0, 0, crc, len(body), len(data), len(name), 0)
    local = b"PK\3\4" + fields + name.encode()
    central = b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<3H2L", 0, 0, 0, 0, 0) + name.encode()
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local) + len(body), 0)
    return bytes(local + body + central + end)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_one_member(tmp_path: Path, kind: int) -> None:
    with packed(tmp_path / "a.zip", "a", "b", kind=kind).open("rb") as file:
        assert read_member(file, "b", "a.zip", 100) == b"b" * 100
        assert read_member(file, "c", "a.zip", 100) is None
        with pytest.raises(
            ForgeryError, match=r"a\.zip: a member that grows without end: got more than 99 bytes in 'b'"
        ):
            read_member(file, "b", "a.zip", 99)


def test_one_member_in_zstandard() -> None:
    data = b"header" * 1000
    archive = io.BytesIO(b"before" + zstandard("header.json", data))
    assert read_member(archive, "header.json", "a.zip", 6000) == data
    with pytest.raises(ForgeryError, match="a member that grows without end: got more than 5999 bytes"):
        read_member(archive, "header.json", "a.zip", 5999)


def test_a_bomb_in_zstandard_is_not_unpacked() -> None:
    bomb = zstandard("header.json", bytes(1 << 28))
    assert len(bomb) < 1 << 16
    with pytest.raises(ForgeryError, match="a member that grows without end"):
        read_member(io.BytesIO(bomb), "header.json", "a.zip", 1 << 16)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"PK no archive", "not an archive that can be read: got File is not a zip file"),
        (zstandard("a", b"x", checksum=7), "not an archive that can be read: got a checksum of 'a' that does not fit"),
        (zstandard("a", b"x", flags=1), "not an archive that can be read: got 'a' twice, or with a password"),
    ],
)
def test_members_that_cannot_be_read(archive: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_member(io.BytesIO(archive), "a", "a.zip", 100)


def test_a_member_that_is_there_twice() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a", "2")
    with pytest.raises(InputError, match="'a' twice, or with a password"):
        read_member(archive, "a", "a.zip", 100)


def test_any_byte_changed_gives_the_same_member_none_or_an_error_of_ours() -> None:
    data, dice = zstandard("header.json", b"header" * 10), random.Random(7)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << dice.randrange(8)
        try:
            found = read_member(io.BytesIO(changed), "header.json", "a.zip", 1000)
        except ForetellError:
            continue
        assert found in (None, b"header" * 10)
