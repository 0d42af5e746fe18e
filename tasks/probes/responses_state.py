"""Probes of the Responses API: what the server keeps of a response."""

from collections.abc import Iterator

from harness.conformance import (
    Capture,
    Check,
    Ignored,
    Refused,
    Seen,
    Untestable,
    accepted,
    bare_after,
    check,
    post_after,
    probe,
    respond,
)
from harness.conformance.response import read_tokens, texts
from harness.types import JsonObject

NAME = "Quillfeather"
ABSENT = (404, 405, 501)

INTRODUCED = respond(
    "resp_kept",
    "a user gives a name, to be kept",
    f"My name is {NAME}. I keep the lighthouse at the end of the long pier, I have two grey cats and a small boat with "
    "a red sail, and on Sundays I bake bread for everybody who comes by. Please remember my name.",
    cap=32,
    store=True,
)


def kept(capture: Capture) -> str | None:
    """The path of the response that an answer holds; None: it has no id."""
    name = capture.at("id")
    return f"/responses/{name}" if isinstance(name, str) and name.isascii() and name.isprintable() else None


def recalling(capture: Capture) -> JsonObject | None:
    """What asks for the name in the next turn; None: the answer has no id."""
    name = capture.at("id")
    return {"input": "What is my name?", "previous_response_id": name} if isinstance(name, str) else None


RECALLED = post_after(INTRODUCED, "resp_previous", "the next turn asks for the name", recalling)
FETCHED = bare_after(INTRODUCED, "resp_get", "GET of the kept response", kept)
DELETED = bare_after(FETCHED, "resp_delete", "DELETE of it", lambda seen: seen.path, method="DELETE")
GONE = bare_after(DELETED, "resp_gone", "GET of it once more", lambda seen: seen.path)
UNKEPT = respond("resp_unkept", "a line with store false", "Say hello.", cap=16, store=False)
BEGUN = respond("resp_background", "a line in the background", "Say hello.", cap=32, background=True, store=True)
LOOKS = [bare_after(BEGUN, "resp_background_1", "GET of it", kept)]
LOOKS += [
    bare_after(LOOKS[0], f"resp_background_{number}", "GET of it again", lambda seen: seen.path) for number in (2, 3)
]
CANCELLED = bare_after(
    BEGUN,
    "resp_background_cancel",
    "POST to its path for cancelling",
    lambda seen: f"{kept(seen)}/cancel" if kept(seen) else None,
    method="POST",
)
SOUGHT = bare_after(UNKEPT, "resp_unkept_get", "GET of the response that was not to be kept", kept)


@probe(
    "resp.previous_id",
    title="Continues a response by its id",
    sees=(INTRODUCED, RECALLED),
    severity="ext",
    ability="E",
    needs=("resp.basic",),
    spec="OpenAPI: CreateResponse.previous_response_id",
    faults={"resp_forget": "ignored", "resp_ignore_history": "ignored"},
)
def previous_id(seen: Seen) -> Iterator[Check]:
    """With previous_response_id the name told before is known, or at least the earlier turn counts as input tokens."""
    first, capture = seen[INTRODUCED], seen[RECALLED]
    yield from accepted(first)
    yield from accepted(capture)
    said = "".join(texts(capture.json))
    before, after = read_tokens(first), read_tokens(capture)
    counted = before is not None and after is not None and after > before
    if NAME not in said and not counted:
        raise Ignored("the earlier turn is neither known nor counted", NAME, said)
    told = capture.at("previous_response_id")
    yield check("previous_response_id", told == first.at("id"), first.at("id"), told, must=False)


@probe(
    "resp.retrieve_delete",
    title="Gives a kept response again, and deletes it",
    sees=(INTRODUCED, FETCHED, DELETED, GONE),
    severity="ext",
    needs=("resp.basic",),
    spec="OpenAPI: GET and DELETE /responses/{response_id}",
    faults={
        "resp_not_kept": "rejected",
        "resp_delete_nothing": "broken",
        "status_200": "partial",
        "status_400": "partial",
    },
)
def retrieve_delete(seen: Seen) -> Iterator[Check]:
    """GET of a response gives it again with 200; after DELETE, which gets 200, GET gives 404."""
    for scenario in (FETCHED, DELETED):
        capture = seen[scenario]
        if capture.status in ABSENT:
            raise Refused(capture)
        yield from accepted(capture)
    again, name = seen[FETCHED], seen[INTRODUCED].at("id")
    yield check("id", again.at("id") == name, name, again.at("id"), of=again)
    gone = seen[GONE]
    yield check("it is gone", gone.at("id") is None, 404, f"{gone.status} {gone.at('id')}", of=gone)
    yield check("status 404", gone.status == 404, 404, gone.status, of=gone, must=False)


@probe(
    "resp.store_false",
    title="Does not keep what it must not keep",
    sees=(UNKEPT, SOUGHT),
    severity="ext",
    needs=("resp.basic",),
    spec="OpenAPI: CreateResponse.store",
    faults={"resp_always_kept": "broken", "status_200": "partial"},
)
def store_false(seen: Seen) -> Iterator[Check]:
    """A response to a request with store false cannot be asked for again: GET gives 404."""
    capture = seen[SOUGHT]
    yield from accepted(seen[UNKEPT])
    yield check("it was not kept", capture.at("id") is None, 404, f"{capture.status} {capture.at('id')}")
    status = capture.status or 0
    yield check("status", 400 <= status < 500 or status == 501, 404, status, must=False)


@probe(
    "resp.background",
    title="Answers in the background",
    sees=(BEGUN, *LOOKS, CANCELLED),
    severity="ext",
    ability="X",
    over="each",
    needs=("resp.basic",),
    spec="OpenAPI: CreateResponse.background, POST /responses/{response_id}/cancel",
    faults={"resp_ignore_background": "ignored", "resp_no_cancel": "partial", "resp_not_kept": "rejected"},
)
def background(seen: Seen) -> Iterator[Check]:
    """With background true the response is queued or in progress, GET gives it completed, and cancelling is known."""
    begun = seen[BEGUN]
    yield from accepted(begun)
    if begun.at("status") in ("completed", "incomplete") and begun.at("background") is not True:
        raise Ignored("it was answered at once", "queued", begun.at("status"), of=begun)
    waiting = ("queued", "in_progress")
    yield check("status", begun.at("status") in (*waiting, "completed"), "queued", begun.at("status"), of=begun)
    if seen[LOOKS[0]].status in ABSENT:
        raise Refused(seen[LOOKS[0]])
    for look in LOOKS:
        yield from accepted(seen[look])
    last = seen[LOOKS[-1]]
    if last.at("status") in waiting:
        raise Untestable("evidence", f"it was still {last.at('status')}")
    yield check("status in the end", last.at("status") in ("completed", "incomplete"), "completed", last.at("status"))
    ended = seen[CANCELLED]
    known = ended.status == 200 and ended.at("id") == begun.at("id")
    yield check("it can be cancelled", known, "200 with the response", ended.status, must=False, of=ended)


PROBES = (background, previous_id, retrieve_delete, store_false)
