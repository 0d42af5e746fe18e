"""Probes of pictures in a message: whether they are counted, seen, and refused where they make no sense.

That a model has no eyes is no fault where the endpoint says so; a picture that is taken and dropped is one.
"""

import base64
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from harness.conformance import (
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
from harness.types import JsonObject

RGB = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 220)}
SHUFFLED = ("green", "red", "blue")
SIDE, LARGE = 64, 1024
"""Pixels of a side."""
QUESTION = "Name the colour of each picture in their order, red, green or blue, and nothing else."
HALVES = ("Name the colour of each picture in their order,", " red, green or blue, and nothing else.")
JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQ"
    "YEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCABAAEAD"
    "ASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFgEBAQEAAAAAAAAAAAAAAAAAAAUG/8QAFBEB"
    "AAAAAAAAAAAAAAAAAAAAAP/aAAwDAQACEQMRAD8AjAJrbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP/9k="
)
WEBP = "UklGRiQAAABXRUJQVlA4TBcAAAAvP8APAAdQj3LXo/8BICH8f69F9D/1AwA="
"""Both a plain red square of the same size."""
SLACK = 3
"""Tokens by which a template may differ between one text and two."""


def png(colour: str, side: int = SIDE) -> bytes:
    """A plain square as PNG."""
    row = b"\0" + bytes(RGB[colour]) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * side, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def text(words: str) -> JsonObject:
    """A part of words."""
    return {"type": "text", "text": words}


def image(url: str, **fields: str) -> JsonObject:
    """A part with a picture."""
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def data(content: bytes | str, kind: str = "png") -> str:
    """A data URL of bytes, or of their base64."""
    encoded = content if isinstance(content, str) else base64.b64encode(content).decode()
    return f"data:image/{kind};base64,{encoded}"


def square(colour: str, **fields: str) -> JsonObject:
    """A part with a plain square."""
    return image(data(png(colour)), **fields)


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
COARSE, FINE = (
    asked(
        f"detail_{detail}",
        f"a square of {LARGE} pixels with detail {detail}",
        lambda _, detail=detail: (text(QUESTION), image(data(png("red", LARGE)), detail=detail)),  # type: ignore[misc]
    )
    for detail in ("low", "high")
)
OTHERS = (
    shown("jpeg", "the square as JPEG", text(QUESTION), image(data(JPEG, "jpeg"))),
    shown("webp", "the square as WebP", text(QUESTION), image(data(WEBP, "webp"))),
)
FILE = shown("file", "a picture at a file: address", text(QUESTION), image("file:///etc/hostname"))
CORRUPT = shown("corrupt", "a PNG that breaks off", text(QUESTION), image(data(png("red")[:60])))
REMOTE = shown("remote", "a picture on the web", text(QUESTION), image("https://www.w3.org/Icons/w3c_home.png"))
SYSTEM = chat(
    "vision_system",
    "a picture in a system message",
    ({"role": "system", "content": [text("Be brief."), square("red")]}, {"role": "user", "content": QUESTION}),
    cap=16,
    surface="vision",
)


@probe(
    "vision.data_png",
    title="Takes a picture",
    sees=(LOOK, TEXT),
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage",
)
def data_png(seen: Seen) -> Iterator[Check]:
    """A PNG in a data URL is answered with 200, and the prompt grows by it."""
    yield from accepted(seen[LOOK])
    yield from _counted(seen[LOOK], seen[TEXT])


@probe(
    "usage.image_counted",
    title="Counts the tokens of a picture",
    sees=(LOOK, TEXT),
    needs=("vision.data_png",),
    spec="OpenAPI: CompletionUsage.prompt_tokens",
)
def image_counted(seen: Seen) -> Iterator[Check]:
    """usage.prompt_tokens is higher with a picture than without."""
    yield from accepted(seen[LOOK])
    yield from _counted(seen[LOOK], seen[TEXT])


@probe(
    "vision.text_model",
    title="Says so where it has no eyes",
    sees=(LOOK, TEXT),
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage",
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
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage",
)
def answer(seen: Seen) -> Iterator[Check]:
    """The colour of two plain squares of three, red, green or blue, is named right."""
    right, counted = 0, False
    for number, capture in enumerate(seen.all(LOOK)):
        yield from accepted(capture)
        wanted, said = SHUFFLED[number % 3], capture.text.casefold()
        right += wanted in said and not any(other in said for other in RGB if other != wanted)
        counted = counted or _grown(capture, seen[TEXT]) > 0
    told = f"{right} of {len(seen.all(LOOK))}"
    if right < 2 and all(capture.cut_short for capture in seen.all(LOOK)):
        raise Untestable("headroom", "the output was cut before it named a colour")
    if right < 2 and counted:
        raise Untestable("model", f"it names {told} colours right, though the picture is counted")
    if right < 2:
        raise Ignored("it does not see the picture", "2 of 3 colours", told)
    yield check("colours", True, "2 of 3", told)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "vision.two_images",
    title="Sees two pictures in their order",
    sees=(TWO, LOOK, TEXT),
    severity="ext",
    ability="E",
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestUserMessage.content",
)
def two_images(seen: Seen) -> Iterator[Check]:
    """Two pictures are both counted, and their colours are named in their order."""
    capture = seen[TWO]
    yield from accepted(capture)
    one, both = _grown(seen[LOOK], seen[TEXT]), _grown(capture, seen[TEXT])
    if one > 0 and both <= one * 3 // 2:
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
    "vision.detail",
    title="Looks closer at a higher detail",
    sees=(COARSE, FINE),
    severity="ext",
    ability="C",
    needs=("vision.data_png",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartImage.image_url.detail",
)
def detail(seen: Seen) -> Iterator[Check]:
    """A large picture costs more tokens with detail high than with low."""
    for scenario in (COARSE, FINE):
        yield from accepted(seen[scenario])
    low, high = _prompt(seen[COARSE]), _prompt(seen[FINE])
    if high <= low:
        raise Ignored("it costs no more", f"more than {low} tokens", high, of=seen[FINE])
    yield check("tokens", True, f"more than {low}", high)  # noqa: FBT003 - it was asked above


@probe(
    "vision.jpeg_webp",
    title="Takes JPEG and WebP too",
    sees=(*OTHERS, TEXT),
    severity="ext",
    basis="observed",
    needs=("vision.data_png",),
    spec="API guide: images and vision, supported types",
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
)
def file_scheme(seen: Seen) -> Iterator[Check]:
    """A picture at a file: address is refused with the documented error body."""
    capture = seen[FILE]
    read = capture.status == 200 and _grown(capture, seen[TEXT]) > 0
    yield check("the file is not read", not read, "400", capture.status, of=capture)
    yield from refuses(capture)


@probe(
    "vision.corrupt",
    title="Refuses a damaged picture",
    sees=(CORRUPT,),
    basis="observed",
    needs=("vision.data_png",),
    spec="API guide: images and vision, errors",
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
    detail,
    jpeg_webp,
    file_scheme,
    corrupt,
    system_image,
    url_scheme,
)
