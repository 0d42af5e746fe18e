"""Whether an endpoint streams what it answers in one piece: the same requests both ways, at temperature 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.exchange import Completion
from harness.fidelity import mmd
from harness.fidelity.verdict import Gap
from harness.scorers.strict_json import parse

Asked = Mapping[str, Sequence[Completion]]
"""The answers to each request, by its id."""

_COMPARED: Mapping[str, Callable[[Completion], Any]] = {
    "content": lambda completion: completion.text,
    "refusal": lambda completion: completion.refusal,
    "reasoning": lambda completion: completion.reasoning,
    "number of calls": lambda completion: len(completion.tool_calls),
    "names of calls": lambda completion: tuple(call.name for call in completion.tool_calls),
    "arguments": lambda completion: tuple(_read(call.arguments) for call in completion.tool_calls),
    "finish reason": lambda completion: completion.finish_reason,
    "prompt tokens": lambda completion: completion.usage and completion.usage.prompt_tokens,
    "completion tokens": lambda completion: completion.usage and completion.usage.completion_tokens,
}
PLACES = len(_COMPARED)
"""Things of an answer that are compared."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """How an endpoint's streams differ from its answers in one piece."""

    gap: Gap
    """Energy coefficient of all streams against whole answers; the ceiling is that of streams against streams."""
    differing: Mapping[str, tuple[str, ...]]
    """By request, what has one value in all its streams and another in all its whole answers; those that have some."""

    @property
    def named(self) -> dict[str, int]:
        """Requests by what differs in them, the most frequent first."""
        return dict(Counter(name for names in self.differing.values() for name in names).most_common())


def streaming(
    streamed: Asked, whole: Asked, *, permutations: int = mmd.PERMUTATIONS, seed: int = 0
) -> Streaming | None:
    """Of one endpoint's answers; None: no request has four streams and two whole answers, or more.

    An answer is its content, refusal, reasoning, number of calls, their names, their arguments (read as JSON where they
    are), finish reason, prompt tokens and completion tokens. Two answers are alike by the share of these that are
    equal, and ``harness.fidelity.mmd`` does the rest: which answers were streams is permuted within requests, so that
    an endpoint that does not repeat itself is not taken for one that streams something else. The ceiling is how far
    half of the streams are from the other half. Counts that one answer to a request does not state are not compared.
    """
    sides = numbered(streamed, whole)
    first, second = ({each: some[side::2] for each, some in sides[0].items()} for side in (0, 1))
    gap = mmd.against_itself(first, second, sides[1], length=PLACES, permutations=permutations, seed=seed)
    if gap is None:
        return None
    steadily = {each: _steadily(sides[0][each], sides[1][each]) for each in sides[0]}
    return Streaming(gap, {each: names for each, names in steadily.items() if names})


def numbered(streamed: Asked, whole: Asked) -> tuple[dict[str, list[list[int]]], dict[str, list[list[int]]]]:
    """Streams and whole answers as ``PLACES`` numbers each, equal where what is compared there is equal.

    Of the requests that have four streams and two whole answers, or more.
    """
    sides: tuple[dict[str, list[list[int]]], dict[str, list[list[int]]]] = ({}, {})
    for each, streams in streamed.items():
        if len(streams) < 4 or len(whole.get(each, ())) < 2:
            continue
        columns = list(_columns([*streams, *whole[each]]))
        rows = [list(row) for row in zip(*columns, strict=True)]
        sides[0][each], sides[1][each] = rows[: len(streams)], rows[len(streams) :]
    return sides


def _columns(answers: Sequence[Completion]) -> Iterator[list[int]]:
    for name, of in _COMPARED.items():
        values = [of(answer) for answer in answers]
        if name.endswith("tokens") and None in values:
            values = [None] * len(values)
        known: dict[Any, int] = {}
        yield [known.setdefault(value, len(known)) for value in values]


def _steadily(streamed: Sequence[Sequence[int]], whole: Sequence[Sequence[int]]) -> tuple[str, ...]:
    found = []
    for place, name in enumerate(_COMPARED):
        one, other = {row[place] for row in streamed}, {row[place] for row in whole}
        if len(one) == len(other) == 1 and one != other:
            found.append(name)
    return tuple(found)


def _read(arguments: str) -> str:
    try:
        # As text again: True and 1, which are equal in Python, stay apart.
        return repr(_sorted(parse(arguments)))
    except (ValueError, RecursionError):
        return arguments


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
