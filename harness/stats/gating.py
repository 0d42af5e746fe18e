"""Pass, fail or inconclusive: what a gate makes of the changes it tested, all of one gate together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from harness.stats.change import Change
from harness.stats.family import holm

Mode = Literal["paired", "history", "release"]
"""How a gate asks: whether base and candidate in one job differ, whether tonight is unlike the last good nights, or
whether it is proven that the candidate is no worse."""
GateWord = Literal["pass", "fail", "inconclusive"]

ALPHA = {"paired": 0.05, "history": 0.01, "release": 0.05}
"""One-sided level of each mode where nobody says otherwise. Paired and history: at most so many gates (nights) with no
change at all fail. Release: at most so many candidates that are worse by the margin pass."""


class Gated(NamedTuple):
    """One metric of a gate."""

    word: GateWord
    p_value: float | None
    """The p that the mode rests on, as it is; None: nothing could be tested."""
    p_adjusted: float | None
    """The same adjusted for the metrics of the gate; in release mode it needs no adjustment."""
    reason: str
    """One line without numbers."""


def gated(changes: Sequence[Change], mode: Mode) -> list[Gated]:
    """The verdict on each metric of one gate, in their order; each is judged at the alpha that it was asked with.

    paired: fail where it is proven worse than the margin (p_worse, Holm). history: fail where tonight is outside what
    the nights predict (p_changed, Holm) and worse than their mean by more than the margin. Both: a metric that does not
    fail passes only if a worsening of the margin would have been told from none (MDE at most the margin); otherwise it
    is inconclusive. release: pass where it is proven not worse than the margin, else fail. A candidate passes a release
    only if all its metrics do, and such a claim needs no adjustment.

    Source: Holm (1979), see ``family.holm``; Berger, "Multiparameter hypothesis testing and acceptance sampling",
    Technometrics 24 (1982), for the intersection-union test of a release.
    """
    tested = [_tested(change, mode) for change in changes]
    told = [p for p in tested if p is not None]
    adjusted = iter(told if mode == "release" else holm(told))
    return [
        Gated("inconclusive", None, None, change.why or "nothing could be tested")
        if p is None
        else _word(change, mode, p, next(adjusted))
        for change, p in zip(changes, tested, strict=True)
    ]


def confirmed(first: Gated, again: Gated) -> Gated:
    """What stands after a rerun of a metric that failed against history: it fails only if it fails twice.

    Two independent looks at level alpha are both outside by chance with probability alpha squared.
    """
    if first.word != "fail" or again.word == "fail":
        return first
    return again._replace(reason=f"not confirmed by the rerun: {again.reason}")


def _tested(change: Change, mode: Mode) -> float | None:
    return {"paired": change.p_worse, "history": change.p_changed, "release": change.p_not_worse}[mode]


def _word(change: Change, mode: Mode, p: float, adjusted: float) -> Gated:
    proven = adjusted <= change.asked.alpha
    if mode == "release":
        if proven:
            return Gated("pass", p, adjusted, "proven not worse than the margin")
        short = "" if change.resolved else ", and the measurement was too small to prove it"
        return Gated("fail", p, adjusted, f"not proven to be no worse than the margin{short}")
    if proven and (mode == "paired" or change.beyond):
        said = "proven worse than the margin" if mode == "paired" else "outside what the last good nights predict"
        return Gated("fail", p, adjusted, said)
    if not change.resolved:
        return Gated("inconclusive", p, adjusted, "a change as large as the margin could have gone unseen")
    if mode == "history" and proven:
        return Gated("pass", p, adjusted, "outside what the last good nights predict, but within the margin")
    return Gated("pass", p, adjusted, "not proven worse, and a change as large as the margin would have been seen")
