"""Which files a contained program may open: Landlock, which the kernel has had since 5.13.

It looks at opening, listing, making, renaming and removing. It does not look at ``stat``, so a program can learn that a
name exists and how large it is. Source: the kernel's ``Documentation/userspace-api/landlock.rst``.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from harness.scorers.sandbox import kernel

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_SPECIAL = 1 << 6 | 1 << 9 | 1 << 11
"""Making devices and sockets: allowed nowhere."""
_OF_FILES = 1 << 0 | _WRITE_FILE | _READ_FILE | _TRUNCATE | 1 << 15
_FIRST_RIGHTS = (1 << 13) - 1
_LATER_RIGHTS = {2: 1 << 13, 3: _TRUNCATE, 5: 1 << 15}
"""By the version of Landlock that brought them: linking across folders, truncation, ioctl of devices."""
_TCP_SINCE, _SCOPE_SINCE = 4, 6
_TCP = 1 << 0 | 1 << 1
_SCOPE = 1 << 0 | 1 << 1
"""Abstract unix sockets, and signals."""
_BENEATH = 1


def version() -> int:
    """The version of Landlock that the kernel speaks; OSError when it speaks none."""
    return kernel.call("landlock_create_ruleset", None, 0, 1)


def restrict(readable: list[str], writable: list[str], devices: list[str]) -> int:
    """Let this process open only what lies below ``readable`` and ``writable`` folders, and some ``devices``.

    Paths that do not exist are left out. TCP is refused too where Landlock can. Gives its version; OSError when the
    kernel has none.
    """
    known = version()
    handled = _FIRST_RIGHTS
    for since, right in _LATER_RIGHTS.items():
        handled |= right if known >= since else 0
    rules = struct.pack("<Q", handled)
    if known >= _TCP_SINCE:
        rules += struct.pack("<Q", _TCP)
    if known >= _SCOPE_SINCE:
        rules += struct.pack("<Q", _SCOPE)
    ruleset = kernel.call("landlock_create_ruleset", ctypes.c_char_p(rules), len(rules), 0)
    try:
        for path in readable:
            _allow(ruleset, path, handled & (_READ_FILE | _READ_DIR))
        for path in writable:
            _allow(ruleset, path, handled & ~_SPECIAL & ~1)
        for path in devices:
            _allow(ruleset, path, handled & (_READ_FILE | _WRITE_FILE))
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return known


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        below = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(below).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("<Qi", rights, below)
        kernel.call("landlock_add_rule", ruleset, _BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(below)
