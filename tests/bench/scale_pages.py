"""The dashboard over many runs: ``python tests/bench/scale_pages.py [--runs N] [--folder F]``.

Prints what each page's questions to the database cost, what a first page and a change of page take in a real Chromium,
and the memory of the server. The runs are one run's files written anew with other times: nothing is sent. Not a test:
nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).parent
for _one in (HERE.parent, HERE.parents[1]):
    sys.path.insert(0, str(_one))

from browsing import ARGUMENTS, CHROMIUM, PAGES, WAIT_MS, drawn, serving  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402
from published import EPOCH, attempt, make_run, manifest, score, verdict  # noqa: E402
from streamlit.testing.v1 import AppTest  # noqa: E402

from harness.record.folder import RunFolder, list_runs  # noqa: E402
from harness.store import query  # noqa: E402
from harness.store.columns import SEALED  # noqa: E402
from harness.store.index import publish  # noqa: E402

ATTEMPTS = 2_500
"""Of each run: two endpoints, five levels of 200 requests, 200 questions and 50 probes."""
_ENDPOINTS = ("vendor/large", "vendor/small")
_LEVELS = (1, 2, 4, 8, 16)
_READING_MS = 2_000
# Looked at with each frame: what tests wait with looks twice a second, and adds as much.
_DRAWN = """title => [...document.querySelectorAll("h1")].some(head => head.innerText.trim() === title)
    && document.querySelector("[data-test-script-state=notRunning]") !== null"""
_APP = HERE.parents[1] / "dashboard" / "app.py"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--folder", type=Path, help="kept; default: a temporary one")
    parser.add_argument("--step", choices=("make", "queries", "browser"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        print(json.dumps(_STEPS[asked.step](asked.folder, asked.runs)))
        return
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="harness-scale-"))
    try:
        for step in _STEPS:
            command = [sys.executable, __file__, "--step", step, "--folder", str(folder), "--runs", str(asked.runs)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(f"{step:9} " + _told(json.loads(done.stdout.splitlines()[-1])), flush=True)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)


def _told(figures: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())


# --- the store -------------------------------------------------------------------------------------------


def _make(folder: Path, runs: int) -> dict[str, object]:
    began = time.perf_counter()
    missing = runs - len(list_runs(folder))
    if missing > 0:
        first = _template(folder.with_name(f"{folder.name}-one"))
        with query.converter() as connection:
            for number in range(missing):
                _again(connection, first, folder, number)
        shutil.rmtree(first.root.parents[1])
    made = time.perf_counter()
    publish(folder)
    published = time.perf_counter()
    return {
        "runs": runs,
        "attempts": runs * ATTEMPTS,
        "making_s": round(made - began, 1),
        "publish_s": round(published - made, 1),
        "database_mb": query.database_path(folder).stat().st_size // 1_000_000,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _template(results: Path) -> RunFolder:
    """The run whose files the others are made of."""
    draw = random.Random(0)
    rows, scores = [], []
    for name in _ENDPOINTS:
        for level in _LEVELS:
            stage = f"load.chat@c{level}"
            rows += [
                _row(draw, f"{stage}/{name}/{i}", level, endpoint=name, stage=stage, sample=str(i)) for i in range(200)
            ]
        for i in range(200):
            about = {"kind": "quality", "stage": "quality.sums", "task": "sums"}
            rows.append(_row(draw, f"sums/{name}/{i}", 1, endpoint=name, sample=str(i), **about))
            scores.append(score(f"sums/{name}/{i}", float(draw.random() < 0.8), endpoint=name, sample=str(i)))
        for i in range(50):
            about = {"kind": "probe", "stage": "probe.core", "task": f"probe.{i}"}
            rows.append(_row(draw, f"probe/{name}/{i}", 1, endpoint=name, sample="0", **about))
    verdicts = [
        verdict(f"probe.{i}", "broken" if i % 9 == 0 and name == _ENDPOINTS[1] else "supported")
        | {"endpoint": name, "evidence": [f"probe/{name}/{i}"]}
        for name in _ENDPOINTS
        for i in range(50)
    ]
    texts = [_text(row) for row in rows]
    run = make_run(results, "night", attempts=rows, scores=scores, verdicts=verdicts, texts=texts)
    assert len(rows) == ATTEMPTS
    return run


def _row(draw: random.Random, job: str, level: int, **changes: Any) -> dict[str, Any]:
    first, steps = 80 * draw.lognormvariate(0, 0.3) * level**0.3, [draw.randrange(8_000, 14_000) for _ in range(40)]
    last = first + sum(steps) / 1000
    known: dict[str, Any] = {"completion_tokens": 41, "prompt_tokens": 60, "cost_usd": 0.0001, "lag_max_ns": 90_000}
    known |= {"status": 200, "chunk_delta_us": [round(first * 1000), *steps], "chunk_events": [1] * 41}
    marks = {"send0": 0, "send1": 0.1, "hdr": first - 1, "ev1": first, "tok1": first, "vis1": first}
    if draw.random() < 0.01:
        known = {"failure_kind": "http_5xx", "failure_detail": "overloaded", "status": 503}
        marks, last = {"send0": 0, "send1": 0.1, "hdr": 5}, 6
    return attempt(job, ms=marks | {"tokn": last, "eof": last + 1}, **known, in_flight=level, **changes)


def _text(row: dict[str, Any]) -> dict[str, Any]:
    said = {"request_body": '{"messages": [{"role": "user", "content": "How many?"}]}', "response_body": "{}"}
    said |= {"text": "Forty-two. " * 10, "reasoning": None, "tool_calls_json": "[]", "response_headers_json": "[]"}
    return {"run_id": "?", "job_id": row["job_id"], "number": 0, "text_lossy": False} | said


def _again(connection: query.Connection, of: RunFolder, results: Path, number: int) -> None:
    """One more night: the same files, with other times from the first token on."""
    at = EPOCH + timedelta(days=number)
    root = results / "runs" / f"{at:%Y%m%d}t000000z-night-{number:06x}"
    root.mkdir(parents=True)
    # What is random follows the number: a second making gives the same store.
    factor = random.Random(number).lognormvariate(0, 0.05)
    for table in SEALED:
        source = of.parquet_path(table)
        if not source.exists():
            continue
        if table != "attempts":
            shutil.copyfile(source, root / source.name)
            continue
        marks = ("hdr_ns", "ev1_ns", "tok1_ns", "vis1_ns", "tokn_ns", "eof_ns")
        changed = {name: f"({name} * {factor})::bigint" for name in marks}
        changed["started_at"] = f"started_at + interval '{number} days'"
        query.rewrite_parquet(connection, source, root / source.name, changed)
    run = RunFolder(root)
    one, levels = manifest(run)["endpoints"][0], [f"load.chat@c{level}" for level in _LEVELS]
    load = manifest(run)["loads"][0]
    load["levels"] = [{"stage": stage, "law": f"closed({stage.partition('@c')[2]})", "n": 200} for stage in levels]
    about = {"created_at": f"{at.isoformat(timespec='milliseconds')}+00:00", "suite": "nightly", "planned": ATTEMPTS}
    about["probes"] = {"profile": "core", "ids": [f"probe.{i}" for i in range(50)]}
    run.write_manifest(manifest(run, endpoints=[one | {"id": name} for name in _ENDPOINTS], loads=[load], **about))


# --- what the pages ask ----------------------------------------------------------------------------------


def _queries(folder: Path, runs: int) -> dict[str, object]:
    """Seconds of each page's questions that nobody has asked before, one after another; in brackets of processor."""
    taken: dict[str, object] = {}
    sys.argv = ["app.py", str(folder)]
    for name in PAGES:
        with _asking() as spent:
            app = AppTest.from_file(_APP, default_timeout=300)
            if name != next(iter(PAGES)):
                app.switch_page(f"views/{name}.py")
            app.run()
            assert not app.exception
        taken[name] = f"{spent[0]:.2f} ({spent[1]:.2f})"
    return taken


@contextmanager
def _asking() -> Iterator[list[float]]:
    """The time that the database is open for a question; not while it is held open between two."""
    spent, really, nested = [0.0, 0.0], query.read_only, [0]

    @contextmanager
    def timed(*arguments: Any, **named: Any) -> Iterator[query.Connection]:
        nested[0] += 1
        before, began = nested[0], _now()
        with really(*arguments, **named) as connection:
            opened = _now()
            yield connection
            ended = _now()
        for place, at in enumerate(opened if nested[0] != before else ended):
            spent[place] += at - began[place]

    with mock.patch.object(query, "read_only", timed):
        yield spent


def _now() -> tuple[float, float]:
    """By the clock on the wall, and of the processor."""
    return time.perf_counter(), time.process_time()


# --- what a person waits for -----------------------------------------------------------------------------


def _browser(folder: Path, runs: int) -> dict[str, object]:
    """Seconds until each page is drawn; in brackets of processor that the server took."""
    taken: dict[str, object] = {}
    assert CHROMIUM, "no chromium on this machine"
    with sync_playwright() as playwright, serving(folder) as (address, process):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        began = time.perf_counter()
        page.goto(address)
        drawn(page)
        taken["first page"] = f"{time.perf_counter() - began:.1f} ({_busy_s(process.pid):.1f})"
        # Nobody reads a first page in less.
        page.wait_for_timeout(_READING_MS)
        for turn in ("new", "again"):
            for name in [*list(PAGES)[1:], next(iter(PAGES))]:
                link, busy = page.get_by_role("link", name=name.capitalize(), exact=True).first, _busy_s(process.pid)
                began = time.perf_counter()
                link.click()
                page.wait_for_function(_DRAWN, arg=name.capitalize(), polling="raf", timeout=WAIT_MS)
                spent = f"{time.perf_counter() - began:.2f} ({_busy_s(process.pid) - busy:.2f})"
                taken[f"{name} {turn}"] = spent
                drawn(page)
        for run in list_runs(folder)[:20]:
            page.goto(f"{address}/?run={run.id}")
            drawn(page)
        taken["server_mb"] = _rss_mb(process.pid)
        taken["load average"] = round(os.getloadavg()[0], 1)
        browser.close()
    return taken


def _busy_s(pid: int) -> float:
    """Processor time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


_STEPS = {"make": _make, "queries": _queries, "browser": _browser}

if __name__ == "__main__":
    main()
