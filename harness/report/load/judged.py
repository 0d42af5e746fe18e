"""A load with the verdict on whether it can be believed: what the terminal, the dashboard and a file show alike."""

from __future__ import annotations

from pathlib import Path

from harness.record.folder import RunFolder
from harness.report.load.figures import load_report
from harness.report.load.validity import validity
from harness.report.summary.figures import summarise
from harness.types import JsonObject


def judged_load(results: Path, folder: RunFolder) -> JsonObject:
    """What ``load_report`` gives of a run, judged, with what its search or sweep found. Errors: as there."""
    summary = summarise(results, folder.id, only_loads=True)
    verdict = validity(results, folder, summary["loads"])
    return load_report(
        results, folder.id, summary=summary, validity=verdict, search=folder.read_manifest().get("search")
    )
