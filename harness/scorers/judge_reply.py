"""What a judge said, read strictly: the last line decides, and what is not in its form is no judgement."""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.exchange import Completion
from harness.scorers.strict_json import clipped

UNREADABLE = "judge_unreadable"
"""Fault of a judgement whose last line is not what was asked for."""
LOWEST, HIGHEST = 1, 10

_LONGEST_LINE = 100
_AROUND = r"[*_`\s]{0,6}"
"""Emphasis that models put around a last line."""
_RATING = re.compile(
    rf"{_AROUND}Rating{_AROUND}:{_AROUND}([0-9]{{1,2}}(?:\.[0-9])?)(?: ?/ ?10)?\.?{_AROUND}", re.IGNORECASE
)
_VERDICT = re.compile(rf"{_AROUND}Verdict{_AROUND}:{_AROUND}(A|B|tie)\.?{_AROUND}", re.IGNORECASE)


class Reading(NamedTuple):
    """One judgement as it was read."""

    value: float | None
    """0 to 1: a rating r as (r - 1) / 9; of a comparison 1: the first is better, 0: the second, 0.5: a tie. None: it
    cannot be read."""
    said: str
    """``7``, ``A``, ``B`` or ``tie``; empty: it cannot be read."""
    reason: str
    """The judge's words before its last line, clipped, in one line; or why it cannot be read."""
    fault: str = ""


def rating(reply: Completion) -> Reading:
    """Read ``Rating: N`` with N from 1 to 10 (one decimal is let pass) from the last line of a judge's reply."""
    line, reason, fault = _last_line(reply)
    found = None if fault else _RATING.fullmatch(line)
    number = None if found is None else float(found[1])
    if number is None or not LOWEST <= number <= HIGHEST:
        return _unreadable(fault or f"its last line is no rating of {LOWEST} to {HIGHEST}: {clipped(line)}")
    return Reading((number - LOWEST) / (HIGHEST - LOWEST), f"{number:g}", reason)


def verdict(reply: Completion) -> Reading:
    """Read ``Verdict: A``, ``B`` or ``tie`` from the last line of a judge's reply."""
    line, reason, fault = _last_line(reply)
    found = None if fault else _VERDICT.fullmatch(line)
    if found is None:
        return _unreadable(fault or f"its last line is no verdict: {clipped(line)}")
    said = "tie" if found[1].lower() == "tie" else found[1].upper()
    return Reading({"A": 1.0, "B": 0.0, "tie": 0.5}[said], said, reason)


def _last_line(reply: Completion) -> tuple[str, str, str]:
    """The last line that is not empty, what stands before it, and what forbids reading either."""
    # Half of "Rating: 10" reads as another rating, and what was quoted last would be taken for the judge's own.
    if reply.finish_reason == "length":
        return "", "", "it was cut off at its limit of tokens"
    text = reply.text.rstrip()
    before, _, line = text.rpartition("\n")
    if not line:
        return "", "", "it says nothing"
    return clipped(line, _LONGEST_LINE), clipped(" ".join(before[-4000:].split()), 300), ""


def _unreadable(why: str) -> Reading:
    return Reading(None, "", why, UNREADABLE)
