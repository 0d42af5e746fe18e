"""What a judging function can say: checks that hold or not, and three ways out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from harness.conformance.capture import Capture, brief, dig

Reason = Literal["auth", "quota", "transient", "transport", "model", "headroom", "evidence", "probe"]
"""Why something cannot be told. model: it would not co-operate; headroom: the output was cut before it could show;
evidence: the server does not state what the judgement needs; probe: the judging function itself failed."""


class Check(NamedTuple):
    """One comparison of what is written down with what was seen."""

    name: str
    ok: bool
    expected: str
    actual: str
    must: bool
    """False: official clients cope without it, so that failing it makes the verdict ``partial``."""


def check(name: str, ok: bool, expected: object = "", actual: object = "", *, must: bool = True) -> Check:  # noqa: FBT001 - reads as what it is
    """A check; ``expected`` and ``actual`` are shown on one line each."""
    return Check(name, ok, brief(expected), brief(actual), must)


class Refused(Exception):  # noqa: N818 - an outcome, not an error
    """The endpoint cleanly said no."""

    def __init__(self, capture: Capture) -> None:
        """``capture`` holds the refusal."""
        self.actual = refusal(capture)
        super().__init__(self.actual)


class Ignored(Exception):  # noqa: N818 - an outcome, not an error
    """The endpoint said yes, and there is evidence that it did not do it."""

    def __init__(self, why: str, expected: object = "", actual: object = "") -> None:
        """``why`` is one line; the others as in a check."""
        super().__init__(why)
        self.expected, self.actual = brief(expected), brief(actual)


class Untestable(Exception):  # noqa: N818 - an outcome, not an error
    """It cannot be told from what came back."""

    def __init__(self, reason: Reason, why: str) -> None:
        """``reason`` is the code, ``why`` one line."""
        super().__init__(f"{reason}: {why}")


def accepted(capture: Capture) -> Iterator[Check]:
    """Checks that a request was answered with 200 and no error inside.

    Raises:
        Refused: a 4xx or 501 that says why in JSON.
    """
    status = capture.status
    if status is not None and (400 <= status < 500 or status == 501) and isinstance(capture.json, (dict, list)):
        raise Refused(capture)
    yield check("status", status == 200, "200", f"{status} {brief(capture.body.decode(errors='replace'), 80)}".strip())
    inside = capture.at("error")
    yield check("no error inside a 200", not inside, "no error object", inside)


def refusal(capture: Capture) -> str:
    """What a refusing answer says, with its status, on one line."""
    said = capture.at("error", "message") or capture.at("error") or capture.at("message") or capture.at("detail")
    return f"{capture.status} {brief(said or capture.body.decode(errors='replace'))}".strip()


def envelope(capture: Capture) -> Iterator[Check]:
    """Checks of the documented error body: ``{"error": {message, type, param, code}}``.

    A body of another shape is a must, for clients find no message in it; a missing or mistyped field beside the
    message is not.
    """
    error = capture.at("error")
    body = capture.body.decode(errors="replace")
    yield check("error body", isinstance(error, dict), '{"error": {…}}', body)
    yield check("error.message", isinstance(dig(error, "message"), str), "a string", dig(error, "message"))
    kind = dig(error, "type")
    yield check("error.type", isinstance(kind, str), "a string", kind, must=False)
    for name in ("param", "code"):
        value = dig(error, name)
        present = name in error and (value is None or isinstance(value, str))
        yield check(f"error.{name}", present, "a string or null", value if name in error else "absent", must=False)
