"""Every page can be used without seeing colours, without a mouse, and in the dark: axe-core finds nothing serious."""

from importlib.resources import files

import pytest
from browsing import PAGES, drawn
from playwright.sync_api import Browser, Page

from harness.types import JsonObject

pytestmark = pytest.mark.browser

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
STREAMLITS_OWN = (
    ".stAppHeader",  # its bar of pages
    "[data-testid=stDataFrame]",  # its grid is a canvas with a hidden table beside
    ".modebar",  # plotly's tools
)
"""Not made here; what is wrong in them cannot be mended here."""


def violations(page: Page) -> list[JsonObject]:
    """What axe-core finds serious or critical, each with where."""
    page.evaluate(AXE)
    found = page.evaluate(
        "async away => await axe.run({exclude: away.map(one => [one])}, {resultTypes: ['violations']})",
        list(STREAMLITS_OWN),
    )
    return [
        {"id": one["id"], "help": one["help"], "where": [node["html"][:200] for node in one["nodes"][:3]]}
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious(name: str, scheme: str, browser: Browser, address: str) -> None:
    """Contrast, names, roles and landmarks of a page in both themes."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type] - a literal
    try:
        page = context.new_page()
        page.goto(f"{address}/{PAGES[name]}")
        drawn(page)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(1000)  # a chart's letters fade in, and what is drawn anew is faint until it is there
        assert violations(page) == []
    finally:
        context.close()


def test_a_table_can_be_scrolled_with_keys(page: Page, address: str) -> None:
    """A table that is wider than the page takes the focus."""
    page.goto(address)
    drawn(page)
    table = page.get_by_role("region", name="Endpoints")
    table.focus()
    assert table.evaluate("one => one === document.activeElement")
