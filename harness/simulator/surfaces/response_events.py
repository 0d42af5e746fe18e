"""The events of a streamed response: it begins, its items open, grow and close, and it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.simulator.model.speech import Piece
from harness.simulator.surfaces.events import Answer, Script, runs
from harness.simulator.surfaces.response_shape import ResponseShape
from harness.simulator.surfaces.shapes import dumps
from harness.types import JsonObject

_ORDINAL = 1_000
"""Where item ids that change begin."""


class ResponseScript(Script):
    """Makes the events of one response, each token's once and in order."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        assert isinstance(answer.shape, ResponseShape)
        self._shape = answer.shape
        self._choice = answer.choices[0]
        self._sequence = 0
        self._place = 0
        """The ``output_index`` of the open item, or of the next one."""
        self._open: int | None = None
        """The call whose item is open, -1: the message; None: no item is."""
        self._written = ""
        """The text of the open item."""

    def roles(self) -> list[bytes]:
        """The events before the first token: the response begins, and what was thought."""
        begun = self._shape.begun()
        events = [self._say("response.created", response=begun), self._say("response.in_progress", response=begun)]
        if "resp_no_begin" in self._mutants:
            events = events[:0]
        if self._shape.thought:
            events += self._thinks(self._shape.thought)
        return events

    def tokens(self, first: int, last: int) -> list[tuple[bytes, int]]:
        """The events of the steps ``first`` to ``last``, with how many tokens each holds."""
        events: list[tuple[bytes, int]] = []
        for run in runs(self._choice.pieces[first : last + 1]):
            said = list(self._grows(Piece("".join(piece.text for piece in run), run[0].call, run[0].head)))
            events += [(event, 0) for event in said[:-1]] + [(said[-1], len(run))]
        return events

    def plain(self) -> Iterator[bytes] | None:
        """No two events are alike but for their text."""
        return None

    def more(self, text: str) -> bytes:
        """An event with text, whatever the answer was."""
        return b"".join(self._grows(Piece(text)))

    def ends(self) -> list[bytes]:
        """The open item closes, and the response ends."""
        # Where nothing was said there is a message without text.
        opening = () if self._choice.pieces else self._opens(-1)
        events = [*opening, *self._closes()]
        whole = self._shape.whole(self._answer.choices, self._answer.usage)
        if "resp_lost_output" in self._mutants:
            whole["output"] = []
        times = 0 if "resp_no_end" in self._mutants else 2 if "resp_ends_twice" in self._mutants else 1
        return [*events, *(self._say(f"response.{whole['status']}", response=whole) for _ in range(times))]

    def failure(self, error: JsonObject) -> bytes:
        """An event that says that the response failed."""
        return self._say("error", code=error["code"], message=error["message"], param=error["param"])

    # --- items -------------------------------------------------------------------------------------------

    def _grows(self, piece: Piece) -> Iterator[bytes]:
        """The events of one token; the first one of an item opens it."""
        if self._open != piece.call:
            yield from self._closes()
            opening = list(self._opens(piece.call))
            yield from opening
            if piece.head and opening:
                return
        if not piece.head:
            self._written += piece.text
            if "resp_drop_delta" in self._mutants and len(self._written) > len(piece.text) > 1:
                piece = Piece(piece.text[:-1], piece.call)
        kind, place = self._kind("delta")
        yield self._say(kind, **place, delta="" if piece.head else piece.text, **self._logprobs())

    def _opens(self, call: int) -> Iterator[bytes]:
        self._open, self._written = call, ""
        if "resp_unannounced" in self._mutants:
            return
        yield self._say("response.output_item.added", output_index=self._place, item=self._item(whole=False))
        if call < 0:
            _, place = self._kind("delta")
            yield self._say("response.content_part.added", **place, part=self._shape.part(""))

    def _closes(self) -> Iterator[bytes]:
        if self._open is None:
            return
        kind, place = self._kind("done")
        text = self._written[:-1] if "resp_done_differs" in self._mutants else self._written
        item = self._item(whole=True)
        if "resp_no_done" not in self._mutants:
            if self._open < 0:
                yield self._say(kind, **place, text=text, **self._logprobs())
                yield self._say("response.content_part.done", **place, part=self._shape.part(text))
            else:
                yield self._say(kind, **place, arguments=text)
            yield self._say("response.output_item.done", output_index=self._place, item=item)
        self._place += 1
        self._open = None

    def _item(self, *, whole: bool) -> JsonObject:
        """The open item as it is announced, or as it was written."""
        assert self._open is not None
        cut = whole and self._choice.finish == "length"
        status: Any = "in_progress" if not whole else "incomplete" if cut else "completed"
        if self._open < 0:
            return self._shape.message([self._shape.part(self._written)] if whole else [], status)
        return self._shape.call(self._choice, self._open, status, whole=whole)

    def _kind(self, verb: str) -> tuple[str, JsonObject]:
        """The event's type for the open item, and where that item is."""
        number = self._sequence if "resp_item_ids" in self._mutants else None
        place = self._sequence if "resp_output_index" in self._mutants else self._place
        if self._open is not None and self._open >= 0:
            known = self._shape.item_id(f"fc{self._open if number is None else number + _ORDINAL}")
            return f"response.function_call_arguments.{verb}", {"item_id": known, "output_index": place}
        known = self._shape.item_id("msg" if number is None else f"msg{number}")
        return f"response.output_text.{verb}", {"item_id": known, "output_index": place, "content_index": 0}

    def _logprobs(self) -> JsonObject:
        return {"logprobs": []} if self._open is not None and self._open < 0 else {}

    def _thinks(self, thought: str) -> list[bytes]:
        known = {"item_id": self._shape.item_id("rs"), "output_index": self._place, "summary_index": 0}
        part = {"type": "summary_text", "text": thought}
        name = "response.reasoning_summary"
        events = [
            self._say("response.output_item.added", output_index=self._place, item=self._shape.reasoning("")),
            self._say(f"{name}_part.added", **known, part=part | {"text": ""}),
            self._say(f"{name}_text.delta", **known, delta=thought),
            self._say(f"{name}_text.done", **known, text=thought),
            self._say(f"{name}_part.done", **known, part=part),
            self._say("response.output_item.done", output_index=self._place, item=self._shape.reasoning(thought)),
        ]
        self._place += 1
        return events

    # --- one event ---------------------------------------------------------------------------------------

    def _say(self, kind: str, **fields: Any) -> bytes:
        """One event; its number is one more than that of the event before."""
        event: JsonObject = {"type": kind, "sequence_number": self._sequence, **fields}
        if "resp_seq_zero" in self._mutants:
            event["sequence_number"] = 0
        if "resp_no_seq" in self._mutants:
            del event["sequence_number"]
        self._sequence += 2 if "resp_seq_gap" in self._mutants and self._sequence > 3 else 1
        name = "update" if "resp_event_other" in self._mutants else kind
        return self._framed(dumps(event), b"" if "resp_no_event" in self._mutants else name.encode())
