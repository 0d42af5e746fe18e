"""When tools are called, and whether calls fit, on planted endpoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fidelity_made import called
from numpy.random import Generator

from harness.exchange import Completion, StreamMarks, ToolCall, Usage
from harness.fidelity import categories
from harness.fidelity.tools import MARGIN_F1, outcome, schema_accuracy, triggering

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
SAID = Completion("Sunny.", "", "", (), "stop", Usage(10, 3), StreamMarks())


def _calls(*arguments: str, name: str = "weather", finish: str = "tool_calls") -> Completion:
    made = tuple(ToolCall(f"c{at}", name, each) for at, each in enumerate(arguments))
    return replace(SAID, text="", tool_calls=made, finish_reason=finish)


@pytest.mark.parametrize(
    ("completion", "right", "fault"),
    [
        (_calls('{"city": "Rome"}'), 1, None),
        (_calls('{"city": "Rome", "days": 3}', '{"city": "Oslo"}'), 1, None),
        (_calls('{"city": "Rome"}', '{"days": 3}'), 0, "schema_mismatch"),
        (_calls('{"city": "Rome", "days": "3"}'), 0, "schema_mismatch"),
        (_calls('{"city": "Rome"'), 0, "arguments_not_json"),
        (_calls('["Rome"]'), 0, "arguments_not_object"),
        (_calls("{}", name="wether"), 0, "unknown_tool"),
        (_calls("{}", name=""), 0, "empty_call"),
        (_calls("[" * 100_000), 0, "arguments_not_json"),
        (_calls('{"city": "Rome"}', finish="stop"), 1, None),
    ],
)
def test_a_call_fits_its_tool(completion: Completion, right: int, fault: str | None) -> None:
    """Every call of an answer has to name a tool and fit its schema; what does not fit has a name."""
    found = schema_accuracy([(completion, [WEATHER])])
    assert (found.right, found.called) == (right, 1)
    assert found.faults == ({fault: 1} if fault else {})


def test_answers_without_calls_are_no_part_of_schema_accuracy() -> None:
    """No call, or one that our own cap cut, is neither right nor wrong; no schema accepts anything."""
    cut = _calls('{"city"', finish="length")
    bare = {"type": "function", "function": {"name": "weather"}}
    found = schema_accuracy([(SAID, [WEATHER]), (cut, [WEATHER]), (_calls('{"x": 1}'), [bare])])
    assert (found.right, found.called, found.unchecked) == (1, 1, 1)
    assert schema_accuracy([]).interval == (None, None)


@pytest.mark.parametrize(
    ("completion", "faults", "forced", "word"),
    [
        (SAID, (), "", "no call"),
        (SAID, ("turn_markup",), "", "turn_markup"),
        (_calls('{"city": "Rome"}'), (), "", "fits"),
        (_calls('{"city": "Rome"}'), (), "weather", "fits"),
        (_calls('{"city": "Rome"}'), (), "time", "another_tool"),
        (_calls('{"town": "Rome"}'), ("wrong_finish_reason",), "", "schema_mismatch, wrong_finish_reason"),
        (replace(SAID, text='{"name": "weather", "parameters": {"city": "Rome"}}'), (), "", "leaked_markup"),
        (replace(SAID, text='[weather(city="Rome")]'), (), "", "leaked_markup"),
        (replace(SAID, text='{"name": "Rome", "parameters": {}}'), (), "", "no call"),
    ],
)
def test_what_became_of_an_answer(completion: Completion, faults: tuple, forced: str, word: str) -> None:
    """No call, calls that fit, or by name what is wrong: a call that stands bare in the text was lost by a parser."""
    assert outcome(completion, [WEATHER], faults, forced) == word


def _triggers(draw: Generator, rates: np.ndarray, n: int) -> dict[str, list[bool]]:
    return {f"p{at}": (draw.random(n) < rate).tolist() for at, rate in enumerate(rates)}


def test_f1_is_the_verifiers_where_each_prompt_is_asked_once() -> None:
    """Two hits, one surplus and one missed call: F1 is 2 x 2 / (2 x 2 + 1 + 1); there is no p of single answers."""
    sides = [{f"p{at}": [bool(each)] for at, each in enumerate(row)} for row in ([1, 1, 1, 0, 0], [1, 1, 0, 1, 0])]
    found = triggering(sides[0], sides[0], sides[1])
    assert (found.f1, found.self_f1, found.p_value) == (pytest.approx(2 / 3), 1.0, None)
    assert found.gap == pytest.approx(1 / 3)


def test_nobody_calls() -> None:
    """Where no tool is ever called there is no F1."""
    never = {"p": [False, False], "q": [False]}
    assert triggering(never, never, never).f1 is None
    assert triggering({}, {}, {}).prompts == 0


def test_an_endpoint_that_never_calls_is_found() -> None:
    """A parser that is off: F1 is 0, the gap is the whole ceiling, and it calls less."""
    draw = np.random.default_rng(1)
    rates = draw.beta(2, 2, 40)
    found = triggering(_triggers(draw, rates, 6), _triggers(draw, rates, 6), _triggers(draw, 0 * rates, 6))
    assert (found.f1, found.gap) == (0.0, found.self_f1)
    assert (found.p_value or 1) <= 0.001
    assert (found.rate.high or 0) < 0
    assert (found.low or 0) > MARGIN_F1


def _p(shift: float, n: int, prompts: int):
    rates = np.random.default_rng(9).beta(2, 2, prompts)

    def p_of(draw: Generator, run: int) -> float:
        sides = _triggers(draw, rates, n), _triggers(draw, np.clip(rates - shift, 0, 1), n)
        found = categories.distance(*sides, permutations=99, seed=run)
        return found.p_value if found else 1.0

    return p_of


def test_equal_endpoints_are_called_different_in_a_twentieth() -> None:
    """400 pairs of endpoints with the same rates, by the permutation test: 5 %, give or take 1.5."""
    assert called(_p(0, 6, 30), 400, seed=1) == pytest.approx(0.05, abs=0.015)


def test_power_rises_with_the_shift_of_rates() -> None:
    """Rates lower by 10, 20 and 35 points are found more and more often."""
    found = [called(_p(shift, 6, 30), 40, seed=2) for shift in (0.1, 0.2, 0.35)]
    assert found == sorted(found)
    assert found[-1] > 0.95


@pytest.mark.parametrize("size", [1, 3])
def test_the_gap_of_f1_leaves_out_0_in_a_twentieth(size: int) -> None:
    """400 pairs of equal endpoints, prompts alone or three to a set of tools: 5 % of intervals, give or take 1.5."""
    draw, missed = np.random.default_rng(3), 0
    names = {f"p{at}": at // size for at in range(90)}
    for run in range(400):
        rates = np.repeat(draw.beta(1, 1, 90 // size), size)
        sides = [_triggers(draw, rates, 2) for _ in range(3)]
        found = triggering(*sides, names, permutations=1, draws=299, seed=run)
        missed += not (found.low or 0) <= 0 <= (found.high or 0)
    assert missed / 400 == pytest.approx(0.05, abs=0.015)
