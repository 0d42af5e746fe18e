"""The engine ollama against a program that behaves as its documentation says; the real one was never seen."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_engine_programs import gone

from harness import engines
from harness.errors import EngineError
from harness.provider import Serve

FAKE = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
assert sys.argv[1:] == ["serve"], sys.argv
host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
ANSWERS = {{
    "/api/version": {{"version": "0.31.2"}},
    "/api/tags": {{"models": [{{"name": "smollm2:135m"}}, {{"name": "llama3.2:latest"}}]}},
    "/env": {{name: value for name, value in os.environ.items() if name.startswith("OLLAMA_")}},
}}
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(ANSWERS.get(self.path, {{}})).encode()
        self.send_response(200 if self.path in ANSWERS else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program that stands for it."""
    path = tmp_path / "ollama"
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(0o755)
    return path


def test_it_is_started_as_documented(program: Path, tmp_path: Path) -> None:
    """Address and options go into its variables; its version is the one that it tells; it is gone afterwards."""
    options = {"program": str(program), "context": 4096, "parallel": 2, "keep_alive": "30m", "models_dir": "~/models"}
    running = engines.start(Serve("ollama", options), log_dir=tmp_path)
    with urllib.request.urlopen(running.base_url.removesuffix("/v1") + "/env", timeout=20) as answer:
        env: Mapping[str, str] = json.load(answer)
    running.stop()
    assert running.version == "ollama 0.31.2"
    assert env == {
        "OLLAMA_HOST": running.base_url[7:-3],
        "OLLAMA_CONTEXT_LENGTH": "4096",
        "OLLAMA_NUM_PARALLEL": "2",
        "OLLAMA_KEEP_ALIVE": "30m",
        "OLLAMA_MODELS": str(Path("~/models").expanduser()),
    }
    assert gone(running.pid)


def test_it_is_found_on_the_path(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an option the program of that name is taken."""
    monkeypatch.setenv("PATH", str(program.parent))
    engines.start(Serve("ollama"), log_dir=tmp_path).stop()


@pytest.mark.parametrize("model", ["smollm2:135m", "llama3.2", "llama3.2:latest"])
def test_a_model_that_was_pulled_is_known(model: str, program: Path, tmp_path: Path) -> None:
    """With its tag, or without one, which means latest."""
    engines.start(Serve("ollama", {"program": str(program), "model": model}), log_dir=tmp_path).stop()


@pytest.mark.parametrize("model", ["smollm2", "qwen3:8b"])
def test_a_model_that_was_not_pulled_is_told(model: str, program: Path, tmp_path: Path) -> None:
    """Before anything is asked, with the command that pulls it; the server is stopped."""
    with pytest.raises(EngineError, match=f"ollama has no model {model} .*ollama pull {model}"):
        engines.start(Serve("ollama", {"program": str(program), "model": model}), log_dir=tmp_path)
