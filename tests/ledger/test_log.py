"""The ledger's folder: what is written, what is undone, and all that a strict reader refuses."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.base.errors import ForgeryError, InputError, StorageError
from foretell.base.files import write_atomically
from foretell.ledger import _folder, log
from foretell.ledger.keys import SecretKey
from foretell.ledger.log import Ledger, origin_of
from foretell.ledger.merkle import EMPTY_ROOT, leaf_hash, tree_root
from foretell.ledger.note import Checkpoint, open_checkpoint, sign_checkpoint, sign_note

ENTRIES = [b'{"charter":1}', b'{"seal":2}', b'{"commit":3}']
Read = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def folder(tmp_path: Path, evaluator: SecretKey) -> Path:
    ledger = Ledger(tmp_path / "ledger")
    for entry in ENTRIES:
        ledger.append(lambda size, root, entry=entry: entry, evaluator)  # type: ignore[misc]
    return ledger.folder


def test_what_is_written_is_read(folder: Path, evaluator: SecretKey, folder_bytes: Read) -> None:
    ledger = Ledger(folder)
    assert ledger.entries == ENTRIES
    assert ledger.size == 3
    assert ledger.root == tree_root([leaf_hash(entry) for entry in ENTRIES])
    assert ledger.origin == origin_of(ENTRIES[0])
    assert ledger.origin == "foretell/" + hashlib.sha256(ENTRIES[0]).hexdigest()[:32]
    files = folder_bytes(folder)
    assert sorted(files) == sorted(
        [".lock", *(f"entries/0000000{i}.json" for i in range(3)), *(f"checkpoints/0000000{i}.note" for i in (1, 2, 3))]
    )
    for size in (1, 2, 3):
        root = tree_root([leaf_hash(entry) for entry in ENTRIES[:size]])
        note = files[f"checkpoints/0000000{size}.note"]
        assert ledger.checkpoint(size) == note
        assert open_checkpoint(note, [evaluator.public])[0] == Checkpoint(ledger.origin, size, root)


def test_an_empty_ledger_is_read_without_writing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "none")
    assert (ledger.entries, ledger.size, ledger.root) == ([], 0, EMPTY_ROOT)
    with pytest.raises(InputError, match="an empty ledger has no name"):
        _ = ledger.origin
    with pytest.raises(InputError, match="no such checkpoint: got size 1, expected 1 to 0"):
        ledger.checkpoint(1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [-1, 0, 4])
def test_checkpoints_that_are_not_there(folder: Path, size: int) -> None:
    with pytest.raises(InputError, match=f"no such checkpoint: got size {size}, expected 1 to 3"):
        Ledger(folder).checkpoint(size)


def test_what_a_reader_holds_does_not_change(folder: Path, evaluator: SecretKey) -> None:
    reader = Ledger(folder)
    Ledger(folder).append(lambda size, root: b"4", evaluator)
    assert reader.size == 3
    reader.entries.append(b"mine")
    assert reader.entries == ENTRIES
    reader.reload()
    assert reader.size == 4


def test_the_maker_is_told_size_and_root_under_the_lock(folder: Path, evaluator: SecretKey, team: SecretKey) -> None:
    stale = Ledger(folder)
    Ledger(folder).append(lambda size, root: b"4", evaluator)
    told: list[tuple[int, bytes]] = []

    def make(size: int, root: bytes) -> bytes:
        told.append((size, root))
        return b"5"

    assert stale.append(make, team) == 4
    assert told == [(4, tree_root([leaf_hash(entry) for entry in (*ENTRIES, b"4")]))]
    assert stale.entries == [*ENTRIES, b"4", b"5"] == Ledger(folder).entries


def test_the_lock_may_be_nested(folder: Path, evaluator: SecretKey) -> None:
    ledger = Ledger(folder)
    with ledger.locked(), ledger.locked():
        assert ledger.append(lambda size, root: b"4", evaluator) == 3
        assert ledger.append(lambda size, root: b"5", evaluator) == 4
    with pytest.raises(RuntimeError, match=r"make\(\) appended to the ledger"):
        ledger.append(lambda size, root: b"%d" % ledger.append(lambda size, root: b"6", evaluator), evaluator)
    assert Ledger(folder).entries == [*ENTRIES, b"4", b"5", b"6"]


def test_the_lock_is_given_back_after_an_error(folder: Path, evaluator: SecretKey) -> None:
    ledger = Ledger(folder)

    def fail(size: int, root: bytes) -> bytes:
        raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"):
        ledger.append(fail, evaluator)
    assert Ledger(folder).append(lambda size, root: b"4", evaluator) == 3


@pytest.mark.parametrize("entry", [b"", bytes((1 << 26) + 1)])
def test_entries_that_are_none(folder: Path, evaluator: SecretKey, entry: bytes, folder_bytes: Read) -> None:
    before = folder_bytes(folder)
    with pytest.raises(InputError, match=f"not an entry: got {len(entry)} bytes"):
        Ledger(folder).append(lambda size, root: entry, evaluator)
    assert folder_bytes(folder) == before


def test_a_listing_made_while_somebody_appends_is_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder's names are not read at one moment: the second of two new entries may be seen without the first."""
    real, looks = _folder._list, list[Path]()

    def listing(where: Path) -> tuple[list[str], list[str]]:
        entries, checkpoints = real(where)
        looks.append(where)
        return ([entries[0], *entries[2:]], checkpoints[:1]) if len(looks) == 1 else (entries, checkpoints)

    monkeypatch.setattr(_folder, "_list", listing)
    assert Ledger(folder).entries == ENTRIES
    assert len(looks) == 2


def interrupt(folder: Path) -> dict[str, bytes]:
    """What a killed writer may leave: an entry without a checkpoint, and temporary files."""
    left = {
        "entries/00000003.json": b"unfinished",
        "entries/.00000003.json.0123abcd.partial": b"",
        "checkpoints/.00000004.note.4567cdef.partial": b"half",
    }
    for name, data in left.items():
        (folder / name).write_bytes(data)
    return left


def test_readers_pass_over_what_is_unfinished_and_leave_it(folder: Path, folder_bytes: Read) -> None:
    left = interrupt(folder)
    before = folder_bytes(folder)
    assert Ledger(folder).entries == ENTRIES
    assert folder_bytes(folder) == before
    assert left.items() <= before.items()


def test_writers_undo_what_is_unfinished(folder: Path, evaluator: SecretKey, folder_bytes: Read) -> None:
    before = folder_bytes(folder)
    interrupt(folder)
    with Ledger(folder).locked():
        assert folder_bytes(folder) == before
    interrupt(folder)
    Ledger(folder).append(lambda size, root: b"4", evaluator)
    assert Ledger(folder).entries == [*ENTRIES, b"4"]
    assert not list(folder.rglob("*.partial"))


def test_an_error_between_entry_and_checkpoint_undoes_the_entry(
    folder: Path, evaluator: SecretKey, monkeypatch: pytest.MonkeyPatch, folder_bytes: Read
) -> None:
    before, write = folder_bytes(folder), write_atomically

    def fail(path: Path, writer: Callable[[Path], object]) -> None:
        if path.suffix == ".note":
            raise KeyboardInterrupt("Ctrl-C")
        write(path, writer)

    monkeypatch.setattr(log, "write_atomically", fail)
    ledger = Ledger(folder)
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        ledger.append(lambda size, root: b"4", evaluator)
    assert folder_bytes(folder) == before
    assert ledger.entries == ENTRIES


def test_a_full_disk_adds_nothing(small_disk: Path, evaluator: SecretKey) -> None:
    ledger = Ledger(small_disk / "ledger")

    def fill() -> None:
        for _ in range(1000):
            ledger.append(lambda size, root: b"%d" % size * 2000, evaluator)

    with pytest.raises(StorageError, match="the disk is full"):
        fill()
    assert ledger.size > 0
    assert Ledger(ledger.folder).entries == ledger.entries
    assert not list(ledger.folder.rglob("*.partial"))


def test_other_things_may_stand_beside(folder: Path) -> None:
    (folder / "README.txt").write_text("what this is")
    (folder / "sealed").mkdir()
    assert Ledger(folder).entries == ENTRIES


def rewrite(folder: Path, number: int, checkpoint: Checkpoint, secret: SecretKey) -> None:
    (folder / f"checkpoints/{number:08d}.note").write_bytes(sign_checkpoint(checkpoint, secret))


REMOVALS = [
    (["entries/00000000.json"], r"entries/00000000.json: a gap in the ledger: got none, but 00000001.json"),
    (["entries/00000001.json"], r"entries/00000001.json: a gap in the ledger: got none, but 00000002.json"),
    (["entries/00000002.json"], r"entries/00000002.json: a gap in the ledger: got 2 entries and 3 checkpoints"),
    (["checkpoints/00000001.note"], r"checkpoints/00000001.note: a gap in the ledger: got none, but 00000002.note"),
    (["checkpoints/00000002.note"], r"checkpoints/00000002.note: a gap in the ledger: got none, but 00000003.note"),
    (
        ["checkpoints/00000002.note", "checkpoints/00000003.note"],
        r"checkpoints/00000002.note: a gap in the ledger: got 3 entries and 1 checkpoints",
    ),
]


@pytest.mark.parametrize(("names", "message"), REMOVALS)
def test_gaps(folder: Path, names: list[str], message: str, evaluator: SecretKey, folder_bytes: Read) -> None:
    for name in names:
        (folder / name).unlink()
    before = folder_bytes(folder)
    with pytest.raises(ForgeryError, match=message):
        Ledger(folder)
    ledger = object.__new__(Ledger)  # a writer that had opened it before refuses as well, and changes nothing
    ledger.__dict__ |= Ledger(folder.parent / "none").__dict__ | {"folder": folder}
    with pytest.raises(ForgeryError, match=message):
        ledger.append(lambda size, root: b"4", evaluator)
    assert folder_bytes(folder) == before


@pytest.mark.parametrize("cut", [["entries"], ["checkpoints"], ["entries", "checkpoints"]])
def test_a_folder_that_is_gone(folder: Path, cut: list[str]) -> None:
    for name in cut:
        shutil.rmtree(folder / name)
    if len(cut) == 2:
        assert Ledger(folder).entries == []  # nobody can tell from a ledger alone that all of it was cut off
    else:
        with pytest.raises(ForgeryError, match="a gap in the ledger"):
            Ledger(folder)


def test_a_removed_entry_with_the_rest_renumbered(folder: Path) -> None:
    (folder / "entries/00000002.json").replace(folder / "entries/00000001.json")
    (folder / "checkpoints/00000003.note").unlink()
    with pytest.raises(ForgeryError, match=r"00000002.note: the entries are not those that the checkpoint was signed"):
        Ledger(folder)


def test_reordered_entries(folder: Path) -> None:
    one, two = folder / "entries/00000001.json", folder / "entries/00000002.json"
    one_data, two_data = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_data)
    two.write_bytes(one_data)
    with pytest.raises(ForgeryError, match=r"00000002.note: the entries are not those that the checkpoint was signed"):
        Ledger(folder)


def test_every_byte_of_every_entry_counts(folder: Path) -> None:
    for path in sorted((folder / "entries").iterdir()):
        data = path.read_bytes()
        for place in range(len(data)):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(ForgeryError, match=r"a checkpoint of another ledger|the entries are not those"):
                Ledger(folder)
        path.write_bytes(data)
    assert Ledger(folder).entries == ENTRIES


def test_checkpoints_that_state_something_else(folder: Path, evaluator: SecretKey) -> None:
    ledger = Ledger(folder)
    for changed, message in (
        (
            Checkpoint("foretell/other", 2, bytes(32)),
            "00000002.note: a checkpoint of another ledger: got 'foretell/other'",
        ),
        (
            Checkpoint(ledger.origin, 3, ledger.root),
            "a checkpoint of another size than its name says: got '3', expected '2'",
        ),
        (Checkpoint(ledger.origin, 2, bytes(32)), "the entries are not those that the checkpoint was signed for"),
    ):
        rewrite(folder, 2, changed, evaluator)
        with pytest.raises(ForgeryError, match=message):
            Ledger(folder)


def test_checkpoints_that_are_none(folder: Path, evaluator: SecretKey) -> None:
    path = folder / "checkpoints/00000002.note"
    for data, message in (
        (b"no note", "00000002.note: not signed"),
        (sign_note("not\na checkpoint\n", evaluator), "00000002.note: not a checkpoint"),
        (b"", "00000002.note: a file of impossible size: got 0 bytes"),
        (bytes(5000), "00000002.note: a file of impossible size: got 5000 bytes"),
    ):
        path.write_bytes(data)
        with pytest.raises(ForgeryError, match=message):
            Ledger(folder)


def test_entries_of_impossible_size(folder: Path) -> None:
    path = folder / "entries/00000001.json"
    path.write_bytes(b"")
    with pytest.raises(ForgeryError, match=r"00000001.json: a file of impossible size: got 0 bytes"):
        Ledger(folder)
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room, and must take no memory
    with pytest.raises(ForgeryError, match=f"a file of impossible size: got {1 << 40} bytes"):
        Ledger(folder)


@pytest.mark.parametrize(
    "name",
    [
        "entries/README",
        "entries/3.json",
        "entries/00000003.note",
        "entries/000000003.json",
        "entries/٠٠٠٠٠٠٠٣.json",
        "entries/00000003.json\n",
        "entries/.hidden",
        "entries/.00000003.note.0123abcd.partial",
        "entries/.x.partial",
        "checkpoints/00000004.json",
        "checkpoints/.00000004.json.0123abcd.partial",
    ],
)
def test_files_that_do_not_belong_there(folder: Path, name: str, evaluator: SecretKey) -> None:
    (folder / name).write_text("x")
    with pytest.raises(ForgeryError, match="a file that does not belong there"):
        Ledger(folder)
    assert (folder / name).read_text() == "x"


def test_a_checkpoint_of_nothing_is_a_gap(folder: Path) -> None:
    (folder / "checkpoints/00000000.note").write_text("x")
    with pytest.raises(
        ForgeryError, match=r"checkpoints/00000001.note: a gap in the ledger: got none, but 00000000.note"
    ):
        Ledger(folder)


@pytest.mark.parametrize("name", ["entries/00000001.json", "checkpoints/00000003.note"])
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_links_folders_and_pipes(folder: Path, name: str, kind: str, evaluator: SecretKey) -> None:
    path, copy = folder / name, folder / "copy"
    if path.exists():
        path.replace(copy)
    if kind == "link":
        path.symlink_to(copy)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(ForgeryError, match=r"not a plain file: got a (link|device|pipe|folder)"):
        Ledger(folder)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_under_a_temporary_name(folder: Path, kind: str, evaluator: SecretKey) -> None:
    """A link or folder was put there by somebody; whatever it is, nothing behind it is read or removed."""
    path, mine = folder / "entries/.00000003.json.0123abcd.partial", folder.parent / "mine"
    mine.mkdir()
    (mine / "file").write_text("x")
    if kind == "link":
        path.symlink_to(mine)
    elif kind == "folder":
        mine.replace(path)
    else:
        os.mkfifo(path)
        assert Ledger(folder).append(lambda size, root: b"4", evaluator) == 3
        return
    with pytest.raises(ForgeryError, match="not a plain file: got a link or a folder"):
        Ledger(folder).append(lambda size, root: b"4", evaluator)
    assert (path / "file").read_text() == "x"


@pytest.mark.parametrize("name", ["entries", "checkpoints"])
def test_a_link_in_place_of_a_folder(folder: Path, name: str, evaluator: SecretKey) -> None:
    ledger = Ledger(folder)
    (folder / name).replace(folder / "moved")
    (folder / name).symlink_to(folder / "moved")
    for act in (ledger.reload, lambda: ledger.append(lambda size, root: b"4", evaluator)):
        with pytest.raises(ForgeryError, match=f"{name}: not a folder: got a link or a file"):
            act()


def test_the_lock_is_not_made_through_a_link(tmp_path: Path, evaluator: SecretKey) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger/.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ForgeryError, match=r".lock: not a plain file"):
        Ledger(tmp_path / "ledger").append(lambda size, root: b"1", evaluator)
    assert [path.name for path in tmp_path.rglob("*")] == ["ledger", ".lock"]


def test_a_file_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file: not a ledger: got a file, expected a folder"):
        Ledger(tmp_path / "file")
