"""What one scenario brought back, as a judge reads it: the recorded bytes first, our own understanding beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from harness.exchange import Outcome
from harness.provider import Endpoint
from harness.types import Attempt, JsonObject
from harness.wire.sse import Decoder, Event, LineTooLongError

DONE = "[DONE]"


class Named(Protocol):
    """What captures are known by: a scenario."""

    @property
    def name(self) -> str:
        """Unique among all scenarios."""
        ...


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
    def scenario(self) -> str:
        """Name of the scenario that it is of."""
        return self.attempt.job.sample

    @property
    def path(self) -> str:
        """Where it was sent, below the base URL."""
        return self.attempt.request.path

    @cached_property
    def sent(self) -> JsonObject:
        """The body that was sent; empty: none, or no JSON object."""
        found = parse(self.attempt.request.body or b"")
        return found if isinstance(found, dict) else {}

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

    @property
    def events(self) -> tuple[Event, ...]:
        """The server-sent events of the body, an unterminated last one too; up to an over-long line."""
        return self._decoded[0]

    @property
    def framing(self) -> frozenset[str]:
        """Deviations from the framing of server-sent events, by the names that ``harness.wire.sse`` gives them."""
        return frozenset(self._decoded[1].deviations)

    @property
    def stray(self) -> tuple[str, ...]:
        """Lines that are no field of an event stream, the first ones."""
        return tuple(self._decoded[1].stray)

    @cached_property
    def _decoded(self) -> tuple[tuple[Event, ...], Decoder]:
        decoder = Decoder()
        found: list[Event] = []
        try:
            for number, read in enumerate(self.attempt.exchange.reads):
                found += decoder.feed(number, read.at_ns, read.data)
            found += decoder.close()
        except LineTooLongError as error:
            found += error.events
        return tuple(found), decoder

    @property
    def done_ns(self) -> int | None:
        """Arrival of ``[DONE]``, after which nothing is missing of a stream; None: it did not come."""
        return next((event.at_ns for event in self.events if event.data.strip() == DONE), None)

    @cached_property
    def chunks(self) -> tuple[JsonObject, ...]:
        """The JSON objects of a stream in order, without ``[DONE]`` and without what is not a JSON object."""
        parsed = (parse(event.data) for event in self.events if event.data.strip() != DONE)
        return tuple(chunk for chunk in parsed if isinstance(chunk, dict))

    @property
    def errors(self) -> list[Any]:
        """The errors that stand inside a stream, in order."""
        return [chunk["error"] for chunk in self.chunks if chunk.get("error")]

    @property
    def streamed(self) -> bool:
        """Whether a stream was asked for and one came."""
        return self.attempt.request.stream and not isinstance(self.json, dict) and bool(self.chunks)

    @property
    def is_chat(self) -> bool:
        """Whether it is a chat completion that was answered with 200, whole or as a stream."""
        return self.path == "/chat/completions" and self.status == 200 and bool(self.at("choices") or self.chunks)

    def at(self, *path: str | int) -> Any:
        """What the JSON body holds at a path of keys and indexes; None: not there."""
        return dig(self.json, *path)

    @property
    def message(self) -> JsonObject:
        """The message of the first choice of an answer that was not streamed; empty: there is none."""
        found = self.at("choices", 0, "message")
        return found if isinstance(found, dict) else {}

    def parts(self, choice: int | None = 0) -> Iterator[JsonObject]:
        """What the chunks of a stream hold of one choice, in order; one without an index is the first. None: of any."""
        for chunk in self.chunks:
            listed = chunk.get("choices")
            for each in listed if isinstance(listed, list) else ():
                if isinstance(each, dict) and choice in (None, each.get("index", 0)):
                    yield each

    def deltas(self, choice: int = 0) -> Iterator[JsonObject]:
        """The deltas of one choice of a stream, in order."""
        for part in self.parts(choice):
            if isinstance(part.get("delta"), dict):
                yield part["delta"]

    @property
    def text(self) -> str:
        """The content of the first choice, a stream's joined; empty: none, or not a string."""
        if self.streamed:
            return "".join(delta["content"] for delta in self.deltas() if isinstance(delta.get("content"), str))
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def thinking(self) -> str:
        """What stands in the first choice's reasoning channel, under either of its names; empty: nothing."""
        parts = self.deltas() if self.streamed else (self.message,)
        said = (part.get("reasoning_content") or part.get("reasoning") for part in parts)
        return "".join(each for each in said if isinstance(each, str))

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice, a stream's last one; None: none was given."""
        if self.streamed:
            given = (dig(chunk, "choices", 0, "finish_reason") for chunk in self.chunks)
            return next((each for each in reversed(tuple(given)) if isinstance(each, str)), None)
        found = self.at("choices", 0, "finish_reason")
        return found if isinstance(found, str) else None

    @property
    def cut_short(self) -> bool:
        """Whether the output reached its limit before anything visible was said: it may all have been thinking."""
        text = self.text.strip()
        return self.finish_reason == "length" and (not text or text.startswith("<think"))

    @cached_property
    def usage(self) -> JsonObject:
        """The object ``usage`` of the body, or of the last chunk that holds one; empty: there is none."""
        if self.streamed:
            found: Any = next((each["usage"] for each in reversed(self.chunks) if each.get("usage")), None)
        else:
            found = self.at("usage")
        return found if isinstance(found, dict) else {}

    def tokens(self, *path: str) -> int | None:
        """A count in ``usage``, such as ``prompt_tokens``; None: not stated as a number of tokens."""
        return count(dig(self.usage, *path))


Captures = Mapping[str, Sequence[Capture]]
"""By scenario name, in the order of the repeats."""


class Seen:
    """What a judge looks at: at least one capture of each scenario that its probe names, and whose they are."""

    def __init__(self, captures: Captures, endpoint: Endpoint) -> None:
        self._captures = captures
        self.endpoint = endpoint

    def __getitem__(self, scenario: Named) -> Capture:
        """The capture of a scenario; of several, the first."""
        return self._captures[scenario.name][0]

    def all(self, scenario: Named) -> tuple[Capture, ...]:
        """All captures of a scenario, in the order of its repeats."""
        return tuple(self._captures[scenario.name])

    def everything(self) -> Iterator[Capture]:
        """Every capture at hand: of the probe's scenarios, or of the whole run where it judges that."""
        for taken in self._captures.values():
            yield from taken


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
