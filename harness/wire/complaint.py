"""What a server says went wrong: every known shape of an error body, and the failure kind it stands for."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from harness.exchange import Exchange, Failure, FailureKind

MAX_DETAIL = 300
_SNIFF = 65_536

_SECRET = re.compile(
    r"(?i)\b(?:(?:sk|rk|pk|gsk|xai|hf|nvapi|pplx|csk|fw|tgp|r8)[-_][\w*.\-]{6,}|AIza[\w\-]{10,}|(?<=bearer )\S{8,})"
)
_NAMED_SECRET = re.compile(r"(?i)(\bapi[ _-]?key[\w ]{0,12}[:=]\s*[\"']?)[^\s\"',;]{4,}")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")

_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"})
_THROTTLED_CODES = frozenset(
    {"rate_limit_exceeded", "rate_limit_error", "too_many_requests", "insufficient_quota", "resource_exhausted"}
)
_OVERLOADED_CODES = frozenset(
    {"overloaded_error", "overloaded", "engine_overloaded", "unavailable", "server_overloaded"}
)
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})

_OVERFLOW = re.compile(
    r"maximum context length|context_length_exceeded|exceed_context_size|max_model_len"
    r"|(?:exceed(?:s|ed|ing)?|(?:larger|longer|greater|more) than|over|beyond) .{0,60}"
    r"(?:context (?:length|window|size)|maximum (?:model|sequence|input) length)"
    r"|context (?:length|window|size)\b.{0,40}(?:exceed|overflow|too (?:long|large|small)|reached)"
    r"|(?:prompt|input|request|conversation) (?:is|was) too long|too many (?:input|prompt) tokens"
    r"|reduce the length of the (?:messages|prompt|input|conversation)",
    re.IGNORECASE,
)
_THROTTLED = re.compile(r"rate[ -]?limit|too many requests|quota exceeded|exceeded your .{0,20}quota", re.IGNORECASE)
_OVERLOADED = re.compile(
    r"overloaded|at (?:full )?capacity|service (?:is )?(?:temporarily )?unavailable|no (?:available|healthy) "
    r"(?:server|worker|instance|upstream|backend)|server (?:is )?(?:too )?busy",
    re.IGNORECASE,
)


class Complaint(NamedTuple):
    """An error as a server words it; empty text and None: it does not say."""

    message: str
    code: str = ""
    type: str = ""
    status: int | None = None
    """HTTP status named inside the body."""

    def line(self) -> str:
        """One line for a person, with what looks like a key taken out."""
        labels = [label for label in (self.code, self.type) if label and label not in self.message]
        said = self.message or "an error without a message"
        return one_line(f"{said} ({', '.join(dict.fromkeys(labels))})" if labels else said)


def one_line(text: str) -> str:
    """``text`` without line ends, control characters and anything like a key, at most ``MAX_DETAIL`` characters."""
    flat = _CONTROL.sub(" ", text[:_SNIFF].encode(errors="replace").decode()).strip()
    clean = _NAMED_SECRET.sub(r"\1[key]", _SECRET.sub("[key]", flat))
    return clean if len(clean) <= MAX_DETAIL else clean[: MAX_DETAIL - 1] + "…"


def page(text: str) -> str | None:
    """Name of the page that ``text`` is, such as ``an HTML page``; None: it is no markup."""
    start = text[:_SNIFF].lstrip("\ufeff \t\r\n")
    if not start.startswith("<"):
        return None
    title = _TITLE.search(start)
    if title:
        return f'an HTML page (title "{one_line(html.unescape(title[1]))[:120]}")'
    return "an HTML page" if re.search(r"<(!doctype )?html", start, re.IGNORECASE) else "a page of markup"


def complaint(value: Any, *, certain: bool = False) -> Complaint | None:
    """The error that a decoded JSON body tells of; None: it tells of none.

    Known shapes: ``{"error": {...}}``, ``{"error": "text"}``, ``{"error": true, "message": ...}``, ``{"detail": ...}``
    (text, object, or a list of field errors), ``{"message": ...}``, ``{"object": "error"}``, ``{"errors": [...]}``,
    ``{"x_groq": {"error": ...}}``, an error inside choice 0, and a list of any of these. ``certain`` says that it is
    an error by other evidence, such as the HTTP status, so that a bare ``message`` or text counts as well.
    """
    if isinstance(value, list):
        found = (complaint(item, certain=certain) for item in value[:8])
        return next((one for one in found if one), None)
    if not isinstance(value, dict):
        return Complaint(str(value)) if certain and value not in (None, "") else None
    error = value.get("error") or _nested(value)
    if error:
        return _from_error(error, value)
    if value.get("choices"):
        return None
    named = value.get("object") == "error" or value.get("type") == "error"
    if named or any(value.get(key) for key in ("detail", "errors")):
        return _from_flat(value)
    coded = any(value.get(key) not in (None, "", 0, 200) for key in ("code", "status", "error_code", "error_msg"))
    said = any(isinstance(value.get(key), str) and value[key] for key in ("message", "msg", "error_msg"))
    return _from_flat(value) if said and (coded or certain) else None


def inband(found: Complaint, status: int | None) -> Failure:
    """The failure for an error that came inside an answer whose HTTP ``status`` was a success."""
    return Failure(_worded(found) or "inband_error", found.line(), status)


def http_failure(exchange: Exchange) -> Failure:
    """The failure for an HTTP status of 400 or more.

    401 and 403 are ``auth``, 429 ``throttled``, 503 and 529 ``overloaded``; otherwise a context overflow or a content
    filter is recognised by its code or clear wording; the rest is ``http_4xx`` or ``http_5xx``.
    """
    status = exchange.status or 0
    text = exchange.body.decode("utf-8-sig", "replace").strip()
    found = _from_body(text)
    kind: FailureKind
    if status in (401, 403):
        kind = "auth"
    elif status == 429:
        kind = "throttled"
    elif status in (503, 529):
        kind = "overloaded"
    else:
        word = _worded(found)
        rest: FailureKind = "http_4xx" if status < 500 else "http_5xx"
        kind = word if word in ("context_overflow", "content_filter") else rest
    nothing_said = page(text) if text else "an empty body"
    detail = f"HTTP {status} with {nothing_said}" if nothing_said else found.line()
    return Failure(kind, detail, status, retry_after(exchange.headers))


def retry_after(headers: Sequence[tuple[str, str]]) -> float | None:
    """Seconds asked for by ``retry-after-ms`` or ``retry-after``; None: not asked.

    A date is read by the server's own clock, the header ``date`` of the same answer; without one it counts as not
    asked, since ours may not agree.
    """
    given = dict(headers)
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(given.get(name, "")) / per_second
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    until, now = (_moment(given.get(name, "")) for name in ("retry-after", "date"))
    return None if until is None or now is None else max(0.0, (until - now).total_seconds())


def _moment(text: str) -> datetime | None:
    """Source: RFC 9110 section 5.6.7, the form that senders must use."""
    try:
        return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def _from_body(text: str) -> Complaint:
    """The complaint of an error body; its message is empty for an empty body and for a page of markup."""
    if not text or page(text):
        return Complaint("")
    if text.startswith("data:"):  # an event stream although the status says error
        text = text.splitlines()[0].removeprefix("data:").strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Complaint(text[:_SNIFF])
    return complaint(value, certain=True) or Complaint(text[:_SNIFF])


def _nested(value: dict[str, Any]) -> Any:
    groq = value.get("x_groq")
    if isinstance(groq, dict) and groq.get("error"):
        return groq["error"]
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0].get("error")
    return None


def _from_error(error: Any, around: dict[str, Any]) -> Complaint:
    if isinstance(error, list):
        return complaint(error, certain=True) or Complaint(_text(error))
    if not isinstance(error, dict):
        said = error if isinstance(error, str) else _message(around)
        return Complaint(said, _label(around, "code", "error_code"), _label(around, "type"), _number(around))
    message = _message(error)
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
        message = f"{message}: {metadata['raw']}"  # a gateway's own words first, then those of the server behind it
    return Complaint(
        message, _label(error, "code", "error_code"), _label(error, "type", "status"), _number(error) or _number(around)
    )


def _from_flat(value: dict[str, Any]) -> Complaint:
    return Complaint(_message(value), _label(value, "code", "error_code"), _label(value, "type"), _number(value))


def _message(value: dict[str, Any]) -> str:
    for key in ("message", "detail", "msg", "error_msg", "error", "errors"):
        said = value.get(key)
        if isinstance(said, str) and said:
            return said
        if isinstance(said, list) and said:
            return "; ".join(_field_error(item) for item in said[:4])
        if isinstance(said, dict) and said:
            return _message(said)
    return ""


def _field_error(item: Any) -> str:
    """``body.messages: field required``, from the list that FastAPI and pydantic give."""
    if not isinstance(item, dict):
        return _text(item)
    where = item.get("loc")
    place = ".".join(str(part) for part in where) if isinstance(where, list) else ""
    said = _message(item) or _text(item)
    return f"{place}: {said}" if place else said


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)[:MAX_DETAIL]


def _label(value: dict[str, Any], *keys: str) -> str:
    """The first text among ``keys``; a number is a status and no label."""
    return next((value[key] for key in keys if isinstance(value.get(key), str) and value[key] != "error"), "")


def _number(value: dict[str, Any]) -> int | None:
    for key in ("code", "status", "status_code", "statusCode"):
        number = value.get(key)
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) == 3:
            number = int(number)
        if isinstance(number, int) and 400 <= number <= 599:
            return number
    return None


def _worded(found: Complaint) -> FailureKind | None:
    """The kind that the code, type, inner status or wording says clearly; codes are believed before words."""
    labels = {found.code.lower(), found.type.lower()}
    tests: tuple[tuple[bool, FailureKind], ...] = (
        (bool(labels & _OVERFLOW_CODES), "context_overflow"),
        (bool(labels & _FILTER_CODES), "content_filter"),
        (bool(labels & _THROTTLED_CODES) or found.status == 429, "throttled"),
        (bool(labels & _OVERLOADED_CODES) or found.status in (503, 529), "overloaded"),
        (bool(_OVERFLOW.search(found.message)), "context_overflow"),
        (bool(_THROTTLED.search(found.message)), "throttled"),
        (bool(_OVERLOADED.search(found.message)), "overloaded"),
    )
    return next((kind for holds, kind in tests if holds), None)
