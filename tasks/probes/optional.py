"""Probes of what an endpoint may have and need not: is there something at a path?

Each costs one request that no path can do anything with, and what comes is compared with what a path gets that does not
exist. A path that is there may say what it likes, a 5xx too; whether it says it well is judged elsewhere.
"""

from collections.abc import Iterator

from harness.conformance import Capture, Check, Probe, Refused, Scenario, Seen, Untestable, bare, check, post, probe
from harness.conformance.plain import NO_GET, NO_POST, NO_ROOT, NO_WAY
from harness.types import JsonObject

ABSENT = (404, 405, 501)
UNUSABLE: JsonObject = {"items": "zq7"}
"""What a path that takes an empty object, and would make something of it, cannot take."""


def asked(name: str, path: str, body: JsonObject | None) -> Scenario:
    """A POST of a body, or a GET without one."""
    if body is None:
        return bare(f"opt_{name}", f"GET {path}", path, surface="opt", answers=NO_WAY)
    return post(f"opt_{name}", f"POST {body} to {path}", path, body, surface="opt", answers=NO_WAY)


def presence(name: str, title: str, path: str, body: JsonObject | None = None, *, known: bool = True) -> Probe:
    """The probe of one path; ``known``: the specification has it."""
    scenario = asked(name, path, body)
    nowhere = NO_ROOT if path.startswith("/..") else NO_GET if body is None else NO_POST

    def judge(seen: Seen) -> Iterator[Check]:
        """The path is answered in another way than one that does not exist."""
        capture = seen[scenario]
        same = _said(capture) == _said(seen[nowhere])
        if same and capture.status in NO_WAY:
            raise Untestable("auth", f"every path is answered with {capture.status}")
        if same or capture.status in ABSENT:
            raise Refused(capture)
        yield check("there is something", True, "no 404", capture.status)  # noqa: FBT003 - it was asked above

    return probe(
        f"opt.{name}",
        title=title,
        sees=(scenario, nowhere),
        severity="ext",
        basis="spec" if known else "eco",
        needs=("meta.canary_404",),
        spec=f"OpenAPI: {path}" if known else f"Convention: {path.removeprefix('/..')}",
        faults={"no_extras": "rejected"},
    )(judge)


def _said(capture: Capture) -> tuple[int | None, str]:
    """What is said of a path, without the path itself."""
    return capture.status, capture.body.decode(errors="replace").replace(capture.path.removeprefix("/.."), "")


PROBES = (
    presence("moderations", "Moderates texts", "/moderations", {}),
    presence("audio_speech", "Speaks", "/audio/speech", {}),
    presence("audio_transcriptions", "Transcribes sounds", "/audio/transcriptions", {}),
    presence("audio_translations", "Translates sounds", "/audio/translations", {}),
    presence("images_generations", "Makes pictures", "/images/generations", {}),
    presence("images_edits", "Edits pictures", "/images/edits", {}),
    presence("files_list", "Lists files", "/files"),
    presence("batches_list", "Lists batches", "/batches"),
    presence("fine_tuning_list", "Lists jobs of fine-tuning", "/fine_tuning/jobs"),
    presence("vector_stores", "Lists vector stores", "/vector_stores"),
    presence("realtime", "Has a realtime path", "/realtime"),
    presence("responses_compact", "Compacts responses", "/responses/compact", {}),
    presence("conversations", "Keeps conversations", "/conversations", UNUSABLE),
    presence("rerank", "Ranks documents", "/rerank", {}, known=False),
    presence("messages_anthropic", "Has a messages path", "/messages", {}, known=False),
    presence("tokenize", "Counts tokens", "/../tokenize", {}, known=False),
    presence("health", "Tells its health", "/../health", known=False),
)
