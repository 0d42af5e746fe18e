"""Rows of a verification that no simulated server makes: who refuses a tool that must be called, who streams oddly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from harness.report.fidelity.answers import Answer, Answers, Asked, Call
from harness.report.fidelity.finding import Finding
from harness.report.fidelity.streams import TASK, WHOLE, streams
from harness.report.fidelity.told import smallest
from harness.report.fidelity.tools import tools
from harness.types import JsonObject

TOOL: JsonObject = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
BODY: JsonObject = {"messages": [], "tools": [TOOL]}
FORCED: JsonObject = BODY | {"tool_choice": {"type": "function", "function": {"name": "f"}}}
ONE = Answer(
    task=TASK,
    sample="s",
    repeat=0,
    job="j",
    text="",
    reasoning="",
    calls=(Call("f", "{}"),),
    finish="tool_calls",
    prompt_tokens=9,
    output_tokens=4,
    score=1.0,
    cluster=None,
    body=BODY,
    faults=(),
    ok=True,
)
SAMPLES = [f"s{at}" for at in range(6)]


def _told(of: dict[tuple[str, str], Iterable[Answer]], asked: dict[str, dict[tuple[str, str], Asked]]) -> Answers:
    return Answers("r/m", ("c/m",), {place: tuple(some) for place, some in of.items()}, asked)


def _each(one: Answer, count: int) -> list[Answer]:
    """So many answers to every sample, each a job of its own."""
    return [replace(one, sample=name, repeat=at, job=f"{name}/{at}") for name in SAMPLES for at in range(count)]


def _row(found: Iterable[Finding], test: str) -> Finding:
    (row,) = [one for one in found if one.test == test]
    return row


def test_who_refuses_a_tool_that_must_be_called_is_different() -> None:
    """Requests that name a tool and are refused with 4xx count as answers of another kind; other failures do not."""
    free = _each(replace(ONE, task="free"), 8)
    forced = _each(replace(ONE, body=FORCED), 8)
    base = {("r/m", TASK): forced, ("r/m", "free"): free, ("c/m", "free"): free[::2]}
    for kind, word in (("http_4xx", "different"), ("http_5xx", "inconclusive")):
        fared = {"c/m": {(TASK, name): Asked(4, 4, kind, "refused") for name in SAMPLES}}
        row = _row(tools(_told(base, fared), "c/m", [TASK, "free"]), "forced tools")
        assert row.word(row.p) == word
        assert ("refused 24" in row.says) is (word == "different")


def test_a_tool_that_must_be_called_is_no_question_where_nobody_asked() -> None:
    """Without such requests there is no such row."""
    base = {("r/m", TASK): _each(ONE, 8), ("c/m", TASK): _each(ONE, 4)}
    assert [row.test for row in tools(_told(base, {}), "c/m", [TASK])] == ["tool triggers", "tool calls"]


def test_a_reference_that_streams_something_else_is_no_yardstick() -> None:
    """What a candidate streams otherwise is a difference only where the reference streams what it answers whole."""
    cut = replace(ONE, finish="stop")
    odd = {TASK: cut, WHOLE: replace(ONE, task=WHOLE)}
    even = {TASK: ONE, WHOLE: replace(ONE, task=WHOLE)}
    words = {}
    for name, (reference, candidate) in {"odd": (even, odd), "both": (odd, odd), "mended": (odd, even)}.items():
        sides = {("r/m", task): _each(one, 8 if task == TASK else 4) for task, one in reference.items()}
        sides |= {("c/m", task): _each(one, 4 if task == TASK else 2) for task, one in candidate.items()}
        row = streams(_told(sides, {}), "c/m")
        words[name] = row.word(row.p)
        assert bool(row.shown) is (candidate is odd)
        assert all(shown.beside == "in one piece" for shown in row.shown)
    assert words == {"odd": "different", "both": "not applicable", "mended": "equivalent"}


@pytest.mark.parametrize(
    ("mde", "said"), [(None, "–"), (0.0, "0.000"), (0.0004, "<0.001"), (0.013, "0.013"), (3.0, "3")]
)
def test_a_smallest_difference_is_never_rounded_to_nothing(mde: float | None, said: str) -> None:
    """What is found although it is hardly there is told from what is nothing at all."""
    assert smallest(mde) == said
