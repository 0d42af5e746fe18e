"""How an endpoint looks: one colour, symbol and dash of its own, the same in every chart and table.

Colours are Okabe and Ito's without the yellow, told apart with colour-blind eyes too; a shape goes with each colour,
and a dark outline with each point, because the last two are faint on white.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Marks = Mapping[str, int]
"""Endpoint -> its number in the order of first appearance in the store (view ``endpoint_marks``)."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GLYPHS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "x": "✖", "star": "★"}
_SYMBOLS = tuple(GLYPHS)
_DASHES = ("solid", "dash", "dot", "dashdot")
GREY = "#8A8A8A"
"""What stands back: dominated points, one endpoint's share of a sum."""


def colour(mark: int) -> str:
    """Colour of an endpoint."""
    return COLOURS[mark % len(COLOURS)]


def symbol(mark: int) -> str:
    """Its shape; together with the colour it is its own for the first 36."""
    return _SYMBOLS[(mark + mark // len(COLOURS)) % len(_SYMBOLS)]


def glyph(mark: int) -> str:
    """The same shape as a letter."""
    return GLYPHS[symbol(mark)]


def marker(mark: int, *, size: int = 12, faded: bool = False) -> dict[str, Any]:
    """Plotly's marker of an endpoint; ``faded`` keeps the shape and leaves the colour out."""
    outline = {"width": 1, "color": "#444444"}
    return {"color": GREY if faded else colour(mark), "symbol": symbol(mark), "size": size, "line": outline}


def line(mark: int) -> dict[str, Any]:
    """Plotly's line of an endpoint."""
    return {"color": colour(mark), "dash": _DASHES[mark % len(_DASHES)], "width": 2}
