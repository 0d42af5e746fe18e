"""Words for what the browser's tests do."""

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"> <b>b</b> **m** "
    "[a](http://evil.example/) $x^2$ :material/home: :smile: <a href='http://evil.example'>l</a> # ` h "
    "www.evil.example x@evil.example"
)
WAIT_MS = 30_000
PAGES = {
    "decide": "",
    "compare": "compare",
    "load": "load",
    "features": "features",
    "trend": "trend",
    "quality": "quality",
    "runs": "runs",
}
"""Name of each page -> its path."""


def harness(*arguments: str, cwd: Path | None = None) -> str:
    """What a command of ours prints; it must end well."""
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=cwd).stdout


def drawn(page: Page) -> None:
    """Wait until the page is drawn to its end, and hold that nothing on it went wrong."""
    expect(page.get_by_test_id("stMain")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("[data-test-script-state=notRunning]")).to_have_count(1, timeout=WAIT_MS)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def opened(page: Page, name: str) -> None:
    """Go to another page as a reader does, by its link above, and wait until it is drawn."""
    page.get_by_role("link", name=name.capitalize(), exact=True).first.click(timeout=WAIT_MS)
    expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible(timeout=WAIT_MS)
    drawn(page)


def titled(page: Page) -> str:
    """The page's own title."""
    return page.get_by_role("heading", level=1).inner_text()
