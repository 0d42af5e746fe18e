"""A decision in words: a card for each measure, and the sentences that someone reads aloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.report import words
from harness.report.decision.apart import Order, order
from harness.report.decision.attainment import ALL
from harness.report.decision.measures import CRITERIA, Measure
from harness.report.decision.whole import Decision, Recorded, Wishes
from harness.stats.mover import Estimate, difference
from harness.stats.power import smallest_detectable_shift
from harness.types import JsonObject, Slo


class Card(NamedTuple):
    """A verdict."""

    title: str
    best: str | None
    """Endpoint; None: nobody was measured, and ``said`` says what it takes."""
    said: str
    """Its figure with unit, interval and n."""
    tied: tuple[str, ...]
    """Those that are not told apart from it."""
    others: int
    """Those that are told to be worse."""
    missing: tuple[str, ...]
    """Those that have no figure."""

    @property
    def standing(self) -> str:
        """How the best stands, without the names of those tied with it."""
        if self.best is None:
            return ""
        if self.tied:
            return "tied with"
        return (
            "ahead of all others" if self.others > 1 else "ahead of the other" if self.others else "nobody else has one"
        )


TAKES = {
    "quality": "it takes a quality task with 95 % of its answers scored",
    "tools": "it takes a tool task with 95 % of its answers scored",
    "ttft": "it takes a streaming load",
    "throughput": "it takes a load, and token usage stated by the server",
    "cost": "it takes prices",
    "errors": "it takes requests",
    "features": "it takes probes",
}
"""What it takes to have a measure."""


def cards(summary: JsonObject, found: Recorded, decision: Decision, wishes: Wishes) -> list[Card]:
    """The verdict by weights, that by limits, then each measure."""
    names = [row["endpoint"] for row in summary["endpoints"]]
    return [
        _weighed(names, decision),
        _inside(names, found, decision, wishes),
        *(_card(names, one, summary["endpoints"]) for one in decision.measures),
    ]


def _weighed(names: Sequence[str], decision: Decision) -> Card:
    of = decision.weighed
    if of.order is None:
        why = "nobody has any of what is weighed" if of.dropped else "no weight is above 0"
        return Card("By your weights", None, f"{why}; set the weights below", (), 0, tuple(names))
    said = f"{points(of.scores[of.order.best])} of 100"
    return _of("By your weights", of.order, said, names)


def _inside(names: Sequence[str], found: Recorded, decision: Decision, wishes: Wishes) -> Card:
    title = f"Inside {limits(wishes.limits)}"
    if found.load is None or decision.inside is None:
        return Card(title, None, "it takes a load", (), 0, tuple(names))
    one = decision.shares[decision.inside.best]
    return _of(title, decision.inside, f"{share(one.share)} n={one.n}", names)


def _card(names: Sequence[str], of: Measure, endpoints: Sequence[JsonObject]) -> Card:
    values = {name: one.value for name, one in of.values.items()}
    found = order(values, of.apart, more=of.criterion.more)
    if found is None:
        return Card(of.criterion.title, None, TAKES[of.criterion.name], (), 0, tuple(names))
    said = figure(of, found.best, next(row for row in endpoints if row["endpoint"] == found.best))
    return _of(of.criterion.title, found, said, names)


def _of(title: str, found: Order, said: str, names: Sequence[str]) -> Card:
    missing = tuple(name for name in names if name not in found.ranks)
    return Card(title, found.best, said, found.tied, len(found.worse), missing)


def figure(of: Measure, name: str, row: JsonObject) -> str:
    """The figure of an endpoint with its unit, interval and n."""
    one, kind = of.values[name], of.criterion.name
    if kind in ("quality", "tools"):
        return words.score(row[kind])
    n = f" n={of.n[name]}" if name in of.n else ""
    if kind == "errors":
        return f"{share(one)}{n}"
    if kind == "features":
        return f"{row['features_judged'] - row['features_failed']} of {row['features_judged']} not failed"
    return f"{amount(one)} {of.criterion.unit}{n}"


def share(of: Estimate | None) -> str:
    """``94 % [81–98]``."""
    return words.NOTHING if of is None else f"{words.percent(of.value)} [{_bound(of.low, 100)}–{_bound(of.high, 100)}]"


def points(of: Estimate) -> str:
    """A score of 0 to 1 in hundredths: ``82 [78–85]``."""
    return f"{100 * of.value:.0f} [{_bound(of.low, 100)}–{_bound(of.high, 100)}]"


def _bound(value: float | None, times: float) -> str:
    return "?" if value is None else f"{times * value:.0f}"


def amount(of: Estimate | None) -> str:
    """An amount to three figures with its interval; one that is exactly known stands alone."""
    if of is None:
        return words.NOTHING
    if of.low == of.value == of.high:
        return three(of.value)
    return f"{three(of.value)} [{three(of.low)}–{three(of.high)}]"


def three(value: float | None) -> str:
    """Three figures, thousands apart; what is not known is ``?``."""
    if value is None:
        return "?"
    if value <= 0:
        return "0"
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{float(f'{value:.3g}'):.12g}"


def limits(of: Slo) -> str:
    """``TTFT 800 ms, TPOT 50 ms``; without any limit it is an answer that counts."""
    named = ("TTFT", of.ttft_ms), ("TPOT", of.tpot_ms), ("E2E", of.e2e_ms)
    return ", ".join(f"{name} {limit:g} ms" for name, limit in named if limit is not None) or "no limit (answered)"


def answer(summary: JsonObject, found: Recorded, decision: Decision, wishes: Wishes) -> list[str]:
    """What follows, how sure it is, and what the run could not have seen, in a few sentences; names as they are."""
    told = [_by_limits(found, decision, wishes), _by_weights(decision), _unseen(summary, found, decision)]
    return [sentence for sentence in told if sentence]


def _by_limits(found: Recorded, decision: Decision, wishes: Wishes) -> str:
    if found.load is None:
        return "No load was run, so nothing can be said of how fast the endpoints are for many users."
    what = f"{found.load}{f' at {_level(wishes.level)}' if wishes.level != ALL else ''}"
    if decision.inside is None:
        return f"None of the requests of {what} can be judged by these limits."
    best = decision.inside.best
    one = decision.shares[best]
    said = f"For {what} {_within(wishes.limits)} {best} is best: {share(one.share)} of {one.n} requests were inside"
    if decision.inside.tied:
        tied = [f"{name} ({share(decision.shares[name].share)})" for name in decision.inside.tied]
        return f"{said}. Not told apart from it: {_listed(tied)}."
    return f"{said}, and it is told apart from {_others(len(decision.inside.worse))}."


def _within(of: Slo) -> str:
    named = ("TTFT", of.ttft_ms), ("TPOT", of.tpot_ms), ("E2E", of.e2e_ms)
    kept = [f"{name} within {limit:g} ms" for name, limit in named if limit is not None]
    return f"with {_listed(kept)}" if kept else "without any limit"


def _level(stage: str) -> str:
    return stage.rpartition("@")[2]


def _by_weights(decision: Decision) -> str:
    of = decision.weighed
    if of.order is None:
        return ""
    best, bill = of.order.best, decision.bills[of.order.best]
    unknown = f"what a month of it costs is not known: {bill.why}"
    cost = unknown if bill.usd is None else f"a month of it costs {amount(bill.usd)} USD"
    apart = f"told apart from {_others(len(of.order.worse))}"
    tied = f"tied with {_listed(of.order.tied)}" if of.order.tied else apart
    said = f"By your weights {best} comes first with {points(of.scores[best])} of 100, {tied}; {cost}."
    lacking = [f"{titles(names)} of {name}" for name, names in of.unknown.items()]
    return f"{said} Not known, and so counted from worst to best: {_listed(lacking)}." if lacking else said


def titles(criteria: Sequence[str]) -> str:
    """Criteria as they are called on the page."""
    called = {one.name: one.title for one in CRITERIA}
    return ", ".join(called[name] for name in criteria)


def _others(n: int) -> str:
    return "every other" if n > 1 else "the other" if n else "nobody, since there is no other"


def _unseen(summary: JsonObject, found: Recorded, decision: Decision) -> str:
    """The smallest differences that would probably have been seen, between the best and who is next."""
    inside, weighed = decision.inside, decision.weighed.order
    seen = [_least_share(decision, inside) if inside else None, _least_quality(summary, weighed) if weighed else None]
    levels = list(
        dict.fromkeys(row["stage"].rpartition("@")[2] for row in summary["loads"] if row["task"] == found.load)
    )
    where = f"This was one sitting from one machine{f', at {_listed(levels)}' if levels else ''}"
    told = " or ".join(one for one in seen if one)
    if not told:
        return f"{where}: another hour or place may differ."
    return f"{where}: it would probably not have shown a difference below {told}, nor that of another hour or place."


def _least_share(decision: Decision, inside: Order) -> str | None:
    rest = (*inside.tied, *inside.worse)
    one, other = (decision.shares[name].share for name in (inside.best, *rest)[:2]) if rest else (None, None)
    if one is None or other is None:
        return None
    between = difference(one, other)
    if between.low is None or between.high is None:
        return None
    return f"{min(100.0, 100 * smallest_detectable_shift(between.low, between.high)):.0f} points in the share inside"


def _least_quality(summary: JsonObject, weighed: Order) -> str | None:
    rest = (*weighed.tied, *weighed.worse)
    pair = {weighed.best, *rest[:1]}
    rows = (*summary["comparisons"], *summary["other_pairs"])
    own = (row for row in rows if row["metric"] == "quality" and row["task"] is None)
    found = next((row["mde"] for row in own if {row["baseline"], row["endpoint"]} == pair), None)
    return None if found is None else f"{100 * found:.0f} points of quality"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:4]) + ([f"{len(names) - 4} more"] if len(names) > 4 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
