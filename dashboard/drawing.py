"""Putting a chart on a page: with its text for those who cannot see it, and as a picture to take along."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st


def draw(
    figure: go.Figure | None, *, key: str, alt: str, otherwise: str, on_select: Callable[[], None] | None = None
) -> None:
    """Show a chart.

    Args:
        figure: None: there is none.
        key: of the chart, and the name of its picture.
        alt: what it shows and where the numbers are.
        otherwise: why there is none.
        on_select: called when a point was chosen, which then stands under the key in the session; None: none can be.
    """
    if figure is None:
        st.info(f"Nothing to draw: {otherwise}")
        return
    picture = {"format": "png", "filename": key, "scale": 2}
    st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        config={"displaylogo": False, "toImageButtonOptions": picture},
        on_select=on_select or "ignore",
        selection_mode="points",
    )
