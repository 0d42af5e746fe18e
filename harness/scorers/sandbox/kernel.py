"""System calls that Python has no function for, by ctypes.

This module and those beside it but ``run`` import next to nothing: each program pays for it.
"""

from __future__ import annotations

import ctypes
import os
import sys

_NUMBERS = {"unshare": (272, 97), "mount": (165, 40), "capset": (126, 91), "landlock_create_ruleset": (444, 444)}
_NUMBERS |= {"landlock_add_rule": (445, 445), "landlock_restrict_self": (446, 446)}
"""On x86-64 and on aarch64. Source: the kernel's ``asm/unistd_64.h`` and ``asm-generic/unistd.h``."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SIGKILL = 9

MACHINES = ("x86_64", "aarch64")


def machine() -> int | None:
    """The place in ``MACHINES`` of the processor; None: another one, or no Linux, or 32 bits."""
    if sys.platform != "linux" or sys.maxsize < 2**32 or os.uname().machine not in MACHINES:
        return None
    return MACHINES.index(os.uname().machine)


def call(name: str, *arguments: object) -> int:
    """Call the kernel by name; OSError when it refuses."""
    here = machine()
    assert here is not None
    return _checked(_libc().syscall(_NUMBERS[name][here], *map(_long, arguments)), name)


def die_with_parent() -> None:
    """Be killed as soon as the thread that started this process is gone; a change of credentials undoes it."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def gain_nothing() -> None:
    """No program that this process might start gains rights by it; needed by what follows, and never undone."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def filter_calls(program: ctypes.Structure) -> None:
    """Have the kernel judge every system call of this process from now on by a BPF program (a ``sock_fprog``)."""
    _prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program))


def _prctl(option: int, *arguments: object) -> None:
    padded = (*arguments, 0, 0, 0, 0)[:4]
    _checked(_libc().prctl(option, *map(_long, padded)), "prctl")


def _long(value: object) -> object:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
