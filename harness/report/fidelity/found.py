"""What a verification found, of either kind: candidates against a reference, or one server alone and under load."""

from __future__ import annotations

from pathlib import Path

from harness.record.folder import RunFolder
from harness.report.fidelity.judged import judged
from harness.report.fidelity.quality import MARGIN
from harness.report.fidelity.under_load import under_load
from harness.types import JsonObject


def found_in(results: Path, folder: RunFolder, *, margin: float = MARGIN) -> JsonObject:
    """``under_load`` of a run whose tasks were asked so, else ``judged``; UsageError as there, as of any other run."""
    busy = (folder.read_manifest().get("selection") or {}).get("busy")
    return (judged if busy is None else under_load)(results, folder, margin=margin)
