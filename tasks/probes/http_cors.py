"""Probes of what a page in a browser may do with an endpoint."""

from collections.abc import Iterator

from harness.conformance import Check, Refused, Seen, bare, check, probe

ORIGIN = "https://page-of-a-stranger.example"

PREFLIGHT = bare(
    "http_preflight",
    "what a browser asks before it posts a chat for a page",
    "/chat/completions",
    method="OPTIONS",
    surface="http",
    auth="none",
    headers={
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    },
    answers=frozenset({401, 403}),
)
FROM_PAGE = bare("http_origin", "GET /models from a page", "/models", surface="http", headers={"Origin": ORIGIN})


@probe(
    "http.cors_preflight",
    title="Lets pages of browsers in",
    sees=(PREFLIGHT,),
    severity="ext",
    spec="Fetch: CORS-preflight fetch",
    faults={"no_cors": "rejected", "cors_narrow": "partial"},
)
def cors_preflight(seen: Seen) -> Iterator[Check]:
    """A preflight gets 2xx and allows the origin, the method POST and the headers Authorization and Content-Type."""
    capture = seen[PREFLIGHT]
    status = capture.status or 0
    if 400 <= status < 500 or status == 501:
        raise Refused(capture)
    yield check("status", 200 <= status < 300, "204", status)
    origin = capture.header("access-control-allow-origin")
    yield check("the origin is allowed", origin in ("*", ORIGIN), ORIGIN, origin or "no such header", must=False)
    named = capture.header("access-control-allow-headers").lower()
    headers = {name.strip() for name in named.split(",")}
    # By the standard * does not stand for Authorization.
    allowed = {"authorization", "content-type"} <= headers or {"authorization", "*"} <= headers
    yield check("its headers are allowed", allowed, "authorization, content-type", named or "none", must=False)
    methods = capture.header("access-control-allow-methods").upper()
    simple = not methods or "POST" in methods or "*" in methods
    yield check("POST is allowed", simple, "POST", methods, must=False)


@probe(
    "http.cors_no_reflect",
    title="Lends no credentials to strange pages",
    sees=(PREFLIGHT, FROM_PAGE),
    severity="ext",
    spec="Fetch: CORS protocol and credentials",
    faults={"cors_reflect": "broken"},
)
def cors_no_reflect(seen: Seen) -> Iterator[Check]:
    """No answer allows credentials to an origin that nobody made known to the server."""
    for scenario in (PREFLIGHT, FROM_PAGE):
        capture = seen[scenario]
        reflected = capture.header("access-control-allow-origin") == ORIGIN
        lends = capture.header("access-control-allow-credentials").lower() == "true"
        yield check("no credentials for strangers", not (reflected and lends), "not allowed", ORIGIN, of=capture)


PROBES = (cors_preflight, cors_no_reflect)
