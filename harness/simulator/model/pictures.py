"""Pictures as a model with eyes takes them: their size, their tokens, and of a plain one its colour.

Read are PNG (whole: every checksum, and the pixels of 8-bit RGB, RGBA and grey), JPEG and WebP (their frames, for the
size). Sources: PNG (W3C, third edition), ITU-T T.81, RFC 9649; the tokens are those of the documented API for its
first models with eyes: 85, and at detail high 170 more for each square of 512 pixels.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 6: 4}
"""Samples of a pixel, by the colour type of a PNG: grey, RGB, RGBA."""
_MOST_PIXELS = 4096 * 4096
_BASE, _TILE, _TILE_PIXELS = 85, 170, 512
_LARGEST, _SHORT_SIDE = 2048, 768
"""A picture is made to fit into a square of the first, and its shorter side then to the second."""
_NAMED = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 40),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
}


class Picture(NamedTuple):
    """What is seen of a picture."""

    width: int
    height: int
    colour: str = "mixed"
    """The nearest name of the colour that all of it has; mixed: it has several, or its pixels were not looked at."""


def look(data: bytes) -> Picture:
    """The picture that bytes hold; ValueError tells why they hold none."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    raise ValueError("it is neither PNG nor JPEG nor WebP")


def cost(picture: Picture, detail: str) -> int:
    """Tokens of a picture at a detail: low, high or auto, which is high."""
    if detail == "low":
        return _BASE
    fit = min(1.0, _LARGEST / max(picture.width, picture.height))
    fit *= min(1.0, _SHORT_SIDE / (min(picture.width, picture.height) * fit))
    tiles = math.ceil(picture.width * fit / _TILE_PIXELS) * math.ceil(picture.height * fit / _TILE_PIXELS)
    return _BASE + _TILE * tiles


def _sized(width: int, height: int, colour: str = "mixed") -> Picture:
    if not 0 < width * height <= _MOST_PIXELS:
        raise ValueError(f"its size is {width} by {height}")
    return Picture(width, height, colour)


def _png(data: bytes) -> Picture:
    packed, header, ended = b"", b"", False
    for kind, content in _chunks(data):
        if kind == b"IHDR":
            header = content
        elif kind == b"IDAT":
            packed += content
        ended = kind == b"IEND"
    if not ended or len(header) != 13:
        raise ValueError("the PNG is cut off")
    width, height, depth, colour_type = struct.unpack(">IIBB", header[:10])
    picture = _sized(width, height)
    channels = _CHANNELS.get(colour_type)
    if depth != 8 or channels is None or header[12]:
        return picture
    rows = _inflated(packed, height * (width * channels + 1))
    return picture._replace(colour=_colour(rows, width * channels, channels))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_PNG)
    while place < len(data):
        length = int.from_bytes(data[place : place + 4])
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        told = data[place + 8 + length : place + 12 + length]
        if len(told) < 4:
            raise ValueError("the PNG is cut off")
        if int.from_bytes(told) != zlib.crc32(kind + content):
            raise ValueError("a checksum of the PNG is wrong")
        yield kind, content
        place += 12 + length


def _inflated(packed: bytes, size: int) -> bytes:
    """The rows of a PNG, no byte more than there should be, whatever the stream would unpack to."""
    try:
        rows = zlib.decompressobj().decompress(packed, size)
    except zlib.error as error:
        raise ValueError(f"the pixels of the PNG are damaged: {error}") from None
    if len(rows) != size:
        raise ValueError("pixels of the PNG are missing")
    return rows


def _colour(rows: bytes, width: int, channels: int) -> str:
    """The name of the only colour; a row that is filtered in another way than the two simplest counts as mixed."""
    first: bytes | None = None
    for start in range(0, len(rows), width + 1):
        kind, row = rows[start], rows[start + 1 : start + 1 + width]
        if kind == 2 and start and not any(row):
            continue
        if kind == 1:
            row = row[:channels] * (width // channels) if not any(row[channels:]) else b""
        elif kind != 0:
            return "mixed"
        pixel = row[:channels]
        if row != pixel * (width // channels) or (first or pixel) != pixel:
            return "mixed"
        first = pixel
    seen = tuple(first or b"")[:3]
    seen = seen * 3 if len(seen) == 1 else seen
    return min(_NAMED, key=lambda name: sum((one - other) ** 2 for one, other in zip(_NAMED[name], seen, strict=True)))


def _jpeg(data: bytes) -> Picture:
    if not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise ValueError("the JPEG is cut off")
    place = 2
    while place + 9 < len(data):
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if data[place] != 0xFF:
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return _sized(width, height)
        place += 2 + length
    raise ValueError("the JPEG has no frame")


def _webp(data: bytes) -> Picture:
    if len(data) < 30 or int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise ValueError("the WebP is cut off")
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    else:
        raise ValueError("the WebP has no frame")
    return _sized(width, height)
