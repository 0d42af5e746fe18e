"""Embeddings as a judge reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.conformance.capture import Capture
from harness.stats.vectors import cosine

__all__ = ["cosine", "vector"]


def vector(capture: Capture, place: int = 0, *, zero: bool = False) -> Sequence[float] | None:
    """The embedding at a place; None: there is none of finite numbers, or (unless ``zero``) all are 0."""
    found: Any = capture.at("data", place, "embedding")
    if not isinstance(found, list) or not found or not all(map(_is_number, found)):
        return None
    return [float(one) for one in found] if zero or any(found) else None


def _is_number(value: Any) -> bool:
    # Whole numbers beyond 2**63 are none that a vector holds, and too large for a float.
    return (isinstance(value, float) and math.isfinite(value)) or (type(value) is int and abs(value) < 2**63)
