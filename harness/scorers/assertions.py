"""Several conditions on one answer, in the notation of promptfoo's deterministic assertions.

A target is a list of conditions, or ``{"assertions": [...], "threshold": 0.5}``; a condition is
``{"type": "contains", "value": "Paris", "weight": 1}``. The types, each also with ``not-`` before it:

* ``equals``: the text is the value; a value that is an object or a list is compared as JSON;
* ``contains``, ``icontains`` (without case), ``starts-with``, ``ends-with``: a part of the text;
* ``contains-any``, ``contains-all``, ``icontains-any``, ``icontains-all``: a list, or a text with commas;
* ``regex``: found in the text, in the notation of the scorer ``regex``;
* ``is-json``: the whole text is JSON; ``contains-json``: a JSON object stands in it; both with a JSON Schema as value,
  or without one.

Source: promptfoo, ``src/assertions`` (``contains.ts``, ``json.ts``, ``assertionsResult.ts``...). As there, the text is
not trimmed, a condition of weight 0 cannot fail, and a threshold compares with the weighted share of conditions
that hold, in the place of "all hold".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.json_schema import schema_fault, validator_of
from harness.scorers.regex import LIMIT_S, compiled
from harness.scorers.strict_json import clipped, shown
from harness.types import JsonObject, Sample, Score, Scorer

VERSION = 1
EXAMPLE = "assertions"
_NAME = "assertions"
_OBJECTS, _LONGEST = 1_000, 200_000
"""Places where a JSON object may begin, and characters of text, that are looked at: a hostile answer is all braces."""

Holds = Callable[[str], bool]


def assertions() -> Scorer:
    """Full marks when all conditions of the target hold, or their weighted share reaches its threshold.

    ``details`` holds the share and each condition's outcome. A pattern that takes too long is the fault
    ``pattern_too_slow``. TaskError for a condition that is none.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        where = f"sample {sample.id}: the target of {_NAME}"
        given, threshold = _parts(sample.target, where)
        checks = [(one, condition(one, f"{where}[{place}]")) for place, one in enumerate(given)]
        answer = clipped(completion.text.strip(), 1000) or None
        try:
            held = [holds(completion.text) for _, holds in checks]
        except TimeoutError:
            told = f"a pattern could not be tried within {LIMIT_S} s"
            return Score(None, answer, told, _NAME, VERSION, fault="pattern_too_slow")
        weights = [one.get("weight", 1) for one in given]
        total = sum(weights)
        share = sum(weight for weight, good in zip(weights, held, strict=True) if good) / total if total else 0.0
        failed = [one for one, good in zip(given, held, strict=True) if not good and one.get("weight", 1)]
        hit = not failed if threshold is None else share >= threshold
        told = "all conditions hold" if not failed else f"fails {clipped(', '.join(map(_told, failed)), 300)}"
        if threshold is not None:
            told = f"{share:.2f} of a threshold of {threshold}; {told}"
        named = [{"type": one["type"], "holds": good} for one, good in zip(given, held, strict=True)]
        return Score(float(hit), answer, told, _NAME, VERSION, details={"share": round(share, 6), "conditions": named})

    return Scorer(_NAME, VERSION, score)


def condition(given: JsonObject, where: str) -> Holds:
    """The check of one condition: a text -> whether it holds; TaskError, at ``where``, for a condition that is none.

    The check of a pattern raises TimeoutError where it takes too long.
    """
    kind, weight = given.get("type"), given.get("weight", 1)
    if not _is_number(weight) or weight < 0:
        raise TaskError(f"{where}: weight is a number, 0 or more, not {shown(weight)}")
    name = str(kind).removeprefix("not-")
    if name not in TYPES:
        raise TaskError(f"{where}: {shown(kind)} is not a known type", hint=f"Known: {', '.join(TYPES)}")
    negated = str(kind).startswith("not-")
    return TYPES[name](given.get("value"), negated, f"{where}: the value of {kind}")


def _parts(target: Any, where: str) -> tuple[Sequence[JsonObject], float | None]:
    threshold = None
    if isinstance(target, dict):
        if set(target) - {"assertions", "threshold"}:
            raise TaskError(f"{where} holds assertions and threshold alone, not {', '.join(sorted(map(str, target)))}")
        target, threshold = target.get("assertions"), target.get("threshold")
    if not isinstance(target, list | tuple) or not target or not all(isinstance(one, dict) for one in target):
        raise TaskError(f"{where} is a list of conditions such as {{type: contains, value: Paris}}")
    if threshold is not None and not _is_number(threshold):
        raise TaskError(f"{where}: threshold is a number, not {shown(threshold)}")
    return target, threshold


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(given: JsonObject) -> str:
    return f"{given['type']} {shown(given['value'], 60)}" if "value" in given else str(given["type"])


# --- the types -------------------------------------------------------------------------------------------


def _equals(value: Any, negated: bool, where: str) -> Holds:  # noqa: FBT001 - the signature of all types
    if value is None:
        raise TaskError(f"{where} is missing")
    if not isinstance(value, dict | list):
        wanted = _text(value)
        return lambda text: (text == wanted) != negated

    def same(text: str) -> bool:
        try:
            return _same(value, _parsed(text)) != negated
        except (ValueError, RecursionError):
            return negated

    return same


def _part(find: Callable[[str, str], bool], *, fold: bool = False) -> Callable[[Any, bool, str], Holds]:
    def make(value: Any, negated: bool, where: str) -> Holds:  # noqa: FBT001 - the signature of all types
        if isinstance(value, dict | list | bool) or value in (None, ""):
            raise TaskError(f"{where} is a text or a number, not {shown(value)}")
        wanted = _text(value).lower() if fold else _text(value)
        return lambda text: find(text.lower() if fold else text, wanted) != negated

    return make


def _parts_of(judge: Callable[[Iterator[bool]], bool], *, fold: bool = False) -> Callable[[Any, bool, str], Holds]:
    def make(value: Any, negated: bool, where: str) -> Holds:  # noqa: FBT001 - the signature of all types
        if isinstance(value, str):
            value = [one.strip() for row in csv.reader([value], skipinitialspace=True) for one in row if one.strip()]
        if not isinstance(value, list) or not value or any(isinstance(one, dict | list) for one in value):
            raise TaskError(f"{where} is a list of texts, or a text with commas, not {shown(value)}")
        wanted = [_text(one).lower() if fold else _text(one) for one in value]

        def holds(text: str) -> bool:
            text = text.lower() if fold else text
            return judge(one in text for one in wanted) != negated

        return holds

    return make


def _regex(value: Any, negated: bool, where: str) -> Holds:  # noqa: FBT001 - the signature of all types
    pattern = compiled(value, where)
    return lambda text: (pattern.search(text, timeout=LIMIT_S) is not None) != negated


def _is_json(value: Any, negated: bool, where: str) -> Holds:  # noqa: FBT001 - the signature of all types
    fits = _fitting(value, where)

    def holds(text: str) -> bool:
        try:
            return fits(_parsed(text)) != negated
        except (ValueError, RecursionError):
            return negated

    return holds


def _contains_json(value: Any, negated: bool, where: str) -> Holds:  # noqa: FBT001 - the signature of all types
    fits = _fitting(value, where)
    return lambda text: any(map(fits, _objects(text))) != negated


TYPES: dict[str, Callable[[Any, bool, str], Holds]] = {
    "equals": _equals,
    "contains": _part(lambda text, wanted: wanted in text),
    "icontains": _part(lambda text, wanted: wanted in text, fold=True),
    "starts-with": _part(str.startswith),
    "ends-with": _part(str.endswith),
    "contains-any": _parts_of(any),
    "contains-all": _parts_of(all),
    "icontains-any": _parts_of(any, fold=True),
    "icontains-all": _parts_of(all, fold=True),
    "regex": _regex,
    "is-json": _is_json,
    "contains-json": _contains_json,
}
"""By name, what makes the check of a value: its arguments are the value, whether it is negated, and where it stands."""


def _fitting(schema: Any, where: str) -> Callable[[Any], bool]:
    if isinstance(schema, str) and schema.strip():
        try:
            schema = _parsed(schema)
        except (ValueError, RecursionError):
            raise TaskError(f"{where} is not a JSON Schema: {shown(schema)}", hint="Write it as a mapping") from None
    if schema is None or schema == "":
        return lambda value: True  # noqa: ARG005 - any JSON fits where there is no schema
    validator = validator_of(schema, where)
    return lambda value: schema_fault(validator, value, where) is None


def _text(value: Any) -> str:
    """A value as the template of such a file would print it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return "null" if value is None else str(value)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _parsed(text: str) -> Any:
    return _DECODER.decode(text)


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects that stand in a text, from the left, none within another."""
    text, start = text[:_LONGEST], 0
    for _ in range(_OBJECTS):
        start = text.find("{", start)
        if start < 0:
            return
        try:
            value, start = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            start += 1
        else:
            yield value


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, and 2 is 2.0."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
