"""Before anything is paid for: may the results be written, and do they fit on the disk?"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from harness.errors import StoreError
from harness.folder import storing
from harness.run.plan import Plan

RECORD_BYTES = 3_400
"""Of a request in a journal: 200 chunk times and a 200-word answer, measured."""
_KEPT_TWICE = 2.5
"""Journal, packed tables beside it and their copy in the database, in sizes of the journal."""
_ALWAYS_BYTES = 8 << 20
"""Schema of the database twice, while it is built anew, and what is temporary."""


def bytes_needed(plan: Plan) -> int:
    """Estimate of the disk space that a plan's record takes, in bytes; prompts are taken from those built already."""
    jobs = sum(1 for _ in plan.jobs)
    bodies = [len(one.body or b"") for one in plan.built.values()]
    prompt = sum(bodies) / len(bodies) if bodies else 0.0
    return for_requests(jobs, prompt)


def for_requests(n: int, prompt_bytes: float = 0.0) -> int:
    """Estimate of the disk space that the record of so many requests takes, in bytes."""
    return round(n * (RECORD_BYTES + prompt_bytes) * _KEPT_TWICE) + _ALWAYS_BYTES


def refuse_no_room(results: Path, plan: Plan) -> None:
    """Make sure that the results of a plan can be written below ``results``, which is made where it is missing.

    Errors: StoreError when the folder may not be written, or has less space than is likely to be needed.
    """
    with storing(results):
        results.mkdir(parents=True, exist_ok=True)
        trial = results / f".trial.{os.getpid()}.{secrets.token_hex(3)}.tmp"
        trial.write_bytes(b"?")
        trial.unlink()
        free = shutil.disk_usage(results).free
    if (needed := bytes_needed(plan)) > free:
        raise StoreError(
            f"{results} has {_size(free)} free, and this run is likely to need {_size(needed)}; nothing was sent",
            hint="Free some space, ask less, or choose another folder with --results",
        )


def _size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
