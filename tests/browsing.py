"""Words for what the browser's tests do."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from harness.record.folder import list_runs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"> <b>b</b> **m** "
    "[a](http://evil.example/) $x^2$ :material/home: :smile: <a href='http://evil.example'>l</a> # ` h "
    "www.evil.example x@evil.example"
)
WAIT_MS = 60_000
HARNESS_WAIT_S = 300
PAGES = {
    "decide": "",
    "compare": "compare",
    "load": "load",
    "features": "features",
    "fidelity": "fidelity",
    "trend": "trend",
    "quality": "quality",
    "runs": "runs",
}
"""Name of each page -> its path."""


def harness(*arguments: str, cwd: Path | None = None, wait_s: float = HARNESS_WAIT_S) -> str:
    """What a command of ours prints; it must end well."""
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=wait_s, cwd=cwd).stdout


def drawn(page: Page) -> None:
    """Wait until the page is drawn to its end, and hold that nothing on it went wrong."""
    expect(page.get_by_test_id("stMain")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("[data-test-script-state=notRunning]")).to_have_count(1, timeout=WAIT_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def opened(page: Page, name: str) -> None:
    """Go to another page as a reader does, by its link above, and wait until it is drawn."""
    page.get_by_role("link", name=name.capitalize(), exact=True).first.click(timeout=WAIT_MS)
    expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible(timeout=WAIT_MS)
    drawn(page)


def titled(page: Page) -> str:
    """The page's own title."""
    return page.get_by_role("heading", level=1).inner_text()


def run_named(results: Path, word: str) -> str:
    """Id of the run with this word in it."""
    return next(run.id for run in list_runs(results) if word in run.id)


@contextmanager
def served(results: Path) -> Iterator[str]:
    """Where ``harness dashboard`` serves these results, on a free port."""
    with serving(results) as (address, _):
        yield address


@contextmanager
def serving(results: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The same, with the process that serves."""
    command = [sys.executable, "-m", "harness", "dashboard", "--results", str(results), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "server started" in line:
                    break
            found = re.search(r"http://127\.0\.0\.1:\d+", lines[0])
            assert found, lines
            # A full pipe would stop the server.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield found.group(), process
        finally:
            process.terminate()
            process.wait(timeout=20)
