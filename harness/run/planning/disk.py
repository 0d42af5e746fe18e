"""Before anything is paid for: may the results be written, and do they fit on the disk?"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import NamedTuple

from harness.errors import StoreError
from harness.record.folder import storing
from harness.request import allowance
from harness.run.planning.plan import Plan
from harness.types import Job, Request

REQUEST_BYTES = 4_500
"""A request without prompt and answer, in journal, plan, tables and database; measured: 3,600."""
TOKEN_BYTES = 360
"""A streamed token: its event in the journal, its time and text in tables and database; measured: 350 where each comes
in an event of its own, as long as those that hosts send."""
WHOLE_TOKEN_BYTES = 30
"""A token of an answer that comes whole: some five bytes of text in journal, tables and database."""
USUAL_TOKENS = 1_000
"""Taken for an answer whose request sets no cap, and for a task's answer that may be longer: few are."""
_PROMPT_COPIES = 2.5
"""Journal, packed tables beside it and their copy in the database, in sizes of the prompt."""
_ALWAYS_BYTES = 8 << 20
"""Schema of the database twice, while it is built anew, and what is temporary."""
_LOOKED_AT = 2_000
"""Requests of a plan that are looked at, and up to twice as many: each takes some 10 us, 100 where it is built."""


class Room(NamedTuple):
    """Estimate of the disk space that the record of a plan takes; tries after the first are not in it."""

    likely: int
    """Bytes, with answers as long as ``words`` says."""
    most: int
    """Bytes, with every answer as long as its request allows; without a cap as in ``likely``."""
    words: str
    """How long answers were taken to be."""


class _Record(NamedTuple):
    """What one request leaves behind."""

    likely: float
    most: float
    cap: int | None
    """Tokens that it allows; None: it sets no cap."""


def room_of(plan: Plan) -> Room:
    """Estimate the disk space of a plan, from requests spread evenly over it."""
    jobs = list(plan.jobs)
    known = [_record(job, plan.request(job)) for job in jobs[:: max(1, len(jobs) // _LOOKED_AT)]]
    scale = len(jobs) / max(1, len(known))
    likely, most = scale * sum(one.likely for one in known), scale * sum(one.most for one in known)
    uncapped = round(scale * sum(one.cap is None for one in known))
    words = _words(len(jobs), uncapped, cut=any(one.most > one.likely for one in known))
    return Room(round(likely) + _ALWAYS_BYTES, round(most) + _ALWAYS_BYTES, words)


def _record(job: Job, request: Request) -> _Record:
    """A load asks for answers of one length and gets them; a task's cap is only what must not be exceeded."""
    cap = allowance(request)
    most = USUAL_TOKENS if cap is None else cap
    likely = most if job.kind == "load" else min(most, USUAL_TOKENS)
    fixed = REQUEST_BYTES + _PROMPT_COPIES * len(request.body or b"")
    each = TOKEN_BYTES if request.stream else WHOLE_TOKEN_BYTES
    return _Record(fixed + each * likely, fixed + each * most, cap)


def _words(n: int, uncapped: int, *, cut: bool) -> str:
    if uncapped == n:
        return f"at {USUAL_TOKENS:,} tokens for each answer, since no request sets a cap"
    capped = "at the tokens that requests allow"
    if cut:
        capped += f", in tasks {USUAL_TOKENS:,} at most"
    return capped + (f", and {USUAL_TOKENS:,} for each of {uncapped} that set no cap" if uncapped else "")


def for_rest(left: int, recorded: int, journal_bytes: int) -> int:
    """Estimate of the disk space that a run still needs, in bytes, when its disk was full in the middle.

    Args:
        left: requests without a record.
        recorded: those that have one; the others are taken to be as large.
        journal_bytes: what the records take in the journals, and may take once more when they are sealed.
    """
    each = max(REQUEST_BYTES, journal_bytes / recorded) if recorded else REQUEST_BYTES + TOKEN_BYTES * USUAL_TOKENS
    return round(2 * left * each) + journal_bytes + _ALWAYS_BYTES


def refuse_no_room(results: Path, plan: Plan) -> str | None:
    """Make sure that the results of a plan can be written below ``results``, which is made where it is missing.

    Returns:
        What to tell where it fits, but would not if every answer were as long as its request allows; None: it would.

    Raises:
        StoreError: the folder may not be written, or has less space than is likely to be needed.
    """
    with storing(results):
        results.mkdir(parents=True, exist_ok=True)
        trial = results / f".trial.{os.getpid()}.{secrets.token_hex(3)}.tmp"
        trial.write_bytes(b"?")
        trial.unlink()
        free = shutil.disk_usage(results).free
    room = room_of(plan)
    if room.likely > free:
        raise StoreError(
            f"{results} has {size(free)} free, and this run is likely to need {size(room.likely)}, {room.words}; "
            "nothing was sent",
            hint="Free some space, ask less, or choose another folder with --results",
        )
    if room.most > free:
        return (
            f"{results} has {size(free)} free: enough for this run {room.words} ({size(room.likely)}), not for answers "
            f"as long as they may be ({size(room.most)})"
        )
    return None


def size(n: int) -> str:
    """Bytes in words."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
