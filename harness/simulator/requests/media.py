"""The parts of a message that are no text: pictures, sounds and files, checked, counted and looked at.

Only what a message carries inside itself is read: an address, be it of the web or of a file, is refused. A picture
costs the tokens of ``harness.simulator.model.pictures``, a sound ten a second (WAV), a file those of the text that an
uncompressed PDF shows.
"""

from __future__ import annotations

import base64
import binascii
import functools
import io
import math
import re
import wave
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from harness.simulator.model import tokens
from harness.simulator.model.pictures import Picture, cost, look
from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.types import JsonObject

KINDS = ("image_url", "input_audio", "file")
_DETAILS = ("auto", "low", "high")
_UNSEEN = Picture(64, 64)
"""What a server that forgives anything takes an unreadable picture for."""
_TOKENS_PER_SECOND = 10
_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\)\s*Tj")
_ASKS = re.compile(r"\bcolou?rs?\b", re.IGNORECASE)


def check_part(where: str, part: JsonObject, role: str, mutants: frozenset[str]) -> None:
    """Refusal 400 where a part of one of the ``KINDS`` does not hold what it should, or may not stand there."""
    kind = part["type"]
    if "text_only" in mutants:
        raise Refusal(400, f"This model reads text only, '{where}' is {kind}.", param=where, code="unsupported_content")
    if role != "user":
        if "crash_system_image" in mutants:
            raise Refusal(500, "The server had an error.", kind="server_error")
        raise bad_value(f"{where}.type", f"{kind!r} is only allowed in messages of the user")
    content = part.get(kind)
    if content is None:
        raise missing(f"{where}.{kind}")
    if not isinstance(content, dict):
        raise bad_type(f"{where}.{kind}", "an object", content)
    _CHECKS[kind](f"{where}.{kind}", content, mutants)


def drop(content: Sequence[JsonObject], mutants: frozenset[str]) -> list[JsonObject]:
    """The parts of a message that mutants let through."""
    kept = list(content)
    if "swallow_media" in mutants:
        kept = [part for part in kept if part.get("type") not in KINDS]
    if "first_image" in mutants:
        first = next((part for part in kept if part.get("type") == "image_url"), None)
        kept = [part for part in kept if part is first or part.get("type") != "image_url"]
    if "end_at_image" in mutants:
        at = next((place for place, part in enumerate(kept) if part.get("type") == "image_url"), len(kept))
        kept = kept[: at + 1]
    if "ignore_detail" in mutants:
        kept = [{**part, "image_url": {**part["image_url"], "detail": "auto"}} if _is(part) else part for part in kept]
    return kept


def tokens_of(message: JsonObject) -> int:
    """Tokens of the parts of a message that are no text."""
    return sum(_COSTS[part["type"]](part[part["type"]]) for part in _parts(message))


def heard(messages: Sequence[JsonObject]) -> int:
    """Tokens of the sounds alone."""
    sounds = (part for message in messages for part in _parts(message) if part["type"] == "input_audio")
    return sum(_COSTS["input_audio"](part["input_audio"]) for part in sounds)


def colours(messages: Sequence[JsonObject]) -> str | None:
    """What is answered to who asks for the colours of pictures; None: nobody does, or there are no pictures."""
    last = next((message for message in reversed(messages) if message["role"] == "user"), {})
    content = last.get("content")
    asked = isinstance(content, list) and any(_ASKS.search(str(part.get("text") or "")) for part in content)
    seen = [(_seen(part["image_url"]["url"]) or _UNSEEN).colour for part in _parts(last) if _is(part)] if asked else []
    return ", ".join(seen) or None


def _is(part: JsonObject) -> bool:
    return part.get("type") == "image_url"


def _parts(message: JsonObject) -> list[JsonObject]:
    content = message.get("content")
    return [part for part in content if part.get("type") in KINDS] if isinstance(content, list) else []


# --- checks ----------------------------------------------------------------------------------------------


def _check_image(where: str, image: JsonObject, mutants: frozenset[str]) -> None:
    url, detail = image.get("url"), image.get("detail") or "auto"
    if not isinstance(url, str):
        raise missing(f"{where}.url") if url is None else bad_type(f"{where}.url", "a string", url)
    if detail not in _DETAILS:
        raise bad_value(f"{where}.detail", f"{detail!r}. Supported: {', '.join(_DETAILS)}")
    scheme = url.partition(":")[0].lower()
    if scheme == "file" and "open_files" in mutants:
        return
    if scheme != "data":
        raise bad_value(f"{where}.url", "only data: URLs are read here", "invalid_image_url")
    if "png_only" in mutants and not url.startswith("data:image/png"):
        raise bad_value(f"{where}.url", "only PNG is read here", "invalid_image_format")
    if _seen(url) is None and "open_damaged" not in mutants:
        status = 500 if "crash_damaged" in mutants else 400
        what = f"Invalid '{where}.url': {_problem(url)}."
        raise Refusal(status, what, param=f"{where}.url", code="invalid_base64_image")


def _check_sound(where: str, sound: JsonObject, mutants: frozenset[str]) -> None:  # noqa: ARG001 - as all checks
    for name in ("data", "format"):
        if not isinstance(sound.get(name), str):
            raise missing(f"{where}.{name}")
    if sound["format"] != "wav":
        raise bad_value(f"{where}.format", f"{sound['format']!r}. Supported: wav")
    if _seconds(sound["data"]) is None:
        raise bad_value(f"{where}.data", "it is no WAV file in base64")


def _check_file(where: str, file: JsonObject, mutants: frozenset[str]) -> None:  # noqa: ARG001 - as all checks
    if not isinstance(file.get("file_data"), str):
        raise missing(f"{where}.file_data")
    if _written(file["file_data"]) is None:
        raise bad_value(f"{where}.file_data", "it is no data: URL with a PDF in base64")


_CHECKS: Mapping[str, Callable[[str, JsonObject, frozenset[str]], None]] = MappingProxyType(
    {"image_url": _check_image, "input_audio": _check_sound, "file": _check_file}
)
_COSTS: Mapping[str, Callable[[JsonObject], int]] = MappingProxyType(
    {
        "image_url": lambda image: cost(_seen(image["url"]) or _UNSEEN, str(image.get("detail") or "auto")),
        "input_audio": lambda sound: math.ceil((_seconds(sound["data"]) or 0) * _TOKENS_PER_SECOND),
        "file": lambda file: tokens.count(_written(file["file_data"]) or ""),
    }
)

# --- what they hold --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _read(url: str) -> Picture | str:
    """The picture of a data URL, or what is wrong with it."""
    try:
        return look(_data(url))
    except (ValueError, IndexError) as error:
        return str(error)


def _seen(url: str) -> Picture | None:
    found = _read(url)
    return found if isinstance(found, Picture) else None


def _problem(url: str) -> str:
    found = _read(url)
    return found if isinstance(found, str) else ""


def _seconds(data: str) -> float | None:
    """How long a WAV file in base64 is; None: it is none."""
    try:
        with wave.open(io.BytesIO(_decoded(data))) as sound:
            return float(sound.getnframes() / sound.getframerate())
    except (ValueError, EOFError, wave.Error, ZeroDivisionError):
        return None


def _written(url: str) -> str | None:
    """The text that an uncompressed PDF shows; None: it is no PDF."""
    try:
        data = _data(url)
    except ValueError:
        return None
    shown: list[Any] = _SHOWN.findall(data)
    return "\n".join(line.decode("latin-1") for line in shown) if data.startswith(b"%PDF-") else None


def _data(url: str) -> bytes:
    found = _DATA_URL.match(url)
    if found is None:
        raise ValueError("it is no data: URL in base64")
    return _decoded(found["data"])


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"it is no base64: {error}") from None
