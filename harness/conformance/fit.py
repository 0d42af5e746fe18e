"""Whether a value is valid under a JSON Schema."""

from __future__ import annotations

from typing import Any

from harness.conformance.capture import brief
from harness.types import JsonObject


def misfit(value: Any, schema: JsonObject) -> str:
    """Why a value is not valid under one of our own schemas (Draft 2020-12), on one line; empty: it is."""
    # Slow to import, and needed only once something was answered.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    try:
        error = best_match(Draft202012Validator(schema).iter_errors(value))
    except (RecursionError, OverflowError) as hostile:
        return f"could not be checked ({type(hostile).__name__})"
    return f"{brief(error.message)} at {error.json_path}" if error else ""
