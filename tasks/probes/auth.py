"""Probes of the key: what happens to a request whose key is wrong or missing."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.conformance import Check, Seen, Untestable, chat, check, envelope, literal, probe, refuses
from harness.conformance.plain import HELLO
from harness.types import Endpoint
from harness.wire.transport import WRONG_KEY

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


def wants_key(endpoint: Endpoint) -> None:
    """Untestable where no key was set up for the endpoint: then it need not ask for one."""
    auth = endpoint.provider.auth
    if auth.scheme == "none" or auth.env is None:
        raise Untestable("evidence", "no key is set up for this endpoint, so it need not ask for one")


@probe(
    "auth.bad_key",
    title="Refuses a wrong key",
    sees=(WRONG,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes; RFC 9110, 15.5.2",
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
)
def key_not_echoed(seen: Seen) -> Iterator[Check]:
    """The error of a wrong key does not hold the whole key."""
    wants_key(seen.endpoint)
    capture = seen[WRONG]
    told = WRONG_KEY.encode() in capture.body
    yield check("the key is not told back", not told, "no key, or a masked one", capture.at("error", "message"))


PROBES = (bad_key, no_key, bad_key_stream, before_body, key_not_echoed)
