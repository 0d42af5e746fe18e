"""What a run is, from its folder, and what came of it, from the published database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.record.folder import RunFolder
from harness.store import query, texts
from harness.types import JsonObject

PARTS = ("endpoint_summary", "quality_summary", "load_summary", "error_summary", "identities")


def of_folder(run: RunFolder) -> JsonObject:
    """Status, suite, dates, size and endpoints of a run; ``problem`` says why they are None, where they are."""
    about: JsonObject = dict.fromkeys(("run_id", "status", "suite", "created_at", "finished_at", "planned", "texts"))
    about |= {"run_id": run.id, "endpoints": [], "sealed": run.parquet_path("attempts").exists(), "problem": None}
    try:
        manifest = run.read_manifest()
    except StoreError as error:
        return about | {"problem": str(error)}
    about |= {name: manifest.get(name) for name in ("suite", "created_at", "finished_at", "planned")}
    about["status"] = status_of(run, manifest)
    about["texts"] = texts_of(manifest)
    endpoints = manifest.get("endpoints")
    about["endpoints"] = [row.get("id") for row in endpoints if isinstance(row, dict)] if endpoints else []
    return about


def texts_of(manifest: JsonObject) -> str:
    """What is kept of the texts of a run, in words."""
    found = texts.state(manifest)
    if found.whole:
        return f"whole; --store-text {texts.wanted(manifest)} is still to be done" if found.due else "whole"
    if found.purged_at is None:
        return f"purging (kept: {found.kept}) was broken off; go on with `harness purge --text {manifest.get('id')}`"
    return f"purged {found.purged_at}; kept: {found.kept}"


def status_of(run: RunFolder, manifest: JsonObject) -> str | None:
    """The manifest's status, but ``interrupted`` where the process that should be running it is gone."""
    status = manifest.get("status")
    if status == "running" and run.writer() is None:
        return "interrupted"
    return status if isinstance(status, str) else None


def of_database(results: Path, run_id: str) -> dict[str, list[dict[str, Any]]]:
    """The summaries of a run, by view; each is empty for a run that has not been published.

    Errors: StoreError when the database is damaged; a database that does not exist gives empty lists.
    """
    if not query.database_path(results).exists():
        return {name: [] for name in PARTS}
    return {
        name: query.rows(results, f"select * exclude (run_id) from {name} where run_id = ? order by all", [run_id])  # noqa: S608
        for name in PARTS
    }
