"""How figures went from night to night: levels, changes, gaps, and what the next night is expected to show."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import choice, picking, plain, queries, tables, trend_queries
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.errors import HarnessError
from harness.report import words
from harness.report.charts.marks import Marks
from harness.report.charts.nights import nights
from harness.report.nights.annotations import Annotation
from harness.report.nights.metrics import METRICS
from harness.report.nights.terminal import interval_in, size_of, value_in
from harness.report.nights.trend import HEADLINE, Series

# Nights of the table below a chart, the latest.
_LISTED = 60
# Latest nights of each series that the page looks at; the first unless others are asked for.
_LAST = ("90", "30", "365", "all")


def suites(chosen: choice.Chosen) -> str | None:
    """The suite whose runs are the nights; None: all runs."""
    known = [str(name) for name in chosen.runs["suite"].dropna().unique()]
    picking.stale("suite", known, "suite")
    asked = st.selectbox("Suite", known, index=None, key="suite", bind="query-params", placeholder="all runs")
    return asked if asked in known else None


def choose_last() -> int | None:
    """How many of the latest nights of each series; None: all."""
    picking.stale("last", _LAST, "number of nights")
    asked = st.selectbox("Latest nights", _LAST, key="last", bind="query-params")
    asked = asked if asked in _LAST else _LAST[0]
    return None if asked == "all" else int(asked)


def choose_metric(version: queries.Version, suite: str | None, last: int | None) -> str:
    """The metric that is followed; the main ones first."""
    names = [*HEADLINE, *(name for name in METRICS if name not in HEADLINE)]
    picking.stale("metric", names, "metric")
    first = queries.or_stop(lambda: trend_queries.first_metric(version, suite, last))
    # By its name, as after `harness trend --metric`: the address would otherwise hold the words that are shown.
    asked = st.selectbox("Metric", names, index=names.index(first), key="metric", bind="query-params")
    return asked if asked in names else first


def choose_place(found: Sequence[Series]) -> str:
    """The piece of work: a level of a load, a task, or the probes."""
    places = list(dict.fromkeys(series.place for series in found))
    picking.stale("work", places, "piece of work with this metric")
    asked = st.selectbox("Work", places, key="work", bind="query-params")
    return asked if asked in places else places[0]


def notes(version: queries.Version) -> list[Annotation]:
    """What people wrote about dates; a mistake in it is told, and the page goes on without."""
    try:
        return trend_queries.told(version)
    except HarnessError as error:
        st.warning(plain.message(str(error)))
        return []


def clicked(key: str, ids: Sequence[str]) -> None:
    """A night of the chart was chosen: it becomes the run of the page, and of the pages that are opened next."""
    points = st.session_state[key]["selection"]["points"]
    run = points[0].get("customdata", [None])[0] if points else None
    if run in ids:
        st.session_state["run"] = run


def changes_table(found: Sequence[Series], marks: Marks) -> None:
    """Every change point, the newest first."""
    st.subheader("What changed", anchor=False)
    changed = sorted(((one.at, series, one) for series in found for one in series.changes), key=lambda row: row[0])
    if not changed:
        counted = max((sum(point.problem is None for point in series.points) for series in found), default=0)
        st.text(f"No change point in {counted} night{'' if counted == 1 else 's'}. Fewer than 6 nights show none.")
        return
    columns = [
        Column("since"),
        Column("endpoint"),
        Column("work"),
        Column("verdict", meaning="Which way it went; a report, and no gate"),
        number("size", "Of the level after to that before [95 % interval]"),
        number("before"),
        number("after"),
        number("confidence", "1 - p of the permutation test"),
        number("nights", "Before, and after"),
        Column("run", meaning="First run of the new level"),
    ]
    rows = [
        (
            _day(at),
            Cell(series.endpoint, marks[series.endpoint]),
            series.place,
            "▲ worse" if one.worse else "▼ better",
            size_of(series, one),
            value_in(series.unit, one.before),
            value_in(series.unit, one.after),
            f"{100 * one.confidence:.1f} %",
            f"{one.nights_before}, {one.nights_after}",
            one.run_id,
        )
        for at, series, one in reversed(changed)
    ]
    tables.show("What changed", columns, rows)


def next_table(found: Sequence[Series], marks: Marks) -> None:
    """The level that holds, and what the next night is expected to show."""
    st.subheader("The level now, and the next night", anchor=False)
    columns = [
        Column("endpoint"),
        Column("work"),
        number("latest", "[95 % interval within the run] n"),
        number("level", "Of the nights since the last change"),
        number("nights"),
        number("next expected", "98 of 100 nights lie in it if nothing changes"),
        Column("the series", meaning="What is otherwise where a new one began; missing and left-out runs"),
    ]
    rows = []
    for series in found:
        level = series.segments[-1] if series.segments else None
        known = series.expected_low is not None
        rows.append(
            (
                Cell(series.endpoint, marks[series.endpoint]),
                series.place,
                _latest(series),
                value_in(series.unit, level.level) if level else words.NOTHING,
                str(level.nights) if level else words.NOTHING,
                interval_in(series.unit, series.expected_low, series.expected_high) if known else "too few nights",
                _about(series),
            )
        )
    tables.show("The level now, and the next night", columns, rows)


def _latest(series: Series) -> str:
    told = [point for point in series.points if point.problem is None]
    if not told:
        return words.NOTHING
    last = told[-1]
    return f"{value_in(series.unit, last.value)} [{interval_in(series.unit, last.low, last.high)}] n={last.n}"


def _about(series: Series) -> str:
    told = [f"from {_day(series.points[0].at)}"]
    told += [f"a new series: {'; '.join(series.differs)}"] if series.differs else []
    missing, left_out = sum(gap.nights for gap in series.gaps), sum(bool(one.problem) for one in series.points)
    told += [f"{missing} missing"] if missing else []
    told += [f"{left_out} left out"] if left_out else []
    return "; ".join(told)


def nights_table(found: Sequence[Series], marks: Marks) -> None:
    """The numbers of the chart, the newest first."""
    rows = sorted(((point.at, series, point) for series in found for point in series.points), key=lambda row: row[0])
    with st.expander(f"Every night ({len(rows)})"):
        columns = [
            Column("start, UTC"),
            Column("endpoint"),
            number(found[0].title),
            number("95 % interval"),
            number("n"),
            Column("counts", meaning="Why a run does not count in levels and changes"),
            Column("run"),
        ]
        shown = [
            (
                at[:16].replace("T", " "),
                Cell(series.endpoint, marks[series.endpoint]),
                value_in(series.unit, point.value),
                interval_in(series.unit, point.low, point.high),
                str(point.n),
                point.problem or "yes",
                point.run_id,
            )
            for at, series, point in rows[::-1][:_LISTED]
        ]
        tables.show("Every night", columns, shown)
        if len(rows) > _LISTED:
            st.caption(f"The latest {_LISTED}; all of them: `harness trend --json`")


def notes_table(told: Sequence[Annotation]) -> None:
    """What people wrote, as a table."""
    if not told:
        st.caption("Deployments and incidents can be written into `annotations.yaml` : date, text, endpoint")
        return
    st.subheader("Annotations", anchor=False)
    columns = [Column("date, UTC"), Column("endpoint"), Column("text")]
    rows = [(f"{one.at:%Y-%m-%d %H:%M}", one.endpoint or "all", one.text) for one in reversed(told)]
    tables.show("Annotations", columns, rows)


def night_links(run: str) -> None:
    """From the night that was chosen to the pages about it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"The marked night is {plain.code(run)}")
        for page in ("decide", "load", "quality", "runs"):
            st.page_link(f"views/{page}.py", label=page.capitalize(), query_params={"run": run})


def _day(moment: str) -> str:
    return moment[:16].replace("T", " ")


def page(chosen: choice.Chosen) -> None:
    """The page below its head."""
    places = st.columns(4)
    with places[0]:
        suite = suites(chosen)
    with places[3]:
        last = choose_last()
    with places[1]:
        metric = choose_metric(chosen.version, suite, last)
    found = queries.or_stop(lambda: trend_queries.series(chosen.version, metric, suite, last))
    if not found:
        st.info(f"No run has a value of {plain.code(METRICS[metric].title)}: choose another metric, or all runs.")
        return
    with places[2]:
        place = choose_place(found)
    marks = queries.marks(chosen.version)
    own = [series for series in found if series.place == place]
    names = picking.endpoints(list(dict.fromkeys(series.endpoint for series in own)))
    own = [series for series in own if series.endpoint in names]
    told = notes(chosen.version)
    ids = list(chosen.runs["run_id"])
    draw(
        nights(own, marks, told, chosen.run),
        key="nights",
        alt=f"{own[0].title} of {place} from night to night; the numbers are in the table of every night",
        otherwise="no run has a value.",
        on_select=lambda: clicked("nights", ids),
    )
    st.caption(
        "A chosen point becomes the run of the page. Dashed: a level. Box: the next night. Grey: left out. Levels and "
        "changes are those of the nights that are looked at."
    )
    night_links(chosen.run)
    changes_table(found, marks)
    next_table(own, marks)
    nights_table(own, marks)
    notes_table(told)


chosen = choice.begin("Trend")
page(chosen)
foot(chosen.version.results, None, {"loads of all runs": "load_summary", "tasks of all runs": "quality_summary"})
