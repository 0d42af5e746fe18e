"""Published runs for gates: loads in blocks, nights, questions; and a gate written as YAML beside them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from published import EPOCH, attempt, make_run, score, verdict

from harness.gates.file import read
from harness.gates.judge import judge
from harness.gates.judgement import Case, Judgement
from harness.record.folder import RunFolder
from harness.store.index import publish
from harness.types import JsonObject

OLD, NEW = "old/m", "new/m"
TODAY = date(2026, 3, 1)


@dataclass
class Made:
    """What one endpoint does in a run."""

    ttft: Sequence[float] = (100.0,)
    """Median of each block, ms."""
    failed: int = 0
    """Of each block's requests."""
    right: int | None = None
    """Of 200 questions; None: no task."""
    probes: Mapping[str, str] = field(default_factory=dict)


def run_of(
    results: Path, *, night: int = 0, n: int = 20, seed: int = 0, manifest: JsonObject | None = None, **sides: Made
) -> RunFolder:
    """A run of these endpoints (``old``, ``new``), so many nights after the first; it is not yet published."""
    names = [f"{name}/m" for name in sides]
    several = max(len(side.ttft) for side in sides.values())
    stages = [f"load.chat@c4#{block}" for block in range(1, several + 1)] if several > 1 else ["load.chat@c4"]
    levels = [{"stage": stage, "law": "closed(4)", "closed": True, "n": n} for stage in stages]
    if several > 1:
        levels = [level | {"block": block} for block, level in enumerate(levels, 1)]
    tasks = [{"name": "sums", "version": 1, "kind": "quality", "scorer": "exact", "scorer_version": 1, "n": 200}]
    about = {
        "created_at": (EPOCH + timedelta(days=night)).isoformat() + "+00:00",
        "finished_at": (EPOCH + timedelta(days=night, minutes=5)).isoformat() + "+00:00",
        "suite": "chat",
        "selection": {"repeats": 1, "blocks": several, "loads": ["chat"]},
        "os": "Linux-6.1-x86_64-with",
        "endpoints": [{**ENDPOINT, "id": name, "provider": name.partition("/")[0]} for name in names],
        "loads": [{"name": "chat", "version": 1, "slo": {}, "nonce": "request", "levels": levels}],
        "tasks": tasks if any(side.right is not None for side in sides.values()) else [],
        "probes": {"profile": "smoke", "ids": ["chat.basic", "tools.one"]},
    }
    rows = [
        one
        for name, side in zip(names, sides.values(), strict=True)
        for one in _load(name, side, stages, n, seed + night)
    ]
    questions = [pair for name, side in zip(names, sides.values(), strict=True) for pair in _questions(name, side)]
    made = make_run(
        results,
        about=about | (manifest or {}),
        attempts=rows + [row for row, _ in questions],
        scores=[one for _, one in questions],
        verdicts=[
            verdict(probe, word, endpoint=name, reason=f"{word} it is")
            for name, side in zip(names, sides.values(), strict=True)
            for probe, word in side.probes.items()
        ],
    )
    # Runs of one second have names in no order; these are told apart by their nights.
    stamp = (EPOCH + timedelta(days=night)).strftime("%Y%m%dt%H%M%Sz")
    placed = made.root.with_name(f"{stamp}-made-{len(list(made.root.parent.iterdir())):06x}")
    made.root.rename(placed)
    return RunFolder(placed)


ENDPOINT: JsonObject = {"kind": "hosted", "model": "m", "model_id": "m", "base_url": None, "engine": None} | {
    "engine_version": None,
    "price": None,
    "limits": {},
}


def _load(name: str, side: Made, stages: Sequence[str], n: int, seed: int) -> list[JsonObject]:
    draws = random.Random(f"{name}/{seed}")
    rows = []
    medians = list(side.ttft) if len(side.ttft) == len(stages) else [side.ttft[0]] * len(stages)
    for place, (stage, median) in enumerate(zip(stages, medians, strict=True)):
        for i in range(n):
            at = 1000.0 * (place * n + i)
            ttft = median * draws.lognormvariate(0.0, 0.02)
            marks = {"sched": at, "admit": at, "send0": at, "tok1": at + ttft, "tokn": at + ttft + 50}
            row = attempt(
                f"{stage}/{name}/{i}/0", endpoint=name, stage=stage, sample=str(i), ms=marks | {"eof": at + ttft + 50}
            )
            row |= {"completion_tokens": 11, "chunk_events": [1, 10], "workload_sha256": f"{stage}{i}", "status": 200}
            if i < side.failed:
                row |= {"failure_kind": "http_5xx", "failure_detail": "no <b>luck</b>"}
            rows.append(row)
    return rows


def _questions(name: str, side: Made) -> list[tuple[JsonObject, JsonObject]]:
    if side.right is None:
        return []
    made = []
    for i in range(200):
        row = attempt(f"quality.sums/{name}/s{i}/0", endpoint=name, kind="quality", stage="quality.sums", task="sums")
        row |= {"sample": f"s{i}", "workload_sha256": f"s{i}", "tok1_ns": 1, "tokn_ns": 2, "eof_ns": 2, "send0_ns": 0}
        made.append((row, score(row["job_id"], float(i < side.right), endpoint=name, sample=f"s{i}")))
    return made


def judged(results: Path, text: str, runs: Sequence[str] = ("latest",), today: date = TODAY) -> Judgement:
    """Publish what there is and judge a run by a gate of this text."""
    publish(results)
    path = results / "gate.yaml"
    path.write_text(text)
    return judge(results, read(path), runs, today=today)


def only(found: Judgement, **about: Any) -> Case:
    """The one case of which this is true."""
    kept = [case for case in found.cases if all(getattr(case, name) == value for name, value in about.items())]
    assert len(kept) == 1, found.cases
    return kept[0]
