"""Tests of a program's folder: its identity and size, and every folder that is none."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path

import pytest

from foretell.base.canonical import canonical_json
from foretell.base.errors import InputError
from foretell.forecasters.program_folder import load_program

TOML = 'name = "mine"\nentry = "python:pack.model:f"\nhelpers = ["some-model"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p" / "pack").mkdir(parents=True)
    (tmp_path / "p" / "program.toml").write_text(TOML)
    (tmp_path / "p" / "pack" / "model.py").write_text("def f(ids): ...\n")
    (tmp_path / "p" / "größe.bin").write_bytes(bytes(1000))
    return tmp_path / "p"


def test_identity_and_size(folder: Path) -> None:
    program = load_program(folder)
    contents = {name: (folder / name).read_bytes() for name in ("program.toml", "pack/model.py", "größe.bin")}
    digests = {name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in contents.items()}
    assert (program.name, program.entry, program.helpers) == ("mine", "python:pack.model:f", ("some-model",))
    assert program.size_bytes == sum(len(name.encode()) + len(data) for name, data in contents.items())
    assert program.digest == f"sha256:{hashlib.sha256(canonical_json(digests)).hexdigest()}"
    (folder / "größe.bin").rename(folder / "other.bin")
    assert load_program(folder).digest != program.digest


def test_modes_are_no_part_of_it(folder: Path, tmp_path: Path) -> None:
    before = load_program(folder)
    (folder / "pack" / "model.py").chmod(0o600)
    assert load_program(folder) == before
    before.stage(tmp_path / "staged")
    assert load_program(tmp_path / "staged").digest == before.digest
    assert stat.S_IMODE((tmp_path / "staged" / "pack" / "model.py").stat().st_mode) == 0o755


def test_a_program_that_changes_is_not_run(folder: Path, tmp_path: Path) -> None:
    program = load_program(folder)
    (folder / "pack" / "model.py").write_text("def f(ids): return 1\n")
    with pytest.raises(InputError, match=r"pack/model\.py: a program that changed: got sha256:"):
        program.stage(tmp_path / "staged")


def test_what_is_no_plain_file_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(InputError, match="link: no program: got a link"):
        load_program(tmp_path / "link")
    with pytest.raises(InputError, match="absent: no program: got no folder"):
        load_program(tmp_path / "absent")
    (folder / "table").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="table: not a plain file: got a link"):
        load_program(folder)
    (folder / "table").unlink()
    (folder / "table").symlink_to(folder / "pack")
    with pytest.raises(InputError, match="table: not a plain file: got a link"):
        load_program(folder)
    (folder / "table").unlink()
    os.mkfifo(folder / "table")
    with pytest.raises(InputError, match="table: not a plain file: got a socket, pipe or device"):
        load_program(folder)
    (folder / "table").unlink()
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("table")
        with pytest.raises(InputError, match="table: not a plain file: got a socket, pipe or device"):
            load_program(folder)


@pytest.mark.parametrize("name", [b"back\\slash", b"new\nline", b"\xff\xfe"])
def test_names_that_do_not_travel(folder: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("")
    with pytest.raises(InputError, match="a bad file name: got '"):
        load_program(folder)


def test_folders_nested_too_deep(folder: Path) -> None:
    """Links are not the only way to be endless."""
    deep = folder.joinpath(*["d"] * 150)
    deep.mkdir(parents=True)
    load_program(folder)
    (deep / "d").mkdir()
    with pytest.raises(InputError, match="a long path: got …/'d', expected at most 300 letters"):
        load_program(folder)


def test_compiled_files_are_refused(folder: Path) -> None:
    (folder / "pack" / "__pycache__").mkdir()
    with pytest.raises(InputError, match=r"compiled Python files: got __pycache__, expected sources only\. Delete it"):
        load_program(folder)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("name = ", "not TOML: got "),
        ('name = "a"\nhelpers = []', "unlike a description: got no 'entry'"),
        (f"{TOML}license = 3", "unlike a description: got an unknown 'license'"),
        (TOML.replace('"mine"', '""'), "bad name: got ''"),
        (TOML.replace('"mine"', "4"), "bad name: got 4"),
        (TOML.replace('"mine"', '"a\\nb"'), "bad name: got 'a"),
        (TOML.replace('["some-model"]', '"some-model"'), "bad helpers: got 'some-model'"),
        (TOML.replace('["some-model"]', "[4]"), "bad helpers: got 4"),
        (TOML.replace("pack.model:f", "absent:f"), r"no such module: got 'python:absent:f', expected absent\.py"),
        (TOML.replace("pack.model:f", "../x:f"), r"bad entry: got 'python:\.\./x:f'"),
        (TOML.replace("python:pack.model:f", "./run"), r"bad entry: got '\./run'"),
        (TOML.replace("python:pack.model:f", "command: "), "bad entry: got 'command: '"),
        (TOML.replace("python:pack.model:f", "command: it's"), 'bad entry: got "command: it'),
        (TOML.replace("python:pack.model:f", "command: ../run"), r"no such command: got '\.\./run'"),
        (TOML.replace("python:pack.model:f", "command: /bin/sh run"), "no such command: got '/bin/sh'"),
    ],
)
def test_bad_descriptions(folder: Path, toml: str, message: str) -> None:
    (folder / "program.toml").write_text(toml)
    with pytest.raises(InputError, match=rf"program\.toml: {message}"):
        load_program(folder)


def test_no_description(folder: Path) -> None:
    (folder / "program.toml").unlink()
    with pytest.raises(InputError, match=r"no program\.toml: got nothing"):
        load_program(folder)


def test_commands_are_words(folder: Path) -> None:
    (folder / "program.toml").write_text(TOML.replace("python:pack.model:f", "command: sh pack/model.py 'a b'"))
    assert load_program(folder).call == ["command", "sh", "pack/model.py", "a b"]
