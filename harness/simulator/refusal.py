"""The errors an endpoint answers with: status, and the four fields of the documented body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

INVALID = "invalid_request_error"
TYPE = "invalid_type"
SYNTAX = "invalid_json"


class Refusal(Exception):  # noqa: N818 - reads as what it is
    """A request that is answered with an error status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``kind`` is the body's field type; None in ``param`` and ``code`` is sent as null."""
        super().__init__(message)
        self.status, self.message, self.kind, self.param, self.code = status, message, kind, param, code
        self.headers = dict(headers or {})
        self.body: Any = None
        """A dialect's template in the place of the body; None: the documented one, or what the dialect has for it."""
        self.own_status: int | None = None
        """A dialect's status in the place of the one it has for errors of this kind."""
        self.value: Any = None
        """What was sent, where a dialect tells it back."""


def missing(param: str) -> Refusal:
    """A required field is not there."""
    return Refusal(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def bad_type(param: str, expected: str, value: Any) -> Refusal:
    """A field has the wrong JSON type."""
    got = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    called = got.get(type(value), "a number")
    message = f"Invalid type for '{param}': expected {expected}, but got {called} instead."
    return Refusal(400, message, param=param, code=TYPE)


def bad_value(param: str, what: str, code: str = "invalid_value") -> Refusal:
    """A field has the right type and a value that cannot be."""
    return Refusal(400, f"Invalid '{param}': {what}.", param=param, code=code)


def overloaded(status: int, retry_after_s: float | None) -> Refusal:
    """The queue is full; None: nothing is said of when to come again."""
    after = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
    return Refusal(status, "The queue is full.", kind="server_error", code="overloaded", headers=after)


def limited(kind: str, limit: int, wait_s: float) -> Refusal:
    """A rate limit is reached; ``wait_s``: when there is room again."""
    after = {"retry-after": str(math.ceil(wait_s)), "retry-after-ms": str(math.ceil(wait_s * 1000))}
    what = f"Rate limit reached: {limit} {kind} per minute."
    return Refusal(429, what, kind=kind, code="rate_limit_exceeded", headers=after)


def crash() -> Refusal:
    """What a server says that did not expect a request."""
    return Refusal(500, "Internal server error.", kind="server_error")
