r"""The answer matches a regular expression.

The pattern is a user's and the answer a model's: together they can take for ever. Python's ``re`` cannot be stopped, so
the matching is done by the package ``regex``, which gives up after ``LIMIT_S`` seconds of this process's time. Such an
answer is neither right nor wrong; its fault is ``pattern_too_slow``.

The notation is that of ``re`` with these additions: ``(?<name>...)``, possessive quantifiers, ``\p{...}`` classes, and
errors that are allowed, as in ``(?:colour){e<=1}``. ``^`` and ``$`` mean the whole text unless the pattern begins with
``(?m)``; case counts unless it begins with ``(?i)``.
"""

from __future__ import annotations

from typing import Any

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.strict_json import clipped, shown
from harness.types import Sample, Score, Scorer

VERSION = 1
EXAMPLE = r"regex:(?i)\bparis\b"
LIMIT_S = 0.5
_LONGEST = 10_000
"""Characters of a pattern."""


def regex(pattern: str | None = None) -> Scorer:
    """Full marks when the pattern is found anywhere in the visible text; None: the target is the pattern.

    The answer that is shown is the first group, or the whole match without one. TaskError for a pattern that is none.
    """
    name = "regex" if pattern is None else f"regex({clipped(pattern, 60)})"
    fixed = None if pattern is None else compiled(pattern, "the pattern given to regex")

    def score(sample: Sample, completion: Completion) -> Score:
        wanted = fixed or compiled(sample.target, f"sample {sample.id}: the target of regex")
        try:
            found = wanted.search(completion.text, timeout=LIMIT_S)
        except TimeoutError:
            told = f"{shown(wanted.pattern)} could not be tried within {LIMIT_S} s"
            return Score(None, None, told, name, VERSION, fault="pattern_too_slow")
        if found is None:
            return Score(0.0, None, f"{shown(wanted.pattern)} is not found", name, VERSION)
        groups = [group for group in found.groups() if group is not None]
        answer = clipped(groups[0] if groups else found[0], 1000)
        return Score(1.0, answer, f"{shown(wanted.pattern)} is found", name, VERSION)

    return Scorer(name, VERSION, score)


def compiled(pattern: Any, where: str) -> Any:
    """A pattern of the package ``regex``, whose ``search`` takes a ``timeout``; TaskError when it is none."""
    import regex as engine  # noqa: PLC0415 - 40 ms that only this scorer needs

    if not isinstance(pattern, str) or not pattern or len(pattern) > _LONGEST:
        raise TaskError(f"{where} is not a regular expression: {shown(pattern)}")
    try:
        return engine.compile(pattern)
    except (engine.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TaskError(f"{where} is not a regular expression: {shown(pattern)}: {clipped(reason, 120)}") from None
