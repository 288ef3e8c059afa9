"""The folder of a blind program: what is in it, what it is called by, and how large it is."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_file, digest_value
from foretell.base.errors import InputError
from foretell.base.files import storage_errors

DESCRIPTION = "program.toml"
_KEYS = {"name", "entry", "helpers"}
#: Paths of more letters may be longer than a system allows once copied, or nested deeper than Python's stack.
_MOST_LETTERS, _MOST_PATH_LETTERS = 100, 300
_PYTHON_ENTRY = re.compile(r"python:([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)
_COMMAND = "command:"
_ENTRIES = '"python:MODULE:FUNCTION" or "command: ./run ARGUMENT …"'
_CHUNK_BYTES = 1 << 20
#: Everything can be run inside: what may be run is no part of a program's identity, and does not survive every copy.
_STAGED_MODE = 0o755


@dataclass(frozen=True)
class Program:
    """A folder that answers questions.

    Attributes:
        entry: as written in program.toml.
        helpers: AI systems that helped to make it or are inside, by name.
        size_bytes: all files and their names.
        digest: of the canonical JSON of {relative path: digest of the file}.
        files: that mapping.
    """

    folder: Path
    name: str
    entry: str
    helpers: tuple[str, ...]
    size_bytes: int
    digest: str
    files: dict[str, str]

    @property
    def call(self) -> list[str]:
        """The entry as the harness takes it: ['python', module, function] or ['command', word, …]."""
        if found := _PYTHON_ENTRY.fullmatch(self.entry):
            return ["python", found[1], found[2]]
        return ["command", *shlex.split(self.entry.removeprefix(_COMMAND))]

    def stage(self, to: Path) -> None:
        """Copy the files to a new folder, checked against the digest on the way: what runs is what was loaded.

        Raises:
            InputError: a file changed after it was loaded.
            StorageError: no room.
        """
        with storage_errors(to):
            to.mkdir()
            for name, digest in self.files.items():
                target = to / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if (got := _copy(self.folder / name, target)) != digest:
                    raise _wrong(
                        self.folder / name, "a program that changed", got, digest, "Leave it alone, run again."
                    )
                target.chmod(_STAGED_MODE)


def load_program(folder: Path) -> Program:
    """Read and check a program's folder; nothing in it is run.

    program.toml has `name`, `entry` ("python:MODULE:FUNCTION" or "command: ./run ARGUMENT …") and `helpers`, a list.

    Raises:
        InputError: no such folder, a link, socket or device in it, a bad program.toml, an entry that is not in it.
    """
    if folder.is_symlink() or not folder.is_dir():
        got = "a link" if folder.is_symlink() else "no folder"
        raise _wrong(folder, "no program", got, f"a folder with {DESCRIPTION}", "Check the path.")
    paths = sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix())
    description = _describe(folder / DESCRIPTION)
    sizes = [path.stat().st_size + len(path.relative_to(folder).as_posix().encode()) for path in paths]
    files = {path.relative_to(folder).as_posix(): digest_file(path) for path in paths}
    helpers = tuple(description["helpers"])
    program = Program(
        folder, description["name"], description["entry"], helpers, sum(sizes), digest_value(files), files
    )
    _check_entry(program)
    return program


def _files(folder: Path) -> Iterator[Path]:
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path, mode = Path(entry.path), entry.stat(follow_symlinks=False).st_mode
                _check_name(path, folder)
                if stat.S_ISDIR(mode):
                    waiting.append(path)
                elif stat.S_ISREG(mode):
                    yield path
                else:
                    kind = "a link" if stat.S_ISLNK(mode) else "a socket, pipe or device"
                    raise _wrong(path, "not a plain file", kind, "files and folders only", "Put a copy in its place.")


def _check_name(path: Path, folder: Path) -> None:
    if len(path.relative_to(folder).as_posix()) > _MOST_PATH_LETTERS:
        raise _wrong(folder, "a long path", f"…/{path.name!a}", f"at most {_MOST_PATH_LETTERS} letters", "Shorten it.")
    if not path.name.isprintable() or "\\" in path.name:  # undecodable bytes are not printable either
        raise _wrong(path.parent, "a bad file name", ascii(path.name), "printable letters, no \\", "Rename it.")
    if path.name == "__pycache__":
        fix = "Delete it: compiled files change at every run, and the program's digest with them."
        raise _wrong(path, "compiled Python files", "__pycache__", "sources only", fix)


def _describe(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise _wrong(path, f"no {DESCRIPTION}", "nothing", "a program's description", "See examples/blind_bigram.")
    try:
        described = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _wrong(path, "not TOML", str(error), "TOML in UTF-8", "Correct the file.") from error
    if unlike := sorted(described.keys() ^ _KEYS):
        missing = [key for key in unlike if key in _KEYS]
        got = f"no {missing[0]!r}" if missing else f"an unknown {unlike[0]!r}"
        raise _wrong(path, "unlike a description", got, "name, entry and helpers", "Add what is missing, no more.")
    for key in ("name", "entry"):
        _check_text(path, key, described[key])
    if not isinstance(described["helpers"], list):
        raise _wrong(path, "bad helpers", repr(described["helpers"]), "a list of names", "Write helpers = [].")
    for name in described["helpers"]:
        _check_text(path, "helpers", name)
    return described


def _check_text(path: Path, key: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _MOST_LETTERS:
        expected = f"one line of 1 to {_MOST_LETTERS} letters"
        raise _wrong(path, f"bad {key}", repr(value)[:_MOST_LETTERS], expected, "Correct it.")


def _check_entry(program: Program) -> None:
    path, entry = program.folder / DESCRIPTION, program.entry
    if found := _PYTHON_ENTRY.fullmatch(entry):
        module = found[1].replace(".", "/")
        if not {f"{module}.py", f"{module}/__init__.py"} & set(program.files):
            expected = f"{module}.py in the folder"
            raise _wrong(path, "no such module", repr(entry), expected, "Check the entry: python:MODULE:FUNCTION.")
        return
    try:
        words = shlex.split(entry.removeprefix(_COMMAND)) if entry.startswith(_COMMAND) else []
    except ValueError:  # a quotation mark without its second
        words = []
    if not words:
        raise _wrong(path, "bad entry", repr(entry), _ENTRIES, "Correct it.")
    if "/" in words[0] and words[0].removeprefix("./") not in program.files:
        raise _wrong(path, "no such command", repr(words[0]), "a file of the folder", "Write it as ./NAME.")


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file, target.open("wb") as copy:
        while block := file.read(_CHUNK_BYTES):
            digest.update(block)
            copy.write(block)
    return "sha256:" + digest.hexdigest()


def _wrong(path: Path, what: str, got: str, expected: str, fix: str) -> InputError:
    return InputError(what, where=str(path), got=got, expected=expected, fix=fix)
