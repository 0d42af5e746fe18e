"""Old captures judged by today's probes: nothing is sent, and the record stays as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.conformance.capture import Capture
from harness.conformance.probe import Probe
from harness.provider import Endpoint, Provider
from harness.record.folder import RunFolder
from harness.run.scoring.judge import cancelled, write_verdicts
from harness.store.index import publish
from harness.store.seal import Sealing
from harness.types import JsonObject


def rejudge(folder: RunFolder, probes: Sequence[Probe], providers: Mapping[str, Provider]) -> None:
    """Judge the scenarios of a run by ``probes``; one whose scenarios the run never sent is said to be skipped.

    Raises:
        StoreError: another process is at it, or the folder cannot be read or written.
    """
    with folder.lock():
        manifest = folder.read_manifest()
        endpoints = {row["id"]: _endpoint(row, providers) for row in manifest["endpoints"]}
        with Sealing(folder) as sealing:
            last = {
                attempt.job.id: Capture(attempt, outcome)
                for attempt, outcome in sealing.outcomes()
                if attempt.job.kind == "probe" and not cancelled(attempt)
            }
            write_verdicts(folder, last.values(), probes, endpoints)
        asked = manifest.get("probes") or {}
        manifest = folder.read_manifest()  # what is sealed has its checksums there
        folder.write_manifest(manifest | {"probes": asked | {"ids": [probe.id for probe in probes]}})
        publish(folder.root.parent.parent)


def _endpoint(row: JsonObject, providers: Mapping[str, Provider]) -> Endpoint:
    """The endpoint of a run; of a provider that is no longer known, what the run itself tells."""
    provider = providers.get(row["provider"]) or Provider(row["provider"], row["kind"], row["base_url"])
    return Endpoint(provider, row["model"], row["model_id"])
