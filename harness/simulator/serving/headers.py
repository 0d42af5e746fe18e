"""The headers of every response."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.simulator.dialects import answers as dialect_answers
from harness.simulator.serving import cors
from harness.simulator.serving.ratelimit import Bucket
from harness.simulator.serving.turn import Turn

if TYPE_CHECKING:
    # Its checks take a while to set up, and few simulators speak one.
    from harness.simulator.dialects.dialect import Dialect

_LONGER_MS = 100_000


def usual(
    turn: Turn, limits: Mapping[str, Bucket], dialect: Dialect | None = None, *, error: bool = False
) -> list[tuple[str, str]]:
    """Name, time, what is left of ``limits`` (by their unit), and ``connection`` as the last of them.

    Of a ``dialect`` those that it documents.
    """
    if dialect is not None:
        return dialect_answers.headers(dialect, turn, error=error)
    read_ns, mutants = turn.incoming.read_ns, turn.mutants
    headers = [("server", "harness-simulator"), *cors.headers(turn)]
    if "no_processing_ms" not in mutants:
        worked = (time.perf_counter_ns() - read_ns) // 1_000_000
        headers.append(("openai-processing-ms", str(worked + (_LONGER_MS if "long_processing" in mutants else 0))))
    if "no_request_id" not in mutants and not (error and "no_error_request_id" in mutants):
        headers.append(("x-request-id", "req_same" if "same_request_id" in mutants else turn.name))
    if turn.backend is not None:
        headers.append(("x-backend", turn.backend))
    if "no_rate_headers" not in mutants:
        for unit, bucket in limits.items():
            headers += bucket.headers(unit, read_ns, mutants)
    return [*headers, ("connection", "close" if turn.closes else "keep-alive")]
