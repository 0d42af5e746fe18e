"""Answers of the Responses API: typed events, or a whole response, on the way to a completion as a chat gives one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from harness.exchange import Completion, Exchange, Failure, FailureKind, Outcome
from harness.types import JsonObject, Request
from harness.wire.assemble import concluded
from harness.wire.complaint import Complaint, complaint, inband, one_line, page
from harness.wire.objects import decoded
from harness.wire.response_parts import Parts
from harness.wire.sse import Decoder, Event, LineTooLongError


def assemble(request: Request, exchange: Exchange) -> Outcome:
    """Understand one answer of the Responses API. Never raises.

    The rule is that of chat: a success has output, came to its end and holds no error. The end is the event
    ``response.completed`` or ``response.incomplete``, which is finish reason and ``done`` in one; without it an answer
    is ``truncated``. Its status becomes a finish reason of chat: completed is ``stop``, or ``tool_calls`` where it
    calls; incomplete is ``length`` or ``content_filter`` as ``incomplete_details`` says. Deviations named here:
    ``not_streamed``, ``streamed_unasked``, ``content_type``, ``done_sentinel`` (a ``[DONE]`` after the end),
    ``data_after_done``, ``event_name_missing``, ``event_name_differs``, ``unknown_event``, ``cut_event``,
    ``unclean_close``, those of ``harness.wire.sse`` and of ``harness.wire.response_parts``.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """
    return concluded(exchange, _Reading(exchange), stream=request.stream)


class _Reading:
    """One body under way to a completion; used once."""

    def __init__(self, exchange: Exchange) -> None:
        self.completion: Completion | None = None
        self.problem: Failure | None = None
        self._exchange = exchange
        self._names: set[str] = set()
        self._sentinel = False

    def read(self, *, stream: bool) -> Failure | None:
        """Fill ``completion``; tells why it is no success, None: it is one."""
        start = self._exchange.body.decode(errors="replace").lstrip("\ufeff \t\r\n")
        if not start:
            return self._fail("empty", "an empty body")
        if markup := page(start):
            wanted = "an event stream" if stream else "JSON"
            return self._fail("bad_sse" if stream else "bad_json", f"{markup} instead of {wanted}")
        if start[0] in "{[":
            value = decoded(start)
            if isinstance(value, dict | list):
                if stream:
                    self._names.add("not_streamed")
                return self._whole(value)
        if stream or start.startswith(("data:", "event:", ":", "id:", "retry:")):
            if not stream:
                self._names.add("streamed_unasked")
            return self._streamed(start)
        return self._fail("bad_json", f"the body is not JSON; it starts with {start[:60]!r}")

    def _fail(self, kind: FailureKind, detail: str) -> Failure:
        self.problem = self.problem or Failure(kind, one_line(detail), self._exchange.status)
        return self.problem

    def _complain(self, found: Complaint) -> Failure:
        self.problem = self.problem or inband(found, self._exchange.status)
        return self.problem

    def _check_type(self, expected: str) -> None:
        given = next((value for name, value in reversed(self._exchange.headers) if name == "content-type"), None)
        if given is not None and given.partition(";")[0].strip().lower() != expected:
            self._names.add("content_type")

    # --- not streamed ------------------------------------------------------------------------------------

    def _whole(self, value: Any) -> Failure | None:
        self._check_type("application/json")
        if found := complaint(value):
            self._complain(found)
        if not isinstance(value, dict) or not isinstance(value.get("output"), list):
            return self.problem or self._fail("bad_json", "JSON that is no response: it has no output")
        at_ns = next(one.at_ns for one in reversed(self._exchange.reads) if one.data)
        parts = Parts(self._names, (at_ns,), streamed=False)
        parts.end(0, value)
        return self._verdict(parts, at_ns)

    # --- streamed ----------------------------------------------------------------------------------------

    def _streamed(self, start: str) -> Failure | None:
        self._check_type("text/event-stream")
        parts = Parts(self._names, [one.at_ns for one in self._exchange.reads], streamed=True)
        ev1_ns: int | None = None
        for event, cut in self._events():
            ev1_ns = event.at_ns if ev1_ns is None else ev1_ns
            self._take(parts, event, cut=cut)
        if ev1_ns is None:
            nothing = start.startswith(("data:", "event:", ":", "id:", "retry:"))
            detail = "an event stream without events" if nothing else f"no event stream; it starts with {start[:60]!r}"
            return self.problem or self._fail("empty" if nothing else "bad_sse", detail)
        return self._verdict(parts, ev1_ns)

    def _events(self) -> Iterator[tuple[Event, bool]]:
        """The events in their order, each with whether the end of the stream cut it short."""
        decoder = Decoder()
        try:
            for index, read in enumerate(self._exchange.reads):
                for event in decoder.feed(index, read.at_ns, read.data):
                    yield event, False
            for event in decoder.close():
                yield event, True
        except LineTooLongError as error:
            for event in error.events:
                yield event, False
            self._fail("too_large", str(error))
        self._names |= decoder.deviations

    def _take(self, parts: Parts, event: Event, *, cut: bool) -> None:
        data = event.data.strip()
        if data == "[DONE]":
            self._names.add("done_sentinel")
            self._sentinel = True
            return
        if self._sentinel or parts.ended:
            self._names.add("data_after_done")
            return
        value = _object(data)
        if value is None:
            if cut:
                self._names.add("cut_event")
            elif event.event == "error":
                self._complain(Complaint(data))
            else:
                self._fail("bad_json", f"an event that is no JSON object; it starts with {data[:60]!r}")
            return
        kind = value.get("type")
        if kind == "error" or event.event == "error":
            self._complain(complaint(value, certain=True) or Complaint(data))
        elif not isinstance(kind, str):
            found = complaint(value)
            if found:
                self._complain(found)
            elif "choices" in value:
                self._fail("bad_sse", "events of a chat completion: they have choices and no types")
            else:
                self._names.add("unknown_event")
        else:
            if event.event != kind:
                self._names.add("event_name_missing" if event.event == "message" else "event_name_differs")
            parts.take(event.read, kind, value)

    # --- the rule ----------------------------------------------------------------------------------------

    def _verdict(self, parts: Parts, ev1_ns: int) -> Failure | None:
        self.completion = parts.completion(ev1_ns=ev1_ns)
        status = self._exchange.status
        if parts.failed is not None:
            self._complain(parts.failed)
        if self.problem is not None:
            return self.problem
        if parts.finish == "content_filter":
            return Failure("content_filter", "the server's content filter ended the answer", status)
        if parts.finish is None and not self._sentinel and parts.streamed:
            return Failure("truncated", "the answer ended without the event that ends a response", status)
        if not parts.has_output:
            said = one_line(f"status {parts.status!r}") if parts.status else "no status"
            return Failure("empty", f"an answer without any output, {said}", status)
        if parts.finish is None:
            return Failure("truncated", one_line(f"the response has not ended: status {parts.status!r}"), status)
        return None


def _object(data: str) -> JsonObject | None:
    """The JSON object of an event; None: it is none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = decoded(data)
    return value if isinstance(value, dict) else None
