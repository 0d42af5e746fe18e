"""The calls an answer makes, compared argument by argument with the calls that were expected.

A target is a list of expected calls, each
``{"name": "book", "arguments": {"city": "Paris", "nights": {"any_of": [2, 3]}}, "optional": ["nights"]}``.
``any_of`` lists accepted values; a parameter in ``optional`` may be left out, and any value of it is accepted if
``arguments`` does not name it. The empty list means that no call must be made.

The rules are those of the BFCL AST match (Source: gorilla, berkeley-function-call-leaderboard, ``ast_checker.py``)
with these differences: parallel calls are matched as a bipartite graph, where BFCL's greedy choice rejects right
answers; 2 and 2.0 are equal (JSON has one kind of number); two strings that both read as numbers are compared as
numbers, since deleting the point would make "1.5" and "15" equal; and a broken call is never a right abstention.
``bfcl`` follows BFCL to the letter, on its own data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from harness import contract
from harness.errors import TaskError
from harness.exchange import Completion, ToolCall
from harness.scorers.abstention import abstention, leaked
from harness.scorers.matching import best
from harness.scorers.strict_json import clipped, parse, shown
from harness.types import JsonObject, Sample, Score, Scorer

VERSION = 2
EXAMPLE = "tool_call"
_NAME = "tool_call"
_IGNORED = re.compile(r"[\s,./\-_*^]")
_PLAIN_NUMBER = re.compile(r"[-+]?[0-9]{1,50}(\.[0-9]{1,50})?")
_MISSING = object()


def tool_call() -> Scorer:
    """Full marks when exactly the expected calls were made, in any order, each with the right arguments.

    The explanation names the first wrong argument. Strings are compared without case, white space and
    ``, . / - _ * ^``; lists in order; objects name by name; an argument that was not expected is wrong; arguments
    that are no JSON object are wrong. Where calls stand as markup in the text, the server's parser failed: the model
    may have been right, so the answer is not judged (fault ``leaked_markup``). For an empty target see ``abstention``.
    TaskError for a target of another shape.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        expected = _expected(sample)
        made = completion.tool_calls
        answer = clipped("; ".join(f"{call.name}({call.arguments})" for call in made), 1000) or None
        if not expected:
            found = abstention(sample, completion)
            return Score(found.value, answer, found.explanation, _NAME, VERSION, found.fault)
        if leak := leaked(sample, completion):
            return Score(None, answer, leak, _NAME, VERSION, contract.LEAKED)
        fault = _calls_fault(expected, completion)
        return Score(float(fault is None), answer, fault or f"{len(expected)} expected call(s) made", _NAME, VERSION)

    return Scorer(_NAME, VERSION, score)


def _expected(sample: Sample) -> list[JsonObject]:
    target = sample.target
    well_formed = isinstance(target, list | tuple) and all(
        isinstance(call, dict)
        and isinstance(call.get("name"), str)
        and isinstance(call.get("arguments", {}), dict)
        and set(call) <= {"name", "arguments", "optional"}
        for call in target
    )
    if not well_formed:
        raise TaskError(f"sample {sample.id}: the target of {_NAME} is a list of {{name, arguments, optional}}")
    return list(target)


def _calls_fault(expected: Sequence[JsonObject], completion: Completion) -> str | None:
    made = completion.tool_calls
    if not made:
        return "no call was made"
    if len(made) != len(expected):
        return f"expected {len(expected)} call(s), got {len(made)}: {clipped(', '.join(call.name for call in made))}"
    faults = [[_call_fault(want, got) for got in made] for want in expected]
    taken = best([[fault is None for fault in row] for row in faults])
    for want, row in enumerate(faults):
        if want not in taken.values():
            # Told against a call of the same name where there is one: that names the argument, not the function.
            free = [got for got in range(len(made)) if got not in taken]
            return min((row[got] or "" for got in free), key=lambda fault: fault.startswith("expected a call"))
    return None


def _call_fault(want: JsonObject, got: ToolCall) -> str | None:
    """What is wrong with one call, None when nothing is."""
    # Endpoints that forbid dots in function names are sent underscores (BFCL does the same).
    if got.name.replace(".", "_") != want["name"].replace(".", "_"):
        return f"expected a call of {want['name']}, got {clipped(got.name)}"
    try:
        arguments = parse(got.arguments)
    except ValueError as error:
        return f"{want['name']}: arguments are not JSON: {error}"
    if not isinstance(arguments, dict):
        return f"{want['name']}: arguments are not an object: {shown(arguments)}"
    accepted, optional = want.get("arguments", {}), want.get("optional", ())
    for name, value in accepted.items():
        given = arguments.get(name, _MISSING)
        if given is _MISSING:
            if name not in optional:
                return f"{want['name']}: {name} is missing, expected {_shown_expected(value)}"
        elif not _same(value, given):
            return f"{want['name']}: {name} is {shown(given)}, expected {_shown_expected(value)}"
    surplus = [name for name in arguments if name not in accepted and name not in optional]
    return f"{want['name']}: {clipped(surplus[0])} was not expected" if surplus else None


def _shown_expected(value: Any) -> str:
    return " or ".join(map(shown, value["any_of"])) if _is_any_of(value) else shown(value)


def _is_any_of(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"any_of"} and isinstance(value["any_of"], list)


def _same(want: Any, got: Any) -> bool:
    if _is_any_of(want):
        return any(_same(one, got) for one in want["any_of"])
    if isinstance(want, str) and isinstance(got, str):
        return _same_text(want, got)
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(_same(value, got[name]) for name, value in want.items())
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(_same, want, got))
    # Python holds True == 1; JSON does not.
    return isinstance(want, bool) == isinstance(got, bool) and bool(want == got)


def _same_text(want: str, got: str) -> bool:
    if _PLAIN_NUMBER.fullmatch(want.strip()) and _PLAIN_NUMBER.fullmatch(got.strip()):
        try:
            return Decimal(want.strip()) == Decimal(got.strip())
        except InvalidOperation:
            return False
    plain_want, plain_got = _plain(want), _plain(got)
    # A value that is nothing but ignored characters, an operator for example, is compared as it stands.
    return plain_want == plain_got if plain_want and plain_got else want.strip() == got.strip()


def _plain(text: str) -> str:
    return _IGNORED.sub("", text.lower()).replace("'", '"')
