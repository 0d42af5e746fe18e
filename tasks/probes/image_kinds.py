"""Probes of pictures in several sizes and places, and of damaged ones."""

from collections.abc import Iterator

from harness.conformance import (
    BAD_REFUSALS,
    MISSHAPEN_REFUSALS,
    Capture,
    Check,
    Ignored,
    Scenario,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    envelope,
    probe,
    refuses,
    said_no,
)
from harness.conformance.pictures import data, image, png, square, text
from harness.types import JsonObject

LARGE = 1024
"""Pixels of a side."""
QUESTION = "Which colour is this picture?"


def large(detail: str) -> Scenario:
    """A large square at a detail, made when it is needed."""

    def messages(_: int) -> list[JsonObject]:
        return by_user(text(QUESTION), image(data(png("red", LARGE)), detail=detail))

    title = f"a square of {LARGE} pixels with detail {detail}"
    return chat(f"vision_detail_{detail}", title, messages, cap=16, surface="vision")


def by_user(*parts: JsonObject) -> list[JsonObject]:
    """A conversation of one message with these parts."""
    return [{"role": "user", "content": list(parts)}]


COARSE, FINE = large("low"), large("high")
CORRUPT, REMOTE = (
    chat(f"vision_{name}", title, by_user(text(QUESTION), image(url)), cap=16, surface="vision")
    for name, title, url in (
        ("corrupt", "a PNG that breaks off", data(png("red")[:60])),
        ("remote", "a picture on the web", "https://www.w3.org/Icons/w3c_home.png"),
    )
)
SYSTEM = chat(
    "vision_system",
    "a picture in a system message",
    ({"role": "system", "content": [text("Be brief."), square("red")]}, {"role": "user", "content": QUESTION}),
    cap=16,
    surface="vision",
)


@probe(
    "vision.detail",
    title="Looks closer at a higher detail",
    sees=(COARSE, FINE),
    severity="ext",
    ability="C",
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage.image_url.detail",
    faults={"ignore_detail": "ignored"},
)
def detail(seen: Seen) -> Iterator[Check]:
    """A large picture costs more tokens with detail high than with low."""
    for scenario in (COARSE, FINE):
        yield from accepted(seen[scenario])
    low, high = (seen[scenario].tokens("prompt_tokens") for scenario in (COARSE, FINE))
    if not low or not high:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    if high <= low:
        raise Ignored("it costs no more", f"more than {low} tokens", high, of=seen[FINE])
    yield check("tokens", True, f"more than {low}", high)  # noqa: FBT003 - it was asked above


@probe(
    "vision.corrupt",
    title="Refuses a damaged picture",
    sees=(CORRUPT,),
    basis="observed",
    needs=("vision.data_png",),
    spec="API guide: images and vision, errors",
    faults={
        "open_damaged": "ignored",
        "crash_damaged": "broken",
        **BAD_REFUSALS,
    },
)
def corrupt(seen: Seen) -> Iterator[Check]:
    """A PNG that breaks off gets 400 with the documented error body."""
    yield from refuses(seen[CORRUPT])


@probe(
    "vision.system_image",
    title="Copes with a picture in a system message",
    sees=(SYSTEM,),
    severity="ext",
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestSystemMessageContentPart",
    faults={
        "crash_system_image": "broken",
        **MISSHAPEN_REFUSALS,
        "status_500": "broken",
    },
)
def system_image(seen: Seen) -> Iterator[Check]:
    """A picture in a system message is answered with 200, or refused with the documented error body."""
    yield from _served_or_refused(seen[SYSTEM])


@probe(
    "vision.url_scheme",
    title="Fetches a picture from the web, or says no",
    sees=(REMOTE,),
    severity="ext",
    ability="X",
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage.image_url.url",
    faults={"status_500": "broken", "html_error": "broken"},
)
def url_scheme(seen: Seen) -> Iterator[Check]:
    """A picture at a public address is answered with 200, or refused with the documented error body."""
    yield from _served_or_refused(seen[REMOTE])


def _served_or_refused(capture: Capture) -> Iterator[Check]:
    if said_no(capture):
        yield from envelope(capture)
    else:
        yield from accepted(capture)


PROBES = (detail, corrupt, system_image, url_scheme)
