"""A published database whose rows were written by hand, so that metrics of load can be worked out by hand."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from published import EPOCH, MS, attempt

from harness.store import query
from harness.store.index import _insert

Row = dict[str, Any]
RUN = "20260101-000000-made"


def row_of(job: str, at: float = 0, sched: float | None = None, **changes: Any) -> Row:
    """An attempt planned and sent at ``at`` ms; without more it came to nothing."""
    marks = {"sched": at if sched is None else sched, "admit": at, "send0": at}
    row = attempt(job, ms=marks, **({"status": 200, "run_id": RUN, "turn": 0} | changes))
    return {name: value for name, value in row.items() if value is not None}


def answer(
    job: str,
    at: float = 0,
    gaps: list[int] | None = None,
    events: list[int] | None = None,
    tokens: int | None = 2,
    sched: float | None = None,
    **changes: Any,
) -> Row:
    """A streamed answer: ``gaps`` in ms, the first since the sending; other marks by name, in ms."""
    gaps = [100, 100] if gaps is None else gaps
    marks = {name: changes.pop(name) for name in MARKS & changes.keys()}
    first, last = at + gaps[0], at + sum(gaps)
    times = {"tok1": first, "vis1": first, "tokn": last, "eof": last, **marks}
    row = row_of(job, at, sched, chunk_delta_us=[gap * 1000 for gap in gaps], completion_tokens=tokens, **changes)
    row |= {"chunk_events": [1] * len(gaps) if events is None else events}
    row |= {f"{name}_ns": round(value * MS) for name, value in times.items() if value is not None}
    row["started_at"] = EPOCH + timedelta(microseconds=row["send0_ns"] // 1000)
    return {name: value for name, value in row.items() if value is not None}


MARKS = {"admit", "conn", "send0", "hdr", "tok1", "vis1", "tokn", "eof"}


def server(at_s: float, **values: float | None) -> Row:
    """A reading of the server's metrics."""
    at = {"at_ns": round(at_s * 1e9), '"at"': EPOCH + timedelta(seconds=at_s)}
    return {"run_id": RUN, "endpoint": "p/m", **at, **values}


def client(at_s: float, *, shard: int = 0, lag_ms: float = 0, cpu_ms: float = 0) -> Row:
    """A window of half a second that ended at ``at_s``; the loop was looked at ten times."""
    lag = {"lag_max_ns": round(lag_ms * MS), "lag_sum_ns": 5 * MS, "lag_n": 10, "cpu_ns": round(cpu_ms * MS)}
    return {"run_id": RUN, "shard": shard, "at_ns": round(at_s * 1e9), "window_ns": 500 * MS, **lag}


def fill(results: Path, slo: Row | None = None, laws: list[str] | None = None, **tables: list[Row]) -> None:
    """Build the database of ``results`` with one run that has these rows; ``slo`` are objectives of its load."""
    levels = [
        {"run_id": RUN, "task": "chat", "stage": f"load.chat@{law}", "position": position, "law": law} | (slo or {})
        for position, law in enumerate(laws or ["c1"])
    ]
    with query.build(query.database_path(results)) as connection:
        connection.execute("insert into store values (?, 'x', timestamp '2026-01-01')", [query.SCHEMA_VERSION])
        _insert(connection, "loads", levels)
        for table, rows in tables.items():
            _insert(connection, table, rows)


__all__ = ["EPOCH", "MS", "RUN", "answer", "client", "fill", "row_of", "server"]
