"""The events of a stream, as bytes: role, tokens, finish, usage, [DONE]."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring

from harness.simulator.engine.batch import Seat
from harness.simulator.model.speech import CONTENT, Choice, Piece
from harness.simulator.profile import Profile
from harness.simulator.surfaces.shapes import Shape, dumps
from harness.types import JsonObject

_MARK = "@@token@@"
"""Stands for the text in an event that was made once for all tokens of a stream."""
_CHANGING = frozenset(
    {
        *("cumulative", "counting_index", "split_character", "bad_utf8", "lone_surrogate"),
        *("changing_id", "changing_model", "changing_created", "obfuscated"),
    }
)
"""Mutants with which two events differ in more than their text, or the text in more than its JSON."""

_ODD_EVENTS = {
    "comment_as_data": b"data: : keep-alive\n\n",
    "empty_data": b"data:\n\n",
    "bare_event": b"event: ping\n\n",
}
"""What mutants put behind the first chunk."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response ready to be written."""

    shape: Shape
    choices: tuple[Choice, ...]
    usage: JsonObject
    include_usage: bool
    steps: int
    """Tokens of the longest choice."""
    dues: Callable[[], Iterator[int]]
    """When each step is due, in ns after the request was read: the k-th token of every choice. At least one."""
    profile: Profile
    fault: str | None
    rng: random.Random
    seat: Seat
    script: type[Script] | None = None
    """What makes its events; None: those of chat and legacy completions."""


def spoilt(data: bytes, mutants: frozenset[str]) -> bytes:
    """JSON with the deviations that no encoder would write."""
    added = (b"\xff\xc3" if "bad_utf8" in mutants else b"") + (b"\\ud83d" if "lone_surrogate" in mutants else b"")
    for field in (b'"content":"', b'"text":"') if added else ():
        data = data.replace(field, field + added, 1)
    return data


class Script:
    """Makes the events of one answer, each token's once and in order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._mutants = answer.shape.mutants
        self._said = dict.fromkeys(range(len(answer.choices)), "")
        self._pieces = [_spoken(choice, self._mutants) for choice in answer.choices]
        self._number = 0
        self._moulds: dict[int, tuple[bytes, bytes]] = {}
        """Of each choice, what stands before and behind the text."""
        self._regular = not self._mutants & _CHANGING and answer.shape.top_logprobs is None

    def roles(self) -> list[bytes]:
        """The events before the first token."""
        shape, mutants = self._answer.shape, self._mutants
        events: list[bytes] = []
        if shape.surface == "chat" and "no_role" not in mutants:
            for choice in self._answer.choices:
                delta: JsonObject = {"role": "assistant", "content": None if choice.calls else "", "refusal": None}
                events.append(self._event([shape.delta(choice.index, delta)]))
            events += [odd for name, odd in _ODD_EVENTS.items() if name in mutants]
            if "empty_choices" in mutants:
                events.insert(0, self._event([]))
        if "bom" in mutants:
            events[:1] = [b"\xef\xbb\xbf" + b"".join(events[:1])]
        return events

    def tokens(self, first: int, last: int) -> list[tuple[bytes, int]]:
        """The events of the steps ``first`` to ``last``, with how many tokens each holds."""
        events: list[tuple[bytes, int]] = []
        for choice in self._answer.choices:
            pieces = self._pieces[choice.index][first : last + 1]
            events += [(self._token(choice, run), len(run)) for run in runs(pieces)]
        return events

    def plain(self) -> Iterator[bytes] | None:
        """The HTTP chunk of every token, cheaply; None: the answer is not of the usual kind."""
        choices = self._answer.choices
        if not self._regular or len(choices) != 1 or choices[0].ids or not choices[0].pieces or choices[0].thought:
            return None
        before, behind = self._mould(choices[0])
        return (
            _chunked(before + encode_basestring(piece.text).encode("utf-8", "replace") + behind)
            for piece in self._pieces[0]
        )

    def more(self, text: str) -> bytes:
        """An event with text of the first choice, whatever the answer was."""
        return self._event([self._answer.shape.delta(0, {"content": text})])

    def ends(self) -> list[bytes]:
        """Finish reasons, usage and [DONE]."""
        return [*self.finishes(), *self.usages(), *self._done()]

    def finishes(self) -> list[bytes]:
        """The events with the finish reasons."""
        answer, shape, mutants = self._answer, self._answer.shape, self._mutants
        events: list[bytes] = []
        for choice in answer.choices:
            finish = None if mutants & {"finish_never", "finish_null"} else choice.finish
            inside = answer.include_usage and "usage_in_last_choice" in mutants
            rest = choice.pieces[len(self._pieces[choice.index]) :]
            delta = {"content": rest[0].text} if rest else {}
            last = shape.delta(choice.index, delta, finish, rest)
            event = self._event([last], usage=answer.usage if inside else None)
            events += [event] * (2 if "finish_twice" in mutants else 1)
            if "text_after_finish" in mutants:
                events.append(self._event([shape.delta(choice.index, {"content": " more"})]))
        return events

    def usages(self) -> list[bytes]:
        """The event that holds usage and no choice."""
        answer, mutants = self._answer, self._mutants
        hidden = mutants & {"no_usage", "no_usage_chunk", "usage_in_last_choice"}
        wanted = (answer.include_usage or "usage_unasked" in mutants) and not hidden
        return [self._event([], usage=answer.usage)] if wanted else []

    def _done(self) -> list[bytes]:
        """[DONE], and what mutants put behind it."""
        shape, mutants = self._answer.shape, self._mutants
        events: list[bytes] = []
        if "no_done" not in mutants:
            events.append(self._framed(b"[DONE]"))
            if "no_last_blank" in mutants:
                events[-1] = events[-1].rstrip(b"\r\n")
        if "done_twice" in mutants:
            events.append(self._framed(b"[DONE]"))
        if "after_done" in mutants:
            events.append(self._event([shape.delta(0, {})]))
        if "text_after_done" in mutants:
            events.append(self.more(" more"))
        return events

    def failure(self, error: JsonObject) -> bytes:
        """An event with an error object."""
        return self._framed(dumps({"error": error}))

    def broken(self) -> bytes:
        """An event whose data ends inside its JSON."""
        return self._framed(b'{"id":"' + self._answer.shape.id.encode() + b'","choi')

    # --- one event ---------------------------------------------------------------------------------------

    def _token(self, choice: Choice, run: Sequence[Piece]) -> bytes:
        if self._regular and run[0].call == CONTENT:
            mould = self._moulds.get(choice.index) or self._mould(choice)
            return mould[0] + dumps("".join(piece.text for piece in run)) + mould[1]
        return self._rendered(choice, run)

    def _mould(self, choice: Choice) -> tuple[bytes, bytes]:
        before, _, behind = self._rendered(choice, (Piece(_MARK),)).partition(b'"' + _MARK.encode() + b'"')
        self._moulds[choice.index] = before, behind
        return before, behind

    def _rendered(self, choice: Choice, run: Sequence[Piece]) -> bytes:
        shape, mutants = self._answer.shape, self._mutants
        piece = run[0]._replace(text="".join(piece.text for piece in run))
        at = len(self._said[choice.index])
        self._said[choice.index] += piece.text if piece.call == CONTENT else ""
        if piece.call >= 0:
            delta = shape.call_delta(choice, piece)
        else:
            delta = shape.text_delta(piece)
            if "cumulative" in mutants and piece.call == CONTENT:
                delta = {"content": self._said[choice.index]}
        if "role_every_chunk" in mutants:
            delta = {"role": "assistant", **delta}
        index = self._number if "counting_index" in mutants else choice.index
        self._number += 1
        return spoilt(self._event([shape.delta(index, delta, None, run, at)]), mutants)

    def _event(self, choices: Sequence[JsonObject], usage: JsonObject | None = None) -> bytes:
        answer, mutants = self._answer, self._mutants
        if "usage_every_chunk" in mutants:
            usage = answer.usage
        shown = usage is not None or (answer.include_usage and not mutants & {"no_usage", "no_usage_chunk"})
        data = dumps(answer.shape.chunk(list(choices), usage, with_usage=shown))
        if "split_character" in mutants:
            # Only the first byte of each character is kept, as by a server that decodes the output token by token.
            data = bytes(byte for byte in data if byte < 0x80 or byte >= 0xC0)
        return self._framed(data)

    def _framed(self, data: bytes, name: bytes = b"") -> bytes:
        mutants = self._mutants
        event = (b"event: " + name + b"\n" if name else b"") + b"data: " + data + b"\n\n"
        if "sse_event_fields" in mutants:
            event = b"event: message\nid: 1\nretry: 3000\n" + event
        if "sse_odd_lines" in mutants:
            event = b"time: 5\n" + event
        if "id_then_comment" in mutants:
            event = b"id: 1\n" + event + b": keep-alive\n\n"
        if "sse_comments" in mutants:
            event = b": keep-alive\n\n" + event
        if "sse_cr" in mutants:
            event = event.replace(b"\n", b"\r")
        elif mutants & {"sse_crlf", "sse_crlf_split"}:
            event = event.replace(b"\n", b"\r\n")
        return event


def _spoken(choice: Choice, mutants: frozenset[str]) -> Sequence[Piece]:
    """The tokens of a choice that have chunks of their own, with the deviations of streams alone."""
    if not mutants & {"token_lost", "token_twice", "stream_replacement_char", "finish_with_text"}:
        return choice.pieces
    texts = [piece.text for piece in choice.pieces]
    if "token_twice" in mutants:
        texts[1:2] = [text * 2 for text in texts[1:2]]
    if "token_lost" in mutants:
        texts[2:3] = ["" for _ in texts[2:3]]
    if "stream_replacement_char" in mutants:
        texts = ["".join(sign if sign.isascii() else "\ufffd" for sign in text) for text in texts]
    if "finish_with_text" in mutants and not choice.calls:
        del texts[-1:]
    said = zip(choice.pieces, texts, strict=False)
    return [piece if piece.call >= 0 else piece._replace(text=text) for piece, text in said]


def runs(pieces: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    """Pieces that fit into one event: of one kind, and the head of a call by itself."""
    start = 0
    for place in range(1, len(pieces) + 1):
        if place == len(pieces) or pieces[place].head or pieces[start].head or pieces[place].call != pieces[start].call:
            yield pieces[start:place]
            start = place


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Framing:
    """From events to what stands on the wire: HTTP chunks, compressed or not, or no chunks at all."""

    def __init__(self, mutants: frozenset[str], *, chunked: bool = True) -> None:
        self._mutants, self._chunked = mutants, chunked
        self._compressor = zlib.compressobj(wbits=31) if "gzip_unasked" in mutants else None
        self._pieces = bool(mutants & {"sliced", "sse_crlf_split"})
        self.plain = chunked and self._compressor is None and not self._pieces
        """Whether every event is an HTTP chunk and nothing else."""

    def writes(self, events: Sequence[bytes]) -> list[bytes]:
        """The writes that some events need: one, except where a deviation cuts them up."""
        if not self._pieces:
            return [b"".join([self._chunk(event) for event in events])]
        return [self._chunk(piece) for event in events for piece in self._cut(event)]

    def end(self) -> bytes:
        """What stands behind the last event."""
        rest = self._compressor.flush() if self._compressor is not None else b""
        if not self._chunked:
            return rest
        return (_chunked(rest) if rest else b"") + b"0\r\n\r\n"

    def _chunk(self, data: bytes) -> bytes:
        if self._compressor is not None:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return _chunked(data) if self._chunked else data

    def _cut(self, event: bytes) -> list[bytes]:
        if "sse_crlf_split" in self._mutants:
            head, tail = event[: event.rfind(b"\n\r") + 2], event[event.rfind(b"\n\r") + 2 :]
            return [head, tail] if head and tail else [event]
        inside = next((place + 1 for place, byte in enumerate(event) if byte >= 0xC0), len(event) // 2)
        return [event[:inside], event[inside:]]
