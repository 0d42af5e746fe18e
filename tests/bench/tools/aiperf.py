"""AIPerf: aiohttp client in worker processes that talk over ZMQ."""

from __future__ import annotations

from pathlib import Path

from truth import MODEL

from tools import PROMPT_TOKENS, Place, Reading, Tool, Work, load


def command(work: Work, root: str, folder: Path, place: Place) -> list[str | Path]:
    """Collectors of GPU and server metrics are off, since there is neither; records are kept, as everywhere here."""
    rate = ("--request-rate", f"{work.rate or 0:g}", "--request-rate-mode", "constant")
    return [
        *(place.bin / "aiperf", "profile", "--url", root, "--model", MODEL, "--endpoint-type", "chat", "--streaming"),
        *(rate if work.rate else ("--concurrency", str(work.concurrency))),
        *("--request-count", str(work.requests), "--isl", str(PROMPT_TOKENS), "--osl", str(work.tokens)),
        *("--tokenizer", place.tokenizer or "", "--output-artifact-dir", folder / "aiperf", "--ui", "none"),
        *("--export-level", "records", "--no-server-metrics", "--no-gpu-telemetry"),
    ]


def read(folder: Path) -> Reading:
    """Its summary; ``inter_chunk_latency`` is every gap, its own ``inter_token_latency`` a mean per request."""
    told = load(folder / "aiperf" / "profile_export_aiperf.json")
    names = {"ttft": "time_to_first_token", "itl": "inter_chunk_latency", "e2e": "request_latency"}
    quantiles = {0.5: "p50", 0.99: "p99"}
    ms = {(name, q): told[key][p] for name, key in names.items() if told.get(key) for q, p in quantiles.items()}
    failures: dict[str, int] = {}
    for entry in told["error_summary"]:
        details = entry["error_details"]
        label = " ".join(str(details[key]) for key in ("code", "type", "message") if details.get(key))
        failures[label] = failures.get(label, 0) + entry["count"]
    return Reading(round(told["request_count"]["avg"]), sum(failures.values()), ms, failures)


# With HF_HUB_OFFLINE=1 it takes the tokenizer's folder for the id of a repository and stops (0.13.0).
TOOL = Tool("aiperf", "0.13.0", command, read, packages=("aiperf==0.13.0",), environment={})
