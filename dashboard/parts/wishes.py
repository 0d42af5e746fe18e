"""What whoever decides wants: limits, weights and volumes, all of them kept in the address."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harness.report.charts.levels import level_name
from harness.report.decision.attainment import ALL
from harness.report.decision.measures import CRITERIA
from harness.report.decision.monthly import Volumes
from harness.report.decision.whole import Wishes, levels_of, loads_of
from harness.types import JsonObject, Slo

_TOKENS = ("measured", "as given")


def ask(summary: JsonObject, baseline: str) -> tuple[str | None, Wishes]:
    """The load that is looked at, and the wishes."""
    with st.container(border=True):
        st.markdown("**What you need**")
        places = st.columns(6)
        load = _one_of(places[0], "Workload", loads_of(summary), "workload")
        level = _one_of(places[1], "Level", [ALL, *levels_of(summary, load)], "level") or ALL
        ttft = _limit(places[2], "TTFT at most, ms", "max_ttft", 800, 5000, 50)
        tpot = _limit(places[3], "TPOT at most, ms", "max_tpot", 0, 500, 5)
        e2e = _limit(places[4], "E2E at most, ms", "max_e2e", 0, 60_000, 500)
        help_ = "What a server of one's own, and who is asked first, must keep"
        share = places[5].slider("Share inside, %", 50, 99, 95, 1, key="share", bind="query-params", help=help_)
        left, right = st.columns(2)
        with left.expander("Weights"):
            weights = _weights()
        with right.expander("Volumes and servers"):
            volumes, hourly, as_given = _volumes(baseline)
    limits = Slo(*(float(limit) if limit else None for limit in (ttft, tpot, e2e)))
    return load, Wishes(weights, level, limits, share / 100, volumes, hourly, as_given)


def _one_of(place: DeltaGenerator, name: str, choices: list[str], key: str) -> str | None:
    """The first, where the address names none of them, as that of another run may."""
    if st.session_state.get(key) not in choices:
        st.session_state.pop(key, None)
    found = place.selectbox(
        name,
        choices,
        key=key,
        bind="query-params",
        disabled=not choices,
        format_func=lambda one: level_name(one) or "all",
    )
    return found if found in choices else None


def _limit(place: DeltaGenerator, name: str, key: str, usual: int, most: int, step: int) -> int:
    return place.slider(
        name, 0, most, usual, step, key=key, bind="query-params", help="From the planned arrival; 0: any"
    )


def _weights() -> dict[str, float]:
    st.caption(
        "How much each measure counts; 0 leaves it out. What is not known of an endpoint counts from worst to best."
    )
    places = st.columns(2)
    return {
        one.name: float(places[i % 2].slider(one.title, 0, 10, 1, 1, key=f"weigh_{one.name}", bind="query-params"))
        for i, one in enumerate(CRITERIA)
    }


def _volumes(baseline: str) -> tuple[Volumes, float | None, bool]:
    st.text(f"Tokens as {baseline} counts them.")
    left, right = st.columns(2)
    with left:
        requests = _number("Requests a day", "requests", 10_000, 1, 1_000_000_000, 1000)
        given = _number("Input tokens of a request", "input", 1000, 0, 10_000_000, 100)
        said = _number("Output tokens of a request", "output", 300, 0, 10_000_000, 50)
        tokens = st.segmented_control(
            "Tokens of the others",
            _TOKENS,
            default=_TOKENS[0],
            key="tokens",
            bind="query-params",
            required=True,
            help="measured: as many more or fewer as the same requests took there; as given: the same for all",
        )
    with right:
        cached = st.slider("Input served by a cache, %", 0, 100, 0, 1, key="cached", bind="query-params")
        peak = st.slider("Busiest time over the mean", 1.0, 20.0, 2.0, 0.5, key="peak", bind="query-params")
        hourly = st.number_input(
            "USD of an hour of a local server",
            0.0,
            10_000.0,
            0.0,
            0.1,
            key="hourly",
            bind="query-params",
            help="Of local servers whose price is not stored with the run; 0: not known",
        )
    return Volumes(requests, given, said, cached / 100, peak), hourly or None, tokens == _TOKENS[1]


def _number(name: str, key: str, usual: int, least: int, most: int, step: int) -> int:
    return int(st.number_input(name, least, most, usual, step, key=key, bind="query-params"))
