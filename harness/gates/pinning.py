"""Making a run the baseline of later ones."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from harness.errors import CannotMeasure
from harness.gates.baselines import Baseline
from harness.gates.context import Context, context
from harness.gates.terms import GateFile
from harness.report.nights.fingerprint import fingerprint
from harness.report.nights.metrics import METRICS, readings
from harness.store.query import held

_ANYWHERE = ("error_rate", "conformance_support")
"""Metrics that between them every piece of work has."""


def entries(results: Path, gate: GateFile, run: str, *, why: str, who: str, today: date) -> list[Baseline]:
    """What a baseline file says of each endpoint of a run.

    Raises:
        CannotMeasure: the run cannot be trusted.
        UsageError: the gate does not fit the run.
        StoreError: the results cannot be read.
    """
    with held(results):
        found = context(results, gate, run, {})
        if found.trust.whole:
            raise CannotMeasure(f"{found.trust.whole}; it can be no baseline")
        made, began = [], str(found.manifest.get("created_at"))
        for name in found.tested():
            if problem := found.trust.against(name, "load"):
                raise CannotMeasure(f"{name}: {problem}; run {found.run} can be no baseline")
            made.append(Baseline(name, found.run, began, why, who, today.isoformat(), _work(found, name)))
        return made


def _work(found: Context, endpoint: str) -> dict[str, dict[str, str]]:
    """The fingerprint of each piece of work."""
    return {
        one.place: dict(fingerprint(found.manifest, METRICS[name], one).parts)
        for name in _ANYWHERE
        for one in readings(found.results, METRICS[name], runs=[found.run], endpoint=endpoint)
    }
