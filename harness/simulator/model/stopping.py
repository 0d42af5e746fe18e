"""Where stop sequences end a text."""

from __future__ import annotations

from typing import NamedTuple

from harness.simulator.requests.asked import Asked
from harness.simulator.requests.messages import text_of


class Cut(NamedTuple):
    """What is left of a text."""

    text: str
    stopped: bool
    """Whether a stop sequence ended it."""


def cut(text: str, asked: Asked, mutants: frozenset[str]) -> Cut:
    """The text up to before the stop sequence that comes first in it."""
    stops = _heeded(asked, mutants)
    if "stop_in_prompt" in mutants and any(stop in text_of(each) for each in asked.messages for stop in stops):
        return Cut("", stopped=True)
    found = [(place, stop) for stop in stops if (place := text.find(stop)) >= 0]
    if not found:
        return Cut(_without_tail(text, stops) if "stop_tail_lost" in mutants else text, stopped=False)
    place, stop = min(found)
    end = place
    if "include_stop" in mutants:
        end += len(stop)
    elif asked.stream and "stop_leak" in mutants:
        end += len(stop) // 2
    return Cut(text[:end], stopped=True)


def _heeded(asked: Asked, mutants: frozenset[str]) -> tuple[str, ...]:
    """The stop sequences that are looked for."""
    stops = asked.stop
    if "ignore_stop" in mutants or (asked.stream and "ignore_stop_stream" in mutants):
        return ()
    if "stop_first_only" in mutants:
        stops = stops[:1]
    if "stop_ascii" in mutants:
        stops = tuple(stop for stop in stops if stop.isascii())
    if "stop_not_blank" in mutants:
        stops = tuple(stop for stop in stops if stop.strip())
    return stops


def _without_tail(text: str, stops: tuple[str, ...]) -> str:
    """The text without what may be the beginning of a stop sequence at its end."""
    for length in range(max(map(len, stops), default=0), 0, -1):
        if any(stop.startswith(text[-length:]) for stop in stops) and len(text) >= length:
            return text[:-length]
    return text
