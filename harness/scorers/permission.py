"""Whether programs that a model wrote may be run: the user says so for one command, and nothing remembers it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UsageError

_state = {"code": False}


@contextmanager
def code_allowed() -> Iterator[None]:
    """Allow it until the block ends, in all threads."""
    before = _state["code"]
    _state["code"] = True
    try:
        yield
    finally:
        _state["code"] = before


def need_code(scorer: str) -> None:
    """UsageError, which says how to allow it, where ``scorer`` may not run programs."""
    if not _state["code"]:
        raise UsageError(
            f"scorer {scorer} runs programs that a model wrote, and that is off unless you allow it",
            hint="Add --allow-code-exec; docs/code-execution.md says what holds them",
        )
