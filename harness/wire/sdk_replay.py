"""Recorded bytes given to the official SDK as if they had just come: what its users would have got of them.

Nothing is sent. It says how grave a deviation is, never what is right: the SDK checks hardly anything it reads.
Loading it costs about a second, so import this module only where a replay is wanted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from openai import OpenAI, Stream

from harness.exchange import Completion, Exchange, Failure, ToolCall
from harness.types import Request
from harness.wire.complaint import one_line
from harness.wire.sse import Decoder, Event, LineTooLongError

_UNFIT = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers of what the reads no longer are: they were freed of framing and compression when they were recorded."""
_CHAT = "/chat/completions"
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Replay:
    """What the SDK made of one recorded answer."""

    raised: str
    """Type and message of what it raised, on one line; empty: nothing."""
    events: int
    """Events of a stream that it handed out; of an answer that is not streamed 1, or 0 where it raised."""
    role: str | None = None
    """Of the first choice, as the following ones; None, and empty: it gave none, or the answer is no chat."""
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None

    def beside(self, ours: Completion | None, sent: int) -> tuple[str, ...]:
        """What it lost, doubled or broke, one line each; empty: it got all there is.

        ``ours`` is our own reading of the same bytes (None: it is no chat, or there was nothing to understand), and
        ``sent`` is how many events ``events_of`` finds in them.
        """
        found = [f"raises {self.raised}"] if self.raised else []
        if not self.raised and not self.events:
            found.append("hands out no event")
        elif not self.raised and self.events < sent:
            found.append(f"loses {sent - self.events} of {sent} events")
        if ours is None or self.raised:
            return tuple(found)
        if self.role is not None and self.role.count("assistant") > 1:
            found.append(f"doubles the role: {self.role[:_LONGEST]}")
        theirs = (self.text, _told(self.calls), self.finish_reason)
        for name, their, our in zip(
            _NAMES, theirs, (ours.text, _told(ours.tool_calls), ours.finish_reason), strict=True
        ):
            if (their or "") != (our or ""):
                found.append(f"reads {name} {_short(their)} where {_short(our)} was sent")
        return tuple(found)


_NAMES = ("text", "tool calls", "finish reason")


def replay(request: Request, exchange: Exchange) -> Replay:
    """Feed an exchange through the SDK, read by read, with the fault that ended it. Never raises."""
    client, tape = _client()
    tape.exchange = exchange
    reader = _Reader()
    with warnings.catch_warnings():
        # What does not fit its types is told by what comes of it.
        warnings.simplefilter("ignore")
        try:
            if request.path != _CHAT:
                reader.read_any(client, request)
            elif request.stream:
                reader.read_chunks(client)
            else:
                reader.read_completion(client)
        except Exception as error:  # noqa: BLE001 - whatever its users would have met
            reader.raised = one_line(f"{type(error).__name__}: {error}")
    return reader.replay()


def events_of(exchange: Exchange) -> int:
    """The events with data that a stream holds before ``[DONE]``: so many the SDK should hand out."""
    decoder = Decoder()
    events: list[Event] = []
    try:
        for number, read in enumerate(exchange.reads):
            events += decoder.feed(number, read.at_ns, read.data)
        events += decoder.close()
    except LineTooLongError as error:
        events += error.events
    data = [event.data for event in events]
    return next((place for place, text in enumerate(data) if text.startswith("[DONE]")), len(data))


class _Reader:
    """Reads as much as the SDK gives, so that what came before it raised is kept."""

    def __init__(self) -> None:
        self.raised = ""
        self._events = 0
        self._completion: Any = None

    def read_chunks(self, client: OpenAI) -> None:
        """A streamed chat, with the SDK's own adding up."""
        with client.chat.completions.stream(model="any", messages=[]) as stream:
            for event in stream:
                if event.type == "chunk":
                    self._events += 1
                    self._completion = event.snapshot

    def read_completion(self, client: OpenAI) -> None:
        """A chat that is not streamed."""
        self._completion = client.chat.completions.create(model="any", messages=[])
        self._events = 1
        # Any body at all is handed out; what is no completion shows only where it is used.
        self._completion.choices[0].message.content  # noqa: B018 - the access is the test

    def read_any(self, client: OpenAI, request: Request) -> None:
        """Any other answer, as an object without a type."""
        if request.stream:
            for _ in client.post(request.path, cast_to=object, stream=True, stream_cls=Stream[object]):
                self._events += 1
        else:
            client.post(request.path, cast_to=object)
            self._events = 1

    def replay(self) -> Replay:
        """What was read of the first choice."""
        choice = next(iter(getattr(self._completion, "choices", None) or ()), None)
        message = getattr(choice, "message", None)
        if message is None:
            return Replay(self.raised, self._events)
        return Replay(
            self.raised,
            self._events,
            getattr(message, "role", None),
            _text(getattr(message, "content", None)),
            tuple(_calls(getattr(message, "tool_calls", None) or ())),
            getattr(choice, "finish_reason", None),
        )


class _Tape(httpx2.BaseTransport):
    """Answers every request with one recorded exchange."""

    exchange: Exchange

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The recorded response; raises what a client's transport raises where there was none."""
        exchange = self.exchange
        if exchange.status is None:
            raise _fault(exchange.failure, request)
        headers = [(name, value) for name, value in exchange.headers if name not in _UNFIT]
        return httpx2.Response(exchange.status, headers=headers, content=self._reads(request), request=request)

    def _reads(self, request: httpx2.Request) -> Iterator[bytes]:
        for read in self.exchange.reads:
            yield read.data
        if self.exchange.failure is not None:
            raise _fault(self.exchange.failure, request)


@cache
def _client() -> tuple[OpenAI, _Tape]:
    tape = _Tape()
    http = httpx2.Client(transport=tape, trust_env=False)
    return OpenAI(api_key="unused", base_url="http://replay.invalid/v1", http_client=http, max_retries=0), tape


def _fault(failure: Failure | None, request: httpx2.Request) -> httpx2.TransportError:
    told = failure.detail if failure else "no response"
    late = failure is not None and failure.kind.startswith("timeout")
    return (httpx2.ReadTimeout if late else httpx2.RemoteProtocolError)(told, request=request)


def _calls(calls: Iterable[Any]) -> Iterator[ToolCall]:
    for call in calls:
        function = getattr(call, "function", None)
        told = (getattr(call, "id", None), getattr(function, "name", None), getattr(function, "arguments", None))
        yield ToolCall(*map(_text, told))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _told(calls: Iterable[ToolCall]) -> str:
    return " ".join(f"{call.id} {call.name}({call.arguments})" for call in calls)


def _short(text: str | None) -> str:
    return "none" if not text else repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
