"""What servers say that they measured themselves, beside what was measured here; nothing of it is checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.report.words import number
from harness.store.query import rows
from harness.types import JsonObject

_QUERY = """
select endpoint, stage, name, n, p50_ms, p95_ms from server_times
where run_id = ? order by list_position(?, endpoint), stage, name
"""


def server_times(results: Path, run: str, stored: Sequence[JsonObject]) -> list[JsonObject]:
    """A row for each endpoint, stage and name: ``n``, ``p50_ms``, ``p95_ms``; empty where no provider tells any.

    ``stored``: what the manifest says of the endpoints. Asked of the database only where one declares such times.
    """
    if not any((row.get("naming") or {}).get("server_timing") for row in stored):
        return []
    return rows(results, _QUERY, [run, [row["id"] for row in stored]])


def lines(found: Sequence[JsonObject]) -> Iterator[str]:
    """One line for each endpoint and stage: the medians, as the server tells them."""
    told: dict[tuple[str, str], list[str]] = {}
    for row in found:
        words = f"{row['name'].removesuffix('_ms')} {number(row['p50_ms'], 1)} ms"
        told.setdefault((row["endpoint"], row["stage"]), []).append(words)
    for (endpoint, stage), times in told.items():
        yield f"{endpoint} says of itself in {stage}, p50: {', '.join(times)}"
