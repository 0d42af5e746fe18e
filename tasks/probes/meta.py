"""Probes of the paths themselves: what exists, and what happens to what does not."""

from collections.abc import Iterator

from harness.conformance import Capture, Check, Scenario, Seen, check, post, probe
from harness.conformance.plain import NO_GET, NO_POST, NO_ROOT, NO_WAY


def empty(name: str, path: str) -> Scenario:
    """An empty object, which costs no token wherever it is sent."""
    return post(f"meta_{name}", f"POST an empty object to {path}", path, {}, surface="meta", answers=NO_WAY)


KNOWN = (
    empty("chat", "/chat/completions"),
    empty("completions", "/completions"),
    empty("embeddings", "/embeddings"),
    empty("responses", "/responses"),
)


@probe(
    "meta.canary_404",
    title="Knows which paths do not exist",
    sees=(NO_GET, NO_POST, NO_ROOT),
    spec="RFC 9110, 15.5.5",
    faults={"status_200": "broken", "status_400": "partial", "path_200": "broken"},
)
def canary_404(seen: Seen) -> Iterator[Check]:
    """A path that does not exist gets 404 or 405, whether it is asked by GET or POST."""
    for scenario in (NO_GET, NO_POST):
        status = seen[scenario].status or 0
        yield check(f"{scenario.title}: an error", 400 <= status < 500, "404 or 405", status, of=seen[scenario])
    for scenario in (NO_GET, NO_POST, NO_ROOT):
        status = seen[scenario].status or 0
        yield check(f"{scenario.title}: 404", status in (404, 405), "404", status, must=False, of=seen[scenario])


@probe(
    "meta.surface_map",
    title="Tells which paths it serves",
    sees=(NO_POST, *KNOWN),
    severity="ext",
    needs=("meta.canary_404",),
    spec="OpenAPI: paths; RFC 9110, 15.5",
    faults={"status_500": "broken"},
)
def surface_map(seen: Seen) -> Iterator[Check]:
    """An empty object gets a 4xx from each path of the API, served or not, and chat is served."""
    for scenario in KNOWN:
        capture = seen[scenario]
        status = capture.status or 0
        yield check(f"{scenario.title}: refused", 400 <= status < 500 or status == 501, "4xx", status, of=capture)
    served = _told(seen[KNOWN[0]]) != _told(seen[NO_POST])
    yield check("chat is served", served, "an error other than that of no path", _told(seen[NO_POST]), must=False)


def _told(capture: Capture) -> tuple[int | None, str]:
    """What is said of a path, without the path itself."""
    return capture.status, capture.body.decode(errors="replace").replace(capture.path, "")


PROBES = (canary_404, surface_map)
