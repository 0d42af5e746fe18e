"""A run in numbers: one dictionary that the terminal table, ``--json`` and every later report draw from.

Every figure comes from a view of the results database; what this file adds is intervals and comparisons.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import StoreError
from harness.exchange import OUR_DOING
from harness.record.folder import RunFolder, open_run
from harness.report.comparison.pairs import Measures, Prompt, compare, ranks
from harness.report.summary.adapted import adapted
from harness.report.summary.identity import identities
from harness.report.summary.judges import judging
from harness.report.summary.quality import KINDS, Quality
from harness.report.summary.running import running
from harness.report.summary.server_times import server_times
from harness.report.summary.spending import spending
from harness.stats.intervals import quantile_interval
from harness.store.overview import status_of
from harness.store.query import rows
from harness.types import JsonObject

_FEATURE_FAULTS = ("broken", "ignored", "rejected", "partial")


def summarise(results: Path, run: str, *, only_loads: bool = False, margin: float | None = None) -> JsonObject:
    """Everything the comparison table of one run shows.

    With ``only_loads`` what a load report does without is left empty.
    ``margin`` is the loss of quality that would matter, as a share; None: any would.

    Returns:
        ``run`` (what it was and what measured it), ``health`` (how well this client measured; None: nothing came),
        ``endpoints`` (a row each, in the run's order: quality and tools as ``Quality.measured`` gives them, with
        ``rank``; TTFT, speed, cost, features, errors), ``tasks`` (the same of each task, with ``repeats``),
        ``judging`` (None: no judge), ``vectors`` (None: no task asks for embeddings), ``spending`` (what each task
        cost), ``running`` (tries, cache, endpoints given up), ``identities`` (who answered), ``adapted`` (what
        quirks changed), ``server_times`` (what servers say that they measured), ``loads``, ``features`` (what is not
        fully supported), ``contract_faults``, ``comparisons`` (with the first endpoint), ``other_pairs`` and ``family``
        (how many p-values were adjusted together). Milliseconds, tokens per second and USD; None means not measured or
        not known.

    Raises:
        StoreError: there is no such run, its manifest is damaged, or the database cannot be read.
    """
    folder = open_run(results, run)
    manifest = folder.read_manifest()
    stored = endpoints_of(folder, manifest)
    names = [endpoint["id"] for endpoint in stored]
    unasked = () if manifest.get("loads") else ("load_summary",)  # the dearest of the views
    asked = ("load_summary",) if only_loads else tuple(view for view in _VIEWS if view not in unasked)
    by_view = {view: _of_run(results, view, folder.root.name, names) if view in asked else [] for view in _VIEWS}
    health = rows(results, "select * exclude (run_id) from run_health where run_id = ?", [folder.root.name])
    measures = _measures(results, folder.root.name) if len(names) > 1 or not only_loads else {}
    quality = Quality(results, folder.root.name, seed := _whole(manifest.get("seed"), 0))
    found, family = compare(results, folder.root.name, names, quality, measures, seed=seed, margin=margin)
    ranked = {kind: ranks(names, kind, found) for kind in KINDS}
    tasks = by_view["quality_summary"]
    laws = _laws(manifest)
    return {
        "run": _run(folder, manifest),
        "health": health[0] if health else None,
        "endpoints": [
            _endpoint(
                endpoint,
                by_view,
                [ms for _, ms in measures[endpoint["id"]]],
                {kind: _kind(endpoint["id"], kind, tasks, quality, ranked[kind]) for kind in KINDS},
            )
            for endpoint in (() if only_loads else stored)
        ],
        "tasks": [_task(row, quality, _repeats(manifest, row)) for row in tasks],
        "judging": None if only_loads else judging(results, folder.root.name, stored),
        "vectors": _vectors(results, folder.root.name, names, manifest),
        "spending": [] if only_loads else spending(results, folder.root.name, names),
        "loads": [{**row, "law": laws.get(row["stage"])} for row in by_view["load_summary"]],
        "running": [] if only_loads else running(results, folder.root.name, names),
        "adapted": adapted([*stored, *(manifest.get("judges") or ())]),
        "server_times": server_times(results, folder.root.name, stored),
        "identities": identities(results, folder.root.name, [*stored, *(manifest.get("judges") or ())]),
        "features": [row for row in by_view["feature_matrix"] if row["verdict"] in _FEATURE_FAULTS],
        "contract_faults": by_view["contract_faults"],
        "comparisons": [row for row in found if row["baseline"] == names[0]],
        "other_pairs": [row for row in found if row["baseline"] != names[0]],
        "family": family,
    }


def _laws(manifest: JsonObject) -> JsonObject:
    """The arrival law of each stage of the loads."""
    levels = [level for load in manifest.get("loads") or [] for level in load.get("levels") or []]
    return {level.get("stage"): level.get("law") for level in levels}


def _run(folder: RunFolder, manifest: JsonObject) -> JsonObject:
    """What the run was and what measured it."""
    api = (manifest.get("selection") or {}).get("api", "chat")
    about = {key: manifest.get(key) for key in _ABOUT}
    return about | {"id": folder.root.name, "status": status_of(folder, manifest), "api": api}


def _vectors(results: Path, run: str, names: Sequence[str], manifest: JsonObject) -> JsonObject | None:
    """How the embeddings of its tasks agree; None: it has no such task."""
    if not any(task.get("api") == "embeddings" for task in manifest.get("tasks") or ()):
        return None
    # Loaded where there are vectors: no other report pays for it.
    found: JsonObject = importlib.import_module("harness.report.summary.vectors").agreement(results, run, names)
    return found


def endpoints_of(folder: RunFolder, manifest: JsonObject) -> list[JsonObject]:
    """What the manifest says of each endpoint, the baseline first."""
    found = manifest.get("endpoints")
    if isinstance(found, list) and all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in found):
        return found
    raise StoreError(f"{folder.manifest_path} does not say which endpoints were asked")


def _whole(value: object, otherwise: int) -> int:
    """A whole number of the manifest; what is none, as in a damaged one, is taken for ``otherwise``."""
    return value if isinstance(value, int) and value >= 0 else otherwise


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


def _measures(results: Path, run: str) -> Measures:
    query = (
        "select endpoint, stage, sample, repeat, ttft_ms from attempt_metrics "
        "where run_id = ? and kind = 'load' and phase = 'measure' and ok and ttft_ms is not null "
        "order by started_at, job_id, number"
    )
    found: dict[str, list[tuple[Prompt, float]]] = defaultdict(list)
    for row in rows(results, query, [run]):
        found[row["endpoint"]].append(((row["stage"], row["sample"], row["repeat"]), row["ttft_ms"]))
    return found


def _endpoint(
    stored: JsonObject, views: Mapping[str, list[JsonObject]], values: Sequence[float], kinds: JsonObject
) -> JsonObject:
    name = stored["id"]
    own = {view: [row for row in found if row.get("endpoint") == name] for view, found in views.items()}
    summary = own["endpoint_summary"][0] if own["endpoint_summary"] else {}
    return {
        "endpoint": name,
        **{key: stored.get(key) for key in ("kind", "model_id", "base_url", "engine_version", "price")},
        **kinds,
        **{key: value for key, value in summary.items() if key not in ("endpoint", "quality_mean")},
        "ttft_p50_interval_ms": list(quantile_interval(values, 0.50)),
        "ttft_p95_interval_ms": list(quantile_interval(values, 0.95)),
        "errors": {
            row["failure_kind"]: row["n"] for row in own["error_summary"] if row["failure_kind"] not in OUR_DOING
        },
    }


def _kind(name: str, kind: str, tasks: Sequence[JsonObject], quality: Quality, rank: JsonObject) -> JsonObject | None:
    """All tasks of one kind together; None when there was none."""
    own = [row for row in tasks if row["kind"] == kind and row["endpoint"] == name]
    if not own:
        return None
    counts = {key: sum(row[key] for row in own) for key in ("n_planned", "n_failed", "n_invalid", "n_correct")}
    return quality.measured((kind, None, name)) | counts | {"rank": rank.get(name)}


def _repeats(manifest: JsonObject, row: JsonObject) -> int:
    """How often each question of a row of ``quality_summary`` was to be asked."""
    selection = manifest.get("selection") or {}
    often = (selection.get("often") or {}).get(row["task"], selection.get("repeats"))
    again = 2 if selection.get("twice") and row["endpoint"] == selection["endpoints"][0] else 1
    return _whole(often, 1) * again


def _task(row: JsonObject, quality: Quality, repeats: int) -> JsonObject:
    """A row of ``quality_summary`` with its figures."""
    place = (row["kind"], row["task"], row["endpoint"])
    found = quality.measured(place)
    not_asked = max(0, row["n_planned"] - found["n_asked"])
    return row | found | {"n_not_asked": not_asked, "repeats": quality.repeated(place, repeats)}
