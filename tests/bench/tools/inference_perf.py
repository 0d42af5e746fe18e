"""inference-perf: aiohttp client in one worker process per core; asks /v1/completions, since its random data does."""

from __future__ import annotations

import json
from pathlib import Path

from truth import MODEL

from tools import PROMPT_TOKENS, Place, Reading, Tool, Work, load


def command(work: Work, root: str, folder: Path, place: Place) -> list[str | Path]:
    """Its settings are a YAML file, of which JSON is a part; two workers, as it would choose on two cores."""
    if work.rate:
        load_block = {"type": "constant", "stages": [{"rate": work.rate, "duration": round(work.requests / work.rate)}]}
        load_block["worker_max_concurrency"] = 2000  # its default of 100 would hold requests back
    else:
        stage = {"num_requests": work.requests, "concurrency_level": work.concurrency}
        load_block = {"type": "concurrent", "stages": [stage]}
    settings = {
        "api": {"type": "completion", "streaming": True},
        "data": {
            "type": "random",
            "input_distribution": _fixed(PROMPT_TOKENS, work.requests),
            "output_distribution": _fixed(work.tokens, work.requests),
        },
        "load": {**load_block, "num_workers": min(2, work.concurrency) if not work.rate else 2},
        "server": {"type": "vllm", "model_name": MODEL, "base_url": root, "ignore_eos": True},
        "tokenizer": {"pretrained_model_name_or_path": str(place.tokenizer)},
        "storage": {"local_storage": {"path": str(folder / "inference-perf")}},
        "report": {"request_lifecycle": {"summary": True, "per_stage": True, "per_request": True}},
    }
    (folder / "inference-perf.yaml").write_text(json.dumps(settings))
    return [place.bin / "inference-perf", "-c", folder / "inference-perf.yaml"]


def read(folder: Path) -> Reading:
    """Its summary, in seconds; a run of which nothing succeeded has no percentiles."""
    told = load(folder / "inference-perf" / "summary_lifecycle_metrics.json")
    good, bad = told["successes"], told["failures"]
    names = {"ttft": "time_to_first_token", "itl": "inter_token_latency", "e2e": "request_latency"}
    ms = {}
    for ours, theirs in names.items():
        if found := (good.get("latency") or {}).get(theirs):
            ms |= {(ours, 0.5): found["median"] * 1000, (ours, 0.99): found["p99"] * 1000}
    labels = {label: entry["count"] for label, entry in (bad.get("by_label") or {}).items()}
    return Reading(good["count"], bad["count"], ms, labels)


def _fixed(tokens: int, requests: int) -> dict[str, int]:
    return {"min": tokens, "max": tokens, "mean": tokens, "std_dev": 0, "total_count": requests}


# The tokenizers library is named for the training of the tokenizer; it depends on it through transformers anyway.
TOOL = Tool("inference-perf", "0.7.0", command, read, packages=("inference-perf==0.7.0", "tokenizers"), python=(3, 12))
