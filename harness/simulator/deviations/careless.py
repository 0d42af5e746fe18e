"""Bodies as a careless server reads them: what mutants make of a request before it is checked."""

from __future__ import annotations

import json
from typing import Any

from harness.simulator.deviations.misread import SYSTEM
from harness.simulator.refusal import crash
from harness.types import JsonObject

_KNOWN = (*SYSTEM, "user", "assistant", "tool", "function")
_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "n", "max_tokens", "max_completion_tokens")
_CAPS = ("max_tokens", "max_completion_tokens")


def reread(body: JsonObject, raw: bytes, mutants: frozenset[str], model: str) -> JsonObject:
    """The body with the deviations of ``mutants``; ``model`` is the one that is there. Refusal 500 where it crashes."""
    if "crash_on_duplicates" in mutants and _has_twins(raw):
        raise crash()
    if "crash_on_zero" in mutants and any(body.get(name) == 0 for name in _CAPS):
        raise crash()
    if "default_model" in mutants:
        body = {"model": model, **body}
    if "lenient_types" in mutants:
        body = _lenient(body, model)
    if "ignore_role" in mutants and isinstance(body.get("messages"), list):
        body = body | {"messages": [_as_user(message) for message in body["messages"]]}
    return body


def _lenient(body: JsonObject, model: str) -> JsonObject:
    """Without what has a wrong type, where there is something to take in its place."""
    kept = {name: value for name, value in body.items() if not (name in _NUMBERS and isinstance(value, str))}
    if isinstance(kept.get("messages"), str):
        kept["messages"] = [{"role": "user", "content": kept["messages"]}]
    if "model" in kept and not isinstance(kept["model"], str):
        kept["model"] = model
    return kept


def _as_user(message: Any) -> Any:
    unknown = isinstance(message, dict) and message.get("role") not in _KNOWN
    return message | {"role": "user"} if unknown else message


def _has_twins(raw: bytes) -> bool:
    found = False

    def pairs(given: list[tuple[str, Any]]) -> JsonObject:
        nonlocal found
        found = found or len({name for name, _ in given}) < len(given)
        return dict(given)

    json.loads(raw, object_pairs_hook=pairs)
    return found
