"""Pictures of every page of the dashboard, light and dark: `make screenshots`.

Without a folder of results the demo makes some. The small ones in ``docs/images`` are made here too, and only here.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from browsing import ARGUMENTS, CHROMIUM, PAGES, drawn, harness, served
from playwright.sync_api import Browser, Page, sync_playwright

from harness.record.folder import list_runs
from harness.store.query import rows

ROOT = Path(__file__).parents[1]
IN_DOCS = ("decide", "features")
"""Pages of which the docs show the top."""
_SIZE = {"width": 1400, "height": 1000}
_THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="made before; default: the demo's, made now")
    parser.add_argument("--to", type=Path, default=ROOT / "results" / "screenshots")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "images", help="the small ones")
    asked = parser.parse_args()
    with ExitStack() as stack:
        results = asked.results
        if results is None:
            results = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-demo-"))) / "results"
            harness("demo", "--results", str(results), wait_s=900)
        address = stack.enter_context(served(results))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for path in pictures(browser, address, results, asked.to):
            print(path)
        for path in small(browser, address, results, asked.docs):
            print(path)
        browser.close()


def pictures(browser: Browser, address: str, results: Path, to: Path) -> list[Path]:
    """Every page whole, in both themes; gives the files."""
    to.mkdir(parents=True, exist_ok=True)
    made = []
    for theme in _THEMES:
        context = browser.new_context(viewport=_SIZE, color_scheme=theme)  # type: ignore[arg-type] - a literal
        page = context.new_page()
        for name, query in views(results).items():
            made.append(to / f"{name}-{theme}.png")
            _open(page, f"{address}/{PAGES[name.partition('-')[0]]}?{urlencode(query)}")
            # The page scrolls inside a box: the window is made as high as what is in it.
            height = page.get_by_test_id("stMain").evaluate("one => one.scrollHeight")
            page.set_viewport_size(_SIZE | {"height": min(height + 80, 12_000)})
            page.wait_for_timeout(1000)
            page.screenshot(path=made[-1])
            page.set_viewport_size(_SIZE)
        context.close()
    return made


def small(browser: Browser, address: str, results: Path, to: Path) -> list[Path]:
    """The tops of some pages, for the docs."""
    to.mkdir(parents=True, exist_ok=True)
    made = []
    page = browser.new_page(viewport=_SIZE, color_scheme="light")
    for name in IN_DOCS:
        made.append(to / f"{name}.png")
        view = next(key for key in reversed(views(results)) if key.partition("-")[0] == name)
        _open(page, f"{address}/{PAGES[name]}?{urlencode(views(results)[view])}")
        page.screenshot(path=made[-1])
    page.close()
    return made


def views(results: Path) -> dict[str, dict[str, str]]:
    """What is pictured: each page, and those with something chosen on them."""
    run = list_runs(results)[-1].id
    found = {name: {"run": run} for name in PAGES}
    broken = rows(
        results, "select probe, endpoint from verdicts where run_id = ? and verdict = 'broken' order by all", [run]
    )
    if broken:
        found["features-evidence"] = found["features"] | broken[0]
    jobs = rows(
        results,
        "select job_id from attempts where run_id = ? and kind = 'load' and failure_kind is null order by all",
        [run],
    )
    if jobs:
        found["runs-attempt"] = found["runs"] | {"job": jobs[0]["job_id"], "try": "0"}
    flipped = rows(results, "select task, sample from scores where run_id = ? and value < 1 order by all", [run])
    if flipped:
        found["quality-question"] = found["quality"] | flipped[0]
    return found


def _open(page: Page, address: str) -> None:
    page.goto(address)
    drawn(page)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)  # charts fade in


if __name__ == "__main__":
    main()
