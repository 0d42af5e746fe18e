"""The simulator's eyes and ears: what it takes, what it counts, and what it refuses."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest

from harness.conformance.pictures import JPEG, RGB, WEBP, data, image, png, text
from harness.simulator.model.pictures import Picture, cost, look
from harness.simulator.refusal import Refusal
from harness.simulator.requests.media import check_part, colours, tokens_of
from harness.simulator.surfaces.extras import PATHS, answer
from harness.types import JsonObject

CLEAN: frozenset[str] = frozenset()


def from_user(*parts: JsonObject) -> JsonObject:
    """A message of the user."""
    return {"role": "user", "content": list(parts)}


@pytest.mark.parametrize("colour", RGB)
@pytest.mark.parametrize("side", [1, 64, 200])
def test_a_plain_picture_is_seen(colour: str, side: int) -> None:
    """Size and colour of a plain PNG are read off its pixels."""
    assert look(png(colour, side)) == Picture(side, side, colour)


@pytest.mark.parametrize("filters", [b"\0\0", b"\1\1", b"\0\2", b"\1\2"], ids=str)
def test_the_simple_filters_of_rows_are_undone(filters: bytes) -> None:
    """A plain PNG has its colour whether its rows are plain, differences to the left, or differences to above."""
    pixel, none = bytes(RGB["blue"]), bytes(3)
    rows = {0: pixel * 2, 1: pixel + none, 2: none * 2}
    packed = zlib.compress(b"".join(bytes([kind]) + rows[kind] for kind in filters))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b""))
    made = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    assert look(b"\x89PNG\r\n\x1a\n" + made).colour == "blue"


@pytest.mark.parametrize("encoded", [JPEG, WEBP], ids=("JPEG", "WebP"))
def test_the_size_of_other_formats_is_read(encoded: str) -> None:
    """JPEG and WebP tell their size in their frames."""
    assert look(base64.b64decode(encoded)) == Picture(64, 64)


@pytest.mark.parametrize(
    "whole", [png("red"), base64.b64decode(JPEG), base64.b64decode(WEBP)], ids=("PNG", "JPEG", "WebP")
)
def test_a_picture_that_breaks_off_is_none(whole: bytes) -> None:
    """Wherever a picture is cut, it is refused by name and nothing else is raised."""
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"the|it is"):
            look(whole[:length])


def test_a_wrong_checksum_is_seen() -> None:
    """A PNG in which one bit differs is damaged."""
    broken = bytearray(png("red"))
    broken[45] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        look(bytes(broken))


@pytest.mark.parametrize(
    ("width", "height", "detail", "told"),
    [(64, 64, "high", 255), (1024, 1024, "high", 765), (2048, 4096, "high", 1105), (4096, 8192, "low", 85)],
)
def test_tokens_of_a_picture_are_those_of_the_documents(width: int, height: int, detail: str, told: int) -> None:
    """The examples of the API guide, and a small picture, cost what the guide says."""
    assert cost(Picture(width, height), detail) == told


def test_colours_are_named_in_order_when_asked_for() -> None:
    """Who asks for colours is told those of all pictures; nobody else is, and nothing is said of none."""
    squares = [image(data(png(colour))) for colour in ("red", "blue")]
    assert colours([from_user(text("Which colours?"), *squares)]) == "red, blue"
    assert colours([from_user(text("What is this?"), *squares)]) is None
    assert colours([from_user(text("Which colour?"))]) is None


@pytest.mark.parametrize(
    ("part", "role", "param"),
    [
        (image(data(png("red"))), "system", "m.type"),
        (image("file:///etc/hostname"), "user", "m.image_url.url"),
        (image("https://example.org/a.png"), "user", "m.image_url.url"),
        (image(data(b"no picture")), "user", "m.image_url.url"),
        (image("data:image/png;base64,%%"), "user", "m.image_url.url"),
        (image(data(png("red")), detail="zzz"), "user", "m.image_url.detail"),
        ({"type": "image_url", "image_url": {"url": 7}}, "user", "m.image_url.url"),
        ({"type": "image_url", "image_url": "data:"}, "user", "m.image_url"),
        ({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}, "user", "m.input_audio.data"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}}, "user", "m.input_audio.format"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "user", "m.file.file_data"),
        ({"type": "file", "file": {"file_data": "data:text/plain;base64,aGk="}}, "user", "m.file.file_data"),
    ],
    ids=str,
)
def test_a_part_that_cannot_be_read_is_refused(part: JsonObject, role: str, param: str) -> None:
    """What is missing, remote, damaged or out of place gets 400 with the field that is wrong."""
    with pytest.raises(Refusal) as told:
        check_part("m", part, role, CLEAN)
    assert (told.value.status, told.value.param) == (400, param)


def test_pictures_count_where_they_stand() -> None:
    """Each picture of a message adds its own tokens, and text parts add none here."""
    square = image(data(png("red")))
    assert [tokens_of(from_user(*parts)) for parts in ((text("a"),), (square,), (square, text("a"), square))] == [
        0,
        255,
        510,
    ]


def test_documents_are_ranked_by_the_words_that_they_share() -> None:
    """The document that holds more of the query's words comes first."""
    ranked = answer("/v1/rerank", lambda: {"query": "red ship", "documents": ["a bell", "a red ship", "red"]})
    assert [each["index"] for each in ranked["results"]] == [1, 2, 0]


def test_what_is_not_simulated_says_so() -> None:
    """A path that is only there refuses what it cannot use with 400, and with 501 what it does not do."""
    for path, known in PATHS.items():
        if known.answer is not None or path == "/v1/realtime":
            continue
        good = {name: kind() for name, kind in known.needs.items()}
        for body, status in (({}, 400), (dict.fromkeys(known.needs, None), 400), (good, 501)):
            with pytest.raises(Refusal) as told:
                answer(path, lambda body=body: body)  # type: ignore[misc]
            assert told.value.status == status
