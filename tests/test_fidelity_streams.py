"""Streams against answers in one piece, on planted endpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fidelity_made import called
from numpy.random import Generator

from harness.exchange import Completion, StreamMarks, ToolCall, Usage
from harness.fidelity import mmd
from harness.fidelity.streams import PLACES, Asked, Streaming, numbered, streaming

SAID = Completion("Sunny.", "", "", (), "stop", Usage(10, 3), StreamMarks())
REQUESTS = 8


def _calls(*arguments: str, finish: str = "tool_calls") -> Completion:
    made = tuple(ToolCall(f"c{at}", "weather", each) for at, each in enumerate(arguments))
    return replace(SAID, text="", tool_calls=made, finish_reason=finish)


TWO = _calls('{"city": "Rome"}', '{"city": "Oslo"}')


def _asked(streamed: Completion, whole: Completion, requests: int = 4) -> Streaming:
    """Of an endpoint that repeats itself and has its fault in so many of its requests."""
    odd = {f"p{at}": at < requests for at in range(REQUESTS)}
    found = streaming(
        {name: [streamed if fault else SAID] * 4 for name, fault in odd.items()},
        {name: [whole if fault else SAID] * 2 for name, fault in odd.items()},
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("streamed", "whole"),
    [
        (SAID, SAID),
        (replace(SAID, usage=None), SAID),
        (replace(SAID, usage=Usage(None, 3)), SAID),
        (_calls('{"city":"Rome","days":1}'), _calls('{"days": 1, "city": "Rome"}')),
    ],
)
def test_the_same_both_ways_is_equivalent(streamed: Completion, whole: Completion) -> None:
    """Arguments are compared as JSON, and counts only where both are stated."""
    found = _asked(streamed, whole)
    assert found.gap.word(mmd.MARGIN) == "equivalent"
    assert found.differing == {}


@pytest.mark.parametrize(
    ("streamed", "whole", "names"),
    [
        (replace(SAID, text="Sunny"), SAID, ("content",)),
        (replace(SAID, usage=Usage(12, 3)), SAID, ("prompt tokens",)),
        (replace(SAID, usage=Usage(10, 4)), SAID, ("completion tokens",)),
        (replace(SAID, finish_reason="length"), SAID, ("finish reason",)),
        (_calls('{"days": true}'), _calls('{"days": 1}'), ("arguments",)),
        (_calls('{"a":1}{"a":1}'), _calls('{"a":1}'), ("arguments",)),
        (_calls('{"city": "Rome"}'), TWO, ("number of calls", "names of calls", "arguments")),
        (_calls("{}", finish="stop"), _calls("{}"), ("finish reason",)),
    ],
)
def test_what_is_streamed_otherwise_is_found_and_named(
    streamed: Completion, whole: Completion, names: tuple[str, ...]
) -> None:
    """A stream that drops a call, ends otherwise or counts otherwise, in half of the requests, is different."""
    found = _asked(streamed, whole)
    assert found.gap.word(mmd.MARGIN) == "different"
    assert set(found.differing.values()) == {names}
    assert found.named == dict.fromkeys(names, 4)


def test_too_few_answers_say_nothing() -> None:
    """Without four streams and two whole answers to a request there is nothing to compare."""
    assert streaming({"p": [SAID] * 3}, {"p": [SAID] * 2}) is None
    assert streaming({"p": [SAID] * 4}, {"p": [SAID]}) is None
    assert streaming({"p": [SAID] * 4}, {}) is None


def _wavering(draw: Generator, count: int, stop: float) -> Asked:
    """Answers of an endpoint that does not repeat itself, of which a share ends with stop."""
    return {
        f"p{at}": [
            replace(SAID, text=str(draw.integers(3)), finish_reason="stop" if draw.random() < stop else "length")
            for _ in range(count)
        ]
        for at in range(REQUESTS)
    }


def _p(whole: float, streamed: float) -> Callable[[Generator, int], float]:
    def p_of(draw: Generator, run: int) -> float:
        sides = numbered(_wavering(draw, 4, streamed), _wavering(draw, 2, whole))
        found = mmd.distance(*sides, length=PLACES, permutations=99, seed=run)
        assert found is not None
        return found.p_value

    return p_of


def test_an_endpoint_that_wavers_is_called_different_in_a_twentieth() -> None:
    """400 endpoints whose answers vary, but not by how they are sent: 5 %, give or take 1.5."""
    assert called(_p(0.5, 0.5), 400, seed=1) == pytest.approx(0.05, abs=0.015)


def test_power_rises_with_what_is_streamed_otherwise() -> None:
    """Of an endpoint that wavers, whole answers that end otherwise more often are found more and more often."""
    found = [called(_p(stop, 0), 30, seed=2) for stop in (0, 0.4, 0.8)]
    assert found == sorted(found)
    assert found[-1] > 0.9


def test_an_endpoint_that_never_repeats_itself_is_no_difference() -> None:
    """Where every answer is new and nothing else differs there is no gap, and nothing to be named."""
    draw = np.random.default_rng(4)
    sides = [
        {f"p{at}": [replace(SAID, text=str(draw.random())) for _ in range(count)] for at in range(REQUESTS)}
        for count in (4, 2)
    ]
    found = streaming(*sides)
    assert found is not None
    assert found.gap.value == pytest.approx(0, abs=1e-9)
    assert found.gap.word(mmd.MARGIN) != "different"
    assert found.differing == {}
