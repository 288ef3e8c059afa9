"""System calls that a blind program may not make: memory that no process is charged for, and sockets that leave."""

from __future__ import annotations

import errno
import platform
import struct

#: Numbers of the refused calls, by machine. Memory made by the first five is in no process's count, so that no limit
#: would see it; the others reach into the kernel or other processes, and no forecast needs them.
_REFUSED = {
    "x86_64": {
        "memfd_create": 319,
        "memfd_secret": 447,
        "shmget": 29,
        "msgget": 68,
        "mq_open": 240,
        "io_uring_setup": 425,
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "ptrace": 101,
    },
    "aarch64": {
        "memfd_create": 279,
        "memfd_secret": 447,
        "shmget": 194,
        "msgget": 186,
        "mq_open": 180,
        "io_uring_setup": 425,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "ptrace": 117,
    },
}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: Calls of the x32 variant carry this bit, and have other numbers.
_X32_BIT = 0x40000000
_AF_UNIX = 1
# Classic BPF: load a word of seccomp_data, jump if equal or at least, return; and what is returned.
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_AT_NUMBER, _AT_ARCH, _AT_FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def syscall_filter(machine: str = platform.machine()) -> bytes | None:
    """A seccomp program for bubblewrap's --seccomp; None for machines whose call numbers are not listed here.

    Source: seccomp(2), and the kernel's syscall tables.

    >>> len(syscall_filter("x86_64")) % 8, syscall_filter("another")
    (0, None)
    """
    if machine not in _REFUSED:
        return None
    refuse = _ERRNO | errno.EPERM
    steps = [(_LOAD, 0, 0, _AT_ARCH), (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]), (_RETURN, 0, 0, _KILL)]
    steps.append((_LOAD, 0, 0, _AT_NUMBER))
    steps += [(_JUMP_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, refuse)]
    for number in _REFUSED[machine].values():
        steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    steps += [(_JUMP_EQUAL, 0, 3, _SOCKET[machine]), (_LOAD, 0, 0, _AT_FIRST_ARGUMENT)]
    steps += [(_JUMP_EQUAL, 1, 0, _AF_UNIX), (_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
