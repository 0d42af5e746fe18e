"""How well a model co-operates: five trivial tasks, so that a weak model is not taken for a broken server.

A probe that leans on the model's ability (E) says nothing against an endpoint whose model cannot do these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from harness.conformance.capture import Capture, Captures, dig, parse
from harness.conformance.scenario import Scenario, chat

ENOUGH = 3
"""Tasks of the five that a model has to get right to be called co-operative."""

_WORD = "kestrel-4821"
_TOOL = {
    "type": "function",
    "function": {
        "name": "ring_bell",
        "description": "Ring the bell of the house.",
        "parameters": {"type": "object", "properties": {}},
    },
}


def _gauge(name: str, title: str, line: str, cap: int = 32, **fields: Any) -> Scenario:
    return chat(f"gauge_{name}", title, line, cap=cap, surface="gauge", visible=True, temperature=0, **fields)


ECHO = _gauge("echo", "repeat a word", f"Repeat this word exactly and write nothing else: {_WORD}")
OK = _gauge("ok", "say OK", 'Reply with the word "OK" and nothing else.')
COUNT = _gauge("count", "count to five", "Count from 1 to 5 in digits, with spaces between them.")
JSON = _gauge("json", "copy a JSON object", 'Repeat exactly this JSON and write nothing else: {"a": 1, "b": "two"}')
TOOL = _gauge("tool", "call the only tool", "Please ring the bell.", tools=[_TOOL])
GAUGE: tuple[Scenario, ...] = (ECHO, OK, COUNT, JSON, TOOL)

_RIGHT: Mapping[str, Callable[[Capture], bool]] = MappingProxyType(
    {
        ECHO.name: lambda seen: _WORD in seen.text,
        OK.name: lambda seen: "ok" in seen.text.casefold(),
        COUNT.name: lambda seen: [sign for sign in seen.text if sign.isdigit()][:5] == list("12345"),
        JSON.name: lambda seen: parse(seen.text.strip().strip("`").removeprefix("json")) == {"a": 1, "b": "two"},
        TOOL.name: lambda seen: dig(seen.message.get("tool_calls"), 0, "function", "name") == "ring_bell",
    }
)


def cooperation(captures: Captures) -> int | None:
    """How many of the five tasks were done right; None: they were not asked."""
    asked = [name for name in _RIGHT if captures.get(name)]
    return sum(any(map(_RIGHT[name], captures[name])) for name in asked) if asked else None
