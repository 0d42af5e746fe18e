"""Every command that README and docs show is one that there is, and every page can be reached."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import site_pages
import yaml
from pages_read import PAGES, ROOT, Command, commands, links

from harness import config
from harness.catalog import discover
from harness.cli import cli

DOCS = ROOT / "docs"
SHOWN = [one for page in PAGES if page.name != "CHANGELOG.md" for one in commands(page)]
EXECUTED = {
    "docs/adding.md": "test_adding.py",
    "docs/dashboard.md": "test_dashboard.py",
    "docs/nightly.md": "test_nightly_page.py",
    "docs/report.md": "test_report_files.py",
    "docs/tasks.md": "test_tasks_page.py",
    "docs/verify.md": "test_verify.py",
    **{f"docs/tutorials/{path.name}": "test_tutorials.py" for path in (DOCS / "tutorials").glob("*.md")},
}
"""Pages with a test of their own that carries out what they show, and which; all others: test_docs_executed.py."""
_PLACEHOLDER = re.compile(r"^(\[.*|\.\.\.|…|<.*)$")


def left_of(group: click.Group, context: click.Context, words: list[str]) -> tuple[list[str], str]:
    """What a group leaves to its subcommand, or what is wrong; an option may be named without its value."""
    try:
        group.parse_args(context, list(words))
    except click.UsageError as error:
        return [], "" if "requires an argument" in error.format_message() else error.format_message()
    return [*context._protected_args, *context.args], ""


def unparsed(text: str) -> str:
    """What is wrong with a command line; empty: command and options are there, and choices are among those offered."""
    words = shlex.split(re.split(r"\s[|>&;]", text)[0], comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="harness")
    while isinstance(command, click.Group):
        if not words or words[0] in ("--help", "--version") or re.match(r"[^a-z-]", words[0]):
            return ""  # the whole, or a word like COMMAND
        if command is not cli:  # `load` and `probe` are commands of their own where no subcommand is named
            words, why = left_of(command, context, words)
            if not words:
                return why  # wrong, or `verify`, which has options of its own and is done
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]}"
        command = found
        context = click.Context(command, info_name=words.pop(0), parent=context)
    if "--" in words:
        words = words[: words.index("--")]
    words = [word for word in words if not _PLACEHOLDER.match(word)]
    if words and words[-1].startswith("-") and "=" not in words[-1]:
        words.append("0")  # an option that is named in a sentence without its value
    try:
        given, _, _ = command.make_parser(context).parse_args(list(words))
    except click.UsageError as error:
        return "" if "does not take a value" in error.format_message() and words[-1] == "0" else error.format_message()
    for option in command.params:
        value = given.get(option.name or "")
        if isinstance(option.type, click.Choice) and isinstance(value, str) and value != "0":
            allowed = {str(one) for one in option.type.choices}
            if value not in allowed and not re.match(r"[A-Z]+$|.*\|", value):
                return f"{option.opts[0]} {value} is none of {sorted(allowed)}"
    return ""


def test_the_commands_are_found() -> None:
    """The pages show several hundred, the README a dozen and more: the reader of pages has not gone blind."""
    assert len(SHOWN) > 300
    assert len([one for one in SHOWN if one.page == "README.md"]) >= 12


@pytest.mark.parametrize("page", sorted({one.page for one in SHOWN}))
def test_every_command_shown_is_there(page: str) -> None:
    """With all its options, and with choices that are offered."""
    wrong = {one.text: why for one in SHOWN if one.page == page and (why := unparsed(one.text))}
    assert wrong == {}


def test_every_command_that_help_names_is_there() -> None:
    """The sentences of a command's help speak of others; docs/cli.md has them all, broken where its lines end."""
    named = {" ".join(text.split()) for text in re.findall(r"`(harness [^`]+)`", (DOCS / "cli.md").read_text("utf-8"))}
    assert len(named) > 5
    assert {text: why for text in named if (why := unparsed(text))} == {}


def test_what_is_said_to_be_executed_is() -> None:
    """Each of these pages shows commands, and the test that is named reads the page."""
    shown = {one.page for one in SHOWN}
    for page, test in EXECUTED.items():
        assert page in shown
        text = (ROOT / "tests" / test).read_text("utf-8")
        assert Path(page).name in text or f'"{Path(page).parent.name}"' in text, (page, test)


@pytest.mark.parametrize(
    "text",
    [
        "harness runn demo",
        "harness run demo --endpiont a/b",
        "harness db rebuilt",
        "harness load chat -e a/b --api wrong",
        "harness report --htlm x.html",
        "harness load --find-max",
    ],
)
def test_a_command_that_is_not_there_is_found_out(text: str) -> None:
    """A wrong command, option or choice, so that the test above can fail."""
    assert unparsed(text)


def test_commands_are_read_out_of_every_kind_of_place(tmp_path: Path) -> None:
    """Blocks, indented lines, backticks in a sentence, with environment, comment and continuation."""
    page = tmp_path / "made.md"
    text = (
        "Say `harness report --json`.\n\n```sh\nHARNESS_RESULTS=x harness runs list   # all\nharness run demo \\\n"
        "  -e a/b    # exit code 1\n```\n\n    harness demo   # indented\n"
    )

    page.write_text(text, "utf-8")
    assert list(commands(page, tmp_path)) == [
        Command("made.md", "harness runs list", 0),
        Command("made.md", "harness run demo -e a/b", 1),
        Command("made.md", "harness demo", 0),
        Command("made.md", "harness report --json", 0),
    ]


# --- pages and links -------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """What headings of a page are called in a link, as the site and GitHub call them alike."""
    titles = re.findall(r"^#{1,6} (.+)$", re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S), re.M)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one).lower()) for one in titles]
    return {re.sub(r" ", "-", one.strip()) for one in plain} | {re.sub(r"[-\s]+", "-", one.strip()) for one in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files are there, and headings of pages; from docs/ no relative link leaves it, for the site has nothing else."""
    broken = []
    for link in links(page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        left = DOCS in page.parents and not target.is_relative_to(DOCS)
        if not target.exists() or left or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def named(nav: object) -> list[str]:
    """The pages of a nav of mkdocs.yml."""
    if isinstance(nav, str):
        return [nav]
    values = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ()
    return [page for one in values for page in named(one)]


def test_every_page_can_be_reached() -> None:
    """From the site's navigation, or by links of pages that stand there; and the navigation names no page twice."""
    there = named(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert len(there) == len(set(there))
    open_, reached = [DOCS / name for name in there], set()
    while open_:
        page = open_.pop().resolve()
        if page in reached or page.suffix != ".md":
            continue
        assert page.is_file(), page
        reached.add(page)
        open_ += [page.parent / link.partition("#")[0] for link in links(page.read_text("utf-8")) if link[0] != "#"]
    assert {path for path in PAGES if DOCS in path.parents} - reached == set()


def test_the_readme_can_be_read_in_a_sitting() -> None:
    """It has 150 lines at most, and the picture that it shows is there."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 150
    assert re.search(r"!\[[^\]]+\]\(docs/images/", text)


def test_the_readme_counts_rightly() -> None:
    """Probes and presets are as many as it says."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert f"{len(discover([ROOT / 'tasks']).probes)} probes" in text
    assert f"{len(config.presets())} vendors, gateways and engines" in text


def test_the_site_is_told_of_what_is_not_its_own() -> None:
    """File names behind fences are ours and go; what a page loads from elsewhere is found, and links are left alone."""
    assert site_pages.as_read("```yaml a/b.yaml\nx\n```\n```text\ny\n```") == "```yaml\nx\n```\n```text\ny\n```"
    html = '<script src="https://cdn/x.js"></script><a href="https://other/">o</a><img src=//p/a.png><img src="a.png">'
    assert len(site_pages.foreign(html)) == 2
