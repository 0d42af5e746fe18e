"""Probes of the key: what happens to a request whose key is wrong or missing."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.conformance import (
    MISSHAPEN_REFUSALS,
    Check,
    NotApplicable,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    envelope,
    literal,
    probe,
    refuses,
)
from harness.conformance.plain import HELLO
from harness.provider import Endpoint
from harness.types import WRONG_KEY

UNAUTHORISED = frozenset({401, 403})


def keyed(auth: str) -> Mapping[str, Any]:
    """How a request is sent whose refusal is the answer."""
    return {"auth": auth, "answers": UNAUTHORISED}


WRONG = chat("auth_wrong", "one line with a wrong key", HELLO, cap=1, surface="auth", send=keyed("wrong"))
NONE = chat("auth_none", "one line without a key", HELLO, cap=1, surface="auth", send=keyed("none"))
WRONG_STREAM = chat(
    "auth_wrong_stream",
    "one line with a wrong key, streamed",
    HELLO,
    cap=1,
    surface="auth",
    stream=True,
    send=keyed("wrong"),
)
TORN = literal("auth_torn", "a body that breaks off, with a wrong key", b'{"model":', surface="auth", **keyed("wrong"))


LOWER = chat(
    "auth_lower",
    "one line with its key behind bearer in lower case",
    HELLO,
    cap=1,
    surface="auth",
    send=keyed("lower"),
)
API_KEY = chat(
    "auth_api_key",
    "one line with its key in the headers api-key and x-api-key alone",
    HELLO,
    cap=1,
    surface="auth",
    send=keyed("api_key"),
)


def wants_key(endpoint: Endpoint) -> None:
    """NotApplicable where no key was set up for the endpoint: then it need not ask for one."""
    auth = endpoint.provider.auth
    if auth.scheme == "none" or auth.env is None:
        raise NotApplicable("no key is set up for this endpoint, so it need not ask for one")


@probe(
    "auth.bad_key",
    title="Refuses a wrong key",
    sees=(WRONG,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes; RFC 9110, 15.5.2",
    faults={
        "ignore_auth": "ignored",
        **MISSHAPEN_REFUSALS,
        "auth_403": "partial",
    },
)
def bad_key(seen: Seen) -> Iterator[Check]:
    """A wrong key gets 401 and the documented error body."""
    wants_key(seen.endpoint)
    yield from refuses(seen[WRONG], 401)


@probe(
    "auth.no_key",
    title="Refuses a request without a key",
    sees=(NONE,),
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes; RFC 9110, 15.5.2",
    faults={
        "ignore_auth": "ignored",
        **MISSHAPEN_REFUSALS,
    },
)
def no_key(seen: Seen) -> Iterator[Check]:
    """A request without the header authorization gets 401 and the documented error body."""
    wants_key(seen.endpoint)
    yield from refuses(seen[NONE], 401)


@probe(
    "auth.bad_key_stream",
    title="Refuses a wrong key before a stream begins",
    sees=(WRONG_STREAM,),
    severity="core",
    basis="observed",
    needs=("auth.bad_key",),
    spec="API guide: error codes; official clients read errors of a stream from its status",
    faults={"plain_error": "partial", "int_code": "partial", "auth_403": "partial", "key_in_stream": "broken"},
)
def bad_key_stream(seen: Seen) -> Iterator[Check]:
    """A wrong key gets 401 and the documented error body where a stream was asked for, and no stream begins."""
    wants_key(seen.endpoint)
    capture = seen[WRONG_STREAM]
    told = f"{capture.status} {capture.media_type}".strip()
    yield check("status", 400 <= (capture.status or 0) < 500, "401 application/json", told)
    yield from envelope(capture)
    yield check("status 401", capture.status == 401, 401, told, must=False)
    yield check("content type", capture.media_type == "application/json", "application/json", told, must=False)


@probe(
    "auth.before_body",
    title="Looks at the key before the body",
    sees=(TORN,),
    severity="ext",
    basis="observed",
    needs=("auth.bad_key",),
    spec="RFC 9110, 15.5.2",
    faults={"auth_403": "partial", "body_before_key": "partial"},
)
def before_body(seen: Seen) -> Iterator[Check]:
    """A wrong key with a body that is not JSON gets 401, as if the body were not read."""
    wants_key(seen.endpoint)
    status = seen[TORN].status or 0
    yield check("status", 400 <= status < 500, 401, status)
    yield check("status 401", status == 401, 401, status, must=False)


@probe(
    "auth.key_not_echoed",
    title="Keeps a wrong key to itself",
    sees=(WRONG,),
    severity="ext",
    basis="eco",
    needs=("auth.bad_key",),
    spec="OWASP: credentials in error messages",
    faults={"echo_key": "broken"},
)
def key_not_echoed(seen: Seen) -> Iterator[Check]:
    """The error of a wrong key does not hold the whole key."""
    wants_key(seen.endpoint)
    capture = seen[WRONG]
    told = WRONG_KEY.encode() in capture.body
    yield check("the key is not told back", not told, "no key, or a masked one", capture.at("error", "message"))


@probe(
    "auth.scheme_case",
    title="Reads the scheme in any case",
    sees=(LOWER,),
    severity="ext",
    needs=("auth.bad_key",),
    spec="RFC 9110, 11.1",
    faults={"auth_case": "rejected"},
)
def scheme_case(seen: Seen) -> Iterator[Check]:
    """A right key behind bearer in lower case is accepted, for the names of schemes have no case."""
    _in_header_authorization(seen.endpoint)
    yield from accepted(seen[LOWER])


@probe(
    "auth.alt_header",
    title="Takes a key in api-key or x-api-key",
    sees=(API_KEY,),
    severity="ext",
    basis="eco",
    needs=("auth.bad_key",),
    spec="Vendors' references: api-key, x-api-key",
    faults={"bearer_only": "rejected"},
)
def alt_header(seen: Seen) -> Iterator[Check]:
    """A right key in the headers api-key and x-api-key, without authorization, is accepted."""
    _in_header_authorization(seen.endpoint)
    yield from accepted(seen[API_KEY])


def _in_header_authorization(endpoint: Endpoint) -> None:
    wants_key(endpoint)
    if endpoint.provider.auth.scheme != "bearer":
        raise Untestable("evidence", "this endpoint's key goes into a header of its own")


PROBES = (bad_key, no_key, bad_key_stream, before_body, key_not_echoed, scheme_case, alt_header)
