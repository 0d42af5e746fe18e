"""Which endpoint is how good, how fast, how dear: one run at a glance."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, queries
from harness.report import words

version = queries.version()
runs = queries.or_stop(lambda: queries.runs(version))
st.title("Overview")
if runs.empty:
    st.info("No runs yet. Make one with: harness demo", icon=":material/info:")
    st.stop()
run = st.selectbox("Run", list(runs["run_id"]), key="run", bind="query-params")
summary = queries.or_stop(lambda: queries.summary(version, run))
endpoints = summary["endpoints"]

st.caption(
    f"{summary['run']['suite']} · {summary['run']['status']} · {summary['run']['created_at']} · [95 % intervals]"
)
overview = pd.DataFrame(
    [
        {
            "endpoint": row["endpoint"],
            "quality": words.share(row["quality"]),
            "tool calls": words.share(row["tools"]),
            "TTFT p50 ms": words.spread(row.get("ttft_p50_ms"), row["ttft_p50_interval_ms"]),
            "TTFT p95 ms": words.spread(row.get("ttft_p95_ms"), row["ttft_p95_interval_ms"]),
            "tok/s": words.number(row.get("output_tokens_per_s"), 1),
            "cost USD": words.cost(row.get("cost_usd")),
            "features failed": words.features(row),
            "errors": words.errors(row),
        }
        for row in endpoints
    ]
)
st.table(overview.set_index("endpoint"))

left, right = st.columns(2)
with left:
    figure = charts.quality_against(endpoints, "ttft_p50_ms", "TTFT p50, ms")
    st.plotly_chart(figure, key="quality_ttft", width="stretch", alt="Quality against time to first token")
with right:
    figure = charts.quality_against(endpoints, "cost_usd", "cost of this run, USD")
    st.plotly_chart(figure, key="quality_cost", width="stretch", alt="Quality against cost")
    unknown = [row["endpoint"] for row in endpoints if row.get("cost_usd") is None]
    if unknown:
        st.caption(f"Cost unknown, so not drawn: {', '.join(unknown)}")

if summary["comparisons"]:
    st.subheader(f"Against {summary['comparisons'][0]['baseline']}, on what both answered")
    compared = pd.DataFrame(
        [
            {
                "metric": words.METRICS[row["metric"]],
                "endpoint": row["endpoint"],
                "difference": words.value(row),
                "95 % interval": words.bounds(row),
                "n": row["n"],
                "could have seen": words.could_have_seen(row),
                "verdict": row["verdict"],
            }
            for row in summary["comparisons"]
        ]
    )
    st.table(compared.set_index("metric"))

if summary["loads"]:
    st.subheader("Streaming load")
    names = [row["endpoint"] for row in endpoints]
    left, right = st.columns(2)
    with left:
        figure = charts.load_levels(summary["loads"], names, "ttft_p95_ms", "TTFT p95, ms")
        st.plotly_chart(figure, key="load_ttft", width="stretch", alt="TTFT p95 by load level")
    with right:
        figure = charts.load_levels(summary["loads"], names, "output_tokens_per_s", "output tokens/s, all users")
        st.plotly_chart(figure, key="load_speed", width="stretch", alt="Throughput by load level")

if summary["features"]:
    st.subheader("Features not fully supported")
    columns = ["probe", "endpoint", "verdict", "reason"]
    st.dataframe(pd.DataFrame(summary["features"])[columns], hide_index=True, width="stretch")
