"""Whether a run measured anything that can be judged: what did not must not pass, and is not worse either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.record.folder import RunFolder, results_option
from harness.report.load.validity import validity
from harness.store.overview import status_of
from harness.store.query import rows
from harness.types import JsonObject

_RUN = "select sealed, problem from runs where run_id = ?"
_ANSWERED = """
select s.endpoint, s.n, s.n_ok, f.failure_kind, f.example
from endpoint_summary s
left join (
    select run_id, endpoint, arg_max(failure_kind, n) as failure_kind, arg_max(example, n) as example
    from error_summary group by all
) f using (run_id, endpoint)
where s.run_id = ?
"""
_SEEN = """
select l.stage, e.endpoint, l.n - count(distinct a.job_id) as lost, l.n
from loads l join endpoints e using (run_id)
left join attempts a
    on a.run_id = l.run_id and a.endpoint = e.endpoint and a.stage = l.stage and a.kind = 'load' and a.phase = 'measure'
where l.run_id = $run and list_contains($stages, l.stage)
group by l.stage, e.endpoint, l.n having lost > 0 order by l.stage
"""
_LEVELS = "select * exclude (run_id) from load_summary where run_id = ? order by all"
_LONGEST = 160


class Trust(NamedTuple):
    """Why parts of a run cannot be judged; an empty text, or no entry: they can."""

    whole: str
    endpoints: Mapping[str, str]
    """By endpoint."""
    lost: Mapping[tuple[str, str], str]
    """By endpoint and piece of work, as in ``chat@c4``."""
    loads: str
    warnings: tuple[str, ...] = ()

    def against(self, endpoint: str, kind: str = "", place: str = "") -> str:
        """Why figures of this endpoint and piece of work are none."""
        loads = self.loads if kind == "load" else ""
        return self.whole or self.endpoints.get(endpoint, "") or self.lost.get((endpoint, place), "") or loads


def trust(results: Path, folder: RunFolder, manifest: JsonObject) -> Trust:
    """What is known of a run. Errors: as ``rows``."""
    whole = _whole(results, folder, manifest)
    if whole:
        return Trust(whole, {}, {}, "")
    dead = {row["endpoint"]: why for row in rows(results, _ANSWERED, [folder.id]) if (why := _dead(row))}
    found = validity(results, folder, rows(results, _LEVELS, [folder.id])) if manifest.get("loads") else None
    limited, warnings = "", []
    if found is not None and found["word"] == "client-limited":
        limited = f"this client was the limit, not the server: {'; '.join(found['reasons'][:2])}"
    elif found is not None and found["word"] == "contaminated":
        warnings.append(f"this client disturbed {found['contaminated_n']} of {found['n']} requests of run {folder.id}")
    return Trust("", dead, _lost(results, folder.id, manifest), limited, tuple(warnings))


def _whole(results: Path, folder: RunFolder, manifest: JsonObject) -> str:
    status = status_of(folder, manifest)
    if status != "finished":
        return f"run {folder.id} is {status}: a part of what was planned was not asked"
    known = rows(results, _RUN, [folder.id])
    if not known:
        return f"run {folder.id} is not published; make it so with harness db rebuild{results_option(results)}"
    if known[0]["problem"] or not known[0]["sealed"]:
        return f"data of run {folder.id} are missing: {known[0]['problem'] or 'it is not sealed'}"
    return ""


def _dead(row: JsonObject) -> str:
    """Why an endpoint was not measured at all."""
    if row["n"] and not row["n_ok"]:
        told = f"{row['failure_kind']} ({row['example']})" if row["failure_kind"] else "no reason is known"
        return f"every one of its {row['n']} requests failed, most often {told[:_LONGEST]}"
    return ""


def _lost(results: Path, run: str, manifest: JsonObject) -> dict[tuple[str, str], str]:
    """Loads of which requests have no record, as where one of several processes' files is gone."""
    if (manifest.get("selection") or {}).get("search") is not None:
        return {}
    stages = [
        level["stage"]
        for load in manifest.get("loads") or ()
        for level in load.get("levels") or ()
        if level.get("duration_s") is None and level.get("n")
    ]
    found: dict[tuple[str, str], str] = {}
    for row in rows(results, _SEEN, {"run": run, "stages": stages}) if stages else ():
        place = row["stage"].removeprefix("load.").partition("#")[0]
        why = (
            f"{row['lost']} of {row['n']} planned requests of {row['stage']} have no record: a part of the run is lost"
        )
        found.setdefault((row["endpoint"], place), why)
    return found
