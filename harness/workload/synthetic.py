"""Made-up prompts of chosen lengths: chats, sessions, tool calls and structured output; prefixes may be shared.

What each request draws comes from streams of its own, so that asking for longer answers, say, leaves the prompts as
they were.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from harness.errors import UsageError
from harness.types import JsonObject, Sample
from harness.workload import words
from harness.workload.figures import number, require_whole, whole
from harness.workload.lengths import Fixed, Length

Kind = Literal["chat", "tools", "schema"]

_CHAT = "Write a long story with many of these words."
_MORE = "Go on with the story and use these words too."
_SCHEMA = "Make a record of these words with a title, a summary and ten items."
_TOOLS_ASK = (
    "What is the weather in Lisbon today?",
    "Find three documents about the history of bridges.",
    "Open a ticket of high priority: the printer on floor two is broken.",
    "Is it warm in Oslo now?",
    "Search for documents on the price of copper.",
)


def _tool(name: str, description: str, properties: JsonObject) -> JsonObject:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = (
    _tool(
        "get_weather",
        "Get the current weather in a city.",
        {
            "city": {"type": "string", "description": "Name of the city"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
    ),
    _tool(
        "search_documents",
        "Search the company's documents.",
        {
            "query": {"type": "string", "description": "What to look for"},
            "limit": {"type": "integer", "description": "How many documents to give at most"},
        },
    ),
    _tool(
        "create_ticket",
        "Open a ticket for the support team.",
        {
            "title": {"type": "string", "description": "The problem in one line"},
            "priority": {"type": "string", "enum": ["low", "normal", "high"]},
        },
    ),
)
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "summary": {"type": "string"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "note": {"type": "string"},
                    "weight": {"type": "integer"},
                },
                "required": ["name", "note", "weight"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["title", "summary", "items"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A workload: ``(seed, index) -> Sample``, the same for the same two numbers.

    ``metadata`` holds ``input_tokens`` (prefix and first message) and ``output_tokens``. Neither tools nor what the
    server's chat template adds is counted in them.
    """

    input: Length
    """Tokens of each of the user's messages."""
    output: Length
    """Sent as ``max_tokens``."""
    prefix_tokens: int = 0
    """Length of the system message of the requests that share one; 0: none has one."""
    prefixes: int = 1
    """How many such system messages there are."""
    prefix_share: float = 0.0
    """Share of requests that have one, 0 to 1. Prefixes stay shared only with the nonce ``run`` or ``none``."""
    turns: Length | None = None
    """The user's messages in a session, the first included; None: one."""
    kind: Kind = "chat"
    """``tools``: three tools, every second request that is no session must call one; ``schema``: JSON by a strict
    schema."""
    ignore_eos: bool = False
    """Whether to ask for exactly ``max_tokens`` with a field that vLLM and SGLang know and others may refuse."""
    tokenizer: Path | None = None
    """A ``tokenizer.json`` that makes lengths exact; None: as many words as tokens."""

    def __post_init__(self) -> None:
        require_whole("prefix_tokens", self.prefix_tokens, 0)
        require_whole("prefixes", self.prefixes)
        if not 0 <= self.prefix_share <= 1:
            raise UsageError(f"prefix_share must be from 0 to 1, not {self.prefix_share!r}")
        if self.kind not in get_args(Kind):
            raise UsageError(f"kind must be one of {', '.join(get_args(Kind))}, not {self.kind!r}")

    def __call__(self, seed: int, index: int) -> Sample:
        """The index-th prompt or session of a seed."""
        own = f"{seed}/{index}"
        later = _drawn(self.turns, f"{own}/turns")[0] - 1 if self.turns else 0
        lengths = _drawn(self.input, f"{own}/input", 1 + later)
        output = _drawn(self.output, f"{own}/output")[0]
        first = words.asking(stream(own), lengths[0], self._ask(index), self.tokenizer)
        prefix = self._prefix(seed, own)
        return Sample(
            id=f"{seed}-{index:05d}",
            messages=(*prefix, {"role": "user", "content": first}),
            tools=TOOLS if self.kind == "tools" else (),
            params=self._params(index, output, later),
            metadata={
                "input_tokens": lengths[0] + (self.prefix_tokens if prefix else 0),
                "output_tokens": output,
            },
            turns=tuple(
                words.asking(stream(f"{own}/turn{turn}"), length, self._ask(index + turn, more=True), self.tokenizer)
                for turn, length in enumerate(lengths[1:], 1)
            ),
        )

    def _ask(self, index: int, *, more: bool = False) -> str:
        if self.kind == "tools":
            return _TOOLS_ASK[index % len(_TOOLS_ASK)]
        if self.kind == "schema":
            return _SCHEMA
        return _MORE if more else _CHAT

    def _prefix(self, seed: int, own: str) -> tuple[JsonObject, ...]:
        if self.prefix_tokens == 0:
            return ()
        rng = stream(f"{own}/prefix")
        if rng.random() >= self.prefix_share:
            return ()
        text = _prefix_text(seed, rng.randrange(self.prefixes), self.prefix_tokens, self.tokenizer)
        return ({"role": "system", "content": text},)

    def _params(self, index: int, output: int, later: int) -> JsonObject:
        params: dict[str, Any] = {"temperature": 0, "max_tokens": output}
        if self.kind == "tools":
            # A session goes on after the call: one that must call a tool at every turn would never get to an answer.
            params["tool_choice"] = "required" if index % 2 and not later else "auto"
        if self.kind == "schema":
            params["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "record", "strict": True, "schema": SCHEMA},
            }
        if self.ignore_eos:
            params["ignore_eos"] = True
        return params


def parse_prefix(text: str) -> tuple[int, int, float]:
    """``(prefix_tokens, prefixes, prefix_share)`` of ``TOKENS[:POOL[:SHARE]]``, for example ``1000:4:0.5``.

    A pool of 1 and a share of 1 where they are not given. UsageError tells the right form.
    """
    tokens, pool, share = (*text.split(":"), "", "")[:3]
    if text.count(":") > 2:
        raise UsageError(f"{text!r} is no prefix", hint="Give TOKENS:POOL:SHARE, as in 1000:4:0.5")
    found = (whole(text, tokens), whole(text, pool or "1"), number(text, share or "1"))
    require_whole("tokens of the prefix", found[0])
    require_whole("pool of prefixes", found[1])
    if not 0 <= found[2] <= 1:
        raise UsageError(f"{text!r}: the share of requests with a prefix must be from 0 to 1, not {share}")
    return found


def stream(name: str) -> random.Random:
    """Random numbers of one purpose, the same for the same name."""
    return random.Random(name)  # noqa: S311 - a reproducible workload, not a secret


def _drawn(length: Length, name: str, n: int = 1) -> list[int]:
    """So many lengths from the stream of that name; beginning one takes as long as all else of a prompt."""
    if isinstance(length, Fixed):
        return [length.tokens] * n
    rng = stream(name)
    return [length.draw(rng) for _ in range(n)]


@functools.lru_cache(maxsize=256)
def _prefix_text(seed: int, which: int, tokens: int, tokenizer: Path | None) -> str:
    return words.text(stream(f"{seed}/prefix/{which}"), tokens, tokenizer)
