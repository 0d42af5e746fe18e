"""From an exchange to its outcome: a completion understood, or a failure with what had arrived before it.

An answer is a success only if the status is 2xx, no error came inside the body, at least one output event (reasoning,
content, refusal, tool name or arguments) came, a finish reason was seen, and the body came to a clean end. So an
answer without a finish reason is ``truncated`` even where ``[DONE]`` follows: nothing says that the model had ended.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from harness.types import Completion, Exchange, Failure, JsonObject, Outcome
from harness.wire.chunks import Chunks, wanted_choice
from harness.wire.complaint import Complaint, complaint, http_failure, inband, one_line, page, retry_after
from harness.wire.sse import Decoder, Event, LineTooLongError

_OF_A_CUT = frozenset({"empty", "bad_json", "bad_sse"})
"""What a body that was cut off looks like: nothing to tell beside the fault that cut it."""


def assemble(exchange: Exchange, *, stream: bool) -> Outcome:
    """Understand one chat-completion exchange; ``stream`` says what the request asked for. Never raises.

    A fault of the transport wins over everything the body says, with one exception: after a finish reason and
    ``[DONE]`` a cut or reset connection is the deviation ``unclean_close``. Further deviations named here:
    ``not_streamed``, ``streamed_unasked``, ``content_type``, ``no_done``, ``no_finish_reason``, ``data_after_done``,
    ``done_not_exact``, ``empty_data``, ``named_event``, ``unknown_event``, ``cut_event``, ``error_outside_data``,
    ``bom``, ``invalid_utf8``.

    Source: https://platform.openai.com/docs/api-reference/chat-streaming
    """
    fault, status = exchange.failure, exchange.status
    if status is None:
        return Outcome(None, fault or Failure("bad_http", "no response came"))
    if fault is not None and fault.status is None:
        fault = dataclasses.replace(fault, status=status)
    if not 200 <= status < 300:
        if fault is not None and status >= 400:
            fault = dataclasses.replace(fault, retry_after_s=retry_after(exchange.headers))
        return Outcome(None, fault or _refused(exchange, status))
    reading = _Reading(exchange)
    failure = reading.read(stream=stream)
    completion = reading.completion
    if fault is None:
        return Outcome(completion, failure)
    marks = completion.marks if completion else None
    ended = marks is not None and marks.fin_ns is not None and marks.done_ns is not None
    if completion and ended and fault.kind in ("truncated", "reset"):
        names = tuple(sorted({*completion.deviations, "unclean_close"}))
        return Outcome(dataclasses.replace(completion, deviations=names), failure)
    if reading.problem is not None and reading.problem.kind not in _OF_A_CUT:
        fault = dataclasses.replace(fault, detail=one_line(f"{fault.detail}; before that: {reading.problem.detail}"))
    return Outcome(completion, fault)


def _refused(exchange: Exchange, status: int) -> Failure:
    if status >= 400:
        return http_failure(exchange)
    target = dict(exchange.headers).get("location", "").partition("?")[0]
    detail = f"a redirect to {target}, which is not followed" if target else "neither a success nor an error"
    return Failure("bad_http", one_line(f"HTTP {status}: {detail}"), status)


class _Reading:
    """One body under way to a completion; used once."""

    def __init__(self, exchange: Exchange) -> None:
        self.completion: Completion | None = None
        self.problem: Failure | None = None
        """The first thing that the server itself said or did wrong; None: nothing but, perhaps, an early end."""
        self._exchange = exchange
        self._cut = exchange.failure is not None
        self._names: set[str] = set()
        self._ev1_ns: int | None = None
        self._done_ns: int | None = None

    def read(self, *, stream: bool) -> Failure | None:
        """Fill ``completion``; tells why it is no success, None: it is one."""
        body = self._exchange.body
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = body.decode(errors="replace")
        start = text.lstrip("\ufeff \t\r\n")
        if not start:
            return self._fail("empty", "an empty body")
        markup = page(start)
        if markup:
            wanted = "an event stream" if stream else "JSON"
            return self._fail("bad_sse" if stream else "bad_json", f"{markup} instead of {wanted}")
        if start[0] in "{[":
            value = _decoded(start)
            if isinstance(value, dict | list):
                return self._whole(value, body, stream=stream)
        looks_streamed = start.startswith(("data:", "event:", ":", "id:", "retry:"))
        if stream or looks_streamed:
            if not stream:
                self._names.add("streamed_unasked")
            return self._streamed(start)
        return self._fail("bad_json", f"the body is not JSON; it starts with {start[:60]!r}")

    def _fail(self, kind: Any, detail: str) -> Failure:
        """Note the first problem; ``kind`` is a FailureKind."""
        failure = Failure(kind, one_line(detail), self._exchange.status)
        self.problem = self.problem or failure
        return self.problem

    def _complain(self, found: Complaint) -> None:
        self.problem = self.problem or inband(found, self._exchange.status)

    def _check_type(self, expected: str) -> None:
        given = dict(self._exchange.headers).get("content-type")
        if given is not None and given.partition(";")[0].strip().lower() != expected:
            self._names.add("content_type")

    # --- not streamed ------------------------------------------------------------------------------------

    def _whole(self, value: Any, body: bytes, *, stream: bool) -> Failure | None:
        self._check_type("application/json")
        if stream:
            self._names.add("not_streamed")
        if body.startswith(b"\xef\xbb\xbf"):
            self._names.add("bom")
        try:
            body.decode()
        except UnicodeDecodeError:
            self._names.add("invalid_utf8")
        found = complaint(value)
        if found:
            self._complain(found)
        if not isinstance(value, dict) or "choices" not in value:
            return self.problem or self._fail("bad_json", "JSON that is no chat completion: it has no choices")
        at_ns = next(read.at_ns for read in reversed(self._exchange.reads) if read.data)
        chunks = Chunks(self._names, streamed=False, choice=wanted_choice([value], self._names))
        chunks.take(Event(at_ns, 0, "message", "", None), value)
        if chunks.finish is None:
            self._names.add("no_finish_reason")
        self.completion = chunks.completion(ev1_ns=at_ns, done_ns=None)
        return self._verdict(chunks)

    # --- streamed ----------------------------------------------------------------------------------------

    def _streamed(self, start: str) -> Failure | None:
        decoder = Decoder()
        events: list[Event] = []
        late: list[Event] = []
        too_long: str | None = None
        try:
            for index, read in enumerate(self._exchange.reads):
                events += decoder.feed(index, read.at_ns, read.data)
            late = decoder.close()
        except LineTooLongError as error:
            events += error.events
            too_long = str(error)
        self._names |= decoder.deviations
        found = self._objects(events, late)
        if too_long is not None:
            self._fail("too_large", too_long)
        self._read_stray(decoder.stray)
        if self._ev1_ns is None:
            if self.problem is not None:
                return self.problem
            if decoder.stray:
                return self._fail("bad_sse", f"no event stream; it starts with {start[:60]!r}")
            return self._fail("empty", "an event stream without events")
        self._check_type("text/event-stream")
        chunks = Chunks(self._names, streamed=True, choice=wanted_choice([one for _, one in found], self._names))
        for event, one in found:
            chunks.take(event, one)
        if not self._cut and self._done_ns is None:
            self._names.add("no_done")
        if not self._cut and chunks.finish is None:
            self._names.add("no_finish_reason")
        self.completion = chunks.completion(ev1_ns=self._ev1_ns, done_ns=self._done_ns)
        return self._verdict(chunks)

    def _objects(self, events: list[Event], late: list[Event]) -> list[tuple[Event, JsonObject]]:
        """The JSON objects up to ``[DONE]``; ``late`` holds the event that the end of the stream cut short."""
        found: list[tuple[Event, JsonObject]] = []
        for event in events + late:
            if self._done_ns is not None:
                self._names.add("data_after_done")
                break
            if self._ev1_ns is None:
                self._ev1_ns = event.at_ns
            data = event.data.strip()
            if data.strip('"').startswith("[DONE]"):
                self._done_ns = event.at_ns
                if event.data != "[DONE]":
                    self._names.add("done_not_exact")
                continue
            value = self._object(event, data, cut=bool(late) and event is late[0])
            if value is not None:
                found.append((event, value))
        return found

    def _object(self, event: Event, data: str, *, cut: bool) -> JsonObject | None:
        """The object in one event, its complaint noted; None: nothing to add up."""
        if not data:
            self._names.add("empty_data")
            return None
        value = _decoded(data)
        certain = event.event == "error"
        said = complaint(value, certain=certain) or (Complaint(data) if certain else None)
        if said:
            self._complain(said)
        elif event.event != "message":
            self._names.add("named_event")
        if isinstance(value, dict):
            return value if "choices" in value or not said else None
        if said:
            return None
        if cut:
            self._names.add("cut_event")
        elif event.event != "message":
            self._names.add("unknown_event")
        else:
            self._fail("bad_json", f"an event that is no JSON object; it starts with {data[:60]!r}")
        return None

    def _read_stray(self, stray: list[str]) -> None:
        """Find an error that was written into the stream without ``data:``."""
        found = complaint(_decoded("\n".join(stray))) if stray and stray[0].startswith("{") else None
        if found:
            self._names.add("error_outside_data")
            self._complain(found)

    # --- the rule ----------------------------------------------------------------------------------------

    def _verdict(self, chunks: Chunks) -> Failure | None:
        status = self._exchange.status
        if chunks.finish == "error":
            self._complain(Complaint('the answer ended with the finish reason "error"'))
        if self.problem is not None:
            return self.problem
        if chunks.finish == "content_filter":
            return Failure("content_filter", "the server's content filter ended the answer", status)
        whole = self._ev1_ns is None
        if not chunks.has_output and (whole or chunks.finish is not None or self._done_ns is not None):
            tokens = chunks.completion_tokens
            counted = f" although {tokens} completion tokens are counted" if tokens else ""
            ended = one_line(f"finish reason {chunks.finish!r}") if chunks.finish else "no finish reason"
            return Failure("empty", f"an answer without any output, {ended}{counted}", status)
        if chunks.finish is None:
            return Failure("truncated", "the answer ended without a finish reason", status)
        return None


def _decoded(text: str) -> Any:
    """Decoded JSON; None: it is none (or ``null``)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
