"""Probes of what goes wrong before a stream and inside it."""

from collections.abc import Iterator

from harness.conformance import Check, Ignored, Seen, Untestable, check, dig, post, probe, said_no

ERROR_PRE = post(
    "stream_error_pre",
    "a stream asked for without messages",
    "/chat/completions",
    {"model": None, "stream": True},
    surface="stream",
    stream=True,
)


@probe(
    "stream.error_pre",
    title="Refuses before a stream begins",
    sees=(ERROR_PRE,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: ErrorResponse; official SDK",
    faults={
        "error_as_stream": "broken",
        "status_200": "broken",
        "status_500": "broken",
        "html_error": "broken",
        "ignore_empty_messages": "ignored",
    },
)
def error_pre(seen: Seen) -> Iterator[Check]:
    """An invalid request for a stream gets a 4xx with JSON, not a 200 with an event stream."""
    capture = seen[ERROR_PRE]
    told = capture.errors
    yield check("no stream of errors", not told, "a 4xx", f"{capture.status} and an error event", of=capture)
    if capture.status == 200 and not capture.at("error"):
        raise Ignored("answered as if it made sense", "a 4xx", f"200 {capture.text}", of=capture)
    body = capture.body.decode(errors="replace")
    yield check("status", 400 <= (capture.status or 0) < 500, "4xx", f"{capture.status} {body}", of=capture)
    yield check("JSON", said_no(capture), "a JSON body", body, of=capture)


@probe(
    "stream.error_mid",
    title="Tells of an error inside a stream",
    over="run",
    ability="X",
    basis="eco",
    spec='official SDK: raises at data: {"error": {…}}',
    threads=("BerriAI/litellm#39748", "open-webui/open-webui#29628"),
    faults={"error_and_done": "broken"},
)
def error_mid(seen: Seen) -> Iterator[Check]:
    """A stream that fails midway holds an event with error.message and then neither a finish reason nor text."""
    failed = 0
    for capture in seen.everything():
        chunks = capture.chunks
        place = next((at for at, chunk in enumerate(chunks) if chunk.get("error")), None)
        if capture.status != 200 or not capture.streamed or place is None:
            continue
        failed += 1
        later = [dig(chunk, "choices", 0, "finish_reason") for chunk in chunks[place + 1 :]]
        ended = [reason for reason in later if reason not in (None, "error")]
        yield check("no end as of a whole answer", not ended, "the end", ended, of=capture)
        message = dig(chunks[place], "error", "message")
        yield check("error.message", isinstance(message, str), "a string", chunks[place], must=False, of=capture)
    if not failed:
        raise Untestable("evidence", "no stream failed midway")


PROBES = (error_pre, error_mid)
