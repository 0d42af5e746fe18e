"""Pictures that are sent, made here: plain squares, and the parts of a message that hold them."""

from __future__ import annotations

import base64
import struct
import zlib

from harness.types import JsonObject

RGB = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 220)}
SIDE = 64
"""Pixels of a side."""
JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQ"
    "YEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCABAAEAD"
    "ASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFgEBAQEAAAAAAAAAAAAAAAAAAAUG/8QAFBEB"
    "AAAAAAAAAAAAAAAAAAAAAP/aAAwDAQACEQMRAD8AjAJrbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP/9k="
)
WEBP = "UklGRiQAAABXRUJQVlA4TBcAAAAvP8APAAdQj3LXo/8BICH8f69F9D/1AwA="
"""Both a plain red square of the same size."""


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
