"""A verification as one HTML file: its report with the chart of its gaps."""

from __future__ import annotations

from harness.report.charts.gaps import gaps, gaps_of
from harness.report.charts.marks import Marks
from harness.report.document import Chart, Document, Part, grid
from harness.report.onefile.bundle import bundle
from harness.report.onefile.page import Page
from harness.types import JsonObject


def html(told: Document, found: JsonObject, marks: Marks) -> str:
    """The file; ``told`` is the report of what was ``found``, ``marks`` give endpoints their look."""
    chart = _chart(found, marks)
    whole = told if chart is None else told._replace(parts=(Part("Gaps", (chart,)), *told.parts))
    return Page(marks, bundle()).html(whole)


def _chart(found: JsonObject, marks: Marks) -> Chart | None:
    """The gaps with their numbers; None: no test has one."""
    from plotly.io import templates  # noqa: PLC0415 - heavy, and only a report with a chart waits for it

    # The figure would otherwise carry a look of its own, which the page replaces.
    templates.default = "none"
    figure = gaps(found, marks)
    if figure is None:
        return None
    rows = (
        (one.endpoint, one.test, f"{one.value:.2f}", *(_figure(bound) for bound in (one.low, one.high, one.ceiling)))
        for one in gaps_of(found)
    )
    return Chart(
        "How far from the reference, in margins",
        figure,
        "Gaps of each test and endpoint in margins, with intervals",
        grid("Gaps in margins", 2, ("endpoint", "test", "gap", "from", "to", "ceiling"), rows),
        ("The grey band is the margin: within it a gap counts as the same. The stroke is the ceiling.",),
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
