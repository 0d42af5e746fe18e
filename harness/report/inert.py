"""Text that others wrote, made harmless for HTML and for Plotly, whose labels know some tags and entities.

Answers, server errors, data sets and folders received from others may hold markup. It is shown letter by letter and
never obeyed.
"""

from __future__ import annotations

import html

from harness.report.words import plain


def markup(text: str) -> str:
    """For HTML, inside elements and attributes, and for Plotly's hover texts."""
    return html.escape(plain(text))


def label(text: str, longest: int = 60) -> str:
    """For a Plotly legend or axis: one line, shortened in the middle where both ends tell."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = f"{line[: longest // 2]}…{line[-(longest // 2) :]}"
    return markup(line)
