"""How often equal servers are called different by the tests of calls, streams and endings, and what is found.

``python tests/bench/fidelity_calls.py`` prints a table. It sends nothing: answers are drawn from known chances, as many
as ``harness verify`` asks for, by servers that do not repeat themselves; every figure comes from a seed. A request has
its own chance of a call, of a call that fits, and of an ending; the candidate's are the reference's, or lower by a
share.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.report.fidelity.answers import Answer, Answers, Call
from harness.report.fidelity.endings import endings
from harness.report.fidelity.finding import Finding
from harness.report.fidelity.streams import TASK, WHOLE, streams
from harness.report.fidelity.tools import tools
from harness.stats.intervals import wilson
from harness.types import JsonObject

OPEN = "fidelity_text"
PROMPTS, SAMPLES = 25, 10
FREE, FORCED, PLAIN = 12, 8, 4
STREAMED, WHOLES = 4, 2
CURVE = 25
SHIFTS = (0.0, 0.2, 0.4, 0.7)
"""Shares of calls, of fits, of endings and of streams that the candidate loses."""
_TOOL: JsonObject = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "required": ["x"], "properties": {"x": {}}}},
}
_BODY: JsonObject = {"messages": [], "tools": [_TOOL]}
_FORCED: JsonObject = _BODY | {"tool_choice": {"type": "function", "function": {"name": "f"}}}
_BLANK = Answer("", "", 0, "", "", "", (), "stop", 9, 5, None, None, {}, (), ok=True)


@dataclass(frozen=True)
class Model:
    """Chances by request."""

    calls: np.ndarray
    fits: np.ndarray
    stops: np.ndarray


def model(draw: np.random.Generator) -> Model:
    """One of many: most requests are clear, some waver."""
    chances = draw.beta(0.4, 0.4, (3, FREE + FORCED + PLAIN + PROMPTS))
    return Model(chances[0], chances[1], chances[2])


def answered(draw: np.random.Generator, one: Model, task: str, count: int, lost: float = 0.0) -> list[Answer]:
    """``count`` answers to each request of a task, of which a share loses its call, or its fit, or its ending."""
    requests = range(FREE + FORCED + PLAIN, len(one.calls)) if task == OPEN else range(FREE + FORCED + PLAIN)
    return [_answer(draw, one, task, at, repeat, lost) for at in requests for repeat in range(count)]


def _answer(draw: np.random.Generator, one: Model, task: str, at: int, repeat: int, lost: float) -> Answer:
    kept = draw.random(3) >= lost
    stops = draw.random() < one.stops[at] and kept[2]
    said = f"{draw.integers(3)}"
    blank = replace(_BLANK, task=task, sample=f"s{at}", repeat=repeat, job=f"{task}/s{at}/{repeat}", text=said)
    if at >= FREE + FORCED:
        return replace(blank, finish="stop" if stops else "length")
    body = _BODY if at < FREE else _FORCED
    called = at >= FREE or draw.random() < one.calls[at]
    if not (called and kept[0]):
        return replace(blank, body=body)
    arguments = {"x": 1} if draw.random() < one.fits[at] and kept[1] else {}
    return replace(blank, text="", body=body, calls=(Call("f", json.dumps(arguments)),), finish="tool_calls")


def verified(draw: np.random.Generator, lost: float, only_streams: float) -> Iterator[Finding]:
    """The rows of one candidate."""
    one = model(draw)
    of = {
        ("r/m", OPEN): answered(draw, one, OPEN, 2 * SAMPLES),
        ("c/m", OPEN): answered(draw, one, OPEN, SAMPLES, lost),
        ("r/m", TASK): answered(draw, one, TASK, 2 * STREAMED),
        ("c/m", TASK): answered(draw, one, TASK, STREAMED, max(lost, only_streams)),
        ("r/m", WHOLE): answered(draw, one, WHOLE, 2 * WHOLES),
        ("c/m", WHOLE): answered(draw, one, WHOLE, WHOLES, lost),
    }
    told = Answers("r/m", ("c/m",), {place: tuple(some) for place, some in of.items()}, {"r/m": {}, "c/m": {}})
    yield from tools(told, "c/m", [TASK])
    yield streams(told, "c/m")
    yield endings(told, "c/m", [OPEN])


def rows(runs: int, seed: int) -> Iterator[str]:
    """Nulls, and then the share of runs with a p of at most 0.05 by what is lost; of streams, lost in them alone."""
    found = list(_counted(runs, seed, 0.0, 0.0))
    yield f"| of {runs} equal servers | p of 5 % or less | 95 % | different | equivalent |"
    yield "|---|---|---|---|---|"
    for test, small, words in found:
        low, high = wilson(small, runs)
        bounds = f"{100 * (low or 0):.1f} to {100 * (high or 0):.1f} %"
        shares = (f"{100 * count / runs:.1f} %" for count in (small, words["different"], words["equivalent"]))
        told = list(shares)
        yield f"| {test} | {told[0]} | {bounds} | {told[1]} | {told[2]} |"
    yield ""
    yield "| lost | " + " | ".join(f"{shift:.0%}" for shift in SHIFTS) + " |"
    yield "|---|" + "---|" * len(SHIFTS)
    columns = [list(_counted(CURVE, seed + 1, shift, 0.0)) for shift in SHIFTS]
    alone = [list(_counted(CURVE, seed + 2, 0.0, shift)) for shift in SHIFTS]
    for place, (test, _, _) in enumerate(columns[0]):
        taken = alone if test == "streams" else columns
        yield f"| {test} | " + " | ".join(f"{100 * column[place][1] / CURVE:.0f} %" for column in taken) + " |"


def _counted(runs: int, seed: int, lost: float, only_streams: float) -> Iterator[tuple[str, int, Counter[str]]]:
    draw, small, words = np.random.default_rng(seed), Counter[str](), dict[str, Counter[str]]()
    for _ in range(runs):
        for one in verified(draw, lost, only_streams):
            small[one.test] += one.p is not None and one.p <= 0.05
            words.setdefault(one.test, Counter())[one.word(one.p)] += 1
    for test, counted in words.items():
        yield test, small[test], counted


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("\n".join(rows(given.runs, given.seed)))


if __name__ == "__main__":
    main()
