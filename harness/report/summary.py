"""A run in numbers: one dictionary that the terminal table, ``--json`` and every later report draw from.

Every figure comes from a view of the results database; what this file adds is intervals and comparisons.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import StoreError
from harness.folder import RunFolder, open_run
from harness.report.judging import judging
from harness.report.running import running
from harness.stats.intervals import quantile_interval, wilson
from harness.stats.paired import PairedDifference, PairedRatio, paired_difference, paired_ratio
from harness.store.overview import status_of
from harness.store.query import rows
from harness.types import JsonObject

_FEATURE_FAULTS = ("broken", "ignored", "rejected", "partial")


def summarise(results: Path, run: str, *, only_loads: bool = False) -> JsonObject:
    """Everything the comparison table of one run shows.

    With ``only_loads`` what a load report does without is left empty: ``endpoints``, ``tasks`` and ``features``.

    Returns:
        ``run`` (what it was and what measured it), ``health`` (how well this client measured; None: nothing came),
        ``endpoints`` (a row each, in the run's order: quality and tools with Wilson intervals, TTFT, speed, cost,
        features, errors), ``tasks``, ``judging`` (None: no judge), ``loads``, ``running`` (tries, cache, endpoints
        given up), ``features`` (what is not fully supported), ``contract_faults`` (what replies break of their
        contract, by name) and ``comparisons`` (against the first endpoint). Milliseconds, tokens per second and USD;
        None means not measured or not known, and ``n`` stands beside every figure.

    Raises:
        StoreError: there is no such run, its manifest is damaged, or the database cannot be read.
    """
    folder = open_run(results, run)
    manifest = folder.read_manifest()
    stored = _endpoints(folder, manifest)
    names = [endpoint["id"] for endpoint in stored]
    asked = ("load_summary",) if only_loads else tuple(_VIEWS)
    by_view = {view: _of_run(results, view, folder.root.name, names) if view in asked else [] for view in _VIEWS}
    health = rows(results, "select * exclude (run_id) from run_health where run_id = ?", [folder.root.name])
    measures = _measures(results, folder.root.name) if len(names) > 1 or not only_loads else {}
    levels = [level for load in manifest.get("loads") or [] for level in load.get("levels") or []]
    laws = {level.get("stage"): level.get("law") for level in levels}
    summary: JsonObject = {
        "run": {key: manifest.get(key) for key in _ABOUT}
        | {"id": folder.root.name, "status": status_of(folder, manifest)},
        "health": health[0] if health else None,
        "endpoints": []
        if only_loads
        else [_endpoint(endpoint, by_view, [ms for _, ms in measures[endpoint["id"]]]) for endpoint in stored],
        "tasks": [_with_interval(row) for row in by_view["quality_summary"]],
        "judging": None if only_loads else judging(results, folder.root.name, stored),
        "loads": [{**row, "law": laws.get(row["stage"])} for row in by_view["load_summary"]],
        "running": running(results, folder.root.name, names),
        "features": [row for row in by_view["feature_matrix"] if row["verdict"] in _FEATURE_FAULTS],
        "contract_faults": by_view["contract_faults"],
        "comparisons": [
            comparison
            for name in names[1:]
            for comparison in _compare(results, folder.root.name, names[0], name, measures)
        ],
    }
    return summary


def _endpoints(folder: RunFolder, manifest: JsonObject) -> list[JsonObject]:
    """What the manifest says of each endpoint, the baseline first."""
    found = manifest.get("endpoints")
    if isinstance(found, list) and all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in found):
        return found
    raise StoreError(f"{folder.manifest_path} does not say which endpoints were asked")


_ABOUT = (
    "suite",
    "created_at",
    "finished_at",
    "planned",
    "seed",
    "harness_version",
    "python",
    "os",
    "host",
    "cpus",
    "plan_sha256",
    "config_sha256",
)
_VIEWS = {
    "endpoint_summary": "run_id",
    "quality_summary": "kind, task",
    "load_summary": "task, level, stage",
    "feature_matrix": "probe",
    "error_summary": "n desc, failure_kind",
    "contract_faults": "fault",
}
"""View -> order of its rows; rows that are equal in it stand in the order of the run's endpoints."""


def _of_run(results: Path, view: str, run: str, names: list[str]) -> list[JsonObject]:
    query = (
        f"select * exclude (run_id) from {view} where run_id = ? order by {_VIEWS[view]}, list_position(?, endpoint)"  # noqa: S608 - our own names
    )
    return rows(results, query, [run, names])


_Prompt = tuple[str, str, int]
"""(stage, sample, repeat): what two endpoints' times are matched by."""


def _measures(results: Path, run: str) -> Mapping[str, list[tuple[_Prompt, float]]]:
    """TTFT in ms of every good load request with its prompt, by endpoint."""
    query = (
        "select endpoint, stage, sample, repeat, ttft_ms from attempt_metrics "
        "where run_id = ? and kind = 'load' and phase = 'measure' and ok and ttft_ms is not null "
        "order by started_at, job_id, number"
    )
    found: dict[str, list[tuple[_Prompt, float]]] = defaultdict(list)
    for row in rows(results, query, [run]):
        found[row["endpoint"]].append(((row["stage"], row["sample"], row["repeat"]), row["ttft_ms"]))
    return found


def _endpoint(stored: JsonObject, views: Mapping[str, list[JsonObject]], values: Sequence[float]) -> JsonObject:
    name = stored["id"]
    own = {view: [row for row in found if row.get("endpoint") == name] for view, found in views.items()}
    summary = own["endpoint_summary"][0] if own["endpoint_summary"] else {}
    return {
        "endpoint": name,
        **{key: stored.get(key) for key in ("kind", "model_id", "base_url", "engine_version", "price")},
        "quality": _pooled(own["quality_summary"], "quality"),
        "tools": _pooled(own["quality_summary"], "tools"),
        **{key: value for key, value in summary.items() if key not in ("endpoint", "quality_mean")},
        "ttft_p50_interval_ms": list(quantile_interval(values, 0.50)),
        "ttft_p95_interval_ms": list(quantile_interval(values, 0.95)),
        "errors": {row["failure_kind"]: row["n"] for row in own["error_summary"]},
    }


def _pooled(tasks: Sequence[JsonObject], kind: str) -> JsonObject | None:
    """All tasks of one kind together; None when there was none."""
    own = [row for row in tasks if row["kind"] == kind]
    if not own:
        return None
    scored, correct = sum(row["n_scored"] for row in own), sum(row["n_correct"] for row in own)
    low, high = wilson(correct, scored)
    mean = correct / scored if scored else None
    failed = sum(row["n_failed"] for row in own)
    return {"mean": mean, "low": low, "high": high, "n_scored": scored, "n_correct": correct, "n_failed": failed}


def _with_interval(row: JsonObject) -> JsonObject:
    """The share of exactly right answers, which is what the interval is of; a mean score may count half-right ones."""
    correct, scored = row["n_correct"], row["n_scored"]
    low, high = wilson(correct, scored)
    return {**row, "mean": correct / scored if scored else None, "low": low, "high": high}


def _compare(
    results: Path, run: str, baseline: str, other: str, measures: Mapping[str, list[tuple[_Prompt, float]]]
) -> list[JsonObject]:
    """What can be said of ``other`` against ``baseline``, on the questions that both answered."""
    compared = []
    before, after = _right(results, run, baseline), _right(results, run, other)
    for kind in ("quality", "tools"):
        shared = [key for key in before if key in after and key[0] == kind]
        if shared:
            found = paired_difference([before[key] for key in shared], [after[key] for key in shared])
            compared.append(_comparison(kind, baseline, other, found))
    first, second = dict(measures[baseline]), dict(measures[other])
    matched = [prompt for prompt in first if prompt in second]
    if matched:
        ratio = paired_ratio([first[prompt] for prompt in matched], [second[prompt] for prompt in matched], blocks=True)
        compared.append(_comparison("ttft_ratio", baseline, other, ratio))
    return compared


def _right(results: Path, run: str, endpoint: str) -> dict[tuple[str, str, str, int], bool]:
    """Whether each scored item was right, by (kind, task, sample, repeat)."""
    query = (
        "select j.kind, s.task, s.sample, s.repeat, s.value from scores s "
        "join (select distinct run_id, job_id, kind from attempts) j using (run_id, job_id) "
        "where run_id = ? and s.endpoint = ? and s.value is not null order by all"
    )
    found = rows(results, query, [run, endpoint])
    return {(row["kind"], row["task"], row["sample"], row["repeat"]): row["value"] >= 1 for row in found}


def _comparison(metric: str, baseline: str, endpoint: str, found: PairedDifference | PairedRatio) -> JsonObject:
    return {
        "metric": metric,
        "baseline": baseline,
        "endpoint": endpoint,
        "n": found.n,
        "value": found.difference if isinstance(found, PairedDifference) else found.ratio,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value if isinstance(found, PairedDifference) else None,
        "mde": found.mde if isinstance(found, PairedDifference) else None,
        "verdict": found.verdict,
    }
