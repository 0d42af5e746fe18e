"""The dashboard as a person meets it: a real run, the real command, a real browser."""

import json
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest
from browsing import HOSTILE, PAGES, WAIT_MS, drawn, harness, run_named
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as NotYet

pytestmark = pytest.mark.browser


def test_the_numbers_are_those_of_report_and_sql(page: Page, address: str, results: Path) -> None:
    """Quality, TTFT and errors in the browser equal what ``harness report --json`` and ``harness sql`` print."""
    run = run_named(results, "brisk")
    page.goto(f"{address}/?run={run}")
    row = page.get_by_role("table", name="Endpoints").locator("tbody tr")
    expect(row).to_have_count(2, timeout=WAIT_MS)
    shown = [row.nth(i).locator("th, td").all_inner_texts() for i in range(2)]
    report = json.loads(harness("report", run, "--json", "--results", str(results)))
    query = (
        "select s.*, n_correct, n_scored from endpoint_summary s join quality_summary using (run_id, endpoint) "
        f"where run_id = '{run}'"
    )
    stored = json.loads(harness("sql", query, "--json", "--results", str(results)))
    by_sql = {found["endpoint"]: found for found in stored}
    for cells, summed in zip(shown, report["endpoints"], strict=True):
        counted = by_sql[summed["endpoint"]]
        assert cells[0].endswith(summed["endpoint"])
        right, quality = counted["n_correct"] / counted["n_scored"], summed["quality"]
        bounds = f"[{100 * quality['low']:.0f}–{100 * quality['high']:.0f}]"
        assert cells[1].startswith(f"{100 * right:.0f} % {bounds} n={counted['n_scored']}")
        low, high = ("?" if bound is None else f"{bound:.0f}" for bound in summed["ttft_p50_interval_ms"])
        assert cells[3] == f"{counted['ttft_p50_ms']:.0f} [{low}–{high}] n={counted['ttft_n']}"
        assert cells[8] == f"{counted['n_failed']} of {counted['n']}"


def test_the_address_names_the_run_on_every_page(page: Page, address: str, results: Path) -> None:
    """The newest run is in the address without a choice; a choice follows to the other page; a stale link is told."""
    newest, other = run_named(results, "brisk"), run_named(results, "hostile")
    page.goto(address)
    page.wait_for_url(f"**/?run={newest}", timeout=WAIT_MS)
    page.goto(f"{address}/?run={other}")
    page.get_by_role("link", name="Runs").first.click(timeout=WAIT_MS)
    page.wait_for_url(f"**/runs?run={other}", timeout=WAIT_MS)
    page.goto(f"{address}/runs?run=gone")
    expect(page.get_by_text("There is no run gone here")).to_be_visible(timeout=WAIT_MS)
    # A page that is still drawn closes a list that was opened meanwhile.
    expect(page.locator("[data-test-script-state=notRunning]")).to_have_count(1, timeout=WAIT_MS)
    page.wait_for_load_state("networkidle")
    page.get_by_test_id("stSelectbox").first.get_by_role("combobox").press("ArrowDown")
    page.get_by_role("option", name=other).click()
    page.wait_for_url(f"**/runs?run={other}", timeout=WAIT_MS)


def test_hostile_text_is_shown_and_not_obeyed(page: Page, address: str, results: Path) -> None:
    """Tables, charts, hover, code and messages show markup letter by letter; no script, image or link comes of it."""
    run = run_named(results, "hostile")
    page.goto(f"{address}/?run={run}")
    expect(page.locator(".js-plotly-plot")).to_have_count(5, timeout=WAIT_MS)
    expect(page.locator(".js-plotly-plot .legendtext").first).to_contain_text("<script>")
    _hover_first_point(page)
    expect(page.locator(".hoverlayer").first).to_contain_text("<img src=x onerror=")
    _assert_nothing_came_of_it(page)

    page.goto(f"{address}/runs?run={run}")
    table = page.get_by_test_id("stDataFrame").nth(1)
    table.wait_for(timeout=WAIT_MS)
    expect(page.get_by_text("Tick one")).to_be_visible(timeout=WAIT_MS)
    heading = page.get_by_role("heading", name="One attempt")
    for _ in range(20):  # the grid is a canvas: it can be clicked only once it is drawn
        where = table.bounding_box()
        assert where is not None
        page.mouse.click(where["x"] + 18, where["y"] + 36 + 18)
        with suppress(NotYet):
            heading.wait_for(timeout=1000)
            break
    expect(page.locator(".js-plotly-plot")).to_have_count(1, timeout=WAIT_MS)
    expect(page.get_by_test_id("stCode").filter(has_text=HOSTILE).first).to_be_visible()
    _assert_nothing_came_of_it(page)
    page.goto(f"{address}/?run={HOSTILE.replace('#', '%23')}")
    expect(page.get_by_test_id("stAlert").first).to_contain_text("<script>", timeout=WAIT_MS)
    _assert_nothing_came_of_it(page)


HOSTILE_CHOICES = {
    "decide": {},
    "compare": {},
    "load": {},
    "features": {"probe": "p", "endpoint": HOSTILE, "verdicts": "all", "find": HOSTILE},
    "fidelity": {"candidate": f"{HOSTILE}2", "test": HOSTILE},
    "trend": {"suite": HOSTILE, "metric": "ttft_p50_ms"},
    "quality": {"task": "sums", "questions": "all", "sample": HOSTILE},
    "runs": {"stage": HOSTILE, "job": HOSTILE, "try": HOSTILE, "run": HOSTILE},
}
"""What a link to a page of the hostile run says besides: what was sent and came, flips, nights, and markup itself."""


def test_no_page_obeys_hostile_text(page: Page, address: str, results: Path) -> None:
    """On every page with its drawers open letters are shown as letters, and nothing is asked of another machine."""
    run = run_named(results, "hostile")
    for name, chosen in HOSTILE_CHOICES.items():
        page.goto(f"{address}/{PAGES[name]}?{urlencode({'run': run, **chosen})}")
        drawn(page)
        expect(page.get_by_test_id("stMain")).to_contain_text("<script>document.title", timeout=WAIT_MS)
        if name == "features":
            expect(page.get_by_role("heading", name="Evidence")).to_be_visible(timeout=WAIT_MS)
        if name == "quality":
            expect(page.get_by_role("table", name="Flips against the baseline")).to_contain_text("<script>")
            expect(page.get_by_role("heading", name="One question")).to_be_visible(timeout=WAIT_MS)
        _assert_nothing_came_of_it(page)


def _hover_first_point(page: Page) -> None:
    point = page.locator(".js-plotly-plot .point").first
    point.scroll_into_view_if_needed()
    where = point.bounding_box()
    assert where is not None
    x, y = where["x"] + where["width"] / 2, where["y"] + where["height"] / 2
    page.mouse.move(x - 30, y + 30)
    page.mouse.move(x, y, steps=5)


def _assert_nothing_came_of_it(page: Page) -> None:
    assert page.title() != "taken"
    made = "img[src=x], a[href*='evil'], .katex, main b"
    assert page.locator(made).count() == 0
    icons = page.get_by_test_id("stIconMaterial").all_inner_texts()
    assert "home" not in icons


def test_an_open_page_holds_nothing_up(page: Page, address: str, results: Path) -> None:
    """While the page is open another process rebuilds the database at once, and a reload shows what is new."""
    page.goto(address)
    expect(page.get_by_role("table", name="Endpoints")).to_be_visible(timeout=WAIT_MS)
    began = time.perf_counter_ns()
    harness("db", "rebuild", "--results", str(results))
    assert time.perf_counter_ns() - began < 20e9
    page.reload()
    expect(page.get_by_role("table", name="Endpoints")).to_be_visible(timeout=WAIT_MS)
