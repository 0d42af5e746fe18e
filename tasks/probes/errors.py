"""Probes of what an endpoint says to a mistake."""

from collections.abc import Iterator

from harness.conformance import Check, Ignored, Seen, chat, check, envelope, literal, probe

NONSENSE = "no-such-model-zq7"

UNKNOWN_MODEL = chat(
    "error_unknown_model", "a model that does not exist", "Say hello.", cap=8, surface="error", model=NONSENSE
)
MALFORMED = literal("error_malformed_json", "a body that breaks off", b'{"model":', surface="error")


@probe(
    "error.unknown_model",
    title="Refuses an unknown model",
    sees=(UNKNOWN_MODEL,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes",
    profile=("smoke", "core", "full"),
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
)
def malformed_json(seen: Seen) -> Iterator[Check]:
    """A body that is not JSON gets 400 and the documented error body."""
    capture = seen[MALFORMED]
    status = capture.status or 0
    yield check("status", 400 <= status < 500, "400", status)
    yield from envelope(capture)
    yield check("status 400", status == 400, "400", status, must=False)


PROBES = (unknown_model, malformed_json)
