"""Cells with a see-through colour behind their words: contrast stays in light and dark, and the word says it too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

ORANGE, PINK, YELLOW, BLUE = (
    *("rgba(213, 94, 0, .36)", "rgba(204, 121, 167, .34)"),
    *("rgba(230, 159, 0, .28)", "rgba(86, 180, 233, .28)"),
)
_MOST = 20_000
"""Cells from which on none is coloured: each colour is sent by itself."""


def tinted(cells: pd.DataFrame, columns: Sequence[str], tint: Callable[[str], str | None]) -> Styler | pd.DataFrame:
    """The same cells, those of some columns with the colour that their text has; None: no colour."""

    def css(cell: object) -> str:
        found = tint(str(cell))
        return f"background-color: {found}" if found else ""

    if len(cells) * len(columns) > _MOST:
        return cells
    return cells.style.map(css, subset=pd.Index(columns))
