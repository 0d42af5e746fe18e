"""Runs made of rows, so that what the store says about them can be worked out by hand."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.record.folder import RunFolder, create
from harness.store import query
from harness.store.columns import ATTEMPTS, SCORES, SEALED, TEXTS, VERDICTS
from harness.store.index import publish
from harness.store.rows import to_line

MS = 1_000_000
EPOCH = datetime(2026, 1, 1)  # noqa: DTZ001 - the tables keep UTC without a zone


def manifest(run: RunFolder, **changes: Any) -> dict[str, Any]:
    """A manifest as the runner writes it."""
    return {
        "schema_version": 1,
        "id": run.id,
        "status": "finished",
        "suite": "made",
        "created_at": "2026-01-01T00:00:00.000+00:00",
        "finished_at": None,
        "seed": 0,
        "planned": 9,
        "selection": {"repeats": 1},
        "harness_version": "0.1.0",
        "python": "3.11.0",
        "duckdb": "2.0.0",
        "os": "Linux",
        "host": "h",
        "cpus": 2,
        "plan_sha256": "00",
        "endpoints": [
            {
                "id": "p/m",
                "provider": "p",
                "kind": "hosted",
                "model": "m",
                "model_id": "vendor-m",
                "base_url": "http://127.0.0.1:1/v1",
                "engine": None,
                "engine_version": None,
                "price": {
                    "input_usd_per_mtok": 1.0,
                    "output_usd_per_mtok": 2.0,
                    "cached_input_usd_per_mtok": None,
                    "source": "providers.yaml",
                },
            }
        ],
        "tasks": [
            {"name": "sums", "version": 1, "kind": "quality", "scorer": "exact", "scorer_version": 1, "n": 6},
        ],
        "loads": [
            {
                "name": "chat",
                "version": 1,
                "slo": {"ttft_ms": 155.0, "tpot_ms": 15.0, "e2e_ms": None},
                "levels": [{"stage": "load.chat@c1", "law": "closed(1)", "n": 4}],
            }
        ],
        "probes": None,
    } | changes


def attempt(job: str, *, number: int = 0, ms: dict[str, float] | None = None, **changes: Any) -> dict[str, Any]:
    """A row of attempts: a measured load attempt unless changed; ``ms`` gives marks in milliseconds."""
    marks = {f"{name}_ns": round(at * MS) for name, at in (ms or {}).items()}
    sent = marks.get("send0_ns", marks.get("admit_ns", 0))
    row: dict[str, Any] = dict.fromkeys(ATTEMPTS)
    row |= {
        "run_id": "?",
        "job_id": job,
        "number": number,
        "endpoint": "p/m",
        "kind": "load",
        "stage": "load.chat@c1",
        "task": "chat",
        "sample": job,
        "repeat": 0,
        "phase": "measure",
        "turn": 0,
        "shard": 0,
        "session": 1,
        "sched_ns": 0,
        "admit_ns": 0,
        "started_at": EPOCH + timedelta(microseconds=sent // 1000),
        "stream": True,
        "workload_sha256": "00",
        "clock": "kernel",
        "reused": False,
        "coalesced_reads": 0,
        "n_reads": 10,
        "in_flight": 1,
        "cached": False,
        "deviations": [],
        "text_lossy": False,
    }
    return row | marks | changes


def score(job: str, value: float, **changes: Any) -> dict[str, Any]:
    """A row of scores."""
    row = {"run_id": "?", "job_id": job, "endpoint": "p/m", "task": "sums", "sample": job, "repeat": 0, "value": value}
    return row | {"explanation": "", "scorer": "exact", "version": 1, "text_lossy": False} | changes


def verdict(probe: str, word: str, **changes: Any) -> dict[str, Any]:
    """A row of verdicts."""
    row = {"run_id": "?", "endpoint": "p/m", "probe": probe, "rev": 1, "surface": "chat", "severity": "major"}
    words = dict.fromkeys(("title", "reason", "expected", "actual"), "")
    counts = {"evidence": [], "agree": 1, "samples": 1, "text_lossy": False}
    return row | words | {"verdict": word} | counts | changes


def make_run(
    results: Path, slug: str = "made", about: dict[str, Any] | None = None, **tables: list[dict[str, Any]]
) -> RunFolder:
    """A sealed run folder that holds these rows; ``about``: what its manifest says otherwise."""
    run = create(results, slug)
    run.write_manifest(manifest(run, **(about or {})))
    lines = run.root / "rows"
    with query.converter() as connection:
        for table, columns in SEALED.items():
            if table in tables or not table.endswith("_samples"):
                lines.write_bytes(b"".join(to_line(_row(row)) for row in tables.get(table, [])))
                longest = lines.stat().st_size
                query.to_parquet(connection, lines, run.parquet_path(table), columns, longest=longest)
    lines.unlink()
    return run


def make_nights(
    results: Path,
    n: int,
    *,
    endpoints: Sequence[str] = ("p/m",),
    ttft_ms: Callable[[str, int], float] = lambda endpoint, night: 100.0,
    about: Callable[[int], dict[str, Any] | None] = lambda night: {},
) -> list[RunFolder]:
    """A published store of nightly runs, the oldest first, each of one load and of one task of six questions.

    ``ttft_ms`` is the median of eight requests of that night; ``about`` what the night's manifest says otherwise, None:
    there was no run. Each night's first question is answered wrongly.
    """
    made = []
    for night in range(n):
        changes = about(night)
        if changes is None:
            continue
        at = EPOCH + timedelta(days=night)
        rows, scores = [], []
        for name in endpoints:
            known: dict[str, Any] = {"endpoint": name, "completion_tokens": 4, "prompt_tokens": 3, "started_at": at}
            for i in range(8):
                first = ttft_ms(name, night) * (0.965 + 0.01 * i)
                marks = {"send0": 0, "tok1": first, "tokn": first + 60, "eof": first + 62}
                rows.append(attempt(f"load/{name}/{i}", sample=str(i), ms=marks, **known))
            asked = {"kind": "quality", "stage": "quality.sums", "task": "sums", "cost_usd": 0.001}
            for i in range(6):
                job = f"sums/{name}/{i}"
                rows.append(attempt(job, sample=str(i), ms={"send0": 0, "tok1": 9, "eof": 10}, **known, **asked))
                scores.append(score(job, float(i > 0), endpoint=name, sample=str(i)))
        run = make_run(results, f"night{night}", attempts=rows, scores=scores)
        one = manifest(run)["endpoints"][0]
        run.write_manifest(
            manifest(
                run,
                **{
                    "suite": "nightly",
                    "created_at": f"{at.isoformat(timespec='milliseconds')}+00:00",
                    "endpoints": [one | {"id": name} for name in endpoints],
                    **changes,
                },
            )
        )
        made.append(run)
    publish(results)
    return made


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Moments as sealing writes them."""
    since_1970 = {name: at - datetime(1970, 1, 1) for name, at in row.items() if isinstance(at, datetime)}  # noqa: DTZ001
    return row | {name: at // timedelta(microseconds=1) for name, at in since_1970.items()}


def now() -> datetime:
    """UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


__all__ = [
    "ATTEMPTS",
    "MS",
    "SCORES",
    "TEXTS",
    "VERDICTS",
    "attempt",
    "make_nights",
    "make_run",
    "manifest",
    "score",
    "verdict",
]
