"""The parts of the page Compare: what differs, the figures of one stage, how times are spread, what else differs."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

import streamlit as st

from dashboard import choice, compared, plain, queries, tables
from dashboard.drawing import draw
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.distributions import overlay, quantile_differences
from harness.report.charts.marks import Marks
from harness.report.comparison import config_diff
from harness.report.comparison import words as against_words
from harness.report.comparison.distributions import TIMES
from harness.types import JsonObject

_SIGNS = {"worse": "▼", "better": "▲", "fewer": "−", "more": "+", "same": "≈", "unclear": "?"}
"""Verdicts in the order in which they are told, each with a sign of its own."""


class Asked(Protocol):
    """What is compared with what, as the page asks it."""

    @property
    def other(self) -> str | None:
        """Run of the baseline; None: the chosen run itself."""

    @property
    def baseline(self) -> str | None:
        """Its endpoint; None: whatever has the same name."""


def verdict(word: str) -> str:
    """A verdict with its sign."""
    return f"{_SIGNS.get(word, '')} {word}".strip()


def what_differs(found: JsonObject, alike: float, marks: Marks) -> None:
    """How often each verdict was given, how large each difference is, and the command that says the same."""
    st.subheader("What differs", anchor=False)
    told = [(pair, group, row) for pair in found["pairs"] for group in pair["groups"] for row in group["rows"]]
    counted = Counter(row["verdict"] for _, _, row in told)
    refused = sum(len(pair["not_compared"]) for pair in found["pairs"])
    parts = [f"{counted[word]} {word}" for word in _SIGNS if counted[word]]
    if refused:
        parts.append(f"{refused} not comparable")
    st.text(f"{_between(found)}: {', '.join(parts) or 'nothing was compared'}.")
    if not told:
        st.info("Nothing of these can be compared; the reasons stand below.")
        return
    # Of tokens only a difference is news.
    news = {row["metric"] for _, _, row in told if row["better"] != "neither" or row["verdict"] in ("more", "fewer")}
    metrics = [name for name in against_words.METRICS if name in news]
    columns = [Column("endpoint"), Column("in"), number("n", "Pairs that both were asked")]
    columns += [Column(against_words.METRICS[name]) for name in metrics]
    cells: list[tuple[str | Cell, ...]] = []
    for pair in found["pairs"]:
        for group in pair["groups"]:
            by_metric = {row["metric"]: row for row in group["rows"]}
            told_of = [_short(by_metric.get(name), group) for name in metrics]
            cells.append((_b(pair, marks), against_words.place(group), str(group["counts"]["pairs"]), *told_of))
    tables.show("What differs", columns, cells)
    adjusted = f", adjusted for {found['family']} comparisons (Benjamini-Hochberg)" if found["family"] > 1 else ""
    st.caption(
        f"better, worse, more, fewer: the interval leaves out 0, and p is at most 0.05{adjusted}. same: the whole "
        "interval lies within what counts as the same. unclear: nothing was shown; a difference under what could have "
        "been seen may be there. ×: B over the baseline; in [ ]: 95 % intervals. Figures in their units stand below."
    )
    a, b = ([f"{pair[name]['run']}:{pair[name]['endpoint']}" for pair in found["pairs"]] for name in ("a", "b"))
    command = f"harness compare {shlex.quote(a[0])} {shlex.quote(b[0])} --same-within {alike:g}"
    st.caption("The same in the terminal, of the first endpoint:")
    st.code(words.plain(command), language=None, wrap_lines=True)


def _short(row: JsonObject | None, group: JsonObject) -> str:
    """Verdict, and how large the difference is with its interval."""
    if row is None:
        return words.NOTHING
    size = against_words.relative(row)
    return f"{_judgement(row, group)}\n{size}" if size else _judgement(row, group)


def _between(found: JsonObject) -> str:
    runs = dict.fromkeys((pair["a"]["run"], pair["b"]["run"]) for pair in found["pairs"])
    told = [f"within {a}" if a == b else f"{b} against {a}" for a, b in runs]
    return words.plain("; ".join(told)) or "Nothing"


def _figures() -> list[Column]:
    return [
        number("A, baseline", "Median of times, mean of amounts, share of failures, mean score"),
        number("B"),
        number("B − A", "Times: median of the pairs' differences; else their mean; shares in points"),
        number("95 % interval", "Order statistics or batch means for times, Student for amounts, Newcombe for shares"),
        number("B / A"),
        number("n", "Pairs that both answered; of failures, that both were asked"),
        number("p, adjusted"),
        number("could have seen", "Smallest true difference that so many pairs would have shown four times in five"),
    ]


def _cells(row: JsonObject) -> Iterator[str]:
    yield against_words.amount(row, row["a"])
    yield against_words.amount(row, row["b"])
    yield against_words.difference(row)
    yield against_words.interval(row)
    yield against_words.ratio(row)
    yield str(row["n"])
    yield against_words.p_value(row["p_adjusted"])
    yield against_words.could_have_seen(row)


def _b(pair: JsonObject, marks: Marks) -> Cell:
    return Cell(pair["b"]["endpoint"], marks[pair["b"]["endpoint"]])


def stage_table(found: JsonObject, stage: str, marks: Marks) -> None:
    """Every metric of one stage, all endpoints; and what must be known of the pairs."""
    own = [(pair, group) for pair in found["pairs"] for group in pair["groups"] if group["stage"] == stage]
    columns = [Column("of"), Column("endpoint"), *_figures(), Column("verdict")]
    rows: list[tuple[str | Cell, ...]] = [
        (against_words.metric(row), _b(pair, marks), *_cells(row), _judgement(row, group))
        for pair, group in own
        for row in group["rows"]
    ]
    tables.show(f"Comparison in {stage}", columns, rows)
    for pair, group in own:
        lines = (*against_words.pairs(group), *against_words.timing(group, pair), *_tokens(group))
        st.caption(f"{plain.code(pair['b']['endpoint'])}: {plain.message(' '.join(lines))}")
        for line in pair["identities"]:
            st.text(words.plain(line))


def _judgement(row: JsonObject, group: JsonObject) -> str:
    none = row["metric"] == "quality" and group["withheld"]
    return "unclear (coverage)" if none else verdict(row["verdict"])


def _tokens(group: JsonObject) -> Iterator[str]:
    """Where the same prompts are counted otherwise, a token is not the same thing on both sides."""
    for row in group["rows"]:
        if row["metric"] == "prompt_tokens" and row["verdict"] in ("more", "fewer"):
            yield (
                "The two count the same prompts as different numbers of tokens: other tokenizers or templates, so that "
                "ITL, tokens per second and token counts are of different tokens."
            )


def charts(chosen: choice.Chosen, asked: Asked, pairs: Sequence[JsonObject], stage: str, marks: Marks) -> None:
    """The spread of a time on both sides of one pair, and the difference at each quantile."""
    st.subheader("How times are spread", anchor=False)
    which, of = st.columns(2, vertical_alignment="bottom")
    with which:
        time = st.segmented_control("Time", list(TIMES), default="TTFT", key="time", required=True, bind="query-params")
    names = [pair["b"]["endpoint"] for pair in pairs]
    if st.session_state.get("of", names[0]) not in names:
        del st.session_state["of"]
    endpoint = of.selectbox("Against the baseline", names, key="of", bind="query-params")
    pair = next((pair for pair in pairs if pair["b"]["endpoint"] == endpoint), pairs[0])
    endpoint, title = pair["b"]["endpoint"], time if time in TIMES else "TTFT"
    asked_for = (chosen.version, chosen.run, asked.other, asked.baseline, endpoint, stage, title)
    found = queries.or_stop(lambda: compared.spread(*asked_for))
    if found is None:
        st.info("Nothing to draw: the times of these two are not compared, as said above.")
        return
    sides = [_side(pair, "a"), _side(pair, "b")]
    left, right = st.columns(2)
    with left:
        draw(
            overlay(found, sides, title, marks),
            key="spread",
            alt=f"Share of requests within so many ms, {title}, baseline and {endpoint}; figures in the table above",
            otherwise=f"no request of these has {title}.",
        )
        st.caption(plain.message(" ".join(_counted(found))))
    with right:
        draw(
            quantile_differences(found, endpoint, title, marks),
            key="shift",
            alt=f"Difference of each quantile of {title} with its 95 % interval; under 0 the endpoint is faster",
            otherwise=f"a quantile takes ten values on either side; these are {found['shifts_n']} pairs.",
        )
        quantiles = ", ".join(f"p{100 * row['q']:g}" for row in found["shifts"])
        st.caption(
            f"Over {found['shifts_n']} pairs that both answered. Below 0: faster than the baseline. Bars: pointwise "
            f"95 % intervals of a paired bootstrap. Not enough data for others than {quantiles or 'none'}: ten "
            "values must lie past a quantile, so that p99 takes 1,000 pairs."
        )


def _side(pair: JsonObject, name: str) -> tuple[str, str]:
    side = pair[name]
    run = "" if pair["same_run"] else f", {side['run']}"
    return f"{name.upper()}{' (baseline)' if name == 'a' else ''}: {side['endpoint']}{run}", side["endpoint"]


def _counted(found: JsonObject) -> Iterator[str]:
    for name, side in zip(("A", "B"), found["sides"], strict=True):
        failed = f", {side['n_failed']} failed" if side["n_failed"] else ", none failed"
        without = f", {side['n_without']} have no such time" if side["n_without"] else ""
        yield f"{name}: {side['n']} of {found['n']} drawn{failed}{without}."
    if any(side["n_failed"] for side in found["sides"]):
        yield "A failed request never comes: a curve ends that much below the top."


def not_comparable(found: JsonObject, marks: Marks) -> None:
    """What was refused, and why."""
    refused = [(pair, row) for pair in found["pairs"] for row in pair["not_compared"]]
    if not refused:
        return
    st.subheader("Not comparable", anchor=False)
    cells = [(against_words.place(row), _b(pair, marks), row["why"]) for pair, row in refused]
    tables.show("Not comparable", [Column("what"), Column("endpoint"), Column("why")], cells)


def configuration(chosen: choice.Chosen, asked: Asked, found: JsonObject, marks: Marks) -> None:
    """What the two sides of each pair have otherwise by their manifests."""
    st.subheader("What else differs: configuration", anchor=False)
    columns = [Column("endpoint"), Column("part"), Column("setting"), Column("A, baseline"), Column("B")]
    of_runs: list[config_diff.Difference] = []
    cells: list[tuple[str | Cell, ...]] = []
    alike: list[int] = []
    for pair in found["pairs"]:
        name = pair["b"]["endpoint"]
        differing, same = compared.configured(chosen.version, chosen.run, asked.other, asked.baseline, name)
        alike.append(same)
        cells += [(_b(pair, marks), *_setting(row)) for row in differing if not row.of_run]
        of_runs += [row for row in differing if row.of_run and row not in of_runs]
    if not cells and not of_runs:
        st.text(f"Nothing: all {min(alike, default=0)} settings that the manifests hold are alike.")
        return
    tables.show(
        "What else differs: configuration", columns, [*(("the runs", *_setting(row)) for row in of_runs), *cells]
    )
    st.caption("By the manifests: endpoint, quirks, prices, limits, and of two runs what was asked, versions, machine.")


def _setting(row: config_diff.Difference) -> tuple[str, ...]:
    return row.part, row.name, row.a or words.NOTHING, row.b or words.NOTHING
