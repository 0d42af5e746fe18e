"""evalscope perf: aiohttp client in one process; its open loop is Poisson only."""

from __future__ import annotations

from pathlib import Path

from environments import NotHereError
from truth import MODEL

from tools import PROMPT_TOKENS, Place, Reading, Tool, Work, load


def command(work: Work, root: str, folder: Path, place: Place) -> list[str | Path]:
    """The connection test is off: it would be one more request."""
    rate = ("--rate", f"{work.rate or 0:g}", "--open-loop")
    return [
        *(place.bin / "evalscope", "perf", "--url", f"{root}/v1/chat/completions", "--model", MODEL, "--api", "openai"),
        *("--tokenizer-path", place.tokenizer or "", "--dataset", "random", "--prefix-length", "0"),
        *("--min-prompt-length", str(PROMPT_TOKENS), "--max-prompt-length", str(PROMPT_TOKENS)),
        *("--min-tokens", str(work.tokens), "--max-tokens", str(work.tokens), "--stream", "--no-test-connection"),
        *("-n", str(work.requests), *(rate if work.rate else ("--parallel", str(work.concurrency)))),
        *("--outputs-dir", folder / "evalscope", "--no-timestamp"),
    ]


def read(folder: Path) -> Reading:
    """Its percentiles (E2E in seconds) and its counts; failures have no kinds."""
    found = sorted((folder / "evalscope").rglob("benchmark_summary.json"))
    if not found:
        raise NotHereError("left no benchmark_summary.json")
    told, rows = load(found[0]), load(found[0].with_name("benchmark_percentile.json"))
    quantiles = {"50%": 0.5, "99%": 0.99}
    ms = {}
    for row in rows:
        if (quantile := quantiles.get(row["Percentiles"])) is not None:
            ms |= {("ttft", quantile): row["TTFT (ms)"], ("itl", quantile): row["ITL (ms)"]}
            ms["e2e", quantile] = row["Latency (s)"] * 1000
    failed = told["Failed Requests"]
    return Reading(told["Success Requests"], failed, ms, {"failed": failed} if failed else {})


TOOL = Tool("evalscope", "1.14.1", command, read, packages=("evalscope[perf]==1.14.1",), even=False)
