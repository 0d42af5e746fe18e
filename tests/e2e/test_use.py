"""What a person does with a page: follow a link, choose, take the numbers along, and watch a run."""

import csv
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import duckdb
import pytest
from browsing import HARNESS_WAIT_S, WAIT_MS, drawn, run_named, served
from playwright.sync_api import Page, expect
from published import attempt, make_run

from harness.record.folder import list_runs
from harness.store.index import publish
from harness.store.query import rows

pytestmark = pytest.mark.browser

FLAKY = "flaky-vendor/sim-small"
CHOICES = {
    "decide": {"max_ttft": "400", "share": "90"},
    "compare": {"baseline": FLAKY, "alike": "10 %"},
    "load": {"percentile": "p50", "ttft_ms": "300"},
    "features": {"verdicts": "all", "find": "error"},
    "fidelity": {},
    "trend": {"metric": "error_rate"},
    "quality": {"questions": "all", "baseline": FLAKY},
    "runs": {"show": "failed", "order": "slowest first", "endpoint": FLAKY},
}
"""What a link says of each page."""


def choices(page: Page) -> list[str]:
    """Every choice that the page shows."""
    main = page.get_by_test_id("stMain")
    shown = main.get_by_role("combobox").evaluate_all("all => all.map(one => one.value)")
    shown += main.get_by_role("textbox").evaluate_all("all => all.map(one => one.value)")
    shown += main.get_by_role("slider").evaluate_all("all => all.map(one => one.value ?? one.ariaValueNow)")
    shown += main.locator("[role=radio][aria-checked=true], [aria-pressed=true]").all_inner_texts()
    shown += main.get_by_role("checkbox").evaluate_all("all => all.map(one => String(one.checked))")
    return [*shown, *main.locator("[data-testid=stSelectbox]").all_inner_texts()]


def test_a_deep_link_restores_the_choices(page: Page, address: str, results: Path) -> None:
    """Each page shows what its link says, and the link of its popover opens the same."""
    run = run_named(results, "brisk")
    for name, chosen in CHOICES.items():
        path = "" if name == "decide" else name
        page.goto(f"{address}/{path}?{urlencode({'run': run, **chosen})}")
        drawn(page)
        _assert_chosen(page, name)
        page.get_by_role("button", name="Link to this page").click()
        link = page.get_by_test_id("stCode").filter(has_text=address).last
        expect(link).to_be_visible(timeout=WAIT_MS)
        copied = link.inner_text().strip()
        assert copied.replace("/?", "?").startswith(f"{address}/{path}".rstrip("/") + "?"), copied
        for key, value in {"run": run, **chosen}.items():
            assert urlencode({key: value}) in copied, (name, copied)
        if name in ("decide", "runs"):
            page.goto(copied)
            drawn(page)
            _assert_chosen(page, name)


def _assert_chosen(page: Page, name: str) -> None:
    """Wait until each choice of the link is shown: an element comes a moment after the script that made it."""
    wanted = set(CHOICES[name].values())
    for _ in range(40):
        shown = [str(text) for text in choices(page)]
        missing = {value for value in wanted if not any(value in text for text in shown)}
        if not missing:
            return
        page.wait_for_timeout(500)
    raise AssertionError((name, missing, shown))


def test_a_choice_changes_the_address_and_what_is_shown(page: Page, address: str, results: Path) -> None:
    """The failed attempts of one endpoint: the address names both choices, and the count is the store's."""
    run = run_named(results, "brisk")
    page.goto(f"{address}/runs?run={run}")
    drawn(page)
    page.get_by_test_id("stMain").get_by_role("radio", name="failed").click()
    page.wait_for_url("**show=failed**", timeout=WAIT_MS)
    query = """
        select count(*) as n from attempt_metrics
        where run_id = ? and failure_kind is not null and failure_kind <> 'unneeded' and kind <> 'probe'
    """
    ((failed,),) = (tuple(row.values()) for row in rows(results, query, [run]))
    told = f"{failed} of " if failed else "No attempt is like that"
    expect(page.get_by_text(told).first).to_be_visible(timeout=WAIT_MS)


def test_downloads_arrive_and_can_be_read(page: Page, address: str, results: Path, tmp_path: Path) -> None:
    """CSV and Parquet of a page hold the rows of the run that the page is about, by the name of view and run."""
    run = run_named(results, "brisk")
    page.goto(f"{address}/runs?run={run}")
    drawn(page)
    page.get_by_role("button", name="Download", exact=True).click()
    files = {}
    for kind in ("CSV", "PARQUET"):
        with page.expect_download(timeout=WAIT_MS) as waiting:
            page.get_by_test_id("stDownloadButton").get_by_role("button", name=kind).first.click(timeout=WAIT_MS)
        name = waiting.value.suggested_filename
        assert name == f"attempt_metrics-{run}.{kind.lower()}"
        waiting.value.save_as(tmp_path / name)
        files[kind] = tmp_path / name
    ((n,),) = (tuple(row.values()) for row in rows(results, "select count(*) n from attempts where run_id = ?", [run]))
    with files["CSV"].open(newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == n
    assert {row["run_id"] for row in read} == {run}
    counted = "select count(*), count(distinct run_id), any_value(run_id) from read_parquet(?)"
    assert duckdb.execute(counted, [str(files["PARQUET"])]).fetchall() == [(n, 1, run)]


def test_a_run_appears_while_it_is_measured_and_goes_when_it_ends(page: Page, tmp_path: Path) -> None:
    """A load begun while the page is open is followed to its end without a reload, and is not disturbed by it."""
    folder = tmp_path / "results"
    older = make_run(folder, "older", attempts=[attempt("j", ms={"send0": 0, "tok1": 100, "eof": 200})])
    publish(folder)
    load = ["load", "short_chat", "-e", "steady-vendor/sim-small", "--concurrency", "1", "-n", "25"]
    command = [sys.executable, "-m", "harness", *load, "--results", str(folder)]
    with served(folder) as address:
        page.goto(f"{address}/runs")
        drawn(page)
        expect(page.get_by_text("Under way")).to_have_count(0)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as measuring:
            try:
                expect(page.get_by_text("Under way")).to_be_visible(timeout=WAIT_MS)
                expect(page.get_by_text("planned requests were tried")).to_be_visible(timeout=WAIT_MS)
                expect(page.get_by_role("table", name="Progress by endpoint")).to_be_visible(timeout=WAIT_MS)
                assert measuring.wait(timeout=HARNESS_WAIT_S) == 0
            finally:
                measuring.kill()
        expect(page.get_by_text("Under way")).to_have_count(0, timeout=WAIT_MS)
        (run,) = (one.id for one in list_runs(folder) if one.id != older.id)
        # The grid is a canvas with a table beside it for those who cannot see it.
        listed = page.get_by_test_id("stDataFrame").first.locator("td", has_text=run)
        expect(listed).to_have_count(1, timeout=WAIT_MS)
    query = "select r.status, count(*) as n, count(*) filter (a.failure_kind is not null) as failed, planned"
    query += " from runs r join attempts a using (run_id) where run_id = ? group by all"
    (row,) = rows(folder, query, [run])
    assert row["status"] == "finished"
    assert (row["n"], row["failed"]) == (row["planned"], 0)
