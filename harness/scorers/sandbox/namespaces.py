"""A user, a network and a folder of one's own, where the kernel allows it to anybody: a second wall, not the first."""

from __future__ import annotations

import ctypes
import os
import struct

from harness.scorers.sandbox import kernel

_USER, _NETWORK, _MOUNTS, _IPC, _NAMES = 0x10000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000
_NOBODY = 65534
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_CAPABILITIES_V3 = 0x20080522


def leave(folder: str, room_bytes: int) -> tuple[str, ...]:
    """Go into new namespaces, and put an empty file system in memory, of ``room_bytes``, where ``folder`` is.

    Gives what worked, of "namespaces" and "folder"; it must be called while there is one thread. Whatever worked, no
    capability is left.
    """
    done: list[str] = []
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.call("unshare", _USER | _NETWORK | _MOUNTS | _IPC | _NAMES)
        done.append("namespaces")
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{_NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{_NOBODY} {group} 1")
        options = f"size={room_bytes},nr_inodes=1000,mode=700"
        words = [ctypes.c_char_p(word.encode()) for word in ("tmpfs", folder, "tmpfs", options)]
        kernel.call("mount", *words[:3], _NOSUID | _NODEV | _NOEXEC, words[3])
        os.chdir(folder)
        done.append("folder")
    except OSError:
        pass  # not allowed here: the other walls hold without it
    _drop_capabilities()
    return tuple(done)


def _write(path: str, text: str) -> None:
    at = os.open(path, os.O_WRONLY)
    try:
        os.write(at, text.encode())
    finally:
        os.close(at)


def _drop_capabilities() -> None:
    header, none = struct.pack("<Ii", _CAPABILITIES_V3, 0), bytes(24)
    kernel.call("capset", ctypes.c_char_p(header), ctypes.c_char_p(none))
