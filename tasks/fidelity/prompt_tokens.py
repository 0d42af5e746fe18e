"""Prompt tokens: 20 requests of many shapes, of which only the tokens matter that are counted for each prompt.

Two servers with the same tokenizer and chat template count the same. One that puts a system prompt of its own first
counts more by the same number everywhere; one with another template, by a number for each message or each tool. One
token of output is asked for, so that it costs next to nothing. Three hold pictures, which an endpoint without eyes
refuses. Not streamed: some state their counts in whole answers alone.

Source: the idea is MoonshotAI/Kimi-Vendor-Verifier; the requests are our own.
Known traps: pictures are plain squares, whose tokens depend on their size alone. A server that reports its prompt
tokens only now and then, or estimates them, shows no clear pattern; where ``usage`` is missing there is nothing to
compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.conformance.pictures import data as url
from harness.conformance.pictures import image, png, text
from harness.errors import TaskError
from harness.scorers.answered import answered
from harness.types import JsonObject, Sample, Task


def _said(role: str, content: str) -> JsonObject:
    return {"role": role, "content": content}


def _seen(*sides: int) -> JsonObject:
    """The question behind red squares of so many pixels."""
    return {"role": "user", "content": [*(image(url(png("red", side))) for side in sides), text(_ASK["content"])]}


def _tool(name: str, **parameters: str) -> JsonObject:
    schema = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in parameters.items()},
        "required": list(parameters),
    }
    return {"type": "function", "function": {"name": name, "description": f"{name} of a thing", "parameters": schema}}


_ASK = _said("user", "Where does the river end?")
_TOOLS = (
    _tool("find", place="string"),
    _tool("weigh", thing="string", grams="number"),
    _tool("count", things="string", most="integer"),
    _tool("open", door="string"),
)


def _called(*arguments: str) -> JsonObject:
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": "find", "arguments": each}}
        for number, each in enumerate(arguments, 1)
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _result(number: int, content: str) -> JsonObject:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content}


_CALL = _called('{"place": "sea"}')
_RESULT = _result(1, '{"found": true, "miles": 12}')
_RESULTS = (_called('{"place": "sea"}', '{"place": "lake"}'), _RESULT, _result(2, '{"found": false}'))
_TURN = (_said("user", "Is it far?"), _said("assistant", "Not very."))

SHAPES: dict[str, tuple[tuple[JsonObject, ...], tuple[JsonObject, ...]]] = {
    "plain": ((_ASK,), ()),
    "one_word": ((_said("user", "Hello"),), ()),
    "long": ((_said("user", " ".join(["The old bridge stands over the narrow river."] * 20)),), ()),
    "system": ((_said("system", "Answer in one word."), _ASK), ()),
    "turns_3": ((*_TURN, _ASK), ()),
    "turns_5": ((*_TURN, *_TURN, _ASK), ()),
    "turns_9": ((*(_TURN * 4), _ASK), ()),
    "system_turns": ((_said("system", "Answer in one word."), *_TURN, *_TURN, _ASK), ()),
    "accents": ((_said("user", "Où finit la rivière? Ένα ποτάμι, река, 河流, نهر"),), ()),
    "emoji": ((_said("user", "🌊 → 🐟? 👩‍👩‍👧 🇺🇳 ½ ﷽"),), ()),
    "code": ((_said("user", "def f(x):\n\treturn {'a': [x, None]}\n\n# what is f(1)?"),), ()),
    "spaces": ((_said("user", "a  b   c\n\n\n\td    e "),), ()),
    "tool_1": ((_ASK,), _TOOLS[:1]),
    "tool_2": ((_ASK,), _TOOLS[:2]),
    "tool_4": ((_ASK,), _TOOLS),
    "tool_result": ((_ASK, _CALL, _RESULT), _TOOLS[:1]),
    "tool_results_2": ((_ASK, *_RESULTS), _TOOLS[:1]),
    "image_small": ((_seen(64),), ()),
    "image_large": ((_seen(1024),), ()),
    "image_2": ((_seen(64, 64),), ()),
}
"""Messages and tools, by name."""


def load(data: Path | None) -> Iterator[Sample]:
    """The shapes in their order; there is nothing to give."""
    if data is not None:
        raise TaskError("fidelity_prompt_tokens has its own requests", hint="Leave out --data")
    for name, (messages, tools) in SHAPES.items():
        yield Sample(
            name,
            messages,
            tools=tools,
            params={"temperature": 0, "max_tokens": 1},
            metadata={"messages": len(messages), "tools": len(tools)},
        )


TASK = Task(
    name="fidelity_prompt_tokens",
    version=3,
    kind="quality",
    stream=False,
    description="Prompts of many shapes, for the tokens that are counted for them; whether there is an answer.",
    load=load,
    scorer=answered(),
    source="made by the task",
)
