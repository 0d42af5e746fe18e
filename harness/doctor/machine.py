"""The machine: its share of cores and memory, open files, the clock, and who stamps what arrives."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from pathlib import Path

from harness.doctor.finding import Finding
from harness.wire.clock import stamp
from harness.wire.loop import open_files

CGROUP = Path("/sys/fs/cgroup")
_FEW_FILES = 1_024
"""So many streams at once are an ordinary load."""
_FEW_CORES = 2
_LITTLE_MEMORY = 2_000_000_000
"""Bytes; the demo with its local model takes about half of it."""
_TIME_ERROR = 5
"""What adjtimex(2) returns where the kernel's clock is not synchronised."""


def cores(root: Path = CGROUP) -> Finding:
    """Cores and memory that this process may use; ``root`` is where cgroup v2 is mounted."""
    n: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(root / "cpu.max").partition(" ")
    limits = []
    if quota.isdigit() and period.isdigit() and int(period):
        share = int(quota) / int(period)
        limits.append(f"its container may use {share:g} cores")
        n = min(n, share)
    memory = _memory()
    most = _read(root / "memory.max")
    if most.isdigit() and (memory is None or int(most) < memory):
        memory = int(most)
        limits.append("its container bounds the memory")
    told = f"{n:g} cores, {'memory unknown' if memory is None else f'{memory / 1e9:.1f} GB'}"
    told += f"; {'; '.join(limits)}" if limits else ""
    if n < _FEW_CORES or (memory is not None and memory < _LITTLE_MEMORY):
        mend = "Measure elsewhere what is fast: a busy client is told as such (harness load says client-limited)"
        return Finding("machine", "note", told, mend)
    return Finding("machine", "ok", told)


def files() -> Finding:
    """How many connections a load may have: each is an open file."""
    soft, hard = open_files()
    if hard is None:
        return Finding("open files", "ok", "no limit")
    told = f"{soft} now, {hard} when a load asks for more"
    if hard <= _FEW_FILES:
        return Finding("open files", "note", told, f"For more than {hard - 100} streams at once: ulimit -Hn 65536")
    return Finding("open files", "ok", told)


def clock() -> Finding:
    """Whether the wall clock is kept right, as far as the kernel knows. Source: adjtimex(2)."""
    synchronised = _synchronised()
    if synchronised is None:
        return Finding("wall clock", "note", "not known whether it is kept right on this system")
    if synchronised:
        return Finding("wall clock", "ok", "synchronised")
    return Finding(
        "wall clock",
        "note",
        "nobody keeps it right; durations do not rest on it, signed requests and comparing logs do",
        "Start a time service (chrony, systemd-timesyncd); harness providers check compares it with a server's",
    )


def stamps() -> Finding:
    """Whose clock says when an answer arrived."""
    with socket.socket() as trial:
        if stamp(trial):
            return Finding("receive times", "ok", "the kernel's stamp of each packet")
    return Finding(
        "receive times", "note", "this program's own: a busy client is part of every latency", "Measure on 64-bit Linux"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _synchronised() -> bool | None:
    if sys.platform != "linux":
        return None
    try:
        # Of struct timex all but its first field (modes, 0: only read) is the kernel's to fill in; it has 208 bytes.
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)
