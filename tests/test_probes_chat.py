"""What the probes of chats make of answers that no fault of the simulator shows, and of answers that make no sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from simulated import ROOT
from transcripts import ENDPOINT, Reply, captures, completion, error, events

from harness.catalog import discover
from harness.conformance import Probe, judge_all, scenarios_of
from harness.provider import Quirks
from harness.types import Verdict

KNOWN = discover([ROOT / "tasks" / "probes"]).probes.values()
PROBES: tuple[Probe, ...] = tuple(probe for probe in KNOWN if probe.surface == "chat")
SCENARIOS = [scenario.name for scenario in scenarios_of(PROBES)]
NONCES = "heron-5170 walnut-2938 copper-6641"
SIGNS = "👩‍👩‍👧‍👦 e\u0301 漢字 עברית"


def said(text: str | None = "Hello there!", prompt: int = 12, **fields: Any) -> Reply:
    """An answer with this text to a prompt of so many tokens."""
    return Reply(completion(text, prompt=prompt, **fields))


def changed(reply: Reply, **fields: Any) -> Reply:
    """An answer with other fields at its top."""
    return replace(reply, body={**reply.body, **fields})


def counts(accepted: Any, rejected: Any) -> dict[str, Any]:
    """Usage that counts tokens of a prediction."""
    details = {"accepted_prediction_tokens": accepted, "rejected_prediction_tokens": rejected}
    return {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "completion_tokens_details": details}


NO_COUNT = changed(said(), usage=None)
CLEAN: Mapping[str, Reply | list[Reply]] = {
    **{name: changed(said(prompt=200), id=name, service_tier="default") for name in SCENARIOS},
    "chat_plain": said(),
    "sampling_cap": changed(said(prompt=20), id="cap"),
    "chat_part": changed(said(prompt=20), id="part"),
    "chat_system_twice": changed(said(prompt=320), id="twice"),
    "chat_parts_joined": changed(said(NONCES, prompt=30), id="joined"),
    "chat_parts_many": changed(said(NONCES, prompt=30), id="many"),
    "chat_unicode": changed(said(SIGNS, prompt=40), id="unicode"),
    "chat_unicode_escaped": changed(said(SIGNS, prompt=40), id="escaped"),
    "chat_long": changed(said(prompt=6400), id="long"),
    "chat_part_unknown": error("content[1].type: zzz"),
    "chat_no_content": error("no content"),
    "chat_system_order": changed(said("ZEBRA-4711"), id="order"),
    "chat_recall": changed(said("Your name is Marigold."), id="recall"),
    "chat_begun": changed(said(" 8 9 10"), id="begun"),
    "chat_prediction": changed(said(), id="prediction", usage=counts(9, 0)),
    "chat_verbosity_low": [changed(said("short"), id=f"low {n}") for n in range(2)],
    "chat_verbosity_high": [changed(said("as long as can be"), id=f"high {n}") for n in range(2)],
    "gauge_echo": changed(said("kestrel-4821"), id="gauge 1"),
    "gauge_ok": changed(said("OK"), id="gauge 2"),
    "gauge_count": changed(said("1 2 3 4 5"), id="gauge 3"),
}
UNWILLING = {name: changed(said("Well."), id=name) for name in ("gauge_echo", "gauge_ok", "gauge_count")}
REFUSED = error("not here")
CASES = [
    # probe, scenario, its answer, verdict, what the verdict says
    ("chat.object_const", "chat_plain", changed(said(), object="chat"), "broken", "object"),
    ("chat.role_assistant", "chat_plain", said(role=None), "broken", "message.role"),
    ("chat.nullable_present", "chat_plain", Reply({"choices": [{"message": {"content": "a"}}]}), "partial", "refusal"),
    ("chat.created_sane", "chat_plain", changed(said(), created=1_790_000_000_000), "broken", "created"),
    ("chat.created_sane", "chat_plain", changed(said(), created=17), "broken", "created"),
    (
        "chat.created_sane",
        "chat_plain",
        replace(said(), headers={"content-type": "application/json", "date": "Mon, 01 Jan 2024 00:00:00 GMT"}),
        "broken",
        "created",
    ),
    (
        "chat.created_sane",
        "chat_plain",
        replace(said(), headers={"content-type": "application/json", "date": "Mon, 21 Sep 2026 00:00:00"}),
        "supported",
        "",
    ),
    (
        "chat.created_sane",
        "chat_plain",
        replace(said(), headers={"content-type": "application/json", "date": "soon"}),
        "supported",
        "",
    ),
    ("chat.model_echo", "chat_plain", changed(said(), model="small-1-2026-01-31"), "supported", ""),
    ("chat.model_echo", "chat_plain", changed(said(), model="vendor/small-1"), "partial", "model"),
    ("chat.think_leak", "chat_recall", said("Hm.</think>Marigold"), "broken", "content"),
    ("chat.id_unique", "chat_part", changed(said(prompt=20), id="cap"), "broken", "cap"),
    ("chat.system_counted", "chat_system", said(prompt=52), "partial", "growth"),
    ("chat.system_counted", "chat_system", said(prompt=20), "ignored", "did not grow"),
    ("chat.system_counted", "chat_system", NO_COUNT, "untestable", "evidence"),
    ("chat.system_counted", "chat_system", changed(said(), usage={"prompt_tokens": "200"}), "untestable", "evidence"),
    ("chat.system_effect", "chat_system_order", said("Hello.", prompt=202), "ignored", "lacks the word"),
    ("chat.system_effect", "chat_system_order", said("Hello.", prompt=220), "untestable", "model"),
    ("chat.system_effect", "chat_system_order", changed(said("Hello."), usage=None), "untestable", "model"),
    ("chat.system_effect", "chat_system_order", said("", finish="length"), "untestable", "headroom"),
    ("chat.system_effect", "chat_system_order", REFUSED, "rejected", "not here"),
    ("chat.system_twice", "chat_system_twice", said(prompt=215), "ignored", "second system message"),
    ("chat.system_twice", "chat_system_twice", NO_COUNT, "untestable", "evidence"),
    ("chat.system_twice", "chat_system_twice", REFUSED, "rejected", "not here"),
    ("chat.developer_role", "chat_developer", REFUSED, "rejected", "not here"),
    ("chat.developer_role", "chat_developer", said(prompt=14), "ignored", "developer"),
    ("chat.parts_system", "chat_system_parts", NO_COUNT, "untestable", "evidence"),
    ("chat.user_name", "chat_name", REFUSED, "rejected", "not here"),
    ("chat.user_name", "chat_name", said(), "ignored", "name"),
    ("chat.history_counted", "chat_history", said(prompt=20), "ignored", "turns before"),
    ("chat.history_replay", "chat_replay", Reply(b"oops", 500), "broken", "500"),
    ("chat.history_replay", "chat_replay", REFUSED, "rejected", "not here"),
    ("chat.multi_turn", "chat_recall", said("<think>Who", finish="length"), "untestable", "headroom"),
    ("chat.multi_turn", "chat_recall", said("I do not know.", prompt=14), "ignored", "lacks the word"),
    ("chat.multi_turn", "chat_recall", said("I do not know.", prompt=50), "untestable", "model"),
    ("chat.multi_turn", "chat_recall", REFUSED, "rejected", "not here"),
    ("chat.prefill", "chat_begun", said("1 2 3 4"), "partial", "goes on"),
    ("chat.prefill", "chat_begun", said("Aye aye, captain: 1 2 3 4 5 6 7 8 9"), "partial", "repeated"),
    ("chat.prefill", "chat_begun", said("Sure!"), "untestable", "model"),
    ("chat.prefill", "chat_begun", said(None, finish="length"), "untestable", "headroom"),
    ("chat.prefill", "chat_begun", REFUSED, "rejected", "not here"),
    ("chat.parts_text", "chat_part", said(prompt=30), "partial", "added"),
    ("chat.parts_text", "chat_part", NO_COUNT, "untestable", "evidence"),
    ("chat.parts_text", "chat_part", said(prompt=10), "broken", "lost"),
    ("chat.parts_many", "chat_parts_many", said("heron-5170", prompt=30), "untestable", "model"),
    ("chat.parts_many", "chat_parts_many", changed(said("heron-5170"), usage=None), "ignored", "lacks"),
    ("chat.parts_many", "chat_parts_many", said("heron-5170", prompt=30, finish="length"), "untestable", "headroom"),
    ("chat.parts_many", "chat_parts_many", said(NONCES, prompt=20), "broken", "counted"),
    ("chat.parts_many", "chat_parts_many", changed(said(NONCES), usage=None), "supported", ""),
    ("chat.parts_unknown", "chat_part_unknown", error("no", 422), "partial", "status 400"),
    ("chat.parts_unknown", "chat_part_unknown", said(), "ignored", "made sense"),
    ("chat.content_missing", "chat_no_content", Reply({"detail": "no"}, 400), "broken", "error body"),
    ("chat.unicode_echo", "chat_unicode", said("👩‍👩‍👧‍👦 é 漢字 עברית"), "partial", "code points"),
    ("chat.unicode_echo", "chat_unicode", said("👩‍👩 \ufffd", finish="length"), "untestable", "headroom"),
    ("chat.unicode_echo", "chat_unicode", said("👩\ufffd 漢", finish="length"), "broken", "U+FFFD"),
    ("chat.unicode_echo", "chat_unicode", said("a family"), "untestable", "model"),
    ("chat.unicode_echo", "chat_unicode", said(SIGNS.encode().decode("latin-1")), "broken", "Latin-1"),
    ("chat.unicode_escapes", "chat_unicode_escaped", NO_COUNT, "untestable", "evidence"),
    ("chat.unicode_escapes", "chat_unicode_escaped", REFUSED, "rejected", "not here"),
    ("chat.zero_width", "chat_zero_width", said(), "partial", "growth"),
    ("chat.zero_width", "chat_zero_width", NO_COUNT, "untestable", "evidence"),
    ("chat.template_injection", "chat_markers", said(prompt=28), "broken", "markers"),
    ("chat.template_injection", "chat_markers", NO_COUNT, "untestable", "evidence"),
    ("chat.long_input", "chat_long", error("maximum context length is 2048"), "untestable", "context"),
    ("chat.long_input", "chat_long", error("no"), "rejected", "no"),
    ("chat.long_input", "chat_long", said(prompt=4096), "ignored", "not read"),
    ("chat.long_input", "chat_long", NO_COUNT, "untestable", "evidence"),
    ("chat.unknown_field", "chat_unknown_field", error("x_zz_probe is not known"), "supported", ""),
    ("chat.unknown_field", "chat_unknown_field", error("extra inputs"), "partial", "names it"),
    ("chat.unknown_field", "chat_unknown_field", Reply({"detail": "no"}, 422), "broken", "error body"),
    ("chat.null_optionals", "chat_nulls", Reply(b"null", 400), "broken", "400"),
    ("chat.nul_char", "chat_nul", Reply(b"", 200), "broken", "choices"),
    ("chat.nul_char", "chat_nul", Reply(status=None, failure="reset"), "untestable", "transport"),
    ("chat.service_tier", "chat_tier", REFUSED, "rejected", "not here"),
    ("chat.prediction", "chat_prediction", said(), "untestable", "evidence"),
    ("chat.prediction", "chat_prediction", changed(said(), usage=counts(0, 0)), "ignored", "prediction"),
    ("chat.prediction", "chat_prediction", REFUSED, "rejected", "not here"),
    ("chat.verbosity", "chat_verbosity_high", said("short"), "ignored", "as much"),
    ("chat.verbosity", "chat_verbosity_low", said("as long as can be", finish="length"), "untestable", "headroom"),
    ("chat.verbosity", "chat_verbosity_low", said(""), "untestable", "headroom"),
    ("chat.verbosity", "chat_verbosity_low", REFUSED, "rejected", "not here"),
]
DEEP = b"[" * 200_000
GARBAGE = {
    "nothing": Reply(b""),
    "HTML": Reply(b"<html>Sign in</html>", 200, {"content-type": "text/html"}),
    "bytes": Reply(b"\xff\xfe\x00"),
    "null": Reply(b"null"),
    "array": Reply([]),
    "text": Reply("hello"),
    "number": Reply(7),
    "nesting": Reply(DEEP),
    "choices a number": Reply({"choices": 7, "usage": 7, "id": {}}),
    "choice a number": Reply({"choices": [7], "usage": []}),
    "message a text": Reply({"choices": [{"message": "hello"}], "usage": {"prompt_tokens": "9"}}),
    "content a number": Reply({"choices": [{"message": {"content": 7, "role": 7}, "index": "0"}], "created": "now"}),
    "error a list": Reply({"error": [7]}, 400),
    "array of errors": Reply([{"error": {"message": "no"}}], 404),
    "not to be found": Reply(b"no such page", 404, {}),
    "a stream": events("7", "[]", {"choices": 7}, {"choices": [7]}, {"choices": [{"delta": 7}]}),
}


def judged(replies: Mapping[str, Any]) -> dict[str, Verdict]:
    """Verdicts by probe, on the clean transcript with these replies in it."""
    return {one.probe: one for one in judge_all(PROBES, captures({**CLEAN, **replies}), ENDPOINT)}


def test_a_clean_transcript_passes_every_probe() -> None:
    """Answers without a fault are supported in everything."""
    assert {name: one.reason for name, one in judged({}).items() if one.verdict != "supported"} == {}


@pytest.mark.parametrize(
    ("probe", "scenario", "reply", "verdict", "says"), CASES, ids=[f"{case[0]} {at}" for at, case in enumerate(CASES)]
)
def test_verdict(probe: str, scenario: str, reply: Reply, verdict: str, says: str) -> None:
    """Each answer gets the verdict that its probe's criterion gives it, for the reason that it has."""
    found = judged({scenario: reply})[probe]
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_a_weak_model_accuses_no_server() -> None:
    """Where a model fails at trivial tasks, words that it leaves out say nothing about its server."""
    lost = {"chat_parts_many": changed(said("Hm."), usage=None, id="many")}
    found = judged({**lost, **UNWILLING})["chat.parts_many"]
    assert (found.verdict, found.reason[:6]) == ("untestable", "model:")


def test_parts_that_are_repeated_in_neither_form() -> None:
    """A model that does not repeat the string either is no evidence that parts are lost."""
    neither = {name: changed(said("Hm."), usage=None, id=name) for name in ("chat_parts_many", "chat_parts_joined")}
    assert judged(neither)["chat.parts_many"].reason.startswith("model")


def test_a_run_of_one_answer_says_nothing_of_ids_and_thoughts() -> None:
    """Where hardly anything was answered, what must hold of all answers cannot be told."""
    quiet = dict.fromkeys(CLEAN, REFUSED) | {"chat_plain": said(None, reasoning="Hm.")}
    found = judged(quiet)
    assert found["chat.id_unique"].reason.startswith("evidence")
    assert found["chat.think_leak"].reason.startswith("evidence")


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_makes_no_judge_fail(what: str) -> None:
    """Whatever stands in the place of an answer, every probe comes to a verdict of its own."""
    for replies in (dict.fromkeys(CLEAN, GARBAGE[what]), *({name: GARBAGE[what]} for name in CLEAN)):
        failed = [one for one in judged(replies).values() if one.reason.startswith("probe:")]
        assert failed == []


def test_streams_are_looked_at_too() -> None:
    """Ids and thoughts are judged in streams as well, and a stream that makes no sense makes no judge fail."""
    seen = captures(CLEAN)
    for what in (
        GARBAGE["a stream"],
        events({"id": "part", "choices": [{"index": 0, "delta": {"content": "<think>"}}]}),
    ):
        streamed = what.capture("chat_streamed")
        request = replace(streamed.attempt.request, stream=True)
        seen["chat_streamed"] = [replace(streamed, attempt=replace(streamed.attempt, request=request))]
        found = {one.probe: one.verdict for one in judge_all(PROBES, seen, ENDPOINT)}
        expected = "supported" if what is GARBAGE["a stream"] else "broken"
        assert {found["chat.id_unique"], found["chat.think_leak"]} == {expected}


def test_requests_hold_what_their_titles_say() -> None:
    """Nulls are sent as null, signs as UTF-8 and as escapes, and each family of models gets its own marker."""
    scenarios = {scenario.name: scenario for scenario in scenarios_of(PROBES)}

    def body(name: str, model: str = "small-1") -> bytes:
        return scenarios[name].build(replace(ENDPOINT, model_id=model), 0).body or b""

    assert body("chat_nulls").count(b":null") == 12
    assert SIGNS.encode() in body("chat_unicode")
    assert body("chat_unicode_escaped").isascii()
    assert b"a\\u0000b" in body("chat_nul")
    assert b"\\ud83d." in body("chat_surrogate")
    assert body("chat_markers", "Qwen3-8B").count(b"<|im_end|>") == 8
    assert body("chat_markers", "google/Gemma-3").count(b"<end_of_turn>") == 8


def test_room_to_think_is_asked_for_where_text_is_needed() -> None:
    """For models that think before they speak, what must be visible has room; a cap that is the point has none."""
    thinker = replace(ENDPOINT, provider=replace(ENDPOINT.provider, quirks=Quirks(reasoning_tokens=1000)))
    scenarios = {scenario.name: scenario for scenario in scenarios_of(PROBES)}
    assert b":1032" in (scenarios["chat_recall"].build(thinker, 0).body or b"")
    assert b":16" in (scenarios["chat_plain"].build(thinker, 0).body or b"")
