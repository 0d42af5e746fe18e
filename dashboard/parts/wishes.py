"""What whoever decides wants: limits, weights and volumes, all of them kept in the address."""

from __future__ import annotations

import streamlit as st

from harness.report.decision.measures import CRITERIA
from harness.report.decision.monthly import Volumes
from harness.report.decision.whole import Wishes
from harness.types import Slo

_TOKENS = ("measured", "as given")


def ask(loads: list[str], baseline: str) -> tuple[str | None, Wishes]:
    """The load that is looked at and the wishes; ``loads`` are those of the run."""
    with st.container(border=True):
        st.markdown("**What you need**")
        load, limits, share = _limits(loads)
        left, right = st.columns(2)
        with left.expander("Weights"):
            weights = _weights()
        with right.expander("Volumes and servers"):
            volumes, hourly, as_given = _volumes(baseline)
    return load, Wishes(weights, limits, share / 100, volumes, hourly, as_given)


def _limits(loads: list[str]) -> tuple[str | None, Slo, int]:
    """Which requests, how fast, and how many of them; a limit of 0 is none."""
    places = st.columns(5)
    if loads and st.query_params.get("workload") not in (None, *loads):
        del st.query_params["workload"]  # of another run
    load = places[0].selectbox("Workload", loads, key="workload", bind="query-params", disabled=not loads)
    ttft = _limit(places[1], "TTFT at most, ms", "max_ttft", 800, 5000, 50)
    tpot = _limit(places[2], "TPOT at most, ms", "max_tpot", 0, 500, 5)
    e2e = _limit(places[3], "E2E at most, ms", "max_e2e", 0, 60_000, 500)
    share = places[4].slider(
        "Share inside, %", 50, 99, 95, 1, key="share", bind="query-params", help="What a server must keep to count"
    )
    return load, Slo(*(float(limit) if limit else None for limit in (ttft, tpot, e2e))), share


def _limit(place: st.delta_generator.DeltaGenerator, name: str, key: str, usual: int, most: int, step: int) -> int:
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
