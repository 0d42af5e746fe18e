"""A report as Markdown: harmless, short enough for a comment, and the same figures as the terminal has."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from drawn import HOSTILE, two_endpoints
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import cli
from harness.report.document import Chart, Document, Note, Part, Said, grid
from harness.report.markdown import markdown, text

PLAIN = (
    "groq/gpt-oss-120b",
    "100 % [84–100] n=20",
    "122 [119–125] n=36",
    "short_chat",
    "a task's score (of 20)",
    "×0.09",
    "–",
)
MEANT = (
    "<script>alert(1)</script>",
    "[a](http://evil.example/)",
    "![a](x)",
    "www.evil.example",
    "@somebody",
    "#12",
    "GH-12",
    ":smile:",
    "*bold*",
    "_a_",
    "~~a~~",
    "a | b",
    "$x^2$",
    "`code`",
    "&lt;",
    "\\",
    "http://evil.example",
    "x@evil.example",
    "[a]: http://evil.example",
    "[a][b]",
)


def _without_code(line: str) -> str:
    """A line with its code spans taken out, as a renderer finds them."""
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", line)


@pytest.mark.parametrize("words", PLAIN)
def test_plain_words_stay_as_they_are(words: str) -> None:
    """Names, figures and intervals are readable where the Markdown is not rendered."""
    assert text(words) == words


@pytest.mark.parametrize("words", MEANT)
def test_what_could_mean_something_is_code(words: str) -> None:
    """Markup, links, mentions and formulas of others stand in code spans, where they are letters."""
    assert not set("<>@#*~$|\\&!") & set(_without_code(text(words)))
    assert "://" not in _without_code(text(words))
    assert "www." not in _without_code(text(words))
    assert not re.search(r"\]\(|\]\[|\]:|:\w+:|GH-\d", _without_code(text(words)))


@given(st.text(max_size=80))
def test_no_text_gets_out_of_its_cell(words: str) -> None:
    """Whatever a model wrote, a row has as many cells as columns, on one line, and means nothing outside of code."""
    table = grid("t", 1, ("a", "b"), [(words, "end")])
    lines = markdown(Document("T", (), (Part("P", (table,)),), (), {})).splitlines()
    row = next(line for line in lines if line.endswith("| end |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert not set("<>@#*~$&!") & set(_without_code(row.replace("\\|", "")))
    assert "\x1b" not in row


@given(st.text(max_size=200))
def test_no_text_ends_its_fence(said: str) -> None:
    """An answer that holds fences is shown inside of a longer one."""
    lines = markdown(Document("T", (), (Part("P", (Said("answer", said),)),), (), {})).splitlines()
    start = next(place for place, line in enumerate(lines) if re.fullmatch(r"`{3,}text", line))
    fence = lines[start].removesuffix("text")
    ends = [place for place, line in enumerate(lines) if place > start and line.strip().startswith(fence)]
    assert lines[ends[0]] == fence
    assert len(ends) == 1


def test_long_tables_are_folded() -> None:
    """A table of more than a dozen rows has to be opened, and says how many rows it has."""
    rows = [(f"r{i}", "x") for i in range(13)]
    told = markdown(Document("T", (), (Part("P", (grid("Long", 1, ("a", "b"), rows),)),), (), {}))
    assert "<details>\n<summary>Long (13 rows)</summary>\n\n| a | b |" in told
    short = markdown(Document("T", (), (Part("P", (grid("Short", 1, ("a", "b"), rows[:12]),)),), (), {}))
    assert "<details>" not in short


def test_lines_of_a_kind_are_a_list_and_a_command_is_code() -> None:
    """Warnings stand in a quotation, and what is to be typed is a code span whatever is in it."""
    notes = (Note("one", "warning"), Note("- two", "warning"), Note("harness report --md '*'", "command"))
    told = markdown(Document("T", (), (Part("P", notes),), (), {}))
    assert "> - one\n> - `-` two\n" in told
    assert "`harness report --md '*'`" in told


def test_charts_are_left_to_the_html() -> None:
    """A part that is charts alone has no heading in Markdown."""
    chart = Chart("C", None, "says", grid("t", 1, ("a",), []))  # type: ignore[arg-type]
    assert "Only charts" not in markdown(Document("T", (), (Part("Only charts", (chart,)),), (), {}))


def test_the_report_of_a_hostile_run_is_harmless(tmp_path: Path) -> None:
    """Endpoint names, reasons and errors that are markup are code in every table and line of the whole report."""
    two_endpoints(tmp_path, HOSTILE)
    done = CliRunner().invoke(cli, ["report", "--results", str(tmp_path), "--md", "-", "--include-text"])
    assert done.exit_code == 0, done.exception
    inside = False
    for line in done.stdout.splitlines():
        if re.match(r"`{3,}", line):
            inside = not inside
        elif not inside and not re.fullmatch(r"</?details>|<summary>[^<>]*</summary>", line):
            bare = _without_code(line.replace("\\|", "")).removeprefix("> ")
            assert not re.search(r"<|evil|@|\]\(|\$", bare), line
    assert len(done.stdout) <= 65_000
