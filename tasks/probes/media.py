"""Probes of sounds and files: taken in, or given out, or refused."""

import base64
import io
import math
import struct
import wave
from collections.abc import Iterator

from harness.conformance import Capture, Check, Ignored, Scenario, Seen, Untestable, accepted, chat, check, probe
from harness.conformance.plain import HELLO, PLAIN
from harness.types import JsonObject

RATE, SECONDS, PITCH = 16_000, 0.5, 440
SLACK = 3
"""Tokens by which a template may differ between a string and a text part."""
LETTER = (
    "Dear captain, the harbour bell was rung at noon, and the ship with the apples has not come in yet.",
    "The keeper of the lighthouse asks whether anybody has seen his ladder.",
)


def tone() -> str:
    """Half a second of a sine as WAV, in base64."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        count = int(RATE * SECONDS)
        heights = (round(8000 * math.sin(2 * math.pi * PITCH * at / RATE)) for at in range(count))
        sound.writeframes(struct.pack(f"<{count}h", *heights))
    return base64.b64encode(made.getvalue()).decode()


def pdf() -> str:
    """A page with the letter as PDF, in a data URL."""
    lines = " ".join(f"({line}) Tj 0 -20 Td" for line in LETTER)
    page = f"BT /F1 12 Tf 40 760 Td {lines} ET"
    fonts = "<< /Font << /F1 5 0 R >> >>"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources {fonts} >>",
        f"<< /Length {len(page)} >>\nstream\n{page}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    body, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    whole = f"{body}{end}startxref\n{len(body)}\n%%EOF\n"
    return f"data:application/pdf;base64,{base64.b64encode(whole.encode()).decode()}"


def with_part(name: str, title: str, kind: str) -> Scenario:
    """The plain line with a sound or a file behind it, which is made when it is needed."""

    def messages(_: int) -> list[JsonObject]:
        held = {"data": tone(), "format": "wav"} if kind == "input_audio" else {"filename": "a.pdf", "file_data": pdf()}
        return [{"role": "user", "content": [{"type": "text", "text": HELLO}, {"type": kind, kind: held}]}]

    return chat(name, title, messages, cap=16, surface=name.partition("_")[0])


HEARD = with_part("audio_input", "the plain line with half a second of sound", "input_audio")
READ = with_part("file_input", "the plain line with a PDF of one page", "file")
SPOKEN = chat(
    "audio_output",
    "the plain line, to be answered aloud",
    HELLO,
    cap=32,
    surface="audio",
    modalities=["text", "audio"],
    audio={"voice": "alloy", "format": "wav"},
)


@probe(
    "audio.input",
    title="Takes a sound",
    sees=(HEARD, PLAIN),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartAudio",
    faults={
        "first_part": "ignored",
        "drop_parts": "ignored",
        "text_only": "rejected",
        "swallow_media": "ignored",
        "reject_parts": "rejected",
    },
)
def audio_input(seen: Seen) -> Iterator[Check]:
    """Half a second of sound is answered with 200 and counted in the prompt."""
    yield from _counted(seen[HEARD], seen[PLAIN], "sound")


@probe(
    "file.input",
    title="Takes a file",
    sees=(READ, PLAIN),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestMessageContentPartFile",
    faults={
        "usage_prompt_estimated": "ignored",
        "first_part": "ignored",
        "drop_parts": "ignored",
        "text_only": "rejected",
        "swallow_media": "ignored",
        "reject_parts": "rejected",
        "usage_constant_prompt": "ignored",
    },
)
def file_input(seen: Seen) -> Iterator[Check]:
    """A PDF of one page is answered with 200 and counted in the prompt."""
    yield from _counted(seen[READ], seen[PLAIN], "file")


@probe(
    "audio.output",
    title="Answers aloud",
    sees=(SPOKEN,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.modalities, ChatCompletionResponseMessage.audio",
    faults={"ignore_modalities": "ignored"},
)
def audio_output(seen: Seen) -> Iterator[Check]:
    """With modalities text and audio the message holds a sound in base64, and what it says."""
    capture = seen[SPOKEN]
    yield from accepted(capture)
    sound = capture.message.get("audio")
    if sound is None:
        raise Ignored("answered without a sound", "message.audio", capture.message, of=capture)
    yield check("audio", isinstance(sound, dict), "an object", sound)
    yield check("audio.data", _is_base64(sound.get("data")), "base64", sound.get("data"))
    said = sound.get("transcript")
    yield check("audio.transcript", isinstance(said, str), "a string", said, must=False)


def _counted(capture: Capture, plain: Capture, what: str) -> Iterator[Check]:
    yield from accepted(capture)
    told, less = capture.tokens("prompt_tokens"), plain.tokens("prompt_tokens")
    if not told or not less:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    if told <= less + SLACK and not capture.tokens("prompt_tokens_details", "audio_tokens"):
        raise Ignored(f"the prompt does not grow by the {what}", f"more than {less + SLACK} tokens", told, of=capture)
    yield check(f"the {what} is counted", True, f"more than {less + SLACK}", told)  # noqa: FBT003 - it was asked above


def _is_base64(value: object) -> bool:
    if not isinstance(value, str) or not value:
        return False
    try:
        return bool(base64.b64decode(value, validate=True))
    except ValueError:
        return False


PROBES = (audio_input, file_input, audio_output)
