"""Ours: the command line as a user runs it (``harness load``), and our wire alone, driven from Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from environments import NotHereError
from truth import MODEL

import harness
from tools import PROMPT_TOKENS, Place, Reading, Tool, Work, load

PROFILE = "chat"


def command(work: Work, root: str, folder: Path, place: Place) -> list[str | Path]:
    """No calibration, warm-up or scraping of metrics: every request that the server sees is one that is reported."""
    harness_command = place.bin / "harness"
    known = subprocess.run([harness_command, "load", "--help"], check=False, capture_output=True, text=True)
    if known.returncode:
        raise NotHereError("this checkout has no `harness load`")
    rate = ("--rate", f"{work.rate or 0:g}", "--arrival", "constant")
    return [
        *(harness_command, "load", PROFILE, "--endpoint", f"bench/{MODEL}", "--providers", providers(root, folder)),
        *(rate if work.rate else ("--concurrency", str(work.concurrency))),
        *("--requests", str(work.requests), "--output-tokens", str(work.tokens)),
        *("--input-tokens", str(PROMPT_TOKENS), "--warmup", "0", "--no-calibrate", "--no-scrape"),
        *("--results", folder / "results", "--json"),
    ]


def providers(root: str, folder: Path) -> Path:
    """A user's file: it is the same from run to run, though this server's port is not."""
    scheme, _, os.environ["BENCH_ADDRESS"] = root.partition("://")
    base_url = f"{scheme}://${{BENCH_ADDRESS}}/v1"
    provider = {"kind": "hosted", "base_url": base_url, "auth": {"scheme": "none"}, "models": {MODEL: MODEL}}
    path = folder / "providers.yaml"
    path.write_text(json.dumps({"providers": {"bench": provider}}))
    return path


def read(folder: Path) -> Reading:
    """The sealed attempts: TTFT and E2E since the sending, and every gap between output events.

    A read that held several events has one stamp, so that the gaps inside it are 0.
    """
    found = sorted((folder / "results" / "runs").glob("*/attempts.parquet"))
    if not found:
        raise NotHereError("left no attempts.parquet")
    rows: list[dict[str, Any]] = pq.read_table(found[-1]).to_pylist()
    rows = [row for row in rows if row["phase"] == "measure"]
    good = [row for row in rows if row["failure_kind"] is None]
    failures: dict[str, int] = {}
    for row in rows:
        if (kind := row["failure_kind"]) is not None:
            failures[kind] = failures.get(kind, 0) + 1
    gaps = [_gaps(np.array(row["chunk_delta_us"]) / 1000, np.array(row["chunk_events"])) for row in good]
    return summarised(
        [(row["tok1_ns"] - row["send0_ns"]) / 1e6 for row in good],
        [(row["tokn_ns"] - row["send0_ns"]) / 1e6 for row in good],
        gaps,
        failures,
    )


def read_wire(folder: Path) -> Reading:
    """What ``wire.py`` wrote: a list of marks for each stream, in nanoseconds since it was sent."""
    told = load(folder / "wire.json")
    ttft, e2e, gaps = [], [], []
    for stream in told["streams"]:
        at = np.array(stream["at_ns"]) / 1e6
        ttft.append(float(at[0]))
        e2e.append(float(at[-1]))
        gaps.append(_gaps(np.diff(at, prepend=0), np.array(stream["events"])))
    return summarised(ttft, e2e, gaps, told["failures"])


def summarised(ttft: list[float], e2e: list[float], gaps: Sequence[np.ndarray], failures: dict[str, int]) -> Reading:
    """Percentiles with linear interpolation, as the truth's."""
    ms = {}
    values = {"ttft": np.array(ttft), "e2e": np.array(e2e), "itl": np.concatenate(gaps) if gaps else np.array([])}
    for name, each in values.items():
        if len(each):
            ms |= {(name, q): float(np.quantile(each, q)) for q in (0.5, 0.99)}
    return Reading(len(ttft), sum(failures.values()), ms, failures)


def _gaps(steps_ms: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Gaps between single output events, from the steps between reads and the events in each."""
    inside = np.zeros(int(np.maximum(events, 1).sum()) - len(events))
    return np.concatenate([steps_ms[1:], inside])


def command_wire(work: Work, root: str, folder: Path, place: Place) -> list[str | Path]:
    """Our wire in a process of its own; "blocked" in the work's name keeps its loop busy 15 of every 35 ms."""
    script = Path(__file__).parents[1] / "wire.py"
    words = [f"{root}/v1", work.requests, work.concurrency, work.tokens, folder / "wire.json"]
    words += ["--blocked"] if "blocked" in work.name else []
    words += ["--ca", folder / "cert.pem"] if work.tls else []
    return [sys.executable, script, *map(str, words)]


TOOL = Tool("ours", harness.__version__, command, read)
WIRE = Tool("ours (wire)", harness.__version__, command_wire, read_wire, named_only=True)
