"""``GET /models``: the ids that a server says it answers to."""

from __future__ import annotations

import json
from typing import Any

from harness.exchange import Exchange

_LONGEST = 500


def ids_of(exchange: Exchange) -> list[str] | None:
    """Model ids of ``{"data": [{"id"}]}``, or of a bare list as some hosts send; None: it is neither.

    An entry may be the id alone. Each is given once, in the order listed.
    """
    if exchange.status != 200:
        return None
    try:
        answer: Any = json.loads(exchange.body)
    except (ValueError, RecursionError):
        return None
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        return None
    ids = [row.get("id") if isinstance(row, dict) else row for row in rows]
    return list(dict.fromkeys(one for one in ids if isinstance(one, str) and 0 < len(one) <= _LONGEST))
