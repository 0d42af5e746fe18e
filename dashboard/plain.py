"""Text that others wrote, made harmless for Streamlit's Markdown; ``harness.report.inert`` does it for HTML and Plotly.

Text widgets that read no language (``st.code``, the cells of ``st.dataframe``) need nothing of this.
"""

from __future__ import annotations

import re

from harness.report.words import plain

_WORD = re.compile(r"[('\"]?[^\W_]+(?:['’-][^\W_]+)*[)'\"]?[.,;:]?|\(?\d+(?:\.\d+)?%?[),.;:]*|[.,;:)]+")
_TICKS = re.compile("`+")
_LIMIT = 100_000


def code(text: str) -> str:
    """For Streamlit's Markdown: a code span, in which nothing is looked for.

    Escapes are no help there: addresses, icons and emoji are looked for after they have been undone.
    """
    line = " ".join(plain(text).split())
    fence = "`" * (1 + max((len(run) for run in _TICKS.findall(line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line or ' '}{fence}"


def message(text: str) -> str:
    """An error of ours for Markdown: words are words; commands between backticks, paths and all else are code."""
    return " ".join(part for i, ours in enumerate(text.split("`")) for part in _inert(ours, command=i % 2 == 1))


def _inert(part: str, *, command: bool) -> list[str]:
    if command and part.strip():
        return [code(part)]
    return [token if _WORD.fullmatch(token) else code(token) for token in part.split()]


def beginning(text: str) -> str:
    """As much of a text as a browser shows with ease, and how much was left out."""
    if len(text) <= _LIMIT:
        return text
    return f"{text[:_LIMIT]}\n… {len(text) - _LIMIT} more characters: ask for them with harness sql"
