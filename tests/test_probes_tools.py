"""The probes of tool calling on transcripts: what no fault of the simulator shows, and bodies that make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transcripts import Reply, chunk, completion, error, events, judged

from harness.catalog import discover
from harness.conformance import Probe, scenarios_of

FOUND = discover([Path(__file__).parents[1] / "tasks" / "probes"]).probes
PROBES: dict[str, Probe] = {name: probe for name, probe in FOUND.items() if probe.surface in ("tools", "json")}
RED = '{"colour": "red"}'
PARIS = '{"city": "Paris"}'
TOKYO = '{"city": "Tokyo"}'


def call(arguments: Any = RED, name: Any = "paint_wall", own_id: Any = "call_1") -> dict[str, Any]:
    """A tool call."""
    return {"id": own_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def called(*calls: Any, finish: str | None = "tool_calls", text: str | None = None, **counts: int) -> Reply:
    """An answer with tool calls."""
    return Reply(completion(text, finish=finish or "", tool_calls=list(calls), **counts))


def said(text: str | None = "Paris.", **fields: Any) -> Reply:
    """An answer with text alone."""
    return Reply(completion(text, **fields))


def delta(index: Any, arguments: Any = None, *, own_id: Any = None, name: Any = None) -> dict[str, Any]:
    """A chunk with the delta of a call."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    made = {"index": index, "function": function} | ({"id": own_id, "type": "function"} if own_id else {})
    found: dict[str, Any] = chunk({"tool_calls": [made]})
    return found


def streamed(*chunks: Any, finish: str = "tool_calls") -> Reply:
    """A stream of these chunks."""
    return events(*chunks, chunk({}, finish=finish), "[DONE]")


WHOLE_DELTA = delta(0, RED, own_id="call_1", name="paint_wall")
WEATHER = call(PARIS, "get_weather")
TWICE = called(WEATHER, call(TOKYO, "get_weather", "call_2"))
HTML = Reply(b"<html>Bad gateway</html>", 500, {"content-type": "text/html"})
CUT = said("", finish="length")
FORCED = "tools_required"
STREAM = "tools_required_stream"

CASES: tuple[tuple[str, str, dict[str, Reply], str, str], ...] = (
    ("tools.required", "two calls", {FORCED: called(call(), call(own_id="call_2"))}, "supported", ""),
    ("tools.required", "cut while it thinks", {FORCED: CUT}, "untestable", "headroom"),
    ("tools.required", "a made-up tool", {FORCED: called(call(name="buy_paint"))}, "broken", "function.name"),
    ("tools.required", "calls as text", {FORCED: Reply(completion(tool_calls="paint_wall"))}, "broken", "array"),
    ("tools.required", "calls as numbers", {FORCED: called(1, 2)}, "broken", "array"),
    ("tools.shape", "no type", {FORCED: called({"id": "a", "function": call()["function"]})}, "partial", "type"),
    ("tools.shape", "an id as a number", {FORCED: called(call(own_id=7))}, "broken", "id"),
    ("tools.shape", "no function", {FORCED: called({"id": "a", "type": "function"})}, "broken", "function.name"),
    ("tools.args_json", "an array", {FORCED: called(call("[1]"))}, "broken", "object"),
    ("tools.args_json", "cut", {FORCED: called(call('{"col'), finish="length")}, "untestable", "headroom"),
    ("tools.args_json", "an object", {FORCED: called(call({"colour": "red"}))}, "untestable", "evidence"),
    ("tools.args_schema", "an object that fits", {FORCED: called(call({"colour": "red"}))}, "supported", ""),
    ("tools.args_schema", "torn", {FORCED: called(call('{"col'))}, "untestable", "evidence"),
    ("tools.finish_required", "cut", {FORCED: called(call('{"col'), finish="length")}, "untestable", "headroom"),
    ("tools.content_null", "thinks aloud", {FORCED: called(call(), text="I will paint.")}, "partial", "content"),
    ("tools.accept", "calls at a greeting", {"tools_accept": called(WEATHER)}, "supported", ""),
    ("tools.accept", "cut", {"tools_accept": CUT}, "untestable", "headroom"),
    ("tools.accept", "crash", {"tools_accept": HTML}, "broken", "500"),
    ("tools.accept", "no key", {"tools_accept": error("no", 401)}, "untestable", "auth"),
    ("tools.auto_call", "the model will not", {"tools_auto": said()}, "untestable", "model"),
    ("tools.optional", "empty", {"tools_auto": called(call('{"city": "Paris", "badge": ""}'))}, "supported", ""),
    ("tools.none", "markup", {"tools_none": said("<tool_call>{}</tool_call>")}, "partial", "markup"),
    ("tools.none", "refused", {"tools_none": error("no none")}, "rejected", "no none"),
    ("tools.named", "a made-up tool", {"tools_named": called(call(name="zz"))}, "broken", "given"),
    ("tools.named", "both", {"tools_named": called(call(), call("{}", "ring_bell"))}, "ignored", "another tool"),
    ("tools.finish_named", "stop", {"tools_named": called(call("{}", "ring_bell"), finish="stop")}, "supported", ""),
    ("tools.finish_named", "cut", {"tools_named": called(call("{"), finish="length")}, "untestable", "headroom"),
    ("tools.empty_list", "answered", {"tools_empty_list": said()}, "supported", ""),
    ("tools.empty_list", "502", {"tools_empty_list": error("down", 502)}, "untestable", "transient"),
    ("tools.named_unknown", "404", {"tools_named_unknown": error("no", 404)}, "partial", "status 400"),
    ("tools.parallel_on", "one call", {"tools_two": called(WEATHER)}, "untestable", "model"),
    ("tools.stream_twin", "no call", {FORCED: called(call()), STREAM: streamed()}, "ignored", "without a call"),
    (
        "tools.stream_twin",
        "another colour",
        {FORCED: called(call()), STREAM: streamed(delta(0, "{}", own_id="a", name="paint_wall"))},
        "partial",
        "arguments",
    ),
    (
        "tools.stream_twin",
        "another name",
        {FORCED: called(call()), STREAM: streamed(delta(0, RED, own_id="a", name="z"))},
        "broken",
        "name",
    ),
    ("tools.stream_twin", "one piece", {FORCED: called(call()), STREAM: said()}, "ignored", "one piece"),
    (
        "tools.stream_index",
        "a text",
        {STREAM: streamed(delta("0", RED, own_id="a", name="paint_wall"))},
        "broken",
        "index",
    ),
    (
        "tools.stream_index",
        "begins at 1",
        {STREAM: streamed(delta(1, RED, own_id="a", name="z"))},
        "broken",
        "first index",
    ),
    ("tools.stream_index", "no call", {STREAM: streamed(chunk({"content": "x"}))}, "untestable", "evidence"),
    ("tools.stream_head", "all at once", {STREAM: streamed(WHOLE_DELTA)}, "supported", ""),
    (
        "tools.stream_head",
        "the name later",
        {STREAM: streamed(delta(0, "", own_id="a"), delta(0, RED, name="z"))},
        "broken",
        "name",
    ),
    (
        "tools.stream_args",
        "cut",
        {STREAM: streamed(delta(0, '{"c', own_id="a", name="z"), finish="length")},
        "untestable",
        "headroom",
    ),
    (
        "tools.stream_args",
        "an object",
        {STREAM: streamed(delta(0, {"a": 1}, own_id="a", name="z"))},
        "broken",
        "a piece is text",
    ),
    (
        "tools.stream_finish",
        "both stop",
        {FORCED: called(call(), finish="stop"), STREAM: streamed(WHOLE_DELTA, finish="stop")},
        "supported",
        "",
    ),
    (
        "tools.stream_finish",
        "cut",
        {FORCED: called(call()), STREAM: streamed(WHOLE_DELTA, finish="length")},
        "untestable",
        "headroom",
    ),
    ("tools.stream_incremental", "short", {"tools_letter_stream": streamed(WHOLE_DELTA)}, "untestable", "model"),
    ("tools.stream_parallel", "one call", {"tools_two_stream": streamed(WHOLE_DELTA)}, "untestable", "model"),
    (
        "tools.stream_parallel",
        "merged",
        {"tools_two_stream": streamed(delta(0, PARIS + TOKYO, own_id="a", name="z"))},
        "broken",
        "merged",
    ),
    (
        "tools.stream_parallel",
        "1 and 2",
        {"tools_two_stream": streamed(delta(1, PARIS, own_id="a", name="z"), delta(2, TOKYO, own_id="b", name="z"))},
        "broken",
        "indexes",
    ),
    ("tools.no_args", "null", {"tools_no_args": called(call(None))}, "broken", "object"),
    ("tools.no_args", "a model's own", {"tools_no_args": called(call('{"a": 1}'))}, "partial", "no arguments"),
    (
        "tools.arg_types",
        "one of them",
        {
            "tools_arg_types": called(
                call('{"seats": "3", "price": 12.5, "window": true, "rows": [4, 5], "train": {"number": 77}}')
            )
        },
        "ignored",
        "another type",
    ),
    (
        "tools.unicode_args",
        "another text",
        {"tools_unicode_args": called(call('{"text": "Rome"}'))},
        "untestable",
        "model",
    ),
    (
        "tools.unicode_args",
        "mojibake",
        {"tools_unicode_args": called(call(json.dumps({"text": "São Paulo 東京".encode().decode("latin-1")})))},
        "broken",
        "undamaged",
    ),
    (
        "tools.unicode_args",
        "with a blank",
        {"tools_unicode_args": called(call('{"text": " São Paulo 東京"}'))},
        "partial",
        "exact",
    ),
    ("tools.unicode_args", "no call", {"tools_unicode_args": said("São Paulo")}, "untestable", "model"),
    ("tools.arg_types", "no call", {"tools_arg_types": said("Booked.")}, "untestable", "model"),
    ("tools.arg_types", "markup", {"tools_arg_types": said("<tool_call>{}")}, "broken", "parsed"),
    ("tools.custom_type", "as a function", {"tools_custom": called(call("gyre", "write_down"))}, "broken", "type"),
    ("tools.legacy_functions", "as a tool", {"tools_legacy": called(call())}, "ignored", "without a call"),
    (
        "tools.deterministic_counts",
        "no usage",
        {FORCED: said(prompt=0), "tools_turned": said()},
        "untestable",
        "evidence",
    ),
    (
        "tools.result_forced",
        "no usage",
        {"chat_plain": said(), "tools_result_short": said(prompt=0), "tools_result_long": said()},
        "untestable",
        "evidence",
    ),
    (
        "tools.result_forced",
        "one count for all",
        {"chat_plain": said(prompt=7), "tools_result_short": said(prompt=7), "tools_result_long": said(prompt=7)},
        "untestable",
        "every prompt",
    ),
    ("tools.result_no_id", "taken", {"tools_result_no_id": said()}, "ignored", "as if it made sense"),
    (
        "tools.roundtrip",
        "forgetful",
        {"tools_auto": called(WEATHER), "tools_roundtrip": said("Rain.", prompt=400)},
        "untestable",
        "model",
    ),
    (
        "tools.roundtrip",
        "told",
        {"tools_auto": called(WEATHER), "tools_roundtrip": said("KQ-7431 says rain.")},
        "supported",
        "",
    ),
    (
        "tools.roundtrip",
        "refused",
        {"tools_auto": called(WEATHER), "tools_roundtrip": error("bad id")},
        "broken",
        "bad id",
    ),
    ("tools.roundtrip", "nothing to answer", {"tools_auto": said()}, "skipped", "not sent"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_verdict(case: tuple[str, str, dict[str, Reply], str, str]) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    name, _, replies, verdict, says = case
    found = judged(PROBES[name], replies)
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_ids_are_compared_within_and_across_answers() -> None:
    """The same id twice in one answer is broken, in two answers partial; with fewer than two ids nothing is told."""
    probe = PROBES["tools.id_unique"]

    def verdict(two: Reply, one: Reply, forced: Reply) -> str:
        return str(judged(probe, {"tools_two": two, "tools_auto": one, FORCED: forced}).verdict)

    lone = said()
    assert verdict(TWICE, called(call(own_id="call_3")), called(call(own_id="call_4"))) == "supported"
    assert verdict(called(WEATHER, WEATHER), lone, lone) == "broken"
    assert verdict(lone, called(call()), called(call())) == "partial"
    assert verdict(lone, lone, called(call())) == "untestable"


def test_one_call_at_a_time_needs_a_model_that_makes_two() -> None:
    """parallel_tool_calls false is judged only where two calls come without it."""
    probe = PROBES["tools.parallel_off"]
    assert judged(probe, {"tools_two": TWICE, "tools_two_off": called(WEATHER)}).verdict == "supported"
    assert judged(probe, {"tools_two": TWICE, "tools_two_off": TWICE}).verdict == "ignored"
    assert judged(probe, {"tools_two": called(WEATHER), "tools_two_off": called(WEATHER)}).verdict == "untestable"


def test_a_needless_call_is_the_models_unless_every_line_gets_one() -> None:
    """A call for a sum tells against the server only where a greeting gets one too."""
    probe = PROBES["tools.auto_restraint"]
    assert judged(probe, {"tools_restraint": called(WEATHER), "tools_accept": said("Hi")}).verdict == "untestable"
    assert judged(probe, {"tools_restraint": called(WEATHER), "tools_accept": called(WEATHER)}).verdict == "ignored"


def test_a_weak_model_is_not_taken_for_a_broken_server() -> None:
    """What a model did not do is untestable where it fails at trivial tasks, and told where it does them."""
    replies = {"tools_auto": called(call('{"city": "Paris", "badge": "42"}'))}
    weak = {f"gauge_{name}": said("um") for name in ("echo", "ok", "count", "json", "tool")}
    assert judged(PROBES["tools.optional"], replies).verdict == "ignored"
    assert judged(PROBES["tools.optional"], replies | weak).verdict == "untestable"


def test_calls_and_finish_reasons_are_compared_in_the_whole_run() -> None:
    """tool_calls without calls is broken, so is stop beside calls of the model's own; a cut call says nothing."""
    probe = PROBES["tools.finish_consistent"]
    sees = {scenario.name: scenario for each in PROBES.values() for scenario in scenarios_of([each])}

    def verdict(name: str, reply: Reply) -> str:
        run = Probe(**{field: getattr(probe, field) for field in probe.__slots__} | {"sees": (sees[name],)})
        return str(judged(run, {name: reply}).verdict)

    assert verdict("tools_auto", called(WEATHER)) == "supported"
    assert verdict("tools_auto", said(finish="tool_calls")) == "broken"
    assert verdict("tools_auto", called(WEATHER, finish="stop")) == "broken"
    assert verdict("tools_named", called(call(), finish="stop")) == "supported"
    assert verdict("tools_auto", called(WEATHER, finish="length")) == "supported"
    assert verdict("chat_plain", said()) == "untestable"


DEEP = b'{"choices":' + b"[" * 5000 + b"]" * 5000 + b"}"
ODD: tuple[Any, ...] = (None, [], {}, "x", 7, [[]], [None], [{}], {"a": []}, [{"function": []}], True)
GARBAGE = (
    HTML,
    error("no"),
    error("down", 503),
    Reply(b""),
    Reply(b"\xff\xfe"),
    Reply(DEEP),
    events(),
    events("[DONE]"),
    events("x", "[]", "7", {"choices": "x"}, {"choices": [7]}, {"choices": [{"delta": {"tool_calls": [[], 7]}}]}),
    *(events({"choices": odd, "usage": odd}) for odd in ODD),
    *(Reply(odd) for odd in ODD),
    *(Reply({"choices": odd, "usage": odd, "error": odd}) for odd in ODD),
    *(Reply({"choices": [{"message": odd, "finish_reason": odd}], "usage": {"prompt_tokens": odd}}) for odd in ODD),
    *(Reply(completion(odd, tool_calls=odd, function_call=odd, refusal=odd)) for odd in ODD),
    *(called(call(odd, odd, odd)) for odd in ODD),
    *(called(call('{"text": [1], "colour": {}}'), call("[" * 3000)) for _ in (0,)),
    *(streamed(delta(odd, odd, own_id=odd, name=odd), chunk({"content": odd})) for odd in ODD),
)


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda probe: probe.id)
def test_no_body_makes_a_judge_fail(probe: Probe) -> None:
    """Whatever an answer holds, every probe comes to a verdict of its own."""
    names = [scenario.name for scenario in scenarios_of([probe])] or ["tools_auto"]
    for reply in GARBAGE:
        for some in (dict.fromkeys(names, reply), {names[0]: said("x"), **dict.fromkeys(names[1:], reply)}):
            found = judged(probe, some)
            assert not found.reason.startswith("probe:"), (reply, found)


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda probe: probe.id)
def test_a_dead_endpoint_is_not_accused(probe: Probe) -> None:
    """Where nothing answers, or everything is throttled, no probe says anything against the endpoint."""
    sent = scenarios_of(PROBES.values() if probe.over == "run" else [probe])
    for reply in (Reply(status=None, failure="connect"), error("slow down", 429), error("no key", 401)):
        replies = dict.fromkeys((scenario.name for scenario in sent), reply)
        assert judged(probe, replies, sent).verdict == "untestable"
