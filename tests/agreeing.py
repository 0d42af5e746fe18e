"""What must hold of every run folder: one end for each planned request, and the same sums wherever one looks."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import duckdb

from harness.record.folder import RunFolder
from harness.record.journal import read_attempts
from harness.report.summary.figures import summarise
from harness.run.admission.breaker import given_up
from harness.run.admission.rate_limits import retry_delay_s
from harness.run.scoring.judge import cancelled
from harness.store.query import held, rows
from harness.types import Attempt
from harness.wire.understand import understand

Sums = Counter[tuple[str, str | None]]
"""How many attempts of an endpoint ended how."""


def planned(run: RunFolder) -> list[str]:
    """Ids of the planned requests."""
    return [json.loads(line)["id"] for line in run.plan_path.read_bytes().splitlines()]


def kind_of(attempt: Attempt) -> str | None:
    """Failure kind of an attempt; None: it was answered."""
    failure = understand(attempt).failure
    return None if failure is None else failure.kind


def is_final(attempt: Attempt) -> bool:
    """Whether it ends its request: neither broken off by us, nor given up, nor to be tried again."""
    failure = understand(attempt).failure
    if cancelled(attempt) or given_up(attempt.exchange.failure):
        return False
    return failure is None or retry_delay_s(attempt.job, attempt.number, failure) is None


def journalled(run: RunFolder) -> Sums:
    """The sums of the journals."""
    return Counter((one.job.endpoint, kind_of(one)) for one in read_attempts(run))


def assert_agree(run: RunFolder) -> None:
    """Journal, Parquet, database and report tell the same, and no try was made twice."""
    with held(run.root.parent.parent):
        _assert_agree(run)


def _assert_agree(run: RunFolder) -> None:
    attempts = list(read_attempts(run))
    tries = [(one.job.id, one.number) for one in attempts]
    assert len(tries) == len(set(tries)), "a try was made twice"
    assert {one.job.id for one in attempts} <= set(planned(run)), "something was asked that nobody had planned"
    sums, results = journalled(run), run.root.parent.parent
    select = "select endpoint, failure_kind, count(*) as n from {} group by all"
    with duckdb.connect() as connection:
        found = connection.execute(select.format("read_parquet(?)"), [str(run.parquet_path("attempts"))]).fetchall()
    assert Counter({(endpoint, kind): n for endpoint, kind, n in found}) == sums, "Parquet"
    found_rows: list[Any] = rows(results, select.format("attempts where run_id = ?"), [run.id])
    assert Counter({(row["endpoint"], row["failure_kind"]): row["n"] for row in found_rows}) == sums, "database"
    counted = rows(
        results, "select sum(n_ok + n_failed + n_unasked) as n from endpoint_summary where run_id = ?", [run.id]
    )
    measured = [(one.job.endpoint, kind_of(one)) for one in attempts if one.job.kind not in ("probe", "judge")]
    apart = ("cancelled", "abandoned", "unneeded")
    assert (counted[0]["n"] or 0) == sum(kind not in apart for _, kind in measured), "summary"
    failed = Counter(one for one in measured if one[1] not in (*apart, "unasked", None))
    told = {
        (row["endpoint"], kind): n
        for row in summarise(results, run.id)["endpoints"]
        for kind, n in row["errors"].items()
    }
    assert told == failed, "report"


def assert_whole(run: RunFolder) -> None:
    """Every planned request has exactly one end, the run is finished, and all sums agree."""
    ends = Counter(one.job.id for one in read_attempts(run) if is_final(one))
    assert ends == dict.fromkeys(planned(run), 1)
    assert run.read_manifest()["status"] == "finished"
    assert_agree(run)
