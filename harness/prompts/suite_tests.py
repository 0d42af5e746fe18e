"""The tests of a file in promptfoo's form: variables, and conditions on the answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.config.file import read_plain
from harness.data import placed_rows
from harness.errors import TaskError, UnknownName
from harness.prompts.suite_prompts import FILE, Where, inside
from harness.prompts.template import texts
from harness.scorers.assertions import TYPES
from harness.scorers.strict_json import shown
from harness.types import JsonObject

_TEST = ("description", "vars", "assert", "threshold", "metadata", "options")
_OPTIONS = ("prefix", "suffix", "disableVarExpansion", "disableDefaultAsserts")
_ASSERTION = ("type", "value", "weight", "metric", "description")
_EXPECTED = re.compile(r"__expected\d*")
_TYPED = re.compile(r"((?:not-)?[a-z][a-z0-9-]*)(?:\([^()]*\))?\s*(?::\s*(.*))?", re.DOTALL)
_MODELS_AND_CODE = ("javascript", "python", "ruby", "webhook", "fn", "eval", "llm-rubric", "similar", "factuality")
"""Beginnings of a cell that are types although they are none of ours."""


class Test(NamedTuple):
    """One test before it meets a prompt."""

    where: Where
    description: str
    variables: Mapping[str, Any]
    conditions: tuple[tuple[str, JsonObject], ...]
    """Each behind its place."""
    threshold: float | None
    metadata: Mapping[str, Any]
    options: Mapping[str, Any]

    def over(self, usual: Test) -> Test:
        """This test with what the file says of all its tests."""
        without = self.options.get("disableDefaultAsserts")
        return Test(
            self.where,
            self.description or usual.description,
            {**usual.variables, **self.variables},
            self.conditions if without else (*usual.conditions, *self.conditions),
            usual.threshold if self.threshold is None else self.threshold,
            {**usual.metadata, **self.metadata},
            {**usual.options, **self.options},
        )


def tests_of(given: Any, folder: Path, where: Where) -> Iterator[Test]:
    """The tests of the field ``tests``, those of the files it names too; TaskError names file, line and field."""
    if isinstance(given, str):
        yield from _from_file(given, folder, where())
    elif isinstance(given, list):
        for index, one in enumerate(given):
            if isinstance(one, str):
                yield from _from_file(one, folder, where(index))
            else:
                yield test_of(one, partial(where, index))
    else:
        raise TaskError(f"{where()}: tests are a list, or the name of a file, not {shown(given)}")


def test_of(given: Any, where: Where) -> Test:
    """One test; TaskError for a field that this importer does not know or would have to carry out."""
    if not isinstance(given, dict):
        raise TaskError(f"{where()}: a test is a mapping with vars and assert, not {shown(given)}")
    _refuse_others(given, _TEST, "a test", where)
    variables = _mapping(given, "vars", where)
    for text in texts(variables):
        if text.startswith(FILE):
            raise TaskError(f"{where('vars')}: {shown(text)} is not read", hint="Write its content here")
    options = _mapping(given, "options", where)
    _refuse_others(options, _OPTIONS, "options", partial(where, "options"))
    threshold = given.get("threshold")
    if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, int | float)):
        raise TaskError(f"{where('threshold')}: a number is wanted, not {shown(threshold)}")
    conditions = given.get("assert") or []
    if not isinstance(conditions, list):
        raise TaskError(f"{where('assert')}: a list of assertions is wanted, not {shown(conditions)}")
    read = tuple(_condition(one, partial(where, "assert", index)) for index, one in enumerate(conditions))
    description = str(given.get("description") or "")
    return Test(where, description, variables, read, threshold, _mapping(given, "metadata", where), options)


def _condition(given: Any, where: Where) -> tuple[str, JsonObject]:
    if not isinstance(given, dict):
        raise TaskError(f"{where()}: an assertion is a mapping with a type, not {shown(given)}")
    kind = given.get("type")
    if not isinstance(kind, str):
        raise TaskError(f"{where()}: the assertion has no type")
    if kind.removeprefix("not-") not in TYPES:
        raise TaskError(
            f"{where('type')}: {shown(kind)} is not checked here", hint=f"Known: {', '.join(TYPES)}, each with not- too"
        )
    _refuse_others(given, _ASSERTION, "an assertion", where)
    if any(text.startswith(FILE) for text in texts(given.get("value"))):
        raise TaskError(f"{where('value')}: files are not read", hint="Write the value here")
    return where(), {name: given[name] for name in ("type", "value", "weight") if given.get(name) is not None}


def _refuse_others(given: Mapping[str, Any], known: Collection[str], noun: str, where: Where) -> None:
    for name in given:
        if name not in known:
            unknown = UnknownName(f"field of {noun}", str(name), known)
            raise TaskError(f"{where(name)}: {unknown.what}", hint=f"{unknown.hint} The others would change the test")


def _mapping(given: Mapping[str, Any], name: str, where: Where) -> Mapping[str, Any]:
    found = given.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TaskError(f"{where(name)}: a mapping is wanted, not {shown(found)}")
    return found


# --- files of tests --------------------------------------------------------------------------------------


def _from_file(reference: str, folder: Path, place: str) -> Iterator[Test]:
    suffix = Path(reference).suffix.lower()
    if suffix in (".yaml", ".yml"):
        document = read_plain(inside(folder, reference, place), empty="the file is empty; it should hold tests")
        if not isinstance(document.value, list):
            raise TaskError(f"{document.place()}: a list of tests is wanted")
        yield from (test_of(one, partial(document.place, index)) for index, one in enumerate(document.value))
    elif suffix in (".json", ".jsonl"):
        for row_place, row in placed_rows(inside(folder, reference, place)):
            yield test_of(row, partial(_field_of, row_place))
    elif suffix in (".csv", ".tsv"):
        for row_place, row in placed_rows(inside(folder, reference, place)):
            yield _row(row, partial(_field_of, row_place))
    else:
        raise TaskError(
            f"{place}: tests are not read from {shown(reference)}", hint="Give .yaml, .json, .jsonl or .csv"
        )


def _field_of(place: str, *path: str | int) -> str:
    return f"{place}: {'.'.join(map(str, path))}" if path else place


def _row(row: Mapping[str, str], where: Where) -> Test:
    """A row of a table: variables, and columns with two underscores before their names."""
    special = {name: value for name, value in row.items() if name.startswith("__")}
    test: JsonObject = {"vars": {name: value for name, value in row.items() if name not in special}}
    expected = [_typed(value) for name, value in special.items() if _EXPECTED.fullmatch(name) and value.strip()]
    test["assert"] = expected
    for name, value in special.items():
        if name == "__description":
            test["description"] = value
        elif name in ("__prefix", "__suffix"):
            test.setdefault("options", {})[name[2:]] = value
        elif name == "__threshold" and value.strip():
            try:
                test["threshold"] = float(value)
            except ValueError:
                raise TaskError(f"{where(name)}: a number is wanted, not {shown(value)}") from None
        elif name.startswith("__metadata:"):
            test.setdefault("metadata", {})[name.removeprefix("__metadata:")] = value
        elif not _EXPECTED.fullmatch(name) and name not in ("__threshold", "__metric"):
            raise TaskError(f"{where(name)}: this column is not read", hint="It would change the test")
    return test_of(test, where)


def _typed(cell: str) -> JsonObject:
    """The assertion of a cell: ``type: value``, or the text that the answer equals."""
    found = _TYPED.fullmatch(cell.strip())
    if found is None or found[1].removeprefix("not-") not in (*TYPES, *_MODELS_AND_CODE):
        return {"type": "equals", "value": cell}
    if found[2] is None and found[1].removeprefix("not-") not in ("is-json", "contains-json"):
        return {"type": "equals", "value": cell}
    return {"type": found[1], "value": found[2]} if found[2] else {"type": found[1]}
