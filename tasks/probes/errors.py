"""Probes of the two commonest mistakes, and of the request after all mistakes: the last file of errors by its name."""

from collections.abc import Iterator

from harness.conformance import (
    BAD_REFUSALS,
    MISSHAPEN_REFUSALS,
    Check,
    Ignored,
    Refused,
    Seen,
    accepted,
    chat,
    check,
    envelope,
    literal,
    probe,
)
from harness.conformance.plain import HELLO

NONSENSE = "no-such-model-zq7"

UNKNOWN_MODEL = chat(
    "error_unknown_model", "a model that does not exist", "Say hello.", cap=8, surface="error", model=NONSENSE
)
MALFORMED = literal("error_malformed_json", "a body that breaks off", b'{"model":', surface="error")
# Sent after the others, since the files of probes are taken by their names and this one stands last in the last file.
AFTER = chat("error_recovery", "a plain request after all that went wrong", HELLO, cap=8, surface="error")


@probe(
    "error.unknown_model",
    title="Refuses an unknown model",
    sees=(UNKNOWN_MODEL,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes",
    profile=("smoke", "core", "full"),
    faults={**MISSHAPEN_REFUSALS, "ignore_model": "ignored", "status_400": "partial"},
)
def unknown_model(seen: Seen) -> Iterator[Check]:
    """An unknown model gets 404 and the documented error body with code model_not_found."""
    capture = seen[UNKNOWN_MODEL]
    status = capture.status or 0
    if status == 200 and capture.at("choices"):
        raise Ignored("another model answers instead", "404", f"200 by {capture.at('model')}")
    yield check("status", 400 <= status < 500, "404", status)
    yield from envelope(capture)
    yield check("status 404", status == 404, "404", status, must=False)
    code = capture.at("error", "code")
    yield check("error.code", code == "model_not_found", "model_not_found", code, must=False)


@probe(
    "error.malformed_json",
    title="Refuses malformed JSON",
    sees=(MALFORMED,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes; RFC 9110, 15.5.1",
    profile=("smoke", "core", "full"),
    faults={**BAD_REFUSALS, "crash_on_json": "broken"},
)
def malformed_json(seen: Seen) -> Iterator[Check]:
    """A body that is not JSON gets 400 and the documented error body."""
    capture = seen[MALFORMED]
    status = capture.status or 0
    yield check("status", 400 <= status < 500, "400", status)
    yield from envelope(capture)
    yield check("status 400", status == 400, "400", status, must=False)


@probe(
    "error.recovery",
    title="Goes on after errors",
    sees=(AFTER,),
    severity="core",
    basis="eco",
    needs=("chat.basic",),
    spec="RFC 9110, 15.5: the error is the client's",
    faults={"trips_over_errors": "broken"},
)
def recovery(seen: Seen) -> Iterator[Check]:
    """After the requests that make no sense, a plain one is answered."""
    try:
        yield from accepted(seen[AFTER])
    except Refused as refused:
        yield check("status", False, "200", refused.actual)  # noqa: FBT003 - it was refused
    yield check("an answer", bool(seen[AFTER].at("choices")), "choices", seen[AFTER].body.decode(errors="replace"))


PROBES = (unknown_model, malformed_json, recovery)
