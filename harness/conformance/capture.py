"""What one scenario brought back, as a judge reads it: the recorded bytes first, our own understanding beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.exchange import Outcome
from harness.types import Attempt, JsonObject
from harness.wire.sse import Decoder, Event, LineTooLongError

DONE = "[DONE]"


@dataclass(frozen=True)
class Capture:
    """One recorded exchange of a scenario; judges look at the raw bytes, for the lenient reading forgives too much."""

    attempt: Attempt
    outcome: Outcome

    @property
    def job_id(self) -> str:
        """Names this capture as evidence."""
        return self.attempt.job.id

    @property
    def status(self) -> int | None:
        """HTTP status; None: no response came."""
        return self.attempt.exchange.status

    @cached_property
    def body(self) -> bytes:
        """All body bytes."""
        return self.attempt.exchange.body

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty: the server named none."""
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """The first value of a response header, named in lower case; empty: absent."""
        return next((value for key, value in self.attempt.exchange.headers if key == name), "")

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None: it is not JSON (or is ``null``, which no endpoint may answer either)."""
        return parse(self.body)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The server-sent events of the body, an unterminated last one too; up to an over-long line."""
        decoder = Decoder()
        found: list[Event] = []
        try:
            for number, read in enumerate(self.attempt.exchange.reads):
                found += decoder.feed(number, read.at_ns, read.data)
        except LineTooLongError as error:
            return (*found, *error.events)
        return (*found, *decoder.close())

    @cached_property
    def chunks(self) -> tuple[JsonObject, ...]:
        """The JSON objects of a stream in order, without ``[DONE]`` and without what is not a JSON object."""
        parsed = (parse(event.data) for event in self.events if event.data.strip() != DONE)
        return tuple(chunk for chunk in parsed if isinstance(chunk, dict))

    def at(self, *path: str | int) -> Any:
        """What the JSON body holds at a path of keys and indexes; None: not there."""
        return dig(self.json, *path)

    @property
    def message(self) -> JsonObject:
        """The message of the first choice of an answer that was not streamed; empty: there is none."""
        found = self.at("choices", 0, "message")
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        """The content of that message; empty: none, or not a string."""
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice of an answer that was not streamed."""
        found = self.at("choices", 0, "finish_reason")
        return found if isinstance(found, str) else None

    @property
    def cut_short(self) -> bool:
        """Whether the output reached its limit before anything visible was said: it may all have been thinking."""
        text = self.text.strip()
        return self.finish_reason == "length" and (not text or text.startswith("<think"))

    def tokens(self, field: str) -> int | None:
        """A count of the body's ``usage``, such as ``prompt_tokens``; None: not stated as a number of tokens."""
        return count(self.at("usage", field))


Captures = Mapping[str, Sequence[Capture]]
"""By scenario name; a judge finds at least one capture for each scenario that its probe sees."""


def parse(text: bytes | str) -> Any:
    """JSON text as a value; None: it is not JSON in UTF-8, or it is nested deeper than any answer may be."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def dig(value: Any, *path: str | int) -> Any:
    """What lies at a path of keys and indexes inside JSON; None: something on the way is missing or misshapen."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def count(value: Any) -> int | None:
    """A JSON value as a number of things; None: it is not a whole number of zero or more (``true`` is not)."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def brief(value: Any, limit: int = 120) -> str:
    """A value on one line for a person, cut to ``limit`` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
