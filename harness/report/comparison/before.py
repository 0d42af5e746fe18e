"""The run before: what a run is compared with to see what changed since."""

from __future__ import annotations

from pathlib import Path

from harness.store.query import rows

_BEFORE = """
with this as (select run_id, suite, created_at from runs where run_id = $run),
mine as (select endpoint from endpoints where run_id = $run)
select r.run_id
from runs r, this t
where r.suite is not distinct from t.suite and r.sealed and r.run_id <> t.run_id
    and (r.created_at, r.run_id) < (t.created_at, t.run_id)
    and exists (select 1 from endpoints e where e.run_id = r.run_id and e.endpoint in (select endpoint from mine))
order by r.status = 'finished' desc, r.created_at desc, r.run_id desc
limit 1
"""


def run_before(results: Path, run: str) -> str | None:
    """The newest earlier run of the same suite that asked one of the same endpoints, finished ones first; None: none.

    Errors: as ``rows``.
    """
    found = rows(results, _BEFORE, {"run": run})
    return str(found[0]["run_id"]) if found else None
