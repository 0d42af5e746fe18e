"""Publishing: one database made anew from the Parquet of all run folders, put in place by a rename.

Whoever has the old file open goes on reading it; whoever opens after the rename sees the new one. A run whose files
are damaged or of the future loses its own rows only, and table ``runs`` says why.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from harness import __version__
from harness.errors import StoreError
from harness.record.folder import RunFolder, list_runs, only_one, put_in_place, storing
from harness.record.versions import VERSION
from harness.store import query
from harness.store.checksums import differs
from harness.store.kept import keep
from harness.store.overview import status_of
from harness.types import JsonObject

_WAIT_S = 120.0
_SEALED = ("attempts", "texts", "scores", "judgements", "verdicts", "server_samples", "client_samples")
_MAY_LACK = frozenset({"texts", "judgements", "server_samples", "client_samples"})
"""Texts may be purged; judgements and samples are there only where something was judged or sampled."""


class Published(NamedTuple):
    """What came of publishing."""

    path: Path
    runs: int
    problems: tuple[tuple[str, str], ...]
    """(run id, why rows of it are missing)."""


def publish(results: Path) -> Published:
    """Build ``results/harness.duckdb`` from every run folder and put it in the place of the one before.

    One publisher works at a time; a second one waits, then reads the folders as they are by then.
    Errors: StoreError when the disk refuses, or another publisher does not end.
    """
    path = query.database_path(results)
    temporary = path.with_name(".harness.duckdb.tmp")
    with storing(results):
        results.mkdir(parents=True, exist_ok=True)
    with only_one(results / ".publish.lock", wait_s=_WAIT_S, what=f"{path} is being built"):
        try:
            _remove(temporary)  # what a killed publisher left
            with query.build(temporary) as connection:
                runs = list_runs(results)
                now = datetime.now(UTC).replace(tzinfo=None)
                connection.execute("insert into store values (?, ?, ?)", [query.SCHEMA_VERSION, __version__, now])
                problems = [(run.id, problem) for run in runs if (problem := add_run(connection, run))]
                keep(connection)
            with storing(path):
                put_in_place(temporary, path)
        except query.DatabaseError as error:
            raise StoreError(f"{path} cannot be built: {query.one_line(error)}") from error
        finally:
            with suppress(OSError):
                _remove(temporary)
    return Published(path, len(runs), tuple(problems))


def _remove(temporary: Path) -> None:
    for path in (temporary, temporary.with_name(temporary.name + ".wal")):
        path.unlink(missing_ok=True)


def add_run(connection: query.Connection, run: RunFolder) -> str | None:
    """Take in one run; give why some of it could not be taken in."""
    problems: list[str] = []
    row: JsonObject = {"run_id": run.id, "sealed": False}
    try:
        manifest = run.read_manifest()
        row |= _run_row(run, manifest)
        for table, rows in _parts(run.id, manifest).items():
            _insert(connection, table, rows)
    except StoreError as error:
        problems.append(str(error))
    except (KeyError, TypeError, ValueError, AttributeError, query.DatabaseError) as error:
        problems.append(f"run.json: {type(error).__name__}: {query.one_line(error)}")
    else:
        row["sealed"] = run.parquet_path("attempts").exists()
        sealed = manifest.get("sealed")
        problems += _add_sealed(connection, run, sealed) if row["sealed"] else _unsealed(run, row["status"])
    problem = "; ".join(problems) or None
    try:
        _insert(connection, "runs", [row | {"problem": problem}])
    except (TypeError, ValueError, query.DatabaseError) as error:
        problem = f"run.json: {query.one_line(error)}"
        _insert(connection, "runs", [{"run_id": run.id, "sealed": row["sealed"], "problem": problem}])
    return problem


def _unsealed(run: RunFolder, status: Any) -> list[str]:
    """A run that is under way has not been sealed yet, and that is no problem."""
    return [] if status == "running" else [f"not sealed; finish it with `harness resume {run.id}`"]


def _add_sealed(connection: query.Connection, run: RunFolder, sealed: Any) -> list[str]:
    """Take in the run's Parquet files, each on its own: one that is damaged does not cost the others.

    ``sealed`` are the checksums of the manifest; None: it has none.
    """
    problems = []
    for table in _SEALED:
        path = run.parquet_path(table)
        if not path.exists():
            if table not in _MAY_LACK:
                problems.append(f"{path.name} is missing")
            continue
        if sealed and (problem := differs(path, sealed.get(path.name))):
            problems.append(f"{path.name} {problem}")
            continue
        try:
            version = query.parquet_version(connection, path)
            if version > VERSION:
                problems.append(f"{path.name} has version {version}; update endpoint-harness")
                continue
            _copy(connection, run.id, table, path)
        except query.DatabaseError as error:
            problems.append(f"{path.name} cannot be read: {query.one_line(error)}")
    return problems


def _copy(connection: query.Connection, run_id: str, table: str, path: Path) -> None:
    """Take in one Parquet file; what one of another harness lacks is NULL, and what it has beyond ours is left."""
    # The folder's name is the run's id, also after somebody copied or renamed the folder.
    sql = f"insert into {table} by name select ? as run_id, {{}} from read_parquet(?)"  # noqa: S608 - our own names
    try:
        query.take_in(connection, sql.format("* exclude (run_id)"), [run_id, str(path)])
    except query.DatabaseError:
        described = connection.execute("select column_name from (describe select * from read_parquet(?))", [str(path)])
        in_file = {name for (name,) in described.fetchall()}
        known = {name for (name, *_) in connection.execute(f"from {table} limit 0").description or ()}
        if in_file <= known:
            raise
        shared = ", ".join(f'"{name}"' for name in sorted(in_file & known - {"run_id"}))
        query.take_in(connection, sql.format(shared), [run_id, str(path)])


def _insert(connection: query.Connection, table: str, rows: list[JsonObject]) -> None:
    """A handful of rows, all with the same names."""
    for row in rows:
        names, places = ", ".join(row), ", ".join("?" * len(row))
        sql = f"insert into {table} ({names}) values ({places})"  # noqa: S608 - our own names
        connection.execute(sql, list(row.values()))


def _run_row(run: RunFolder, manifest: JsonObject) -> JsonObject:
    names = ("suite", "seed", "planned", "harness_version", "python", "duckdb", "os", "host", "cpus")
    calibration = manifest.get("calibration")
    return {
        **{name: manifest.get(name) for name in (*names, "plan_sha256", "config_sha256")},
        "status": status_of(run, manifest),
        "created_at": _utc(manifest.get("created_at")),
        "finished_at": _utc(manifest.get("finished_at")),
        "probe_profile": (manifest.get("probes") or {}).get("profile"),
        "calibration": None if calibration is None else json.dumps(calibration),
        "manifest": json.dumps(manifest),
    }


def _utc(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)


def _parts(run_id: str, manifest: JsonObject) -> dict[str, list[JsonObject]]:
    """The rows of the tables that say what a run was made of."""
    selection = manifest.get("selection") or {}
    repeats, often = selection.get("repeats", 1), selection.get("often") or {}
    return {
        "endpoints": [
            {"run_id": run_id, "position": position, "times": _times(selection, position), **_endpoint(row)}
            for position, row in enumerate(manifest.get("endpoints") or [])
        ],
        "tasks": [
            {
                "run_id": run_id,
                "task": row["name"],
                **{name: row.get(name) for name in ("version", "kind", "scorer", "scorer_version")},
                "n_samples": row.get("n"),
                "repeats": often.get(row["name"], repeats),
            }
            for row in manifest.get("tasks") or []
        ],
        "loads": [
            {
                "run_id": run_id,
                "task": row["name"],
                "version": row.get("version"),
                "position": position,
                **{name: level.get(name) for name in ("stage", "law", "n", "block")},
                **{f"slo_{name}": (row.get("slo") or {}).get(name) for name in ("ttft_ms", "tpot_ms", "e2e_ms")},
            }
            for row in manifest.get("loads") or []
            for position, level in enumerate(_levels(row))
        ],
    }


def _times(selection: JsonObject, position: int) -> int:
    return 2 if selection.get("twice") and position == 0 else 1


def _levels(load: JsonObject) -> list[JsonObject]:
    """The levels of a load, each once: a sweep of endpoints one by one plans the same level for each of them."""
    found: dict[str, JsonObject] = {}
    for level in load.get("levels") or []:
        found.setdefault(level.get("stage"), level)
    return list(found.values())


def _endpoint(row: JsonObject) -> JsonObject:
    price = row.get("price") or {}
    return {
        "endpoint": row["id"],
        "provider_kind": row.get("kind"),
        "price_source": price.get("source"),
        **{name: row.get(name) for name in ("provider", "model", "model_id", "base_url", "engine", "engine_version")},
        "usd_per_hour": row.get("usd_per_hour"),
        **{
            name: price.get(name) for name in ("input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok")
        },
    }
