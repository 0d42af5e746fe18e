"""The charts of a decision: three fronts, the shares inside the limits, and the bills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.report.charts.marks import Marks
from harness.report.charts.pareto import Axis, left_out, pareto
from harness.report.charts.shares import shares
from harness.report.charts.volumes import volumes
from harness.report.decision.measures import Measure
from harness.report.decision.told import TAKES, limits
from harness.report.decision.whole import Decision, Wishes, usd_at

PAIRS = (("cost", "quality"), ("ttft", "quality"), ("cost", "throughput"))
"""(across, up): the measures that pull against each other."""


class Front(NamedTuple):
    """Two measures against each other."""

    key: str
    title: str
    across: Axis
    up: Axis
    figure: go.Figure | None
    """None: nobody has both."""
    missing: Sequence[str]
    """Endpoints that are not drawn, for want of one of the two."""
    takes: str
    """What it takes to be drawn; empty: all are."""


def fronts(decision: Decision, names: Sequence[str], marks: Marks) -> list[Front]:
    """One for each of ``PAIRS``."""
    found = []
    for across, up in PAIRS:
        x, y = (decision.measure(name) for name in (across, up))
        lacking = [TAKES[one.criterion.name] for one in (x, y) if any(name not in one.values for name in names)]
        axes = (_axis(x), _axis(y))
        title = f"{y.criterion.title} against {x.criterion.title}"
        drawn = pareto(*axes, names, marks)
        found.append(Front(f"{up}_{across}", title, *axes, drawn, left_out(*axes, names), "; ".join(lacking)))
    return found


def _axis(of: Measure) -> Axis:
    criterion = of.criterion
    if criterion.name != "quality":
        return Axis(f"{criterion.title}, {criterion.unit}", of.values, criterion.more)
    return Axis("Quality, % right", {name: one.times(100) for name, one in of.values.items()}, more=True, whole=100)


def inside(decision: Decision, wishes: Wishes, marks: Marks) -> go.Figure | None:
    """Share of requests inside the limits, the best first; None: there was no load."""
    return shares(
        {name: one.share for name, one in decision.shares.items() if one.share is not None},
        {name: one.n for name, one in decision.shares.items()},
        [] if decision.inside is None else list(decision.inside.ranks),
        f"inside {limits(wishes.limits)}, % of requests",
        wishes.target,
        marks,
    )


def bills(decision: Decision, wishes: Wishes, marks: Marks) -> go.Figure | None:
    """USD a month against requests a day; None: no bill is known."""
    of = wishes.volumes
    return volumes(
        lambda name, volume: usd_at(decision, of, name, volume), list(decision.bills), of.requests_per_day, marks
    )
