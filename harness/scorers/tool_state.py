"""The state that an episode of tool calls has reached.

A target is ``{"state": {...}, "facts": [...]}``: the parts of the environment that count, as they must be in the end,
and what the last text must tell. Each fact is a text, or a list of texts of which one is enough.

The calls are carried out once more from the environment's first state, so that the answers alone decide. How a model
got there does not count: only what it left behind, where a side effect that nobody asked for is as wrong as a change
that is missing. Source: tau-bench (Yao et al., arXiv:2406.12045), which compares final databases and looks for the
outputs that a user needs in what the agent said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from harness import contract
from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.abstention import leaked
from harness.scorers.strict_json import clipped, shown
from harness.types import JsonObject, Sample, Score, Scorer
from harness.world import World

VERSION = 1
_NAME = "tool_state"
_MOST_NAMED = 10


class _Lived(NamedTuple):
    """What came of the calls of an episode."""

    state: JsonObject
    calls: int
    errors: int
    idle: int
    """Calls that changed nothing, failed ones among them."""


def tool_state(world: Callable[[Sample], World]) -> Scorer:
    """Full marks when the parts of the state that the target names are as it says, and the last text holds the facts.

    ``world`` makes a sample's environment, the same as the task's. Parts are compared by their canonical JSON. Facts
    are looked for in any case and spacing, and never inside of a longer word or number. An episode with an
    answer in which the server's parser left a call standing as text is not judged (fault ``leaked_markup``): the model
    may have been right.

    ``details``: ``differs`` (parts that are wrong), ``missing`` (facts not told), ``calls``, ``errors`` (calls that
    gave an error), ``idle`` (calls that changed nothing, lookups among them), ``requests``, ``cut_off`` (whether the
    most requests were used up). TaskError for a target of another shape.
    """

    def episode(sample: Sample, said: Sequence[Completion]) -> Score:
        wanted, facts = _target(sample)
        lived = _live(world(sample), said)
        differs = [part for part in wanted if _canonical(lived.state.get(part)) != _canonical(wanted[part])]
        last = said[-1]
        missing = [fact for fact in facts if not any(_holds(last.text, one) for one in fact)]
        quiet = sum(1 for one in said if not one.tool_calls)
        cut_off = quiet <= len(sample.turns)
        details = {
            "differs": differs[:_MOST_NAMED],
            "missing": [fact[0] for fact in missing][:_MOST_NAMED],
            "calls": lived.calls,
            "errors": lived.errors,
            "idle": lived.idle,
            "requests": len(said),
            "cut_off": cut_off,
        }
        note = f"; cut off after {len(said)} requests" if cut_off else ""
        answer = clipped(last.text.strip(), 1000) or None
        if leak := next(filter(None, (leaked(sample, one) for one in said)), None):
            return Score(None, answer, f"{leak}{note}", _NAME, VERSION, contract.LEAKED, details)
        faults = [_difference(part, wanted[part], lived.state.get(part)) for part in differs]
        faults += [f"the last text does not tell {shown(fact[0])}" for fact in missing]
        explanation = "; ".join(faults[:3]) if faults else "the state is as it must be"
        return Score(float(not faults), answer, explanation + note, _NAME, VERSION, details=details)

    return Scorer(_NAME, VERSION, lambda sample, completion: episode(sample, (completion,)), episode)


def _target(sample: Sample) -> tuple[JsonObject, list[list[str]]]:
    target = sample.target
    if not isinstance(target, dict) or not isinstance(target.get("state"), dict) or not target["state"]:
        raise TaskError(f"sample {sample.id}: the target of {_NAME} is {{state: {{part: value}}, facts: [text]}}")
    facts: Any = target.get("facts", [])
    spread: list[Any] = [[fact] if isinstance(fact, str) else fact for fact in facts] if _is_list(facts) else [None]
    if not all(_is_list(one) and one and all(isinstance(text, str) and text.strip() for text in one) for one in spread):
        raise TaskError(f"sample {sample.id}: facts in the target of {_NAME} are texts, or lists of texts")
    return target["state"], spread


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _live(world: World, said: Sequence[Completion]) -> _Lived:
    """Carry out all calls, those of the last answer too: an application does so before it asks again."""
    calls = errors = idle = 0
    before = _canonical(world.state())
    for completion in said:
        for call in completion.tool_calls:
            result = world.call(call.name, call.arguments)
            now = _canonical(world.state())
            calls += 1
            errors += result.startswith('{"error"')
            idle += now == before
            before = now
    return _Lived(world.state(), calls, errors, idle)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _difference(part: str, wanted: Any, got: Any) -> str:
    """The first thing in a part that is not as it must be."""
    if not isinstance(wanted, dict) or not isinstance(got, dict):
        return f"{part} is {shown(got)}, expected {shown(wanted)}"
    for name in sorted({*wanted, *got}):
        if name not in got:
            return f"{part}: {shown(name)} is missing"
        if name not in wanted:
            return f"{part}: {shown(name)} should not be there"
        if _canonical(wanted[name]) != _canonical(got[name]):
            return f"{part}: {shown(name)} is {shown(got[name])}, expected {shown(wanted[name])}"
    raise AssertionError(part)


def _holds(text: str, fact: str) -> bool:
    spaced = r"\s+".join(re.escape(word) for word in fact.casefold().split())
    return re.search(rf"(?<!\w)(?<!\d[.,]){spaced}(?!\w)(?![.,]\d)", text.casefold()) is not None
