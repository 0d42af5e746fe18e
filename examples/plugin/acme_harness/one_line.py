"""A report format: one line for each endpoint of each run, for a chat."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.document import Document
from harness.types import JsonObject


def one_line(document: Document, summaries: Sequence[JsonObject]) -> str:
    """The title, then who was asked and how much of it was right."""
    lines = [document.title]
    for summary in summaries:
        lines += [f"{row['endpoint']} {row['task']}: {row['n_correct']}/{row['n_scored']}" for row in summary["tasks"]]
    return "\n".join(lines) + "\n"
