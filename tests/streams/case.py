"""What one nasty answer is and how to write one down: the words of the tables in this folder.

The n-th read of a case arrived at time n, so the marks ``tok1=2 done=5`` mean: the first output came with the
second read, ``[DONE]`` with the fifth. ``outputs`` is ``time:events`` for each read that held output.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.exchange import Exchange, Failure, Read, ToolCall, Usage, WireMarks

SSE = (("content-type", "text/event-stream; charset=utf-8"),)
JSON = (("content-type", "application/json"),)


@dataclass(frozen=True)
class Case:
    """Reads in, understanding out."""

    name: str
    reads: tuple[bytes, ...]
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str | None = "stop"
    usage: Usage | None = None
    marks: str = ""
    outputs: str = ""
    names: str = ""
    failure: str | None = None
    """Kind of the failure; None: a success."""
    detail: str = ""
    """Part of the failure's detail."""
    nothing: bool = False
    """No completion at all, not even a partial one."""
    stream: bool = True
    status: int = 200
    headers: tuple[tuple[str, str], ...] = SSE
    fault: Failure | None = None


def exchange(
    reads: Iterable[tuple[int, bytes]],
    *,
    status: int | None = 200,
    headers: Sequence[tuple[str, str]] = (),
    fault: Failure | None = None,
) -> Exchange:
    """An exchange with these reads."""
    kept = tuple(Read(at_ns, part) for at_ns, part in reads)
    return Exchange(WireMarks(), status, tuple(headers), kept, "kernel", reused=False, failure=fault)


def data(value: Any) -> bytes:
    """One event with this JSON."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> bytes:
    """One event with one chat-completion chunk; ``more`` adds fields to the chunk."""
    choices = [{"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}]
    return data({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": choices, **more})


def say(text: str, **more: Any) -> bytes:
    """A content delta."""
    return chunk({"content": text}, **more)


def tool(*calls: dict[str, Any]) -> bytes:
    """A delta with tool calls."""
    return chunk({"tool_calls": list(calls)})


def fn(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """One entry of ``tool_calls``; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**more, "function": function}


def whole(message: Any, finish: Any = "stop", **more: Any) -> bytes:
    """A body that was not streamed."""
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return json.dumps({"id": "c1", "object": "chat.completion", "model": "m", "choices": choices, **more}).encode()


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk(finish="stop")
CALLS = chunk(finish="tool_calls")
DONE = b"data: [DONE]\n\n"
COUNTS = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
USED = Usage(prompt_tokens=9, completion_tokens=2)
HELLO = (ROLE, say("Hel"), say("lo"), STOP, DONE)
HELLO_MARKS = "ev1=1 tok1=2 vis1=2 tokn=3 fin=4 done=5"
HI = (say("Hi"), STOP, DONE)
HI_MARKS = "ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=3"
HTML = b"<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>"
WEATHER = ToolCall("a", "weather", '{"city":"Oslo"}')
TIME = ToolCall("b", "time", '{"zone":"CET"}')
TOOL_MARKS = "ev1=1 tok1=1 tool1=1 tokn=2 fin=3 done=4"
CUT = Failure("truncated", "the connection ended inside the body")
RESET = Failure("reset", "connection reset by peer")
