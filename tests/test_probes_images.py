"""What the probes of pictures, sounds, files and optional paths make of answers that no fault shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from simulated import ROOT
from transcripts import ENDPOINT, Reply, captures, completion, error, events

from harness.catalog import discover
from harness.conformance import Probe, judge_all, scenarios_of
from harness.types import Verdict

SURFACES = ("vision", "audio", "file", "opt")
KNOWN = discover([ROOT / "tasks" / "probes"]).probes.values()
PROBES: tuple[Probe, ...] = tuple(
    probe for probe in KNOWN if probe.surface in SURFACES or probe.id == "usage.image_counted"
)
SCENARIOS = {scenario.name: scenario for scenario in scenarios_of(PROBES)}
SOUND = {"data": base64.b64encode(b"RIFF").decode(), "transcript": "Hello."}


def said(text: str | None = "red", prompt: int = 100, **fields: Any) -> Reply:
    """An answer to a prompt of so many tokens."""
    return Reply(completion(text, prompt=prompt, **fields))


def uncounted(reply: Reply) -> Reply:
    """An answer without usage."""
    return replace(reply, body={**reply.body, "usage": None})


def heard(reply: Reply) -> Reply:
    """An answer whose usage counts tokens of sound."""
    return replace(
        reply, body={**reply.body, "usage": {"prompt_tokens": 12, "prompt_tokens_details": {"audio_tokens": 3}}}
    )


NOWHERE = error("there is no such path", 404)
BLIND = error("this model has no eyes")
CLEAN: Mapping[str, Reply | list[Reply]] = {
    **{name: error("input is missing") for name in SCENARIOS if name.startswith("opt_")},
    **dict.fromkeys(("meta_get", "meta_post", "meta_root"), NOWHERE),
    "chat_plain": said("Hello!", prompt=12),
    "vision_text": said("Which?", prompt=30),
    "vision_png": [said("Green"), said("Red."), said("blue")],
    "vision_two": said("Red, blue", prompt=170),
    "vision_between": said(prompt=101),
    "vision_detail_low": said(prompt=100),
    "vision_detail_high": said(prompt=800),
    "vision_jpeg": said(),
    "vision_webp": said(),
    "vision_file": error("only data URLs"),
    "vision_corrupt": error("a damaged PNG"),
    "vision_system": said(),
    "vision_remote": said(),
    "audio_input": said(prompt=20),
    "file_input": said(prompt=60),
    "audio_output": said(None, audio=SOUND),
}
WRONG = [said("grey"), said("Red."), said("red, green or blue")]
CASES = [
    # probe, scenario, its answer, verdict, what the verdict says
    ("vision.data_png", "vision_png", BLIND, "rejected", "no eyes"),
    ("vision.data_png", "vision_png", said(prompt=30), "ignored", "does not grow"),
    ("vision.data_png", "vision_png", uncounted(said()), "untestable", "evidence"),
    ("vision.data_png", "vision_png", Reply(b"oops", 500), "broken", "500"),
    ("vision.data_png", "vision_text", error("no parts"), "untestable", "evidence"),
    ("usage.image_counted", "vision_png", BLIND, "untestable", "evidence"),
    ("usage.image_counted", "vision_png", Reply(b"oops", 500), "untestable", "evidence"),
    ("usage.image_counted", "vision_png", said(prompt=30), "ignored", "does not grow"),
    ("vision.text_model", "vision_png", BLIND, "supported", ""),
    ("vision.text_model", "vision_png", Reply({"detail": "no eyes"}, 422), "broken", "error body"),
    ("vision.text_model", "vision_png", said(prompt=30), "ignored", "does not grow"),
    ("vision.answer", "vision_png", WRONG, "untestable", "model"),
    ("vision.answer", "vision_png", [uncounted(each) for each in WRONG], "untestable", "evidence"),
    ("vision.answer", "vision_png", [said("I see nothing", prompt=30)] * 3, "ignored", "does not grow"),
    ("vision.answer", "vision_png", [said("", finish="length")] * 3, "untestable", "headroom"),
    ("vision.answer", "vision_png", [said("green"), said("red"), said("red")], "supported", ""),
    ("vision.answer", "vision_png", BLIND, "rejected", "no eyes"),
    ("vision.two_images", "vision_two", said("blue, red", prompt=170), "untestable", "model"),
    ("vision.two_images", "vision_two", said("red, blue", prompt=101), "ignored", "second picture"),
    ("vision.two_images", "vision_two", uncounted(said("red, blue")), "supported", ""),
    ("vision.two_images", "vision_two", said("", prompt=170, finish="length"), "untestable", "headroom"),
    ("vision.two_images", "vision_two", error("one picture at most"), "rejected", "one picture"),
    ("vision.part_order", "vision_between", said(prompt=90), "ignored", "a part"),
    ("vision.part_order", "vision_between", uncounted(said()), "untestable", "evidence"),
    ("vision.part_order", "vision_between", error("text goes first"), "rejected", "text goes"),
    ("vision.detail", "vision_detail_high", said(prompt=100), "ignored", "no more"),
    ("vision.detail", "vision_detail_low", uncounted(said()), "untestable", "evidence"),
    ("vision.detail", "vision_detail_low", error("unknown field detail"), "rejected", "detail"),
    ("vision.jpeg_webp", "vision_webp", error("no WebP"), "partial", "WebP"),
    ("vision.jpeg_webp", "vision_jpeg", said(prompt=30), "ignored", "does not grow"),
    ("vision.file_scheme", "vision_file", said(), "broken", "not read"),
    ("vision.file_scheme", "vision_file", said(prompt=30), "ignored", "made sense"),
    ("vision.file_scheme", "vision_file", Reply(b"oops", 500), "broken", "500"),
    ("vision.corrupt", "vision_corrupt", said(), "ignored", "made sense"),
    ("vision.corrupt", "vision_corrupt", error("no", 422), "partial", "400"),
    ("vision.corrupt", "vision_corrupt", Reply(status=None, failure="timeout_total"), "untestable", "transient"),
    ("vision.system_image", "vision_system", BLIND, "supported", ""),
    ("vision.system_image", "vision_system", error("oops", 500), "broken", "500"),
    ("vision.url_scheme", "vision_remote", error("no addresses"), "supported", ""),
    ("vision.url_scheme", "vision_remote", error("oops", 500), "broken", "500"),
    ("audio.input", "audio_input", error("no ears"), "rejected", "no ears"),
    ("audio.input", "audio_input", said(prompt=14), "ignored", "does not grow"),
    ("audio.input", "audio_input", heard(said()), "supported", ""),
    ("audio.input", "audio_input", uncounted(said()), "untestable", "evidence"),
    ("file.input", "file_input", error("no files"), "rejected", "no files"),
    ("file.input", "file_input", said(prompt=13), "ignored", "does not grow"),
    ("audio.output", "audio_output", error("no voice"), "rejected", "no voice"),
    ("audio.output", "audio_output", said("Hello!"), "ignored", "without a sound"),
    ("audio.output", "audio_output", said(None, audio={"data": "%%"}), "broken", "base64"),
    ("audio.output", "audio_output", said(None, audio="UklGRg=="), "broken", "audio"),
    ("audio.output", "audio_output", said(None, audio={"data": "UklGRg=="}), "partial", "transcript"),
    ("opt.moderations", "opt_moderations", Reply(b"404 page not found", 404), "rejected", "404"),
    ("opt.moderations", "opt_moderations", error("not allowed", 405), "rejected", "405"),
    ("opt.moderations", "opt_moderations", error("not here", 501), "rejected", "501"),
    ("opt.moderations", "opt_moderations", error("the engine has no input", 500), "supported", ""),
    ("opt.moderations", "opt_moderations", error("no model", 403), "supported", ""),
    ("opt.moderations", "opt_moderations", error("busy", 429), "untestable", "transient"),
    ("opt.files_list", "opt_files_list", Reply({"object": "list", "data": []}), "supported", ""),
    ("opt.health", "opt_health", Reply(b""), "supported", ""),
]
GARBAGE = {
    "nothing": Reply(b""),
    "HTML": Reply(b"<html>Sign in</html>", 200, {"content-type": "text/html"}),
    "null": Reply(b"null"),
    "array": Reply([]),
    "nesting": Reply(b"[" * 200_000),
    "choice a number": Reply({"choices": [7], "usage": []}),
    "fields of other types": said(7, audio={"data": 7}, tool_calls=7),  # type: ignore[arg-type]
    "counts of other types": Reply({**completion("red"), "usage": {"prompt_tokens": "9", "prompt_tokens_details": 7}}),
    "error a list": Reply({"error": [7]}, 400),
    "a stream": events("7", "[]", {"choices": 7}, {"choices": [{"index": 0, "delta": 7}]}),
}


def judged(replies: Mapping[str, Any]) -> dict[str, Verdict]:
    """Verdicts by probe, each by itself, so that none is skipped for what it needs."""
    found = captures({**CLEAN, **replies})
    return {probe.id: judge_all([probe], found, ENDPOINT)[0] for probe in PROBES}


def test_a_clean_transcript_passes_every_probe() -> None:
    """Answers without a fault are supported in everything."""
    assert {name: one.reason for name, one in judged({}).items() if one.verdict != "supported"} == {}


@pytest.mark.parametrize(
    ("probe", "scenario", "reply", "verdict", "says"), CASES, ids=[f"{case[0]} {at}" for at, case in enumerate(CASES)]
)
def test_verdict(probe: str, scenario: str, reply: Any, verdict: str, says: str) -> None:
    """Each answer gets the verdict that its probe's criterion gives it, for the reason that it has."""
    found = judged({scenario: reply})[probe]
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_a_model_of_text_accuses_no_server() -> None:
    """Where every picture, sound and file is refused, that is all that there is to say."""
    found = judged({name: BLIND for name in CLEAN if name.startswith(("vision_", "audio_", "file_"))})
    assert {one.verdict for one in found.values()} <= {"supported", "rejected", "untestable"}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Reply({"ok": True}), "rejected"),
        (error("Unexpected endpoint", 400), "rejected"),
        (error("no key for you", 403), "untestable"),
    ],
    ids=("200", "400", "403"),
)
def test_what_every_path_is_answered_with_is_no_presence(answer: Reply, verdict: str) -> None:
    """A path that gets the very answer of one that does not exist is not there, or cannot be told to be."""
    every = {name: answer for name in CLEAN if name.startswith(("opt_", "meta_"))}
    assert {one.verdict for name, one in judged(every).items() if name.startswith("opt.")} == {verdict}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_makes_no_judge_fail(what: str) -> None:
    """Whatever stands in the place of an answer, every probe comes to a verdict of its own."""
    for replies in (dict.fromkeys(CLEAN, GARBAGE[what]), *({name: GARBAGE[what]} for name in CLEAN)):
        assert [one for one in judged(replies).values() if one.reason.startswith("probe:")] == []


def test_each_repeat_shows_another_colour() -> None:
    """The three squares of one scenario are three different pictures, the same each time they are built."""
    looked = SCENARIOS["vision_png"]
    bodies = [looked.build(ENDPOINT, repeat).body or b"" for repeat in range(3)]
    assert len({json.loads(body)["messages"][0]["content"][1]["image_url"]["url"] for body in bodies}) == 3
    assert bodies == [looked.build(ENDPOINT, repeat).body for repeat in range(3)]
