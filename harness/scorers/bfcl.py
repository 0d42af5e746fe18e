"""The calls of one turn, judged by the rules of the Berkeley Function-Calling Leaderboard, version 4.

A target says what is expected, with functions and accepted answers in BFCL's own notation:
``{"expect": "calls", "functions": [...], "ground_truth": [{"book": {"city": ["Paris"]}}]}``, or
``{"expect": "no_call"}`` (irrelevance), or ``{"expect": "any_call"}`` (relevance: which one is not looked at).

Source: gorilla at commit 6ea57973, berkeley-function-call-leaderboard, ``ast_checker.py`` and ``eval_runner.py``.
Where this differs, the verdict of the original stands beside the score as ``bfcl_compat`` in the details:

- parallel calls are matched as a whole, where the original takes for each expected call the first that would do, and so
  rejects right answers;
- an answer that a broken parser, a cut or an error kept from being a call is no abstention, but cannot be judged;
- an item whose accepted answers contradict its own schema cannot be judged (fault ``unscorable``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness import contract
from harness.errors import TaskError
from harness.exchange import Completion, ToolCall
from harness.scorers.abstention import abstention, leaked
from harness.scorers.bfcl_call import TYPES, Fault, call_fault, contradiction, sent_name
from harness.scorers.matching import best, first_come
from harness.scorers.strict_json import clipped, parse, shown
from harness.types import JsonObject, Sample, Score, Scorer

VERSION = 1
_NAME = "bfcl"


def bfcl() -> Scorer:
    """Full marks when the calls are right in any order, when none was made, or when any was, as the target expects.

    Details: ``bfcl_compat``, whether the original counts the answer as right; ``error``, the kind of what is wrong;
    where no call is right also ``outcome``: ``abstained``, ``called`` or ``invalid``. TaskError for a target of
    another shape.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        judged = _EXPECTATIONS[_expectation(sample)]
        calls = "; ".join(f"{call.name}({call.arguments})" for call in completion.tool_calls)
        return judged(sample, completion, clipped(calls, 1000) or None)

    return Scorer(_NAME, VERSION, score)


def _calls(sample: Sample, completion: Completion, answer: str | None) -> Score:
    expected = _expected(sample)
    for function, accepted in expected:
        if reason := contradiction(function, accepted):
            why = f"no call can pass: {function['name']}: {reason}"
            return Score(None, answer, why, _NAME, VERSION, "unscorable", {"bfcl_compat": False})
    fault, compat = _calls_fault(expected, completion.tool_calls)
    if leak := leaked(sample, completion):
        return Score(None, answer, leak, _NAME, VERSION, contract.LEAKED, {"bfcl_compat": compat})
    if fault is None:
        right = f"{len(expected)} expected call(s) made"
        return Score(1.0, answer, right, _NAME, VERSION, details={"bfcl_compat": compat})
    return Score(0.0, answer, fault.text, _NAME, VERSION, details={"bfcl_compat": compat, "error": fault.kind})


def _no_call(sample: Sample, completion: Completion, answer: str | None) -> Score:
    found = abstention(sample, completion)
    details = {"outcome": found.outcome, "bfcl_compat": not _decodable(completion.tool_calls)}
    return Score(found.value, answer, found.explanation, _NAME, VERSION, found.fault, details)


def _any_call(sample: Sample, completion: Completion, answer: str | None) -> Score:
    called = _decodable(completion.tool_calls)
    details = {"bfcl_compat": called}
    if leak := leaked(sample, completion):
        return Score(None, answer, leak, _NAME, VERSION, contract.LEAKED, details)
    said = "a call was made, as expected" if called else "no call was made that can be read"
    return Score(float(called), answer, said, _NAME, VERSION, details=details)


_EXPECTATIONS: dict[str, Callable[[Sample, Completion, str | None], Score]] = {
    "calls": _calls,
    "no_call": _no_call,
    "any_call": _any_call,
}


def _decodable(made: Sequence[ToolCall]) -> bool:
    """Whether there are calls and all can be read, which is what the original takes for calling."""
    return bool(made) and all(call.name and not isinstance(_arguments(call), Fault) for call in made)


def _arguments(call: ToolCall) -> JsonObject | Fault:
    try:
        value = parse(call.arguments)
    except ValueError as error:
        return Fault("arguments_not_json", f"{clipped(call.name)}: arguments are not JSON: {error}")
    if not isinstance(value, dict):
        return Fault("arguments_not_object", f"{clipped(call.name)}: arguments are not an object: {shown(value)}")
    return value


def _calls_fault(
    expected: Sequence[tuple[JsonObject, JsonObject]], made: Sequence[ToolCall]
) -> tuple[Fault | None, bool]:
    """What is wrong with the calls, None when nothing is; and whether the original finds nothing wrong."""
    if not made:
        return Fault("no_call", "no call was made"), False
    if len(made) != len(expected):
        names = clipped(", ".join(call.name for call in made))
        return Fault("wrong_count", f"expected {len(expected)} call(s), got {len(made)}: {names}"), False
    arguments = [_arguments(call) for call in made]
    faults = [
        [_fault(*want, call.name, given) for call, given in zip(made, arguments, strict=True)] for want in expected
    ]
    fits = [[fault is None for fault in row] for row in faults]
    taken = best(fits)
    if len(taken) == len(expected):
        return None, len(first_come(fits)) == len(expected)
    lacking = next(row for want, row in enumerate(faults) if want not in taken.values())
    # Told against a call of the same name where there is one: that names the argument, not the function.
    free = [fault for got, fault in enumerate(lacking) if fault is not None and got not in taken]
    return min(free, key=lambda fault: fault.kind == "wrong_name"), False


def _fault(function: JsonObject, accepted: JsonObject, name: str, given: JsonObject | Fault) -> Fault | None:
    if name != sent_name(function["name"]):
        return Fault("wrong_name", f"expected a call of {sent_name(function['name'])}, got {clipped(name)}")
    return given if isinstance(given, Fault) else call_fault(function, accepted, given)


# --- the target ------------------------------------------------------------------------------------------


def _expectation(sample: Sample) -> str:
    expect = sample.target.get("expect") if isinstance(sample.target, dict) else None
    if not isinstance(expect, str) or expect not in _EXPECTATIONS:
        raise TaskError(
            f"sample {sample.id}: the target of {_NAME} is {{expect, functions, ground_truth}}, where expect is "
            f"{', '.join(_EXPECTATIONS)}"
        )
    return expect


def _expected(sample: Sample) -> list[tuple[JsonObject, JsonObject]]:
    """Each expected call: its function, and the accepted values of each parameter."""
    where, target = f"sample {sample.id}: the target of {_NAME}", sample.target
    functions, truth = target.get("functions"), target.get("ground_truth")
    if not isinstance(functions, list) or not all(map(_is_function, functions)):
        raise TaskError(f"{where}: functions is a list of {{name, parameters}} with types {', '.join(TYPES)}")
    if not isinstance(truth, list) or not truth or not all(map(_is_accepted, truth)):
        raise TaskError(f"{where}: ground_truth is a list of {{function: {{parameter: [accepted, ...]}}}}")
    by_name = {function["name"]: function for function in functions}
    expected = []
    for call in truth:
        ((name, accepted),) = call.items()
        if name not in by_name:
            raise TaskError(f"{where}: no function is called {name!r}")
        expected.append((by_name[name], accepted))
    return expected


def _is_function(value: Any) -> bool:
    parameters = value.get("parameters") if isinstance(value, dict) else None
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    return (
        isinstance(properties, dict)
        and isinstance(value.get("name"), str)
        and all(isinstance(one, dict) and one.get("type") in TYPES for one in properties.values())
    )


def _is_accepted(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) == 1
        and all(
            isinstance(accepted, dict) and all(isinstance(values, list) for values in accepted.values())
            for accepted in value.values()
        )
    )
