"""Recorded exchanges made by hand, for tests of what judges them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.conformance import Probe, Scenario, judge_all, scenarios_of
from harness.conformance.capture import Capture
from harness.exchange import Exchange, Failure, FailureKind, Read, WireMarks
from harness.provider import Endpoint, Provider
from harness.types import Attempt, Job, Request, Verdict
from harness.wire.assemble import assemble

ENDPOINT = Endpoint(Provider("vendor", "hosted", "http://127.0.0.1:1/v1"), "small", "small-1")


@dataclass(frozen=True)
class Reply:
    """What a server answered; a body that is no bytes is sent as JSON."""

    body: Any = b""
    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    failure: FailureKind | None = None
    stream: bool = False
    """Whether a stream was asked for."""

    def capture(self, scenario: str, repeat: int = 0) -> Capture:
        """The reply as the harness would have recorded it."""
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        failure = Failure(self.failure, f"what {self.failure} looks like") if self.failure else None
        exchange = Exchange(
            marks=WireMarks(),
            status=self.status,
            headers=tuple(self.headers.items()),
            # In pieces, as a socket gives them.
            reads=tuple(Read(1000 + at, raw[at : at + 7]) for at in range(0, len(raw), 7)),
            clock="user",
            reused=False,
            failure=failure,
        )
        job = Job(f"probe/vendor/small/{scenario}/{repeat}", "vendor/small", "probe", "probe", "any", scenario, repeat)
        request = Request("/chat/completions", b"{}", stream=self.stream, workload_sha256="0" * 64)
        return Capture(Attempt(job, 0, request, exchange, 0, 0, 1), assemble(exchange, stream=self.stream))


def events(*data: Any, end: bytes = b"") -> Reply:
    """A stream of data events, each ended by a blank line, and whatever ``end`` adds."""
    lines = (each if isinstance(each, str) else json.dumps(each) for each in data)
    body = b"".join(b"data: " + line.encode() + b"\n\n" for line in lines)
    return Reply(body + end, headers={"content-type": "text/event-stream; charset=utf-8"}, stream=True)


def completion(
    text: str | None = "Hello there!", *, finish: str = "stop", prompt: int = 12, output: int = 3, **message: Any
) -> dict[str, Any]:
    """A chat completion with every documented field."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "small-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, **message},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output},
    }


def chunk(delta: Mapping[str, Any] | None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a streamed chat completion; without a delta its choices are empty."""
    choices = [] if delta is None else [{"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish}]
    made = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "small-1"}
    return {**made, "choices": choices, **more}


def error(message: str = "no", status: int = 400, **fields: Any) -> Reply:
    """A refusal with the documented error body."""
    body = {"message": message, "type": "invalid_request_error", "param": None, "code": None, **fields}
    return Reply({"error": body}, status)


def captures(replies: Mapping[str, Reply | Iterable[Reply]]) -> dict[str, list[Capture]]:
    """Captures by scenario name, as a judge gets them."""
    several = {name: [each] if isinstance(each, Reply) else list(each) for name, each in replies.items()}
    return {name: [one.capture(name, i) for i, one in enumerate(each)] for name, each in several.items()}


Replies = Mapping[str, Reply | Sequence[Reply]]
"""By scenario name; one reply stands for every repeat of its scenario."""


def recorded(scenarios: Iterable[Scenario], replies: Replies) -> dict[str, list[Capture]]:
    """Captures by scenario name, each with the request of its scenario; one without a reply is left out."""
    found: dict[str, list[Capture]] = {}
    for scenario in scenarios:
        given = replies.get(scenario.name, ())
        several = (given,) * scenario.repeats if isinstance(given, Reply) else given
        for repeat, reply in enumerate(several):
            request: Request | None = scenario.build(ENDPOINT, repeat)
            if scenario.follows is not None and scenario.build_on is not None:
                request = scenario.build_on(ENDPOINT, found[scenario.follows.name][0])
            if request is not None:
                taken = reply.capture(scenario.name, repeat)
                made = replace(taken, attempt=replace(taken.attempt, request=request))
                found.setdefault(scenario.name, []).append(made)
    return found


def judged(probe: Probe, replies: Replies, run: Iterable[Scenario] = (), endpoint: Endpoint = ENDPOINT) -> Verdict:
    """What one probe says by itself; ``run``: the scenarios of the run, for one that judges all of it."""
    return judge_all([probe], recorded(run or scenarios_of([probe]), replies), endpoint)[0]


ODD: tuple[Any, ...] = (None, True, -1, 0, 1.5, 10**9, "", "x", [], {}, [[]], [None], [{}], {"x": {"x": []}}, "\ud800")
"""What may stand anywhere in JSON that another wrote."""
GARBAGE = (
    Reply(b"<html>oops</html>", headers={"content-type": "text/html"}),
    Reply(b""),
    Reply(b"\xff\xfe"),
    Reply(b"data: {}\n\n"),
    Reply(b'data: {"choices": [7, [], {"delta": 7}]}\n\ndata: [DONE]\n\n'),
    Reply(b"[" * 3000),
    *map(Reply, ({}, [], None, 7, "x", {"error": "x"}, {"choices": {}}, {"choices": [[]]}, {"choices": [7]})),
    Reply({"message": "no"}, 418),
    Reply(b"no", 404),
    Reply([], 500),
)


def spoilt(body: Any) -> Iterator[Any]:
    """The body with something odd in each of its places in turn."""
    for odd in ODD:
        yield odd
    steps = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for step, inner in [*steps]:
        for odd in spoilt(inner):
            copied = body.copy()
            copied[step] = odd
            yield copied
