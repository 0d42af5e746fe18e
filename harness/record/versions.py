"""The version in every file of a run, and how what an older version wrote is read as today's would be.

Files are never rewritten for a new version: each step is a pure function from what version n holds to what n + 1 would,
and readers go through all of them. What is newer than this harness is refused, never guessed at.

1: as it began. 2: run.json has a checksum of itself and of every sealed file, the lines of plan, scores, judgements
and verdicts say their version, those of journals have a checksum, and levels of loads say how long they last.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping

from harness.errors import StoreError
from harness.types import JsonObject

VERSION = 2
"""Of run.json, the plan, the scores, judgements and verdicts, and the Parquet files."""
_STATED = re.compile(rb'^\{"v":\d+,', re.MULTILINE)


def manifest_text(manifest: JsonObject) -> bytes:
    """run.json as it is written: with a checksum of itself."""
    signed = manifest | {"sha256": checksum(manifest)}
    return json.dumps(signed, indent=2, ensure_ascii=True).encode() + b"\n"


def manifest_of(text: bytes) -> JsonObject:
    """What run.json says, as today's version would say it.

    Errors: ValueError when it is not JSON; StoreError, whose text goes on from the name of the run or file, when it is
    of another shape, of a newer version, or changed since it was written.
    """
    manifest: JsonObject = json.loads(text)
    if not isinstance(manifest, dict):
        raise StoreError("is not a JSON object")
    version = manifest.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise StoreError(
            f"has schema version {version!r}, this harness reads up to {VERSION}", hint="Update endpoint-harness"
        )
    told = manifest.pop("sha256", None)
    if told is None and version > 1:
        raise StoreError("has lost its checksum", hint="Bring back the file as it was written")
    if told is not None and told != checksum(manifest):
        raise StoreError("is not as it was written: its checksum does not fit", hint="Bring back the file as it was")
    for step in range(version, VERSION):
        manifest = _STEPS[step](manifest)
    return manifest


def checksum(manifest: JsonObject) -> str:
    """SHA-256 of what a manifest says, but for its own checksum; of one that was read, as today's version says it."""
    text = json.dumps(manifest, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _from_1(manifest: JsonObject) -> JsonObject:
    """A level of a load did not say how long it lasts; all we know is what the command line asked for."""
    asked = ((manifest.get("selection") or {}).get("changes") or {}).get("duration_s")
    loads = [
        {**load, "levels": [{"duration_s": asked, **level} for level in load.get("levels") or ()]}
        for load in manifest.get("loads") or ()
    ]
    return manifest | {"schema_version": 2, "loads": loads}


_STEPS: Mapping[int, Callable[[JsonObject], JsonObject]] = {1: _from_1}


def plan_as_stored(lines: bytes, stored: bytes) -> bytes:
    """Today's plan in the form that a stored one has, so that both have one hash where they ask the same."""
    return lines if _STATED.match(stored) else _STATED.sub(b"{", lines)


def row_of(row: JsonObject) -> JsonObject:
    """A line of scores, judgements or verdicts without its version.

    Errors: StoreError when it is of a newer one.
    """
    version = row.pop("v", 1)
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise StoreError(f"has version {version!r}", hint="Update endpoint-harness")
    return row
