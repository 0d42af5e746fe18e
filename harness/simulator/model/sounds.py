"""Answers that are spoken: ``modalities`` with audio gives, in place of the text, a WAV file and what it says.

The sound is silence of a tenth of a second for each token. It is not streamed, and not counted beyond its text.
"""

from __future__ import annotations

import base64
import io
import secrets
import wave

from harness.simulator.model import tokens
from harness.simulator.refusal import bad_type, bad_value, missing
from harness.types import JsonObject

_MODALITIES = ("text", "audio")
_RATE = 8000


def wanted(given: JsonObject, mutants: frozenset[str]) -> bool:
    """Whether a request wants its answer spoken; Refusal 400 names the field that is wrong."""
    modalities = given.get("modalities", ["text"])
    if not isinstance(modalities, list) or not modalities or not all(one in _MODALITIES for one in modalities):
        raise bad_value("modalities", f"{modalities!r}. Supported: text, audio")
    if "audio" not in modalities or "ignore_modalities" in mutants:
        return False
    voice = given.get("audio")
    if voice is None:
        raise missing("audio")
    if not isinstance(voice, dict):
        raise bad_type("audio", "an object", voice)
    if not isinstance(voice.get("voice"), str):
        raise missing("audio.voice")
    if voice.get("format") != "wav":
        raise bad_value("audio.format", f"{voice.get('format')!r}. Supported: wav")
    if given.get("stream"):
        raise bad_value("stream", "a spoken answer is not streamed")
    return True


def spoken(text: str, created: int) -> JsonObject:
    """The object ``audio`` of a message that says a text."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(_RATE)
        sound.writeframes(b"\x80" * (_RATE // 10 * tokens.count(text)))
    data = base64.b64encode(made.getvalue()).decode()
    return {"id": f"audio_{secrets.token_hex(12)}", "data": data, "transcript": text, "expires_at": created + 3600}
