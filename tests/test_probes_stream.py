"""The probes of the stream on transcripts: what no fault of the simulator shows, and nobody accused for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import ROOT, accused
from transcripts import ENDPOINT, Reply, captures, chunk, completion, error, events

from harness.catalog import discover
from harness.conformance import judge_all, scenarios_of
from harness.types import Verdict

PROBES = tuple(one for one in discover([ROOT / "tasks" / "probes"]).probes.values() if one.surface == "stream")
ROLE, STOP = chunk({"role": "assistant", "content": ""}), chunk({}, finish="stop")
HELLO = (ROLE, chunk({"content": "Hel"}), chunk({"content": "lo"}), STOP, "[DONE]")
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS = (ROLE, chunk({"tool_calls": [CALL]}), chunk({}, finish="tool_calls"), "[DONE]")
NUMBERS = "1 2 3 4 5 6 7 8 9 10"
FOREIGN = "Grüße 🎉"
HTML = Reply(b"<html>Bad gateway</html>", 200, {"content-type": "text/html"}, stream=True)


def told(text: str, *values: float) -> dict[str, Any]:
    """A choice's log probabilities, one for each word."""
    pairs = zip(text.split(" "), values, strict=True)
    return {"content": [{"token": word, "logprob": value} for word, value in pairs]}


def counted(text: str, tokens: int = 3, **more: Any) -> Reply:
    """A stream of one text with its usage."""
    usage = chunk(None, usage={**USAGE, "completion_tokens": tokens})
    return events(ROLE, chunk({"content": text}, **more), STOP, usage, "[DONE]")


def spoken(text: str, tokens: int = 3, **choice: Any) -> Reply:
    """The same in one piece."""
    body = completion(text, output=tokens)
    body["choices"][0] |= choice
    return Reply(body)


def with_logprobs(logprobs: Any) -> Reply:
    """A stream whose one chunk with text has these log probabilities."""
    one = chunk({"content": "1 2"})
    one["choices"][0]["logprobs"] = logprobs
    return events(ROLE, one, STOP, "[DONE]")


def two(*indices: int) -> Reply:
    """A stream of several choices, each said and ended in its turn."""
    parts = [{"index": at, "delta": {"content": "Hi"}, "finish_reason": None} for at in indices]
    ends = [{"index": at, "delta": {}, "finish_reason": "stop"} for at in indices]
    return events(*({**ROLE, "choices": [each]} for each in (*parts, *ends)), "[DONE]")


CLEAN = {
    "stream_plain": events(*HELLO),
    "twin_whole": spoken(NUMBERS),
    "twin_stream": counted(NUMBERS),
    "tools_required_stream": events(*CALLS),
    "stream_unicode_whole": spoken(FOREIGN),
    "stream_unicode": counted(FOREIGN),
    "stream_two_choices": two(0, 1),
    "stream_logprobs_whole": spoken("1 2", logprobs=told("1 2", -0.1, -0.2)),
    "stream_logprobs": with_logprobs(told("1 2", -0.1, -0.2)),
    "stream_usage": events(*HELLO[:-1], chunk(None, usage=USAGE), "[DONE]"),
    "stream_no_obfuscation": events(*HELLO),
    "stream_options_alone": spoken("Hello"),
    "stream_error_pre": error("messages is missing"),
    "stream_long": counted("word " * 200, 200),
    "stream_long_tools": counted("word " * 200, 200),
}
TIMED = {"stream.incremental", "stream.incremental_tools", "stream.headers_early", "stream.closes"}


def judged(replies: dict[str, Reply]) -> dict[str, Verdict]:
    """Verdicts by probe, on the clean transcripts with these replies in them."""
    return {verdict.probe: verdict for verdict in judge_all(PROBES, captures(CLEAN | replies), ENDPOINT)}


class Case(NamedTuple):
    """A transcript of one scenario and what must be made of it."""

    probe: str
    why: str
    scenario: str
    reply: Reply
    verdict: str
    says: str = ""
    """Must occur in reason, expected or actual."""


def of(probe: str, scenario: str, *cases: tuple[Any, ...]) -> Iterator[Case]:
    """Cases of one probe that differ from the clean transcripts in one scenario."""
    for why, reply, *rest in cases:
        yield Case(f"stream.{probe}", why, scenario, reply, *rest)


def raw(*lines: str, end: str = "\n\n") -> Reply:
    """A clean stream with more lines behind its first event."""
    first, *others = (f"data: {each if isinstance(each, str) else json.dumps(each)}" for each in HELLO)
    return replace(CLEAN["stream_plain"], body=("\n\n".join([first, *lines, *others]) + end).encode())


def streaming(*data: Any) -> Reply:
    """A stream that begins with a role and ends as it should."""
    return events(ROLE, *data, STOP, "[DONE]")


CASES = (
    *of(
        "status_type",
        "stream_plain",
        ("refused", error("no streams"), "rejected", "no streams"),
        ("a page", HTML, "broken", "chunks"),
        ("an overload", error("busy", 503), "untestable", "transient"),
        ("cut", replace(events(*HELLO[:2]), failure="reset"), "untestable", "transport"),
        ("reset behind [DONE]", replace(events(*HELLO), failure="reset"), "supported"),
        ("text/plain", replace(events(*HELLO), headers={"content-type": "text/plain"}), "partial", "text/plain"),
    ),
    *of(
        "framing",
        "stream_plain",
        ("CRLF", replace(raw(), body=raw().body.replace(b"\n", b"\r\n")), "supported"),
        ("CR", replace(raw(), body=raw().body.replace(b"\n", b"\r")), "supported"),
        ("comments", raw(": a", ":"), "supported"),
        ("last chunk not ended", events(*HELLO[:3], end=b"data: " + json.dumps(STOP).encode()), "broken", "last chunk"),
        ("odd retry", raw("retry: soon\ndata: {}"), "partial", "bad_retry"),
    ),
    *of("json_each", "stream_plain", ("an array", streaming([1]), "broken", "[1]"), ("text", streaming("x"), "broken")),
    *of("json_each", "tools_required_stream", ("in a stream with calls", streaming("x"), "broken", "data: x")),
    *of("id_then_blank", "stream_plain", ("ids with data", raw("id: 1\ndata: {}"), "supported")),
    *of(
        "after_done",
        "stream_plain",
        ("a call", events(*HELLO, chunk({"tool_calls": [CALL]})), "broken"),
        ("usage", events(*HELLO, chunk(None, usage=USAGE)), "partial"),
        ("no [DONE] at all", events(*HELLO[:-1]), "supported"),
    ),
    *of(
        "finish_once",
        "stream_plain",
        ("two that differ", streaming(chunk({}, finish="length")), "broken", "agree"),
        ("empty until the end", events(chunk({"content": "a"}, finish=""), STOP, "[DONE]"), "supported"),
    ),
    *of("finish_last", "stream_plain", ("a call", streaming(STOP, chunk({"tool_calls": [CALL]})), "broken")),
    *of(
        "truncation_visible",
        "stream_plain",
        ("neither", events(*HELLO[:3]), "supported"),
        ("[DONE] alone", events(*HELLO[:3], "[DONE]"), "partial", "[DONE]"),
    ),
    *of("null_before", "stream_plain", ("empty", streaming(chunk({"content": "a"}, finish="")), "partial")),
    *of(
        "object_const",
        "stream_plain",
        ("of metadata", streaming({"object": "", "choices": [], "prompt_filter_results": [1]}), "partial"),
        ("missing", streaming({"choices": [{"index": 0, "delta": {}}]}), "broken"),
    ),
    *of(
        "id_const",
        "stream_plain",
        ("empty where there is no choice", streaming(chunk(None, id="", usage=USAGE)), "supported"),
        ("empty", streaming(chunk({"content": "a"}, id="")), "partial", "an id"),
        ("a number", streaming(chunk({"content": "a"}, id=5)), "broken", "one id"),
        ("nested", streaming(chunk({"content": "a"}, id=[{}])), "broken", "one id"),
    ),
    *of("model_const", "stream_plain", ("empty at first", events(chunk({}, model=""), *HELLO), "partial")),
    *of("created_const", "stream_plain", ("text", streaming(chunk({}, created="now")), "partial")),
    *of(
        "role_first",
        "stream_plain",
        ("later", events(chunk({"content": "a"}), *HELLO), "partial"),
        ("another", streaming(chunk({"role": "model"})), "broken", "model"),
        ("null later", streaming(chunk({"role": None, "content": "a"})), "supported"),
    ),
    *of("role_once", "stream_plain", ("empty later", streaming(chunk({"role": "", "content": "a"})), "supported")),
    *of(
        "delta_only",
        "stream_plain",
        ("choices null", streaming({**STOP, "choices": None}), "broken", "an array"),
        ("an event of another kind", streaming({"type": "ping"}), "supported"),
        ("message beside", streaming({**STOP, "choices": [{"index": 0, "delta": {}, "message": {}}]}), "partial"),
        ("repeated signs", streaming(*(chunk({"content": "a" * n}) for n in (1, 1, 1, 9))), "supported"),
    ),
    *of("index", "stream_plain", ("false", streaming({**STOP, "choices": [{"index": False, "delta": {}}]}), "broken")),
    *of(
        "empty_choices",
        "stream_plain",
        ("metadata", streaming(chunk(None, prompt_filter_results=[{"prompt_index": 0}])), "supported"),
        ("nothing", streaming(chunk(None)), "partial"),
    ),
    *of(
        "n_interleave",
        "stream_two_choices",
        ("one", two(0), "ignored"),
        ("three", two(0, 1, 2), "broken", "0 or 1"),
        ("counted from 1", two(1, 2), "broken"),
        ("refused", error("n must be 1"), "rejected"),
    ),
    *of(
        "utf8_whole",
        "stream_unicode",
        ("another text", counted("I will not."), "untestable", "model"),
        ("cut while it thinks", events(ROLE, chunk({}, finish="length"), "[DONE]"), "untestable", "headroom"),
        (
            "escaped",
            replace(streaming(), body=b'data: {"choices": [{"delta": {"content": "\\u00e9"}}]}\n\n'),
            "supported",
        ),
        ("a torn pair", streaming(chunk({"content": "\ud83d"}), chunk({"content": "\ude00"})), "broken", "pairs"),
    ),
    *of(
        "no_fffd",
        "stream_unicode",
        ("in the stream alone", counted("Gr\ufffd"), "broken"),
        ("another text", counted("I will not."), "untestable", "model"),
    ),
    *of(
        "concat_twin",
        "twin_stream",
        ("lost", counted(NUMBERS.replace("5 ", "")), "broken", "lost"),
        ("doubled", counted(NUMBERS.replace("5 ", "5 5 ")), "broken", "doubled"),
        ("trimmed", counted(f" {NUMBERS}"), "partial", "same text"),
        ("another answer", counted("one two three"), "untestable", "model"),
        ("an answer of another length", counted("1 2 3", 2), "untestable", "model"),
        ("cut while it thinks", events(ROLE, chunk({}, finish="length"), "[DONE]"), "untestable", "headroom"),
        ("refused", error("no stream_options"), "rejected"),
    ),
    *of(
        "logprobs_twin",
        "stream_logprobs",
        ("rounded", with_logprobs(told("1 2", -0.12, -0.2)), "partial", "0.02"),
        ("others", with_logprobs(told("1 2", -1.0, -0.2)), "broken", "0.9"),
        ("one token less", with_logprobs(told("1", -0.1)), "broken", "tokens"),
        ("no list", with_logprobs({"content": 5}), "ignored"),
        ("another answer", counted("3 4", logprobs=None), "ignored"),
        ("refused", error("no logprobs"), "rejected"),
    ),
    *of("logprobs_twin", "stream_logprobs_whole", ("none in one piece", spoken("1 2"), "partial", "one piece")),
    *of("sdk_equal", "stream_plain", ("reset behind [DONE]", replace(events(*HELLO), failure="reset"), "supported")),
    *of("usage_null", "stream_usage", ("on every chunk", streaming(*[chunk(None, usage=USAGE)] * 2), "partial")),
    *of("obfuscation", "stream_no_obfuscation", ("refused", error("unknown field"), "rejected")),
    *of(
        "options_alone",
        "stream_options_alone",
        ("refused", error("only with stream"), "supported"),
        ("crash", error("oops", 500), "broken", "500"),
        ("started", events(*HELLO), "broken", "one piece"),
    ),
    *of(
        "error_pre",
        "stream_error_pre",
        ("422", error("missing", 422), "supported"),
        ("answered", events(*HELLO), "ignored"),
        ("an error event", events({"error": {"message": "no"}}), "broken", "event"),
        ("an error in a 200", Reply({"error": {"message": "no"}}), "broken", "4xx"),
        ("text", Reply(b"bad request", 400), "broken", "JSON"),
        ("crash", error("oops", 500), "broken", "500"),
    ),
    *of("granularity", "stream_long", ("short", counted("no"), "untestable", "model")),
    *of(
        "keepalive",
        "stream_long",
        ("a named ping", raw("event: ping\ndata: now"), "partial", "now"),
        ("comments", raw(": now"), "supported"),
    ),
    *of(
        "error_mid",
        "stream_usage",
        ("told", events(ROLE, {"error": {"message": "engine died"}}), "supported"),
        ("told, and [DONE]", events(ROLE, {"error": {"message": "engine died"}}, "[DONE]"), "supported"),
        ("ends as if well", events(ROLE, {"error": {"message": "x"}}, STOP, "[DONE]"), "broken"),
        ("no message", events(ROLE, {"error": "engine died"}), "partial"),
        ("nothing failed", events(*HELLO), "untestable", "evidence"),
    ),
)


# --- verdicts --------------------------------------------------------------------------------------------


def test_a_clean_stream_passes() -> None:
    """On clean transcripts nobody accuses; where no times were recorded, probes of timing say so."""
    found = {name: verdict.verdict for name, verdict in judged({}).items() if verdict.verdict != "supported"}
    assert found.pop("stream.granularity") == "partial"  # these transcripts have one chunk of text
    assert found == dict.fromkeys(
        TIMED - {"stream.incremental_tools"} | {"stream.incremental_tools", "stream.error_mid"}, "untestable"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.probe}: {case.why}")
def test_verdict(case: Case) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    found = judged({case.scenario: case.reply})[case.probe]
    assert found.verdict == case.verdict, found
    assert case.says in " ".join((found.reason, found.expected, found.actual))


def test_one_answer_in_one_piece_costs_what_it_must() -> None:
    """Where no stream comes the root is told, and what looks at chunks is skipped instead of failing with it."""
    found = judged({"stream_plain": spoken("Hello")})
    assert accused(found) == {"stream.status_type": "ignored", "stream.done": "ignored"}


# --- hostile answers -------------------------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "delta", "content", "index", "token", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = (
    *(
        ("id",),
        ("object",),
        ("created",),
        ("model",),
        ("choices",),
        ("usage",),
        ("choices", 0),
        ("choices", 0, "index"),
    ),
    *(("choices", 0, "delta"), ("choices", 0, "logprobs"), ("choices", 0, "finish_reason"), ()),
    *(("choices", 0, "delta", name) for name in ("role", "content", "tool_calls", "reasoning_content")),
)


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a value with something else at one place."""
    if not path:
        return new
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return copy


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(PLACES), new=ANY, name=st.sampled_from([*CLEAN]), status=st.sampled_from([200, 400, 500]))
def test_no_chunk_makes_a_judge_fail(place: tuple[Any, ...], new: Any, name: str, status: int) -> None:
    """Whatever stands anywhere in a chunk, every probe comes to a verdict of its own."""
    odd = streaming(put(chunk({"content": "a"}), place, new), chunk({"content": "b"}))
    for verdict in judged({name: replace(odd, status=status)}).values():
        assert not verdict.reason.startswith("probe:"), verdict


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"<html>", b"data: ", b"\xff\xfe", b"data: " + b"[" * 100_000 + b"\n\n", b"[" * 100_000],
)
def test_no_body_makes_a_judge_fail(body: bytes) -> None:
    """The same holds of bodies that are no stream at all, of every scenario at once."""
    for stream in (True, False):
        reply = Reply(body, stream=stream)
        for verdict in judged({scenario.name: reply for scenario in scenarios_of(PROBES)}).values():
            assert not verdict.reason.startswith("probe:"), verdict
