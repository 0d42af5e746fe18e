"""What a model thinks before it speaks, where ``reasoning_effort`` asks for it: as many tokens as the effort is worth.

Without the parameter, and with ``none``, it does not think. Thoughts stand in ``reasoning_content`` of the message or
of the deltas before its text, count as output and as ``reasoning_tokens``, and use up the limit of output tokens first.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.simulator.model import tokens
from harness.simulator.model.chance import draw
from harness.simulator.refusal import Refusal, bad_value
from harness.types import JsonObject

LENGTHS: Mapping[str, int] = MappingProxyType(
    {"none": 0, "minimal": 8, "low": 24, "medium": 48, "high": 96, "xhigh": 128, "max": 160}
)
"""Tokens of thinking, by effort."""
FIELDS = ("reasoning_content", "reasoning")
"""Names of the channel; the first is ours."""


def effort(given: JsonObject, mutants: frozenset[str]) -> str:
    """The effort that a request asks for; Refusal 400 where there is no such effort."""
    wanted: Any = given.get("reasoning_effort")
    if wanted is None:
        return "none"
    if "reject_effort" in mutants:
        what = "Unsupported parameter: 'reasoning_effort'."
        raise Refusal(400, what, param="reasoning_effort", code="unsupported_parameter")
    if "crash_effort" in mutants and wanted in ("minimal", "xhigh"):
        raise Refusal(500, "The server had an error.", kind="server_error")
    known = next((name for name in LENGTHS if name == wanted), None)
    if known is None and "any_effort" not in mutants:
        raise bad_value("reasoning_effort", f"{wanted!r}. Supported: {', '.join(LENGTHS)}")
    return "medium" if known is None or "ignore_effort" in mutants else known


def thoughts(wanted: str, question: str) -> str:
    """Thoughts about a question, the same for the same one, more with more effort; empty: none."""
    return tokens.filler(draw(0, "thoughts", question), LENGTHS[wanted])


def check_room(wanted: str, cap: int | None, mutants: frozenset[str]) -> None:
    """Refusal where a mutant fails on a limit that thinking alone uses up."""
    if "crash_cut" in mutants and cap is not None and LENGTHS[wanted] >= cap:
        raise Refusal(500, "The server had an error.", kind="server_error")


def shown(thought: str, mutants: frozenset[str], *, chunk: bool) -> JsonObject:
    """The fields of a message or a delta that hold a thought; none where there is none."""
    if not thought:
        return {}
    ours, other = FIELDS
    if "reason_object" in mutants:
        return {other: {"text": thought}}
    if "reason_twice" in mutants:
        return {ours: thought, other: f"{thought} {thought}"}
    return {other if chunk and "reason_stream_name" in mutants else ours: thought}
