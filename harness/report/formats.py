"""Forms of a report that installed packages add to HTML, Markdown and JUnit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from harness.catalog.sound import shown
from harness.errors import TaskError, UnknownName
from harness.plugins import Plugin, plugins
from harness.report.document import Document
from harness.types import JsonObject

Form = Callable[[Document, Sequence[JsonObject]], str]
"""Makes a text of the report, as every form shows it, and of the summaries of its runs, which are plain data."""


def form(name: str) -> Form:
    """The form of that name; UnknownName with the nearest ones, TaskError for a plug-in that cannot be used."""
    found = plugins("reports")
    if name not in found:
        raise UnknownName("report format", name, found, where="See harness plugins")
    return given(found[name])


def given(plugin: Plugin) -> Form:
    """What a plug-in gives, which is told where it fails or makes no text; TaskError for no function."""
    make = plugin.load()
    if not callable(make):
        raise TaskError(f"{plugin.label} gives {shown(make)}, not a function of a document and its summaries")

    def text(document: Document, summaries: Sequence[JsonObject]) -> str:
        made = plugin.call(make, document, summaries)
        if not isinstance(made, str):
            raise TaskError(f"{plugin.label} makes {shown(made)}, not a text")
        return made

    return cast("Form", text)
