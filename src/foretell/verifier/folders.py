"""A folder against its manifest: every file is named, every named file is there and is what its digest says."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NoReturn

from foretell.base.canonical import digest_file, read_json
from foretell.base.errors import ForgeryError
from foretell.base.files import MANIFEST


def check_folder(folder: Path, besides: AbstractSet[str] = frozenset()) -> None:
    """Every file is what the manifest says, none is missing, and no file or folder is there besides.

    Args:
        besides: files that the manifest need not name.

    Raises:
        ForgeryError: as said, or a name that leads out of the folder.
    """

    def refuse(what: str, name: str, got: str, expected: str) -> NoReturn:
        raise ForgeryError(
            what,
            where=f"{folder.name}/{name}",
            got=got,
            expected=expected,
            fix="Ask for the folder as it was published.",
        )

    if folder.is_symlink():
        refuse("a link or device", ".", "a link", "a folder")
    try:
        named = {str(name): digest for name, digest in read_json((folder / MANIFEST).read_bytes())["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        refuse("a manifest that cannot be read", MANIFEST, str(error), "JSON that names every file once")
    inside = set(folder.rglob("*"))
    found = sorted(path for path in inside if path.is_symlink() or not path.is_dir())
    names = {path.relative_to(folder).as_posix() for path in found} - {MANIFEST}
    parents = {parent for path in found for parent in path.parents}

    for name in named:
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            refuse("a path that leads out of the folder", MANIFEST, repr(name), "names inside the folder")
    for path in found:
        if path.is_symlink() or not path.is_file():
            refuse("a link or device", path.relative_to(folder).as_posix(), "no plain file", "plain files only")
    for name in sorted(names - set(named) - besides):
        refuse("a file that the manifest does not name", name, "a file", "none")
    for path in sorted(inside.difference(found, parents)):
        refuse("a folder without files", path.relative_to(folder).as_posix(), "an empty folder", "none")
    for name, digest in sorted(named.items()):
        got = digest_file(folder / name) if name in names else "no file"
        if got != digest:
            refuse("a file that is not what was signed", name, got, digest)
