"""A judgement as the JSON of a badge. Source: shields.io, "Endpoint badge": schemaVersion, label, message, color."""

from __future__ import annotations

from harness.gates.judgement import Judgement, Verdict
from harness.types import JsonObject

_LOOKS: dict[Verdict, tuple[str, str]] = {
    "pass": ("pass", "brightgreen"),
    "fail": ("worse", "red"),
    "inconclusive": ("inconclusive", "yellow"),
    "error": ("not measured", "lightgrey"),
}


def badge(found: Judgement, *, label: str = "gate") -> JsonObject:
    """What a badge says; how many failed stands behind it."""
    message, color = _LOOKS[found.verdict]
    failed = found.counts["fail"]
    told = f"{failed} of {len(found.cases)} {message}" if failed else message
    return {"schemaVersion": 1, "label": label, "message": told, "color": color}
