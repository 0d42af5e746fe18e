"""Counts and sums of one table, wherever it lies: in lines, in Parquet, in the database. All of them must agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.store import query
from harness.types import JsonObject


class Shape(NamedTuple):
    """How the rows of a table are counted."""

    by: tuple[str, ...]
    """Columns whose values rows are counted by."""
    summed: tuple[str, ...] = ()
    """Columns that are added up."""


SHAPES: Mapping[str, Shape] = {
    "attempts": Shape(
        ("endpoint", "kind", "stage", "failure_kind"),
        ("number", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost_usd"),
    ),
    "texts": Shape(()),
    "scores": Shape(("endpoint", "task", "scorer", "version", "fault"), ("value",)),
    "judgements": Shape(("judge", "endpoint", "task", "verdict", "fault"), ("value",)),
    "verdicts": Shape(("endpoint", "probe", "verdict"), ("agree", "samples")),
    "server_samples": Shape(("endpoint",), ("at_ns",)),
    "client_samples": Shape(("shard",), ("window_ns", "lag_n", "cpu_ns")),
}
_Key = tuple[Any, ...]


class Sums:
    """Rows of one table, counted and added up by the columns of its shape."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._found: dict[_Key, list[float]] = {}
        """Of each key the rows, then of each summed column how many values it has and what they are together."""

    def add(self, row: JsonObject) -> None:
        """Take in a row; what it lacks is NULL."""
        found = self._found.setdefault(
            tuple(row.get(name) for name in self._shape.by), [0] * (1 + 2 * len(self._shape.summed))
        )
        found[0] += 1
        for place, name in enumerate(self._shape.summed):
            if (value := row.get(name)) is not None:
                found[1 + 2 * place] += 1
                found[2 + 2 * place] += float(value)

    @classmethod
    def asked(cls, connection: query.Connection, shape: Shape, source: str, params: Sequence[object]) -> Sums:
        """Of the rows of ``source``, a place in SQL. Errors: ``DatabaseError`` as it comes."""
        have = {str(name) for name, *_ in connection.execute(f"from {source} limit 0", params).description or ()}
        by = [f'"{name}"' if name in have else "null" for name in shape.by]
        sums = [f'count("{name}"), coalesce(sum("{name}"), 0)' if name in have else "0, 0" for name in shape.summed]
        sql = f"select {', '.join([*by, 'count(*)', *sums])} from {source} group by {', '.join(by) or '()'}"  # noqa: S608
        made = cls(shape)
        for row in query.fetch(connection, sql, params).rows:
            counted = [float(value) for value in row[len(by) :]]
            if counted[0]:
                made._found[tuple(row[: len(by)])] = counted
        return made

    def differences(self, other: Sums) -> Iterator[str]:
        """Where another place says something else than this one, each in words."""
        for key in sorted(self._found.keys() | other._found.keys(), key=repr):
            mine, theirs = self._found.get(key), other._found.get(key)
            about = " ".join(str(value) for value in key if value not in (None, ""))
            if mine is None or theirs is None or mine[0] != theirs[0]:
                yield f"{_rows(mine)} where it has {_rows(theirs)}" + (f" of {about}" if about else "")
                continue
            for place, name in enumerate(self._shape.summed):
                pairs = list(zip(mine, theirs, strict=True))[1 + 2 * place : 3 + 2 * place]
                if not all(_same(*pair) for pair in pairs):
                    (_, (ours, its)) = pairs
                    yield f"{name} {ours:g} where it has {its:g} of {about}"


def _rows(counted: Sequence[float] | None) -> str:
    n = 0 if counted is None else int(counted[0])
    return f"{n} row" if n == 1 else f"{n} rows"


def _same(one: float, other: float) -> bool:
    """Whether two sums are one; in which order fractions were added may show in the last digits."""
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(one) and math.isnan(other))
