"""The one-file report in a real browser, opened as a file: it draws, it prints, and nothing hostile comes of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn import two_endpoints
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><svg onload=\"document.title="
    "'taken'\"> <b>b</b> <a href='http://evil.example'>l</a> </script><script>document.title='taken'</script> "
    "javascript:document.title='taken' <iframe src='http://evil.example'></iframe> <base href='http://evil.example/'> "
    "<meta http-equiv=refresh content='0;url=http://evil.example'> $x^2$ \u202edlrow\u202c %{x} \x1b[31m"
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with texts of a run whose names, answers, reasons and errors are markup."""
    results = tmp_path_factory.mktemp("results")
    two_endpoints(results, HOSTILE)
    path = results / "report.html"
    command = [sys.executable, "-m", "harness", "report", "--html", str(path), "--include-text"]
    subprocess.run([*command, "--results", str(results)], check=True, capture_output=True, timeout=120)
    return path


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that asks for one file; the test fails if it asked for more, or broke a rule, or a script failed."""
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    found = context.new_page()
    asked: list[str] = []
    wrong: list[Any] = []
    found.on("request", lambda request: asked.append(request.url))
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield found
    context.close()
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == asked[:1]
    assert wrong == []


def opened(page: Page, file: Path, scheme: Any = "light") -> Page:
    """The report, with every chart drawn."""
    page.emulate_media(color_scheme=scheme)
    page.goto(file.as_uri())
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        expect(plot.locator(".main-svg").first).to_be_visible(timeout=20_000)
    return page


def test_nothing_hostile_comes_of_it(page: Page, file: Path) -> None:
    """Markup in names, answers, reasons and errors is shown letter by letter, in tables, texts, charts and hovers."""
    opened(page, file)
    for fold in page.locator("details > summary").all():
        fold.click()
    legend = page.locator(".legendtext")
    assert any("<script>" in text for text in legend.all_text_contents())
    point = page.locator(".plot .point").first
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    expect(page.locator("pre").filter(has_text="<iframe src=").first).to_be_visible()
    page.wait_for_timeout(300)
    assert page.title() != "taken"
    assert page.url == file.as_uri()
    assert (
        page.locator("img, iframe, base, main svg[onload], main b, a:not([href^='#']):not(.modebar-btn)").count() == 0
    )
    assert page.evaluate("document.querySelectorAll('meta[http-equiv=refresh]').length") == 0


def test_the_rules_of_the_page_hold(browser: Browser, file: Path) -> None:
    """Even markup that got into the page by a mistake of ours could run nothing and fetch nothing."""
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, file)
    blocked = page.evaluate(
        """async () => {
            const broken = [];
            document.addEventListener("securitypolicyviolation", (event) => broken.push(event.effectiveDirective));
            document.body.insertAdjacentHTML("beforeend", "<i id=made onclick=\\"document.title='taken'\\">x</i>");
            document.getElementById("made").click();
            const script = document.createElement("script");
            script.textContent = "document.title='taken'";
            document.body.append(script);
            const image = document.createElement("iframe");
            image.src = "https://evil.example/";
            document.body.append(image);
            await new Promise((done) => setTimeout(done, 500));
            image.remove();
            return broken;
        }"""
    )
    assert {"script-src-attr", "script-src-elem", "frame-src"} <= set(blocked)
    assert page.title() != "taken"
    assert [url for url in asked if "evil" in url] == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_follow_light_and_dark(scheme: str, page: Page, file: Path) -> None:
    """Words of a chart have the colour of the page's words, and its ground lets the page's through."""
    opened(page, file, scheme)
    ink = page.evaluate("getComputedStyle(document.body).color")
    drawn = page.locator(".xtick text").first.evaluate("node => getComputedStyle(node).fill")
    assert drawn == ink
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")


def test_it_prints_with_all_its_charts_and_tables(page: Page, file: Path) -> None:
    """On paper everything is open, drawn and dark on white; on the screen it is afterwards as it was."""
    page.emulate_media(color_scheme="dark")
    page.goto(file.as_uri())
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
            window.seen = {
                drawn: [...document.querySelectorAll(".plot")].every((plot) => plot.querySelector(".main-svg")),
                open: document.querySelectorAll("details:not([open])").length,
                ink: getComputedStyle(document.querySelector(".xtick text")).fill,
            };
        })"""
    )
    assert len(page.pdf(format="A4")) > 20_000
    assert page.evaluate("window.seen") == {"drawn": True, "open": 0, "ink": "rgb(27, 31, 36)"}
    assert page.locator("details[open]").count() == 0


def test_it_can_be_used_by_keyboard(page: Page, file: Path) -> None:
    """The first stop leads past the contents, folds open with Enter, and tables that are too wide can be scrolled."""
    opened(page, file)
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    fold = page.locator("summary").first
    fold.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1
    assert page.locator(".scroll:not([tabindex='0'])").count() == 0


def test_without_scripts_the_figures_are_still_there(browser: Browser, file: Path) -> None:
    """Where scripts are off, the page says so, and every table can be read."""
    context = browser.new_context(java_script_enabled=False)
    found = context.new_page()
    found.goto(file.as_uri())
    expect(found.get_by_text("Charts need scripts")).to_be_visible()
    expect(found.get_by_role("table", name="Endpoints [95 % intervals]")).to_be_visible()
    context.close()


def test_it_fits_a_narrow_screen(page: Page, file: Path) -> None:
    """On a telephone only tables scroll sideways, never the page."""
    page.set_viewport_size({"width": 400, "height": 800})
    opened(page, file)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
