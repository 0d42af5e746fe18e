"""guidellm: httpx client, wall clock; knows the mean ITL of a request, not its single gaps."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from truth import MODEL

from tools import PROMPT_TOKENS, Place, Reading, Tool, Work, load


def command(work: Work, root: str, folder: Path, place: Place) -> list[str | Path]:
    """Warm-up and cool-down are off by default."""
    profile = f"kind=constant,rate={work.rate:g}" if work.rate else f"kind=concurrent,streams={work.concurrency}"
    return [
        *(place.bin / "guidellm", "run", "--disable-console"),
        *("--backend", f"kind=openai_http,target={root},model={MODEL}"),
        *("--profile", profile),
        *("--constraint", f"kind=max_requests,count={work.requests}"),
        *("--tokenizer", f"kind=huggingface_auto,model={place.tokenizer}"),
        *("--data", f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={work.tokens}"),
        *("--output", f"kind=json,path={folder / 'guidellm.json'}"),
    ]


def read(folder: Path) -> Reading:
    """Its report: percentiles of successful requests, E2E in seconds."""
    benchmark = load(folder / "guidellm.json")["benchmarks"][0]
    metrics, totals = benchmark["metrics"], benchmark["metrics"]["request_totals"]
    ms = {}
    for ours, theirs, scale in (
        ("ttft", "time_to_first_token_ms", 1.0),
        ("itl_mean", "inter_token_latency_ms", 1.0),
        ("e2e", "request_latency", 1000.0),
    ):
        found = metrics[theirs]["successful"]["percentiles"]
        ms |= {(ours, 0.5): found["p50"] * scale, (ours, 0.99): found["p99"] * scale}
    errors = Counter(_kind(row["info"]["error"] or "") for row in benchmark["requests"]["errored"])
    return Reading(totals["successful"], totals["errored"], ms, dict(errors))


def _kind(error: str) -> str:
    """The exception's words up to the address or the place in the text, which differ by request."""
    return re.split(" for url |: line ", error)[0]


TOOL = Tool("guidellm", "0.8.1", command, read, packages=("guidellm==0.8.1",), torch="2.13.0")
