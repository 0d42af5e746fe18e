"""A report of runs in the forms that are asked for, from one collection of what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from harness.record.folder import RunFolder
from harness.report.document import Document
from harness.report.fitting import fitted
from harness.report.formats import form
from harness.report.junit_run import junit_of_runs
from harness.report.markdown import markdown
from harness.report.onefile.bundle import bundle
from harness.report.onefile.collected import All, collect
from harness.report.onefile.contents import document
from harness.report.onefile.page import Page
from harness.types import JsonObject

_MOST_BYTES = 2_000_000
_MOST_CHARACTERS = 65_000
"""A comment may have 65,536. Source: docs.github.com, REST API, issue comments."""
_SAID_EACH = 20
"""Exchanges of each task and endpoint that are shown where texts are asked for."""


def written(
    results: Path,
    folders: Sequence[RunFolder],
    forms: Iterable[str],
    again: str,
    *,
    margin: float | None,
    texts: bool,
) -> tuple[list[JsonObject], dict[str, str]]:
    """The summaries of these runs, and the text of each form (``--html``, ``--md``, ``--junit``).

    A form ``--as NAME`` is one that an installed package adds. ``again`` is the command that makes the same; ``texts``:
    whether requests and answers are shown.
    Errors: as ``harness.report.summary.figures.summarise``; UsageError where a form cannot hold so many runs.
    """
    found = collect(results, folders, margin=margin, said_each=_SAID_EACH if texts else 0)
    content = cache(lambda: document(found, again, texts=texts))
    makers: dict[str, Callable[[], str]] = {
        "--html": lambda: _html(content(), found),
        "--md": lambda: fitted(content(), markdown, _MOST_CHARACTERS, "characters"),
        "--junit": lambda: junit_of_runs(found.runs),
    }
    summaries = [one.summary for one in found.runs]
    made = {
        name: makers[name]() if name in makers else form(name.removeprefix("--as "))(content(), summaries)
        for name in forms
    }
    return summaries, made


def _html(content: Document, found: All) -> str:
    script = bundle()
    # All of plotly.js is as much again.
    most = 2 * _MOST_BYTES if script.whole else _MOST_BYTES
    return fitted(content, Page(found.marks, script).html, most, "bytes")
