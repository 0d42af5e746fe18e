"""A task made of a file of the user's own prompts."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data import placed_rows
from harness.errors import TaskError, UsageError
from harness.prompts import columns
from harness.prompts.filed import Filed, is_suite
from harness.scorers import by_name
from harness.scorers.per_row import per_row
from harness.scorers.strict_json import shown
from harness.scorers.trial import try_target
from harness.types import Sample, Scorer, Task

_LIST = "See: harness tasks scorers"


def task_of(filed: Filed) -> Task:
    """The task that a file is; its ``load`` reads the file anew each time.

    Raises:
        UsageError: nobody says how it is to be scored, or the file does not take what was said about it.
        TaskError: the file is missing or malformed; names line and column. A wrong row is told by ``load``.
        UnknownName: no scorer, column or field of the template is called so.
    """
    if is_suite(Path(filed.path)):
        # Its readers of YAML and JSON Schema take a tenth of a second, which no other task needs.
        task: Task = importlib.import_module("harness.prompts.suite").task_of(filed)
        return task
    place, first = next(placed_rows(filed.file))
    row = _object(place, first)
    taken = columns.take(row, place, filed)
    scorer = _scorer(filed, taken)
    return Task(
        name=filed.name,
        version=1,
        kind="tools" if "tools" in taken.others else "quality",
        description=columns.told(taken, filed),
        load=lambda data: _samples(filed, taken, scorer),  # noqa: ARG005 - the file is the data
        scorer=scorer,
        licence="",
        source=str(filed.file),
    )


def _scorer(filed: Filed, taken: columns.Taken) -> Scorer:
    if filed.scorer is not None:
        return by_name.scorer(filed.scorer)
    if "scorer" not in taken.others:
        known = ", ".join(one.name for one in by_name.known())
        raise UsageError(
            f"{filed.file}: nobody says how it is to be scored",
            hint=f"Give --scorer NAME or a column scorer; the scorers are {known}. {_LIST}",
        )
    found: dict[str, Scorer] = {}
    for place, row in placed_rows(filed.file):
        spec = _object(place, row).get("scorer")
        if not isinstance(spec, str) or not spec:
            raise TaskError(f"{place}: column 'scorer' names no scorer", hint=_LIST)
        if spec not in found:
            try:
                found[spec] = by_name.scorer(spec)
            except UsageError as error:
                raise TaskError(f"{place}: column 'scorer': {error.what}", hint=error.hint) from None
    if len(found) == 1:
        return next(iter(found.values()))
    judged = [spec for spec, one in found.items() if one.judging is not None]
    if judged:
        raise UsageError(
            f"{filed.file}: column 'scorer' mixes {shown(judged[0])} with others, and judges rate a whole task",
            hint="Part the file",
        )
    return per_row(found)


def _samples(filed: Filed, taken: columns.Taken, scorer: Scorer) -> Iterator[Sample]:
    for number, (place, row) in enumerate(placed_rows(filed.file), 1):
        sample = columns.sample_of(_object(place, row), place, number, taken, filed)
        if sample.target is None:
            _refuse_missing_target(sample, taken, scorer)
        yield sample


def _refuse_missing_target(sample: Sample, taken: columns.Taken, scorer: Scorer) -> None:
    try:
        try_target(scorer, sample)
    except TaskError:
        mend = "Fill it in, or leave the row out" if taken.target else "Name the column with --target."
        usual = f"the column {taken.target} is empty" if taken.target else f"no column {', '.join(columns.TARGETS)}"
        kept = f" It has: {', '.join(taken.rest)[:200]}." if taken.rest and taken.target is None else ""
        raise TaskError(
            f"{sample.place}: the scorer {scorer.name} needs a target: {usual}",
            hint=mend + kept,
        ) from None


def _object(place: str, row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise TaskError(f"{place}: a row is a JSON object, this is a {type(row).__name__}")
    if not row:
        raise TaskError(f"{place}: the row is empty")
    return row
