"""Text that others wrote, made harmless for each place that reads a language: HTML, Plotly, Markdown.

Answers, server errors, data sets and folders received from others may hold markup. It is shown letter by letter and
never obeyed. Text widgets that read no language (``st.code``, the cells of ``st.dataframe``) need nothing of this.
"""

from __future__ import annotations

import html
import re

from harness.report.words import plain

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_LIMIT = 100_000


def markup(text: str) -> str:
    """For HTML, inside elements and attributes, and for Plotly, whose labels know some tags and entities."""
    return html.escape(plain(text))


def label(text: str, longest: int = 60) -> str:
    """For a Plotly legend or axis: one line, shortened in the middle where both ends tell."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = f"{line[: longest // 2]}…{line[-(longest // 2) :]}"
    return markup(line)


def markdown(text: str) -> str:
    """For Streamlit's Markdown: every mark escaped; a word joiner splits what it would read as an icon or emoji."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(plain(text).split())).replace("\\:", "\\:\u2060")


def message(text: str) -> str:
    """An error of ours for Markdown: what stands between backticks is a command and looks like one."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return markdown(text)
    return "".join(f"`{plain(part)}`" if i % 2 else _spaced(part) for i, part in enumerate(parts))


def _spaced(part: str) -> str:
    """Escaped, with the spaces at its ends kept."""
    if not part.strip():
        return part
    before, after = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
    return before + markdown(part) + after


def beginning(text: str) -> str:
    """As much of a text as a browser shows with ease, and how much was left out."""
    if len(text) <= _LIMIT:
        return text
    return f"{text[:_LIMIT]}\n… {len(text) - _LIMIT} more characters: ask for them with harness sql"
