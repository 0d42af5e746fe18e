"""What a clean simulator answers to probes, without a socket in between, and the same with something changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transcripts import Reply, captures, events

from harness.catalog import discover
from harness.conformance import Capture, Probe, judge_all, scenarios_of
from harness.provider import Endpoint, Provider
from harness.simulator.model.book import Book
from harness.simulator.profile import PROFILES
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming
from harness.types import Request, Verdict

ENDPOINT = Endpoint(Provider("vendor", "hosted", "http://127.0.0.1:1/v1"), "small", "sim-small")
KNOWN = discover([Path(__file__).parents[1] / "tasks" / "probes"]).probes.values()
GONE = object()
"""In the place of a value: the key is taken out."""
PAGE = Reply(b"<html>Hello</html>", 200, {"content-type": "text/html"})
GARBAGE = {
    "nothing": Reply(b""),
    "HTML": PAGE,
    "bytes": Reply(b"\xff\xfe\x00"),
    "null": Reply(b"null"),
    "array": Reply([]),
    "text": Reply("hello"),
    "nesting": Reply(b"[" * 200_000),
    "NaN": Reply(b'{"data": [{"index": 0, "embedding": [NaN, 1]}], "usage": {"prompt_tokens": NaN}}'),
    "huge": Reply(b'{"data": [{"index": 0, "embedding": [1%s]}]}' % (b"0" * 400)),
    "numbers": Reply({"data": 7, "choices": 7, "output": 7, "usage": 7, "id": 7, "error": 7}),
    "lists of numbers": Reply({"data": [7], "choices": [7], "output": [7], "usage": [7], "id": [7], "error": []}),
    "lists of nothing": Reply({"data": [{}], "choices": [{}], "output": [{"type": "message", "content": [7]}]}),
    "odd insides": Reply(
        {
            "data": [{"index": [], "embedding": [[1]]}],
            "choices": [{"text": 7, "logprobs": {"tokens": ["a"], "token_logprobs": [None], "text_offset": [{}]}}],
            "object": "response",
            "status": "completed",
            "output": [{"type": "function_call", "arguments": 7, "call_id": 7, "name": []}, {"type": "reasoning"}],
        }
    ),
    "odd events": events(
        *({"type": kind, "sequence_number": [], "output_index": {}, "item": 7} for kind in ("response.created", 7)),
        {"type": "response.output_text.delta", "delta": 7},
        {"type": "response.completed", "response": 7},
        {"type": [], "choices": 7},
        {"choices": [7, {"text": None}], "usage": 7},
        [7],
        "no JSON",
    ),
    "an error with another shape": Reply([{"error": "no"}], 404),
}


def answers(probes: Iterable[Probe]) -> dict[str, Reply]:
    """The answers of a clean simulator to all that the probes see, by scenario."""
    service = Service(replace(PROFILES["null"], models=("sim-small",)), Book({}))
    found: dict[str, Capture] = {}
    replies: dict[str, Reply] = {}
    for scenario in scenarios_of(probes):
        request: Request | None = scenario.build(ENDPOINT, 0)
        if scenario.follows is not None and scenario.build_on is not None:
            request = scenario.build_on(ENDPOINT, found[scenario.follows.name])
        assert request is not None, scenario.name
        reply = replies[scenario.name] = serve(service, request.method, f"/v1{request.path}", request.body or b"")
        capture = reply.capture(scenario.name)
        found[scenario.name] = replace(capture, attempt=replace(capture.attempt, request=request))
    return replies


def serve(service: Service, method: str, path: str, body: bytes = b"") -> Reply:
    """What a service answers, taken off the wire."""
    sent = service.reply(Incoming(method, path, {}, body, 1))
    head, _, content = b"".join(send.data for send in sent.sends).partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    headers = {name: value for name, _, value in lines}
    return Reply(unchunked(content) if "transfer-encoding" in headers else content, sent.status, headers)


def unchunked(data: bytes) -> bytes:
    """The content of HTTP chunks, as far as they came."""
    content = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not size or not int(size, 16):
            return content
        content, data = content + data[: int(size, 16)], data[int(size, 16) + 2 :]


def edited(reply: Reply, *path: Any, to: Any) -> Reply:
    """The answer with the value at a path of its JSON set, or taken out."""
    body = copy.deepcopy(reply.body) if isinstance(reply.body, dict) else json.loads(reply.body)
    _set(body, path, to)
    return replace(reply, body=body)


def _set(body: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        body = body[step]
    if value is GONE:
        del body[path[-1]]
    else:
        body[path[-1]] = value


def restreamed(reply: Reply, change: Callable[[list[Any]], Any]) -> Reply:
    """The stream with its events, as JSON, changed by ``change`` (in place, or by what it gives)."""
    blocks = [block for block in reply.body.decode().split("\n\n") if block]
    parsed = [_data(block) for block in blocks]
    changed = change(copy.deepcopy(parsed))
    return events(*(parsed if changed is None else changed))


def _data(block: str) -> Any:
    data = block.rpartition("data: ")[2]
    return json.loads(data) if data.startswith("{") else data


@dataclass(frozen=True)
class Bench:
    """The probes of some surfaces before a clean simulator's answers."""

    probes: tuple[Probe, ...]
    clean: Mapping[str, Reply]

    @classmethod
    def of(cls, *surfaces: str) -> Bench:
        """The probes of these surfaces."""
        mine = tuple(probe for probe in KNOWN if probe.surface in surfaces)
        return cls(mine, answers(mine))

    def judged(self, replies: Mapping[str, Reply], endpoint: Endpoint = ENDPOINT) -> dict[str, Verdict]:
        """Verdicts by probe, on the clean answers with these in their places."""
        return {one.probe: one for one in judge_all(self.probes, captures({**self.clean, **replies}), endpoint)}

    def failing(self, garbage: Reply) -> list[Verdict]:
        """Verdicts of judges that failed, with this in the place of every answer, and of each."""
        tried = (dict.fromkeys(self.clean, garbage), *({name: garbage} for name in self.clean))
        return [one for replies in tried for one in self.judged(replies).values() if one.reason.startswith("probe:")]
