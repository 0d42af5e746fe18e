"""The four questions of whoever decides, answered in the browser from the demo's suite on two simulated vendors."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from browsing import WAIT_MS, drawn, harness, opened, served
from playwright.sync_api import Page, expect

from harness.record.folder import list_runs
from harness.store.query import rows

pytestmark = pytest.mark.browser

STEADY, FLAKY = "steady-vendor/sim-small", "flaky-vendor/sim-small"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the demo's suite on its two vendors, measured twice."""
    folder = tmp_path_factory.mktemp("demo") / "results"
    for _ in range(2):
        harness("run", "demo", "-e", STEADY, "-e", FLAKY, "--results", str(folder))
    return folder


@pytest.fixture(scope="module")
def there(demo: Path) -> Iterator[str]:
    """Where they are served."""
    with served(demo) as found:
        yield found


def test_which_endpoint_is_best_for_chat_under_800_ms_and_how_sure_that_is(page: Page, there: str, demo: Path) -> None:
    """The first sentence names it with its share and n, which are those of the store, and what it could not show."""
    page.goto(there)
    drawn(page)
    run = list_runs(demo)[-1].id
    query = """
        with last as (
            from attempts where run_id = ? and kind = 'load' and phase = 'measure'
            qualify number = max(number) over (partition by job_id)
        )
        select endpoint, count(*) as n,
            count(*) filter (failure_kind is null and (tok1_ns - sched_ns) / 1e6 <= 800) as inside
        from last group by endpoint
    """
    found = {row["endpoint"]: row for row in rows(demo, query, [run])}
    best = max(found.values(), key=lambda row: row["inside"])
    sentence = page.get_by_text("For short_chat with TTFT within 800 ms").first
    expect(sentence).to_contain_text(f"{best['endpoint']} is best: {100 * best['inside'] / best['n']:.0f} %")
    expect(sentence).to_contain_text(f"of {best['n']} requests were inside")
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text("it would probably not have shown a difference below")  # how sure
    table = page.get_by_role("table", name="Inside the limits").locator("tbody tr")
    expect(table).to_have_count(2)
    expect(table.first).to_contain_text("the best")
    expect(table.nth(1)).to_contain_text(STEADY if best["endpoint"] == FLAKY else FLAKY)


def test_what_a_month_costs(page: Page, there: str) -> None:
    """At volumes from the link: 5,000 requests a day of 1,000 and 300 tokens are 33.5 USD a month at steady."""
    volumes = {"requests": 5000, "input": 1000, "output": 300, "tokens": "as given"}
    page.goto(f"{there}/?{urlencode(volumes)}")
    drawn(page)
    table = page.get_by_role("table", name="What a month costs").locator("tbody tr")
    # 5,000 x 365.25 / 12 days x (1,000 x 0.1 + 300 x 0.4) / 1,000,000, and half of each price.
    expect(table.filter(has_text=STEADY).locator("td").first).to_have_text("33.5")
    expect(table.filter(has_text=FLAKY).locator("td").first).to_have_text("16.7")
    expect(page.get_by_test_id("stMain")).to_contain_text("5,000 requests a day of 1,000 tokens in and 300 out")


def test_which_features_break_where_with_proof(page: Page, there: str, demo: Path) -> None:
    """The matrix names them; the drawer shows what was sent, what came, and a curl that sends it again."""
    run = list_runs(demo)[-1].id
    query = (
        "select probe, evidence from verdicts where run_id = ? and endpoint = ? and verdict = 'broken' order by probe"
    )
    broken = rows(demo, query, [run, FLAKY])
    page.goto(f"{there}/features?run={run}")
    drawn(page)
    row = page.get_by_role("table", name="Conformance of each endpoint").locator("tbody tr").filter(has_text=FLAKY)
    expect(row).to_contain_text(f"{len(broken)} (")
    page.goto(f"{there}/features?{urlencode({'run': run, 'probe': broken[0]['probe'], 'endpoint': FLAKY})}")
    drawn(page)
    proof = page.get_by_test_id("stCode")
    expect(proof.filter(has_text="verdict").filter(has_text="broken")).to_have_count(1)
    expect(proof.filter(has_text="> POST /chat/completions").first).to_contain_text("\n< ")
    expect(proof.filter(has_text="curl -sS").first).to_contain_text("--data-binary")
    page.get_by_role("link", name="This attempt on page Runs").first.click()
    page.wait_for_url("**/runs?*", timeout=WAIT_MS)
    drawn(page)
    expect(page.get_by_role("heading", name="One attempt")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_test_id("stCode").filter(has_text=broken[0]["evidence"][0]).first).to_be_visible()


def test_what_changed_since_the_last_run(page: Page, there: str, demo: Path) -> None:
    """Compare against the run before: every endpoint against itself, a verdict for each difference, both runs named."""
    before, run = (one.id for one in list_runs(demo)[-2:])
    page.goto(f"{there}/?run={run}")
    drawn(page)
    opened(page, "compare")
    page.get_by_test_id("stMain").get_by_role("radio", name="the run before").click()
    page.wait_for_url("**against=the+run+before**", timeout=WAIT_MS)
    expect(page.get_by_text(f"{run} against {before}").first).to_be_visible(timeout=WAIT_MS)
    drawn(page)
    table = page.get_by_role("table", name="What differs")
    for name in (STEADY, FLAKY):
        expect(table.locator("tbody tr").filter(has_text=name).first).to_contain_text("points")
    words = ("same", "unclear", "better", "worse")
    assert any(word in table.inner_text() for word in words)
    expect(page.get_by_role("heading", name="What else differs: configuration")).to_be_visible()
