"""Putting a chart on a page: with its text for those who cannot see it, and as a picture to take along."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st


def draw(figure: go.Figure | None, *, key: str, alt: str, otherwise: str) -> None:
    """Show a chart; ``alt`` says what it shows and where the numbers are, ``otherwise`` why there is none."""
    if figure is None:
        st.info(f"Nothing to draw: {otherwise}")
        return
    picture = {"format": "png", "filename": key, "scale": 2}
    st.plotly_chart(figure, key=key, alt=alt, config={"displaylogo": False, "toImageButtonOptions": picture})
