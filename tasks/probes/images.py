"""Probes of pictures in a message: whether they are taken, counted and seen.

That a model has no eyes is no fault where the endpoint says so; a picture that is taken and dropped is one.
"""

from collections.abc import Callable, Iterator
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    Capture,
    Check,
    Ignored,
    Refused,
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
from harness.conformance.pictures import JPEG, RGB, WEBP, data, image, square, text
from harness.types import JsonObject

SHUFFLED = ("green", "red", "blue")
QUESTION = "Name the colour of each picture in their order, red, green or blue, and nothing else."
HALVES = ("Name the colour of each picture in their order,", " red, green or blue, and nothing else.")
SLACK = 3
"""Tokens by which a template may differ between one text and two."""


def shown(name: str, title: str, *parts: JsonObject, **send: Any) -> Scenario:
    """A message of the user with these parts."""
    return asked(name, title, lambda _: parts, **send)


def asked(name: str, title: str, parts: Callable[[int], tuple[JsonObject, ...]], **send: Any) -> Scenario:
    """A message of the user whose parts are made when they are needed, for each repeat its own."""

    def messages(repeat: int) -> list[JsonObject]:
        return [{"role": "user", "content": list(parts(repeat))}]

    return chat(f"vision_{name}", title, messages, cap=16, surface="vision", visible=True, send=send)


TEXT = shown("text", "a question about a picture, without one", text(QUESTION))
LOOK = asked(
    "png", "the same with a plain square, as PNG", lambda n: (text(QUESTION), square(SHUFFLED[n % 3])), repeats=3
)
TWO = shown("two", "the same with two squares", text(QUESTION), square("red"), square("blue"))
BETWEEN = shown("between", "a square between two texts", text(HALVES[0]), square("red"), text(HALVES[1]))
OTHERS = (
    shown("jpeg", "the square as JPEG", text(QUESTION), image(data(JPEG, "jpeg"))),
    shown("webp", "the square as WebP", text(QUESTION), image(data(WEBP, "webp"))),
)
FILE = shown("file", "a picture at a file: address", text(QUESTION), image("file:///etc/hostname"))


@probe(
    "vision.data_png",
    title="Takes a picture",
    sees=(LOOK, TEXT),
    needs=("vision.text_model",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage",
    faults={"text_only": "rejected", "reject_parts": "rejected"},
)
def data_png(seen: Seen) -> Iterator[Check]:
    """A PNG in a data URL is answered with 200, and the prompt grows by it."""
    yield from accepted(seen[LOOK])
    yield from _counted(seen[LOOK], seen[TEXT])


@probe(
    "usage.image_counted",
    title="Counts the tokens of a picture",
    sees=(LOOK, TEXT),
    needs=("chat.basic",),
    spec="OpenAPI: CompletionUsage.prompt_tokens",
    faults={
        "usage_prompt_estimated": "ignored",
        "first_part": "ignored",
        "drop_parts": "ignored",
        "swallow_media": "ignored",
        "usage_constant_prompt": "ignored",
    },
)
def image_counted(seen: Seen) -> Iterator[Check]:
    """usage.prompt_tokens is higher with a picture than without."""
    if seen[LOOK].status != 200:
        raise Untestable("evidence", "it takes no pictures")
    yield from accepted(seen[LOOK])
    yield from _counted(seen[LOOK], seen[TEXT])


@probe(
    "vision.text_model",
    title="Says so where it has no eyes",
    sees=(LOOK, TEXT),
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage",
    faults={
        "usage_prompt_estimated": "ignored",
        "first_part": "ignored",
        "drop_parts": "ignored",
        "swallow_media": "ignored",
        "usage_constant_prompt": "ignored",
    },
)
def text_model(seen: Seen) -> Iterator[Check]:
    """A picture is either counted in the prompt, or refused with the documented error body."""
    capture = seen[LOOK]
    if said_no(capture):
        yield from envelope(capture)
        return
    yield from accepted(capture)
    yield from _counted(capture, seen[TEXT])


@probe(
    "vision.answer",
    title="Sees what is in a picture",
    sees=(LOOK, TEXT),
    ability="E",
    over="all",
    basis="eco",
    needs=("vision.text_model",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage",
    faults={"text_only": "rejected", "reject_parts": "rejected"},
)
def answer(seen: Seen) -> Iterator[Check]:
    """The colour of two plain squares of three, red, green or blue, is named right."""
    right = 0
    for capture in seen.all(LOOK):
        yield from accepted(capture)
        wanted, said = SHUFFLED[capture.attempt.job.repeat % 3], capture.text.casefold()
        right += wanted in said and not any(other in said for other in RGB if other != wanted)
    told = f"{right} of {len(seen.all(LOOK))}"
    if right < 2 and all(capture.cut_short for capture in seen.all(LOOK)):
        raise Untestable("headroom", "the output was cut before it named a colour")
    if right < 2:
        list(_counted(seen[LOOK], seen[TEXT]))
        raise Untestable("model", f"it names {told} colours right, though the picture is counted")
    yield check("colours", True, "2 of 3", told)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "vision.two_images",
    title="Sees two pictures in their order",
    sees=(TWO, LOOK, TEXT),
    severity="ext",
    ability="E",
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestUserMessage.content",
    faults={"first_image": "ignored", "end_at_image": "ignored"},
)
def two_images(seen: Seen) -> Iterator[Check]:
    """Two pictures are both counted, and their colours are named in their order."""
    capture = seen[TWO]
    yield from accepted(capture)
    one, both = _grown(seen[LOOK], seen[TEXT]), _grown(capture, seen[TEXT])
    if one > 0 and capture.tokens("prompt_tokens") and both <= one * 3 // 2:
        raise Ignored("the second picture is not counted", f"{2 * one} tokens more", both, of=capture)
    red, blue = (capture.text.casefold().find(colour) for colour in ("red", "blue"))
    if min(red, blue) < 0 or blue < red:
        raise Untestable("headroom" if capture.cut_short else "model", "it does not name the two colours in order")
    yield check("order", True, "red, blue", capture.text)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "vision.part_order",
    title="Takes a picture between texts",
    sees=(BETWEEN, LOOK, TEXT),
    severity="ext",
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestUserMessage.content",
    faults={"end_at_image": "ignored"},
)
def part_order(seen: Seen) -> Iterator[Check]:
    """A picture between two halves of a text is answered with 200, and all three are counted."""
    capture = seen[BETWEEN]
    yield from accepted(capture)
    wanted, told = _prompt(seen[LOOK]), _prompt(capture)
    if told < wanted - SLACK:
        raise Ignored("a part is not counted", f"{wanted} tokens", told, of=capture)
    yield check("all is counted", True, wanted, told)  # noqa: FBT003 - it was asked above


@probe(
    "vision.jpeg_webp",
    title="Takes JPEG and WebP too",
    sees=(*OTHERS, TEXT),
    severity="ext",
    basis="observed",
    needs=("vision.data_png",),
    spec="API guide: images and vision, supported types",
    faults={"png_only": "rejected"},
)
def jpeg_webp(seen: Seen) -> Iterator[Check]:
    """JPEG and WebP are answered with 200 and counted; one that is not read is refused with the documented body."""
    refused = [seen[scenario] for scenario in OTHERS if said_no(seen[scenario])]
    for capture in refused:
        yield from envelope(capture)
    if len(refused) == len(OTHERS):
        raise Refused(refused[0])
    for scenario in OTHERS:
        capture = seen[scenario]
        yield check(scenario.title, capture not in refused, "200", capture.status, must=False, of=capture)
        if capture not in refused:
            yield from accepted(capture)
            yield from _counted(capture, seen[TEXT])


@probe(
    "vision.file_scheme",
    title="Reads no picture off its own disk",
    sees=(FILE, TEXT),
    basis="eco",
    needs=("vision.data_png",),
    spec="OpenAPI: image_url.url; CWE-918",
    faults={
        "open_files": "broken",
        **BAD_REFUSALS,
    },
)
def file_scheme(seen: Seen) -> Iterator[Check]:
    """A picture at a file: address is refused with the documented error body."""
    capture = seen[FILE]
    read = capture.status == 200 and _grown(capture, seen[TEXT]) > 0
    yield check("the file is not read", not read, "400", capture.status, of=capture)
    yield from refuses(capture)


def _prompt(capture: Capture) -> int:
    told = capture.tokens("prompt_tokens")
    if not told:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    return told


def _grown(capture: Capture, plain: Capture) -> int:
    """By how many tokens the prompt is longer than the plain one; 0 where one of the two does not tell."""
    told, less = capture.tokens("prompt_tokens"), plain.tokens("prompt_tokens")
    return told - less if told and less else 0


def _counted(capture: Capture, plain: Capture) -> Iterator[Check]:
    """Checks that a picture made the prompt longer; Ignored where it did not."""
    if plain.status != 200:
        raise Untestable("evidence", f"the question alone was answered with {plain.status}")
    less, told = _prompt(plain), _prompt(capture)
    if told <= less:
        raise Ignored("the prompt does not grow by the picture", f"more than {less} tokens", told, of=capture)
    yield check("the picture is counted", True, f"more than {less}", told)  # noqa: FBT003 - it was asked above


PROBES = (
    data_png,
    image_counted,
    text_model,
    answer,
    two_images,
    part_order,
    jpeg_webp,
    file_scheme,
)
