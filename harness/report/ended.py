"""What is wrong with how a sitting ended, where something is."""

from __future__ import annotations

from pathlib import Path

from harness.errors import CannotMeasure, EngineError, HarnessError
from harness.report.load import partly
from harness.report.summary.judges import silent
from harness.run.sitting import Sitting


def problem_of(sat: Sitting, results: Path, again: str) -> HarnessError | None:
    """Why a sitting could not measure what it was to measure; ``again`` is the command that goes on with its run.

    CannotMeasure where all that the run ever sent has failed, a judge never answered or a worker was lost; EngineError
    where a server that was started for it ended by itself. None: it measured, or was told to stop before its end.
    """
    if sat.status == "partial":
        return CannotMeasure(
            f"the run is partial: {partly.told(sat.folder.read_manifest())}; what was journalled is sealed",
            hint=f"Go on with: {again}",
        )
    if sat.crashed is not None and sat.status != "finished":
        return EngineError(f"{sat.crashed}; what was there is sealed", hint=f"Go on with: {again}")
    if sat.status != "finished":
        return None
    if sat.folder.read_manifest().get("judges") and (row := silent(results, sat.folder.id)) is not None:
        return CannotMeasure(
            f"judge {row['judge']} answered none of its {row['n']} requests, most often {row['failure_kind']}; "
            "the answers are kept",
            hint=f"See harness providers check, then ask it again: {again}",
        )
    if sat.barren is not None:
        why = f"most often with {sat.barren.kind} ({sat.barren.detail})"
        return CannotMeasure(
            f"nothing could be measured: every request failed, {why}", hint="See harness providers check"
        )
    return None
