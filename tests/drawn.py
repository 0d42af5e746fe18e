"""Drawing a page of the dashboard without a browser, over a made store."""

import sys
from pathlib import Path
from typing import Any

import pytest
from published import attempt, make_run, manifest, score, verdict
from streamlit.testing.v1 import AppTest

from harness.record.folder import RunFolder
from harness.store.index import publish

APP = Path(__file__).parents[1] / "dashboard" / "app.py"
PAGES = tuple(
    f"views/{name}.py" for name in ("decide", "compare", "load", "features", "fidelity", "trend", "quality", "runs")
)
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> <b>b</b> **m** [a](http://evil.example/) $x^2$ "
    ":material/home: :smile: :red[x] <a href='http://evil.example'>l</a> `c` # h"
)


def open_page(results: Path, page: str, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    """The page as it is after its first drawing; it must not have crashed."""
    monkeypatch.setattr(sys, "argv", ["app.py", str(results)])
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    if page != PAGES[0]:
        app.switch_page(page)
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    """Every text, message and table of the page."""
    blocks = [*app.info, *app.warning, *app.caption, *app.text, *app.markdown, *app.code, *app.subheader]
    html = [block.proto.body for block in app.get("html")]
    return "\n".join([*(str(block.value) for block in blocks), *html])


def two_endpoints(results: Path, name: str = "b/m", **changes: Any) -> RunFolder:
    """A sealed run of ``p/m`` and another endpoint, with quality, load, verdicts, a failure and texts."""
    marks = {"send0": 0, "send1": 1, "hdr": 50, "ev1": 50, "tok1": 100, "vis1": 100, "tokn": 300, "eof": 302}
    chunks = {"chunk_delta_us": [100_000, 200_000], "chunk_events": [1, 3], "completion_tokens": 4, "prompt_tokens": 3}
    made = []
    for endpoint in ("p/m", name):
        known = {"endpoint": endpoint, **chunks, "cost_usd": 0.001}
        made += [attempt(f"load/{endpoint}/{i}", sample=str(i), ms=marks, **known) for i in range(6)]
        about = {"kind": "quality", "stage": "quality.sums", "task": "sums", "sample": "s"}
        made.append(attempt(f"quality/{endpoint}", ms=marks, **known, **about))
    failed = {"failure_kind": "http_5xx", "failure_detail": name, "status": 500, "endpoint": name, "sample": "6"}
    made.append(attempt(f"load/{name}/6", ms={"send0": 0, "eof": 9}, **failed))
    words = {"request_body": "{}", "response_body": name, "text": name, "reasoning": None, "tool_calls_json": "[]"}
    texts = [
        {"run_id": "?", "job_id": row["job_id"], "number": 0, "response_headers_json": "[]", "text_lossy": False}
        | words
        for row in made
    ]
    scores = [score(f"quality/{e}", float(e == "p/m"), endpoint=e, explanation=name) for e in ("p/m", name)]
    found = [verdict("stream.usage", "broken") | {"endpoint": name, "reason": name, "evidence": [f"load/{name}/0"]}]
    run = make_run(results, attempts=made, scores=scores, texts=texts, verdicts=found)
    first = manifest(run)["endpoints"][0]
    other = first | {"id": name, "model_id": name}
    probes = {"profile": "core", "ids": ["stream.usage"]}
    run.write_manifest(manifest(run, **{"endpoints": [first, other], "suite": name, "probes": probes} | changes))
    publish(results)
    return run
