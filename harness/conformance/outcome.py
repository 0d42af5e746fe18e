"""What a judging function can say: checks that hold or not, and three ways out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from harness.conformance.capture import Capture, Seen, brief, dig
from harness.types import VerdictWord

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
    job: str = ""
    """The capture that it is about, by its job; empty: any that the probe sees."""


def check(
    name: str,
    ok: bool,  # noqa: FBT001 - reads as what it is
    expected: object = "",
    actual: object = "",
    *,
    must: bool = True,
    of: Capture | None = None,
) -> Check:
    """A check; ``expected`` and ``actual`` are shown on one line each, ``of`` is the capture that shows it."""
    return Check(name, ok, brief(expected), brief(actual), must, of.job_id if of else "")


class Refused(Exception):  # noqa: N818 - an outcome, not an error
    """The endpoint cleanly said no."""

    def __init__(self, capture: Capture) -> None:
        """``capture`` holds the refusal."""
        self.actual = refusal(capture)
        self.job = capture.job_id
        super().__init__(self.actual)


class Ignored(Exception):  # noqa: N818 - an outcome, not an error
    """The endpoint said yes, and there is evidence that it did not do it."""

    def __init__(self, why: str, expected: object = "", actual: object = "", *, of: Capture | None = None) -> None:
        """``why`` is one line; the others as in a check."""
        super().__init__(why)
        self.expected, self.actual = brief(expected), brief(actual)
        self.job = of.job_id if of else ""


class Untestable(Exception):  # noqa: N818 - an outcome, not an error
    """It cannot be told from what came back."""

    def __init__(self, reason: Reason, why: str) -> None:
        """``reason`` is the code, ``why`` one line."""
        super().__init__(f"{reason}: {why}")


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """The question does not arise for this endpoint, for example which keys are refused where none is asked for."""


def accepted(capture: Capture) -> Iterator[Check]:
    """Checks that a request was answered with 200 and no error inside.

    Raises:
        Refused: a 4xx or 501 that says why in JSON.
    """
    status = capture.status
    if said_no(capture):
        raise Refused(capture)
    told = f"{status} {brief(capture.body.decode(errors='replace'), 80)}".strip()
    yield check("status", status == 200, "200", told, of=capture)
    inside = capture.at("error")
    yield check("no error inside a 200", not inside, "no error object", inside, of=capture)


def present(capture: Capture, nowhere: Capture) -> Iterator[Check]:
    """Checks that an optional path exists and answers with 200; ``nowhere`` is what a path that nobody has gets.

    Raises:
        Refused: it does not exist, in whatever words that is said, or the request was cleanly refused.
    """
    absent = capture.status in (404, 405, 501)
    # A server that says 200 to everything says nothing by it.
    same = capture.status == 200 == nowhere.status and (capture.body == nowhere.body or bool(capture.at("error")))
    if absent or same:
        raise Refused(capture)
    yield from accepted(capture)


def said_no(capture: Capture) -> bool:
    """Whether it is a clean refusal: a 4xx or 501 that says why in JSON."""
    status = capture.status
    return status is not None and (400 <= status < 500 or status == 501) and isinstance(capture.json, (dict, list))


def answered_or_refused(capture: Capture) -> Iterator[Check]:
    """Checks that an odd request was either answered or cleanly refused: it has not hurt the server."""
    if said_no(capture):
        yield check("a clean refusal", True, "200 or 400", capture.status)  # noqa: FBT003 - just that was asked
    else:
        yield from accepted(capture)


def streamed(capture: Capture) -> Iterator[Check]:
    """Checks that a stream was served and carries no error.

    Raises:
        Refused: a 4xx or 501 that says why in JSON.
        Ignored: the answer came in one piece.
    """
    yield from accepted(capture)
    if isinstance(capture.json, dict):
        raise Ignored("answered in one piece, not as a stream", "text/event-stream", capture.media_type, of=capture)
    body = capture.body.decode(errors="replace")
    yield check("chunks", bool(capture.chunks), "one data event or more", body, of=capture)
    inside = capture.errors
    yield check("no error in the stream", not inside, "no error object", inside, of=capture)


def streams(seen: Seen) -> tuple[Capture, ...]:
    """The captures at hand that came as streams without an error in them: what judges of the wire format look at.

    Raises:
        Untestable: there is none.
    """
    came = (one for one in seen.everything() if one.status == 200 and one.streamed)
    found = tuple(one for one in came if not one.errors)
    if not found:
        raise Untestable("evidence", "no stream came")
    return found


def refuses(capture: Capture, wanted: int = 400, *, param: str | None = None) -> Iterator[Check]:
    """Checks that a request that makes no sense was refused, with the documented error body.

    Another 4xx than ``wanted``, or another ``param``, is no must.

    Raises:
        Ignored: it was answered as if it made sense.
    """
    status = capture.status or 0
    if status == 200 and not capture.at("error"):
        raise Ignored(
            "answered as if it made sense", wanted, f"200 {brief(capture.text or capture.json, 80)}", of=capture
        )
    yield check("status", 400 <= status < 500, wanted, f"{status} {brief(capture.body.decode(errors='replace'), 80)}")
    yield from envelope(capture)
    yield check(f"status {wanted}", status == wanted, wanted, status, must=False)
    if param is not None:
        told = capture.at("error", "param")
        yield check("error.param", isinstance(told, str) and param in told, param, told, must=False)


MISSHAPEN_ERRORS: Mapping[str, VerdictWord] = MappingProxyType(
    {
        **dict.fromkeys(("flat_error", "array_error", "string_error", "detail_error", "html_error"), "broken"),
        "int_code": "partial",
    }
)
"""What a probe that reads an error body says of the simulator's faults in its shape."""
MISSHAPEN_REFUSALS: Mapping[str, VerdictWord] = MappingProxyType({**MISSHAPEN_ERRORS, "status_200": "broken"})
"""The same where a request has to be refused."""
BAD_REFUSALS: Mapping[str, VerdictWord] = MappingProxyType(
    {**MISSHAPEN_REFUSALS, "status_500": "broken", "status_422": "partial"}
)
"""The same where the refusal has to be a 400."""
UNCLEAN: Mapping[str, VerdictWord] = MappingProxyType(
    dict.fromkeys(("html_error", "status_200", "status_500"), "broken")
)
"""The same where an answer would do as well as a clean refusal."""


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
    yield check("error body", isinstance(error, dict), '{"error": {…}}', body, of=capture)
    told = dig(error, "message")
    yield check("error.message", isinstance(told, str), "a string", told, of=capture)
    kind = dig(error, "type")
    yield check("error.type", isinstance(kind, str), "a string", kind, must=False)
    for name in ("param", "code"):
        value = dig(error, name)
        present = name in error and (value is None or isinstance(value, str))
        yield check(f"error.{name}", present, "a string or null", value if name in error else "absent", must=False)
