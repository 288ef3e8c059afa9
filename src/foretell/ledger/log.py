"""The ledger: a folder of entries that only grows, with a signed checkpoint after each of them.

    entries/00000000.json, 00000001.json, …         what was said, in the order in which it was said
    checkpoints/00000001.note, 00000002.note, …     the log of that size, signed by whoever appended
    .lock                                           held by the one who writes

An entry counts from the moment at which its checkpoint is there. A writer that is killed in between leaves an entry
without one, which readers pass over and the next writer removes. Other things may stand beside these two folders, but
nothing else inside them. The ledger knows no keys: who may sign what is the verifier's to check.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from foretell.base.errors import InputError
from foretell.base.files import flush_folder, storage_errors, write_atomically
from foretell.ledger._folder import CHECKPOINTS, ENTRIES, LARGEST_ENTRY_BYTES, Found, find
from foretell.ledger._strict import forged
from foretell.ledger.keys import SecretKey
from foretell.ledger.merkle import EMPTY_ROOT, leaf_hash, prefix_roots
from foretell.ledger.note import Checkpoint, read_unverified_checkpoint, sign_checkpoint

_LOCK = ".lock"
_ORIGIN_START, _ORIGIN_DIGITS = "foretell/", 32


def origin_of(first_entry: bytes) -> str:
    """The name of the log that begins with this entry.

    >>> origin_of(b"")
    'foretell/e3b0c44298fc1c149afbf4c8996fb924'
    """
    return _ORIGIN_START + hashlib.sha256(first_entry).hexdigest()[:_ORIGIN_DIGITS]


class Ledger:
    """A ledger as it stood when it was last read: when it was made, at `reload`, or when the lock was taken.

    Args:
        folder: Where it is; a folder that is not there is an empty ledger. Reading writes nothing.

    Raises:
        InputError: the folder is a file.
        ForgeryError: an entry or checkpoint is missing, a file does not belong there, or a checkpoint states another
            log, size or root than the entries have.

    >>> import tempfile
    >>> secret = SecretKey.generate("evaluator")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = Ledger(Path(folder))
    ...     ledger.append(lambda size, root: b"the rules", secret), ledger.append(lambda size, root: b"a step", secret)
    ...     Ledger(Path(folder)).entries
    (0, 1)
    [b'the rules', b'a step']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mutex, self._depth = threading.RLock(), 0
        self.reload()

    def reload(self) -> None:
        """Read the folder again."""
        self._take(find(self.folder))

    def _take(self, found: Found) -> None:
        """Check entries against checkpoints, and hold them."""
        entries, checkpoints = found.read()
        roots = prefix_roots(leaf_hash(entry) for entry in entries)
        for size, (root, note) in enumerate(zip(roots, checkpoints, strict=True), start=1):
            where = str(self.folder / CHECKPOINTS.name(size))
            expected = Checkpoint(origin_of(entries[0]), size, root)
            _compare(where, read_unverified_checkpoint(note, where), expected)
        self._entries, self._checkpoints, self._root = entries, checkpoints, roots[-1] if roots else EMPTY_ROOT

    @property
    def entries(self) -> list[bytes]:
        """Every entry that has a checkpoint, in order."""
        return list(self._entries)

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self._entries)

    @property
    def root(self) -> bytes:
        """Root of the Merkle tree over the entries, 32 bytes."""
        return self._root

    @property
    def origin(self) -> str:
        """Which log this is: "foretell/" and the beginning of the SHA-256 of its first entry.

        Raises:
            InputError: the ledger is empty, so it has no name yet.
        """
        if not self._entries:
            raise self._no_such("an empty ledger has no name", "no entry", "one entry at least")
        return origin_of(self._entries[0])

    def checkpoint(self, size: int) -> bytes:
        """The signed note of the log of that size, as it is stored.

        Raises:
            InputError: the ledger has not that many entries, or the size is less than 1.
        """
        if not 1 <= size <= self.size:
            raise self._no_such("no such checkpoint", f"size {size}", f"1 to {self.size}")
        return self._checkpoints[size - 1]

    def _no_such(self, what: str, got: str, expected: str) -> InputError:
        fix = "Give the folder of the ledger that has it, or append to this one first."
        return InputError(what, where=str(self.folder), got=got, expected=expected, fix=fix)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer: wait for others, undo what a killed one left, and read the ledger as it is now.

        May be nested; other threads with this object, and other processes, wait.

        Raises:
            ForgeryError: the ledger does not verify.
            StorageError: the disk is full or cannot be written.
        """
        with self._mutex:
            if self._depth:
                yield
                return
            handle = self._open_lock()
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                self._depth = 1
                self._recover()
                yield
            finally:
                self._depth = 0
                os.close(handle)

    def _open_lock(self) -> int:
        """Make what is not there, and nothing in a folder that is no ledger or through a link."""
        find(self.folder)
        lock = self.folder / _LOCK
        if lock.is_symlink() or (lock.exists() and not lock.is_file()):
            raise forged("not a plain file", where=str(lock), got="a link or a folder", expected="a file")
        with storage_errors(self.folder):
            new = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            for kind in (ENTRIES, CHECKPOINTS):
                (self.folder / kind.folder).mkdir(exist_ok=True)
            for folder in (self.folder, self.folder.parent) if new else (self.folder,):
                flush_folder(folder)
            return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)

    def _recover(self) -> None:
        """Remove what an interrupted append left, once all that remains has been checked."""
        found = find(self.folder)
        self._take(found)
        with storage_errors(self.folder):
            for path in found.unfinished:
                path.unlink()
            for kind in (ENTRIES, CHECKPOINTS) if found.unfinished else ():
                flush_folder(self.folder / kind.folder)

    def append(self, make: Callable[[int, bytes], bytes], secret: SecretKey) -> int:
        """Add one entry and its checkpoint: both or, killed at whatever moment, none.

        Args:
            make: From the size and root of the ledger as it is now, under the lock, to the entry.
            secret: Signs the checkpoint.

        Returns:
            The entry's index.

        Raises:
            InputError: the entry is empty or larger than an entry may be.
            ForgeryError: the ledger does not verify.
            StorageError: the disk is full or cannot be written; nothing was added.
        """
        with self.locked():
            index = self.size
            entry = make(index, self.root)
            if not 0 < len(entry) <= LARGEST_ENTRY_BYTES:
                raise self._no_such("not an entry", f"{len(entry)} bytes", f"1 to {LARGEST_ENTRY_BYTES}")
            if self.size != index:
                raise RuntimeError("make() appended to the ledger for which it was making an entry")
            entries = [*self._entries, entry]
            root = prefix_roots(map(leaf_hash, entries))[-1]
            note = sign_checkpoint(Checkpoint(origin_of(entries[0]), len(entries), root), secret)
            try:
                write_atomically(self.folder / ENTRIES.name(index), lambda path: path.write_bytes(entry))
                write_atomically(self.folder / CHECKPOINTS.name(index + 1), lambda path: path.write_bytes(note))
            except BaseException:
                self._recover()  # after an error that is not a kill, too: what has no checkpoint goes
                raise
            self._entries, self._checkpoints, self._root = entries, [*self._checkpoints, note], root
            return index


def _compare(where: str, got: Checkpoint, expected: Checkpoint) -> None:
    """Refuse a checkpoint that states what the entries are not."""
    compared = (
        ("a checkpoint of another ledger", got.origin, expected.origin),
        ("a checkpoint of another size than its name says", str(got.size), str(expected.size)),
        ("the entries are not those that the checkpoint was signed for", got.root.hex(), expected.root.hex()),
    )
    for what, ours, theirs in compared:
        if ours != theirs:
            raise forged(what, where=where, got=repr(ours), expected=repr(theirs))
