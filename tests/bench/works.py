"""What is asked of every tool, and which figures are drawn from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from table import Figures, Row, Sheet, net, of
from tools import Reading, Tool, Work
from truth import Shape, Truth

PACED = Shape(ttft_ms=200, itl_ms=20)
FAULTY = {"drop": 4.5, "reset": 1.5, "http 429": 2.5, "http 500": 1.5, "malformed": 2.5, "error event": 4.5, "empty": 1}
"""Percent. Of 400 requests in order the C server spoils 19, 7, 10, 5, 9, 20 and 4: seven numbers that all differ."""
BUSY = Shape(ttft_ms=50, itl_ms=5)
WIRE = ("ours (wire)",)

WORKS = (
    Work("start", 10, 64),
    Work("accuracy", 1024, 64, 256, shape=PACED),
    Work("accuracy, wire", 512, 64, 256, shape=PACED, only=WIRE),
    Work("accuracy, wire blocked", 512, 64, 256, shape=PACED, only=WIRE),
    Work("accuracy, wire blocked, TLS", 512, 64, 256, shape=PACED, only=WIRE, tls=True),
    Work("long", 4000, 128, 64),
    Work("short", 5000, 8, 256),
    Work("open 200/s", 2000, 16, rate=200, shape=BUSY),
    Work("open 1000/s", 10_000, 16, rate=1000, shape=BUSY),
    Work("1,000 streams", 1000, 32, 1000, shape=Shape(ttft_ms=2000, itl_ms=200), memory=True),
    Work("10,000 streams", 10_000, 8, 10_000, shape=Shape(ttft_ms=4000, itl_ms=2000), memory=True, only=("ours",)),
    Work("faults", 400, 16, 16, shape=Shape(ttft_ms=10, itl_ms=2, faults=FAULTY)),
)


def quick(work: Work) -> Work:
    """The same with a tenth of the requests where they are many, to see that everything works."""
    least = work.concurrency if work.rate is None else 100
    return work if work.requests <= 400 else dataclasses.replace(work, requests=max(least, work.requests // 10))


def figures(tool: Tool, work: Work, truth: Truth, reading: Reading, spent: Mapping[str, Any]) -> Figures:
    """Every figure of one run; CPU is still gross, the tool's own start is taken off in the table."""
    if tool.named_only:
        truth = truth.longer_than(1)
    found: Figures = {"n_ok": reading.n_ok, "n_failed": reading.n_failed, "n_seen": len(truth.read)}
    found |= {"cpu_s": spent["cpu_s"], "wall_s": spent["wall_s"], "chunks": float(truth.tokens.sum())}
    found["chunks_per_s"] = found["chunks"] / truth.seconds()
    if work.memory:
        found["peak_pss_mb"] = spent["peak_pss_mb"]
    for (metric, share), told_ms in reading.ms.items():
        at = truth.latencies()[metric]
        if len(at):
            found[f"{metric}_p{share * 100:.0f}_error_ms"] = told_ms - float(np.quantile(at, share))
    if work.rate is not None:
        span_s = float(truth.read.max() - truth.read.min()) / 1e9
        found["achieved_per_s"] = (len(truth.read) - 1) / span_s
        if tool.even:
            slips = truth.slips_ms(work.rate)
            found |= {"slip_p50_ms": float(np.quantile(slips, 0.5)), "slip_p99_ms": float(np.quantile(slips, 0.99))}
    if work.shape.faults:
        bad = truth.bad()
        found["bad"] = sum(bad.values())
        found["bad_missed"] = max(0, found["bad"] - reading.n_failed)
        found["kinds_named"] = named(bad, reading.failures)
    return found


def named(bad: Mapping[str, int], labels: Mapping[str, int]) -> int:
    """How many kinds of fault the tool has a word of its own for, with the exact number of them."""
    left = list(labels.values())
    hits = 0
    for number in bad.values():
        if number in left:
            left.remove(number)
            hits += 1
    return hits


# --- rows of the table ---------------------------------------------------------------------------------------


def _itl(run: Figures, _: Figures | None) -> float | None:
    return run.get("itl_p99_error_ms", run.get("itl_mean_p99_error_ms"))


def _errors(work: str) -> list[Row]:
    return [
        (work, "TTFT p50 error, ms", of("ttft_p50_error_ms")),
        (work, "TTFT p99 error, ms", of("ttft_p99_error_ms")),
        (work, "ITL p99 error, ms", _itl),
        (work, "E2E p99 error, ms", of("e2e_p99_error_ms")),
    ]


def _slips(work: str) -> list[Row]:
    return [
        (work, "slip p50, ms", of("slip_p50_ms")),
        (work, "slip p99, ms", of("slip_p99_ms")),
        (work, "achieved per second", of("achieved_per_s")),
    ]


HEADS = {
    "accuracy": "256 streams, TTFT 200 ms, ITL 20 ms, 64 tokens",
    "accuracy, wire": "the same, our wire alone",
    "accuracy, wire blocked": "the same, its loop blocked in bursts of 15 ms",
    "accuracy, wire blocked, TLS": "the same over TLS",
    "long": "64 streams, 128 tokens, unpaced",
    "short": "256 streams, 8 tokens, unpaced",
    "open 200/s": "open loop, 200/s for 10 s",
    "open 1000/s": "open loop, 1,000/s for 10 s",
    "1,000 streams": "1,000 streams at once",
    "10,000 streams": "10,000 streams at once",
    "start": "10 requests, whole command",
    "faults": "400 requests, 74 bad in 7 ways",
}
"""Each work in the words of the table."""

ROWS: list[Row] = [
    *_errors("accuracy"),
    *_errors("accuracy, wire"),
    *_errors("accuracy, wire blocked"),
    *_errors("accuracy, wire blocked, TLS"),
    ("long", "CPU s per million chunks", net("cpu_s", 1e6, "chunks")),
    ("long", "chunks per second", of("chunks_per_s")),
    ("short", "CPU ms per request", net("cpu_s", 1e3, "n_seen")),
    *_slips("open 200/s"),
    *_slips("open 1000/s"),
    ("1,000 streams", "peak memory (PSS of the tree), MB", of("peak_pss_mb")),
    ("1,000 streams", "TTFT p99 error, ms", of("ttft_p99_error_ms")),
    ("10,000 streams", "answered", of("n_ok")),
    ("10,000 streams", "peak memory (PSS of the tree), MB", of("peak_pss_mb")),
    ("start", "wall, s", of("wall_s")),
    ("start", "CPU, s", of("cpu_s")),
    ("faults", "wall, s", of("wall_s")),
    ("faults", "bad ones not told as failed", of("bad_missed")),
    ("faults", "ways told apart by name, with the exact number", of("kinds_named")),
]


def _notes(results: dict[str, Any], tools: Sequence[Tool]) -> list[str]:
    """Answers that are missing, and what a tool cannot be asked for."""
    notes = []
    if any("itl_mean_p99_error_ms" in run.get("figures", {}) for run in results["runs"]):
        notes.append("- guidellm's ITL is a mean per request; it is held against the same mean of the truth.")
    notes += [f"- {tool.name} sends at Poisson times only, so it has no slip." for tool in tools if not tool.even]
    told: dict[tuple[str, str], str] = {}
    for run in results["runs"]:
        found = run.get("figures")
        if found and found["n_ok"] != run["requests"] and "bad" not in found:
            seen = f"the server saw {found['n_seen']:,.0f}"
            told[run["tool"], run["work"]] = f"{found['n_ok']:,.0f} of {run['requests']:,} told as answered; {seen}"
    return notes + [f"- {tool}, {work}: {words}" for (tool, work), words in sorted(told.items())]


SHEET = Sheet({work.name: work.requests for work in WORKS}, HEADS, ROWS, _notes, {"ours (wire)": "ours"})
