"""Sealing: the journals, scores and verdicts of a run become Parquet files beside them.

Everything that is not a recorded fact is derived anew here (completion, failure, cost), so sealing again with a
newer reader of answers corrects old runs. ``attempts.parquet`` is put in place last: where it is, the others are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.folder import RunFolder, atomic_file
from harness.journal import Session, entries
from harness.prices import cost_usd
from harness.store.columns import ATTEMPTS, MARKS, SCORES, TEXTS, VERDICTS
from harness.types import Attempt, Completion, JsonObject, Outcome, Price, StreamMarks
from harness.wire.assemble import assemble

ASSEMBLED_PATH = "/chat/completions"
REPLACED = frozenset({"lone_surrogate", "invalid_utf8"})
"""Deviations by which ``assemble`` says that it put U+FFFD for something."""
_BATCH = 2000
_INT32_MAX, _UINT16_MAX = 2**31 - 1, 2**16 - 1


def seal(folder: RunFolder) -> None:
    """Write attempts, texts, scores and verdicts of a run as Parquet, replacing what was sealed before.

    Errors: StoreError when a journal or a file of judgements cannot be read, or the disk refuses.
    """
    manifest = folder.read_manifest()
    prices = {row["id"]: Price(**row["price"]) if row.get("price") else None for row in manifest.get("endpoints", [])}
    _write_table(folder.parquet_path("scores"), SCORES, _judged(folder, folder.scores_path))
    _write_table(folder.parquet_path("verdicts"), VERDICTS, _judged(folder, folder.verdicts_path))
    texts, attempts = folder.parquet_path("texts"), folder.parquet_path("attempts")
    found = entries(folder)
    with atomic_file(attempts) as attempts_file, atomic_file(texts) as texts_file, _told(attempts):  # noqa: SIM117
        with (
            pq.ParquetWriter(attempts_file, ATTEMPTS, compression="zstd") as attempts_writer,
            pq.ParquetWriter(texts_file, TEXTS, compression="zstd") as texts_writer,
        ):
            while batch := list(islice(found, _BATCH)):
                rows = [_rows(folder.id, session, attempt, prices) for session, attempt in batch]
                attempts_writer.write_table(pa.Table.from_pylist([row for row, _ in rows], ATTEMPTS))
                texts_writer.write_table(pa.Table.from_pylist([text for _, text in rows], TEXTS))


def outcome_of(attempt: Attempt) -> Outcome:
    """What a recorded attempt came to; answers of other paths are not understood, only their failures are."""
    outcome = assemble(attempt.exchange, stream=attempt.request.stream)
    if attempt.request.path.partition("?")[0].endswith(ASSEMBLED_PATH):
        return outcome
    status = attempt.exchange.status
    refused = attempt.exchange.failure is not None or status is None or not 200 <= status < 300
    return Outcome(completion=None, failure=outcome.failure if refused else None)


# --- one attempt -----------------------------------------------------------------------------------------


def _rows(
    run_id: str, session: Session, attempt: Attempt, prices: Mapping[str, Price | None]
) -> tuple[JsonObject, JsonObject]:
    """The attempt's row and its row of texts."""
    outcome = outcome_of(attempt)
    row = _facts(session, attempt) | _understood(attempt, outcome)
    usage = outcome.completion.usage if outcome.completion else None
    row["cost_usd"] = cost_usd(usage, prices.get(attempt.job.endpoint))
    key = {"run_id": run_id, "job_id": attempt.job.id, "number": attempt.number}
    texts = _clean(key | _texts(attempt, outcome.completion))
    texts["text_lossy"] |= not REPLACED.isdisjoint(row["deviations"])
    return _clean(key | row), texts


def _facts(session: Session, attempt: Attempt) -> JsonObject:
    job, exchange = attempt.job, attempt.exchange
    started_ns = attempt.admit_ns if exchange.marks.send0_ns is None else exchange.marks.send0_ns
    return {
        **{name: getattr(job, name) for name in ("endpoint", "kind", "stage", "task", "sample", "repeat", "phase")},
        **asdict(exchange.marks),
        "shard": session.shard,
        "session": session.session,
        "sched_ns": attempt.sched_ns,
        "admit_ns": attempt.admit_ns,
        "started_at": _wall(session, started_ns),
        "status": exchange.status,
        "stream": attempt.request.stream,
        "workload_sha256": attempt.request.workload_sha256,
        "clock": exchange.clock,
        "reused": exchange.reused,
        "coalesced_reads": exchange.coalesced_reads,
        "n_reads": len(exchange.reads),
        "lag_max_ns": exchange.lag_max_ns,
        "in_flight": attempt.in_flight,
    }


def _wall(session: Session, at_ns: int) -> datetime:
    """UTC without a zone, which is how the tables keep time."""
    at = session.wall + timedelta(microseconds=(at_ns - session.mono_ns) // 1000)
    return at.astimezone(UTC).replace(tzinfo=None)


def _understood(attempt: Attempt, outcome: Outcome) -> JsonObject:
    failure, completion = outcome.failure, outcome.completion
    row: JsonObject = {
        **dict.fromkeys(MARKS[7:]),
        "failure_kind": failure.kind if failure else None,
        "failure_detail": failure.detail if failure else None,
        "retry_after_s": failure.retry_after_s if failure else None,
        "deviations": [],
    }
    if completion is None:
        return row
    marks: StreamMarks = completion.marks
    usage = asdict(completion.usage) if completion.usage else {}
    return row | {
        **asdict(marks),
        **usage,
        "finish_reason": completion.finish_reason,
        "response_model": completion.model,
        "system_fingerprint": completion.system_fingerprint,
        "tool_calls": len(completion.tool_calls),
        "text_chars": len(completion.text),
        "chunk_delta_us": _steps_us(attempt.exchange.marks.send0_ns, completion.output_ns),
        "chunk_events": [min(events, _UINT16_MAX) for events in completion.output_events],
        "deviations": list(completion.deviations),
    }


def _steps_us(start_ns: int | None, times_ns: tuple[int, ...]) -> list[int] | None:
    """Gaps in microseconds, rounded so that their sums stay within half a microsecond of the truth."""
    if start_ns is None:
        return None
    since_start = [(at - start_ns + 500) // 1000 for at in times_ns]
    return [min(at - before, _INT32_MAX) for before, at in zip([0, *since_start], since_start, strict=False)]


def _texts(attempt: Attempt, completion: Completion | None) -> JsonObject:
    return {
        "request_body": attempt.request.body,
        "response_body": attempt.exchange.body,
        "text": completion.text if completion else None,
        "reasoning": completion.reasoning if completion else None,
        "tool_calls_json": json.dumps([asdict(call) for call in completion.tool_calls]) if completion else None,
        "response_headers_json": json.dumps(attempt.exchange.headers),
    }


# --- text that UTF-8 cannot hold -------------------------------------------------------------------------


def _clean(row: JsonObject) -> JsonObject:
    """Make every string storable, and say in ``text_lossy`` whether that changed one."""
    lossy = False
    for name, value in row.items():
        if isinstance(value, (str, bytes)):
            row[name], changed = _storable(value)
        elif isinstance(value, list) and value and isinstance(value[0], str):
            parts = [_storable(part) for part in value]
            row[name], changed = [part for part, _ in parts], any(part_changed for _, part_changed in parts)
        else:
            continue
        lossy = lossy or changed
    row["text_lossy"] = lossy
    return row


def _storable(value: str | bytes) -> tuple[str, bool]:
    """Lone surrogates (legal in JSON escapes) and bytes that are no UTF-8 become U+FFFD."""
    try:
        if isinstance(value, bytes):
            return value.decode("utf-8"), False
        value.encode("utf-8")
    except UnicodeDecodeError:
        assert isinstance(value, bytes)
        return value.decode("utf-8", "replace"), True
    except UnicodeEncodeError:
        assert isinstance(value, str)
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), True
    return value, False


# --- judgements ------------------------------------------------------------------------------------------


def _judged(folder: RunFolder, path: Path) -> Iterator[JsonObject]:
    """The lines of scores.jsonl or verdicts.jsonl as rows; none when nothing was judged."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
            if "job" in row:
                row["job_id"] = row.pop("job")
            yield _clean(row | {"run_id": folder.id})
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{path}:{number} cannot be read: {error}", hint="Make it anew with `harness score`"
            ) from error


def _write_table(path: Path, schema: pa.Schema, rows: Iterable[JsonObject]) -> None:
    with _told(path):
        table = pa.Table.from_pylist(list(rows), schema)
    with atomic_file(path) as file:
        pq.write_table(table, file, compression="zstd")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what Arrow raises for a value of the wrong type into a StoreError; a disk's refusal passes."""
    try:
        yield
    except pa.ArrowException as error:
        if isinstance(error, OSError):
            raise
        raise StoreError(f"{path}: a record has a value of the wrong type: {error}") from error
