"""From an exchange to its outcome: a completion understood, or a failure with what had arrived before it.

An answer is a success only if the status is 2xx, no error came inside the body, at least one output event (reasoning,
content, refusal, tool name or arguments) came, a finish reason was seen, and the body came to a clean end. So an
answer without a finish reason is ``truncated`` even where ``[DONE]`` follows: nothing says that the model had ended.
"""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from harness.exchange import Completion, Exchange, Failure, FailureKind, Outcome
from harness.types import JsonObject
from harness.wire.chunks import Chunks, choices_of, wanted_choice
from harness.wire.complaint import Complaint, complaint, http_failure, one_line, page, retry_after
from harness.wire.objects import Objects, Run, decoded, reads_of
from harness.wire.ordinary import MOST_EVENTS, ordinary
from harness.wire.sse import Decoder, Event, LineTooLongError, plain
from harness.wire.template import Frame

_OF_A_CUT = frozenset({"empty", "bad_json", "bad_sse"})
"""What a body that was cut off looks like: nothing to tell beside the fault that cut it."""
_ALIGNED, _BARE = Frame(b"data: ", b"\n\n"), Frame(b"", b"")


def assemble(exchange: Exchange, *, stream: bool, shortcuts: bool = True) -> Outcome:
    """Understand one chat-completion exchange; ``stream`` says what the request asked for. Never raises.

    Without ``shortcuts`` every event is taken apart on its own; the outcome is the same.

    A fault of the transport wins over everything the body says, with one exception: after a finish reason and
    ``[DONE]`` a cut or reset connection is the deviation ``unclean_close``. Further deviations named here:
    ``not_streamed``, ``streamed_unasked``, ``content_type``, ``no_done``, ``no_finish_reason``, ``data_after_done``,
    ``done_not_exact``, ``empty_data``, ``named_event``, ``unknown_event``, ``cut_event``, ``error_outside_data``,
    ``bom``, ``invalid_utf8``.

    Source: https://platform.openai.com/docs/api-reference/chat-streaming
    """
    return concluded(exchange, _Reading(exchange, shortcuts=shortcuts), stream=stream)


class Reading(Protocol):
    """The body of a success on its way to a completion; used once."""

    completion: Completion | None
    """What was understood, also where it is no success; None: nothing was."""

    @property
    def problem(self) -> Failure | None:
        """The first thing that the server itself said or did wrong; None: nothing but, perhaps, an early end."""

    def read(self, *, stream: bool) -> Failure | None:
        """Fill ``completion``; tells why it is no success, None: it is one."""


def concluded(exchange: Exchange, reading: Reading, *, stream: bool) -> Outcome:
    """How an exchange ended, whatever interface was asked: transport and status first, then what its body says."""
    fault, status = exchange.failure, exchange.status
    if status is None:
        return Outcome(None, fault or Failure("bad_http", "no response came"))
    if fault is not None and fault.status is None:
        fault = dataclasses.replace(fault, status=status)
    if not 200 <= status < 300:
        if fault is not None and status >= 400:
            fault = dataclasses.replace(fault, retry_after_s=retry_after(exchange.headers))
        return Outcome(None, fault or _refused(exchange, status))
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


def _is_typed(event: JsonObject) -> bool:
    return "type" in event and "choices" not in event


def _refused(exchange: Exchange, status: int) -> Failure:
    if status >= 400:
        return http_failure(exchange)
    target = dict(exchange.headers).get("location", "").partition("?")[0]
    detail = f"a redirect to {target}, which is not followed" if target else "neither a success nor an error"
    return Failure("bad_http", one_line(f"HTTP {status}: {detail}"), status)


class _Reading:
    """One body under way to a completion; used once."""

    def __init__(self, exchange: Exchange, *, shortcuts: bool) -> None:
        self.completion: Completion | None = None
        self._exchange = exchange
        self._cut = exchange.failure is not None
        self._times = [read.at_ns for read in exchange.reads]
        self._shortcuts = shortcuts
        self._objects = Objects(exchange.status)
        self._names: set[str] = set()

    @property
    def problem(self) -> Failure | None:
        """The first thing that the server itself said or did wrong; None: nothing but, perhaps, an early end."""
        return self._objects.problem

    def read(self, *, stream: bool) -> Failure | None:
        """Fill ``completion``; tells why it is no success, None: it is one."""
        if stream and self._shortcuts and self._read_aligned():
            return self._streamed()
        body = self._exchange.body
        start = body.decode(errors="replace").lstrip("\ufeff \t\r\n")
        if not start:
            return self._fail("empty", "an empty body")
        markup = page(start)
        if markup:
            wanted = "an event stream" if stream else "JSON"
            return self._fail("bad_sse" if stream else "bad_json", f"{markup} instead of {wanted}")
        if start[0] in "{[":
            value = decoded(start)
            if isinstance(value, dict | list):
                return self._whole(value, body, stream=stream)
        looks_streamed = start.startswith(("data:", "event:", ":", "id:", "retry:"))
        if stream or looks_streamed:
            if not stream:
                self._names.add("streamed_unasked")
            if not (self._shortcuts and self._read_plain(body)):
                failure = self._read_events(start)
                if failure:
                    return failure
            return self._streamed()
        return self._fail("bad_json", f"the body is not JSON; it starts with {start[:60]!r}")

    def _fail(self, kind: FailureKind, detail: str) -> Failure:
        return self._objects.fail(kind, detail)

    def _check_type(self, expected: str) -> None:
        given = next((value for name, value in reversed(self._exchange.headers) if name == "content-type"), None)
        if given is not None and given.partition(";")[0].strip().lower() != expected:
            self._names.add("content_type")

    # --- not streamed ------------------------------------------------------------------------------------

    def _whole(self, value: Any, body: bytes, *, stream: bool) -> Failure | None:
        self._check_type("application/json")
        if stream:
            self._names.add("not_streamed")
        if body.startswith(codecs.BOM_UTF8):
            self._names.add("bom")
        try:
            body.decode()
        except UnicodeDecodeError:
            self._names.add("invalid_utf8")
        found = complaint(value)
        if found:
            self._objects.complain(found)
        if not isinstance(value, dict) or "choices" not in value:
            return self.problem or self._fail("bad_json", "JSON that is no chat completion: it has no choices")
        at_ns = next(read.at_ns for read in reversed(self._exchange.reads) if read.data)
        choices = choices_of(value)
        chunks = Chunks(self._names, (at_ns,), streamed=False, choice=wanted_choice([choices], self._names))
        chunks.take(0, value, choices)
        if chunks.finish is None:
            self._names.add("no_finish_reason")
        self.completion = chunks.completion(ev1_ns=at_ns, done_ns=None)
        return self._verdict(chunks)

    # --- streamed ----------------------------------------------------------------------------------------

    def _streamed(self) -> Failure | None:
        objects, names = self._objects, self._names
        names |= objects.names
        self._check_type("text/event-stream")
        if self.completion is not None:  # an ordinary one
            if names:
                known = tuple(sorted(names.union(self.completion.deviations)))
                self.completion = dataclasses.replace(self.completion, deviations=known)
            return None
        if self.problem is None and objects.found and all(map(_is_typed, objects.chunks())):
            # Typed events are of another interface, such as responses: that a finish reason is missing says nothing.
            return self._fail("bad_sse", "events that are of no chat completion: they have types and no choices")
        listed = [choices_of(chunk) for chunk in objects.chunks()]
        chunks = Chunks(names, self._times, streamed=True, choice=wanted_choice(listed, names))
        for one, choices in zip(objects.found, listed, strict=True):
            if isinstance(one, Run):
                chunks.take_run(one.template, one.texts, one.reads)
            else:
                chunks.take(*one, choices)
        if not self._cut and objects.done_ns is None:
            names.add("no_done")
        if not self._cut and chunks.finish is None:
            names.add("no_finish_reason")
        self.completion = chunks.completion(ev1_ns=objects.ev1_ns, done_ns=objects.done_ns)
        return self._verdict(chunks)

    def _read_aligned(self) -> bool:
        """Take the shortest way: most servers write event by event, and then each read is one. False: not this one."""
        reads = self._exchange.reads
        if not reads or not reads[0].data.startswith(b"data: {") or reads[0].data.count(b"\n\n") != 1:
            return False
        return self._regular([read.data for read in reads], range(len(reads)), _ALIGNED)

    def _read_plain(self, body: bytes) -> bool:
        """Take the short way of streams whose events are all framed alike; False: this one's are not."""
        events = plain(body)
        if events is None:
            return False
        return self._regular(events, reads_of(events, [len(read.data) for read in self._exchange.reads]), _BARE)

    def _regular(self, events: Sequence[bytes], reads: Sequence[int], frame: Frame) -> bool:
        if len(events) <= MOST_EVENTS:
            data = [each for event in events if (each := frame.data(event)) is not None]
            self.completion = ordinary(data, reads, self._times) if len(data) == len(events) else None
            if self.completion is not None:
                return True
        objects = Objects(self._exchange.status)
        if not objects.read_regular(events, reads, self._times, frame):
            return False
        self._objects = objects
        return True

    def _read_events(self, start: str) -> Failure | None:
        """Take every event; tells why there is none at all. ``start`` is how the body begins."""
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
        self._objects.read(events, late)
        if too_long is not None:
            self._fail("too_large", too_long)
        self._read_stray(decoder.stray)
        if self._objects.ev1_ns is not None:
            return None
        if self.problem is not None:
            return self.problem
        if decoder.stray:
            return self._fail("bad_sse", f"no event stream; it starts with {start[:60]!r}")
        return self._fail("empty", "an event stream without events")

    def _read_stray(self, stray: list[str]) -> None:
        """Find an error that was written into the stream without ``data:``."""
        found = complaint(decoded("\n".join(stray))) if stray and stray[0].startswith("{") else None
        if found:
            self._names.add("error_outside_data")
            self._objects.complain(found)

    # --- the rule ----------------------------------------------------------------------------------------

    def _verdict(self, chunks: Chunks) -> Failure | None:
        status = self._exchange.status
        if chunks.finish == "error":
            self._objects.complain(Complaint('the answer ended with the finish reason "error"'))
        if self.problem is not None:
            return self.problem
        if chunks.finish == "content_filter":
            return Failure("content_filter", "the server's content filter ended the answer", status)
        streaming = self._objects.ev1_ns is not None
        over = not streaming or chunks.finish is not None or self._objects.done_ns is not None
        if not chunks.has_output and over:
            tokens = chunks.completion_tokens
            counted = f" although {tokens} completion tokens are counted" if tokens else ""
            ended = one_line(f"finish reason {chunks.finish!r}") if chunks.finish else "no finish reason"
            return Failure("empty", f"an answer without any output, {ended}{counted}", status)
        if chunks.finish is None:
            return Failure("truncated", "the answer ended without a finish reason", status)
        return None
