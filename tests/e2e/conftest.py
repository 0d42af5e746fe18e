"""What the browser's tests share: a real run and a hostile one, the real command that serves them, a real Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import ARGUMENTS, CHROMIUM, HOSTILE, harness, served
from playwright.sync_api import Browser, Page, sync_playwright
from published import attempt, make_run, manifest, score, verdict

from harness.store.index import publish

OWN_TASKS = {
    "loads/brisk.py": """
from harness.run.arrivals import Closed
from harness.types import Load, Sample


def sample(seed, index):
    return Sample(id=f"{seed}-{index}", messages=({"role": "user", "content": f"{index}"},), params={"max_tokens": 8})


LOAD = Load("brisk", 1, "Eight short prompts.", (Closed(2), Closed(4)), 8, sample, warmup=0)
""",
    "suites/brisk.yaml": "{tasks: ['arithmetic:6'], loads: [brisk], probes: core}",
}


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a real small run on two simulated vendors, and of a made run full of markup."""
    home = tmp_path_factory.mktemp("home")
    for name, text in OWN_TASKS.items():
        path = home / "tasks" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    harness("run", "brisk", "-e", "steady-vendor/sim-small", "-e", "flaky-vendor/sim-small", cwd=home)
    folder = home / "results"
    _hostile_run(folder)
    return folder


def _hostile_run(folder: Path) -> None:
    """An older run with load, whose names, answers and errors are all markup."""
    marks = {"send0": 0, "tok1": 100, "vis1": 100, "tokn": 300, "eof": 302}
    known = {"endpoint": HOSTILE, "cost_usd": 0.001, "completion_tokens": 4, "prompt_tokens": 3}
    known |= {"chunk_delta_us": [100_000, 200_000], "chunk_events": [1, 3]}
    rows = [attempt(f"{HOSTILE}/{i}", sample=f"{HOSTILE}{i}", ms=marks, **known) for i in range(7)]
    rows.append(attempt("q", kind="quality", stage="quality.sums", task="sums", sample=HOSTILE, ms=marks, **known))
    # Another one answers the same question, and wrongly.
    other = known | {"endpoint": f"{HOSTILE}2", "response_model": HOSTILE}
    rows.append(attempt("w", kind="quality", stage="quality.sums", task="sums", sample=HOSTILE, ms=marks, **other))
    said = dict.fromkeys(("request_body", "response_body", "text", "reasoning"), HOSTILE)
    texts = [
        {"run_id": "?", "job_id": row["job_id"], "number": 0, **said, "tool_calls_json": "[]"}
        | {"response_headers_json": json.dumps([["x", HOSTILE]]), "text_lossy": False}
        for row in rows
    ]
    about = {"endpoint": HOSTILE, "reason": HOSTILE, "title": HOSTILE, "actual": HOSTILE}
    run = make_run(
        folder,
        "hostile",
        attempts=rows,
        texts=texts,
        scores=[
            score(job, value, endpoint=name, sample=HOSTILE, explanation=HOSTILE, answer=HOSTILE)
            for job, value, name in (("q", 1.0, HOSTILE), ("w", 0.0, f"{HOSTILE}2"))
        ],
        verdicts=[verdict("p", "broken") | about | {"evidence": [rows[0]["job_id"]]}],
    )
    first = manifest(run)["endpoints"][0]
    named = [first | {"id": name, "model_id": name} for name in (HOSTILE, f"{HOSTILE}2")]
    # It is a verification as well, so that it has scorecards.
    selection = {"twice": True, "repeats": 1, "endpoints": [one["id"] for one in named]}
    probes = {"profile": HOSTILE, "ids": ["p"]}
    run.write_manifest(manifest(run, suite=HOSTILE, endpoints=named, probes=probes, selection=selection))
    publish(folder)


@pytest.fixture(scope="session")
def address(results: Path) -> Iterator[str]:
    """Where these results are served."""
    with served(results) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium of the machine; not for longer than a module, for it brings a running event loop."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: install it, for example with `apt-get install chromium`")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may talk to this machine alone; the test fails if it tried anything else."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    found = context.new_page()
    asked: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.on("websocket", lambda socket: asked.append(socket.url))
    yield found
    context.close()
    away = [url for url in asked if urlsplit(url).scheme in ("http", "https", "ws", "wss")]
    assert [url for url in away if urlsplit(url).hostname != "127.0.0.1"] == []
    assert away
