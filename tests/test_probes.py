"""The shipped probes: each passes on a clean transcript, fails on faulty ones, and never accuses without evidence."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from transcripts import ENDPOINT, Reply, captures, chunk, completion, error, events

from harness import config
from harness.catalog import discover
from harness.cli import cli
from harness.conformance import Probe, judge_all, scenarios_of
from harness.errors import UnknownName
from harness.types import Verdict

PROBES: tuple[Probe, ...] = tuple(discover([Path(__file__).parents[1] / "tasks" / "probes"]).probes.values())
SMOKE = tuple(probe for probe in PROBES if "smoke" in probe.profile)
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
HELLO = (chunk({"role": "assistant", "content": ""}), chunk({"content": "Hello"}), chunk({}, finish="stop"))
CALL = {"id": "call_1", "type": "function", "function": {"name": "paint_wall", "arguments": '{"colour": "red"}'}}
FITTING = '{"zq": true, "vx": "mimsy"}'


def called(*calls: Any, text: str | None = None, finish: str = "tool_calls") -> Reply:
    """An answer that asks for tool calls."""
    return Reply(completion(text, finish=finish, tool_calls=list(calls)))


def arguments(text: Any, **function: Any) -> dict[str, Any]:
    """A call with these arguments."""
    return {**CALL, "function": {"name": "paint_wall", "arguments": text, **function}}


def without(body: dict[str, Any], *path: Any) -> dict[str, Any]:
    """A body with one key taken out."""
    cut = copy.deepcopy(body)
    inner: Any = cut
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return cut


def said(text: str | None, **fields: Any) -> Reply:
    """An answer with this text."""
    return Reply(completion(text, **fields))


CLEAN = {
    "models_list": Reply({"object": "list", "data": [{"id": "small-1"}, {"id": "big-1"}]}),
    "chat_plain": said("Hello there!", prompt=12),
    "chat_system": said("Hello there!", prompt=112),
    "sampling_cap": said("Once upon a time there", finish="length", output=5),
    "sampling_no_stop": said("The sea is deep. Ships sail on it."),
    "sampling_stop": said("The sea is wide", output=4),
    "stream_plain": events(*HELLO, "[DONE]"),
    "stream_usage": events(*HELLO, chunk(None, usage=USAGE), "[DONE]"),
    "tools_required": called(CALL),
    "json_schema": said(FITTING),
    "error_unknown_model": error("The model does not exist", 404, code="model_not_found"),
    "error_malformed_json": error("We could not parse the body", 400),
}


class Case(NamedTuple):
    """A transcript and what must be made of it."""

    probe: str
    why: str
    replies: dict[str, Reply]
    verdict: str
    says: str = ""
    """Must occur in reason, expected or actual."""


def one(probe: str, scenario: str, cases: dict[str, tuple[Reply, str, str]]) -> Iterator[Case]:
    """Cases that differ from the clean transcript in one scenario."""
    for why, (reply, verdict, says) in cases.items():
        yield Case(probe, why, {scenario: reply}, verdict, says)


HTML = Reply(b"<html>Bad gateway</html>", 500, {"content-type": "text/html"})
BARE = completion("Hi")
CASES = [
    *one(
        "models.list",
        "models_list",
        {
            "no object": (Reply({"data": [{"id": "a"}]}), "partial", "object"),
            "not there": (error("not found", 404), "rejected", "404 not found"),
            "not there, not JSON": (Reply(b"not found", 404), "broken", "404 not found"),
            "empty": (Reply({"object": "list", "data": []}), "broken", "not empty"),
            "bare array": (Reply([{"id": "a"}]), "broken", "array"),
            "twice": (Reply({"object": "list", "data": [{"id": "a"}, {"id": "a"}]}), "broken", "unique"),
            "no id": (Reply({"object": "list", "data": [{"name": "a"}, "b"]}), "broken", "ids are strings"),
            "crash": (HTML, "broken", "500"),
            "throttled": (error("slow down", 429), "untestable", "429 slow down"),
        },
    ),
    *one(
        "chat.basic",
        "chat_plain",
        {
            "reasoning alone": (said(None, reasoning_content="Hm"), "supported", ""),
            "cut while it thinks": (said(None, finish="length"), "untestable", "headroom"),
            "no such path": (error("no route", 404), "rejected", "no route"),
            "error inside a 200": (Reply({"error": {"message": "oops"}}), "broken", "oops"),
            "no choices": (Reply({**BARE, "choices": []}), "broken", "choices"),
            "no content": (said(None), "broken", "content"),
            "text/plain": (Reply(BARE, headers={"content-type": "text/plain"}), "broken", "text/plain"),
            "empty body": (Reply(b""), "broken", "choices"),
            "crash": (HTML, "broken", "500"),
            "bad key": (error("bad key", 401), "untestable", "auth"),
            "no money": (error("no credit", 402), "untestable", "quota"),
            "overloaded": (error("busy", 503), "untestable", "transient"),
            "silent": (Reply(status=None, failure="timeout_first_byte"), "untestable", "transient"),
            "refused connection": (Reply(status=None, failure="connect"), "untestable", "transport"),
        },
    ),
    *one(
        "chat.required_fields",
        "chat_plain",
        {
            "fraction": (Reply({**BARE, "created": 1.5}), "partial", "1.5"),
            "no id": (Reply(without(BARE, "id")), "broken", "id"),
            "empty model": (Reply({**BARE, "model": ""}), "broken", "model"),
            "time as text": (Reply({**BARE, "created": "now"}), "broken", "now"),
            "no finish reason": (Reply(without(BARE, "choices", 0, "finish_reason")), "broken", "finish_reason"),
            "no index": (Reply(without(BARE, "choices", 0, "index")), "broken", "index"),
            "blocked": (HTML, "skipped", "chat.basic"),
            "throttled": (error("slow down", 429), "untestable", "transient"),
        },
    ),
    *one(
        "chat.system_counted",
        "chat_system",
        {
            "dropped": (said("Hi", prompt=12), "ignored", "did not grow"),
            "mostly dropped": (said("Hi", prompt=20), "ignored", "did not grow"),
            "half dropped": (said("Hi", prompt=52), "partial", "growth"),
            "no usage": (Reply(without(BARE, "usage")), "untestable", "evidence"),
            "zeros": (said("Hi", prompt=0), "untestable", "evidence"),
            "role refused": (error("no system role"), "rejected", "no system role"),
            "crash": (HTML, "broken", "500"),
            "overloaded": (error("busy", 529), "untestable", "transient"),
        },
    ),
    *one(
        "sampling.max_tokens",
        "sampling_cap",
        {
            "ignored": (said("word " * 40, output=40), "ignored", "40"),
            "ignored, count hidden": (
                Reply(without(completion("word " * 40, finish="length"), "usage")),
                "ignored",
                "text",
            ),
            "a block over": (said("Once upon a time", finish="length", output=8), "partial", "too many"),
            "count missing": (
                Reply(without(completion("Once upon", finish="length"), "usage")),
                "partial",
                "not stated",
            ),
            "says stop": (said("Once upon a time there", output=5), "broken", "finish_reason"),
            "ended by itself": (said("No.", output=2), "untestable", "model"),
            "refused": (error("unknown field max_tokens"), "rejected", "max_tokens"),
        },
    ),
    *one(
        "sampling.stop_string",
        "sampling_stop",
        {
            "ignored": (said("The sea is wide. Ships sail on it."), "ignored", "past the stop string"),
            "left in": (said("The sea is wide.\n"), "broken", "left out"),
            "nothing before it": (said(""), "supported", ""),
            "one endless sentence": (said("The sea " * 32, finish="length", output=64), "untestable", "headroom"),
            "odd finish reason": (said("The sea is wide", finish="length", output=4), "supported", ""),
            "thinks too long": (said("", finish="length"), "untestable", "headroom"),
            "refused": (error("stop is not supported"), "rejected", "stop is not supported"),
            "crash": (HTML, "broken", "500"),
        },
    ),
    *one(
        "sampling.stop_string",
        "sampling_no_stop",
        {
            "model writes no full stops": (said("the sea"), "untestable", "model"),
            "refused without stop too": (error("no"), "untestable", "evidence"),
        },
    ),
    *one(
        "stream.done",
        "stream_plain",
        {
            "no [DONE]": (events(*HELLO), "partial", "[DONE]"),
            "something after": (events(*HELLO, "[DONE]", chunk({})), "partial", "last"),
            "twice": (events(*HELLO, "[DONE]", "[DONE]"), "partial", "once"),
            "not ended": (events(*HELLO, end=b"data: [DONE]"), "partial", "ended"),
            "cut": (events(*HELLO[:2]), "broken", "end is marked"),
            "error in the stream": (events(HELLO[0], {"error": {"message": "oops"}}, "[DONE]"), "broken", "oops"),
            "empty": (events(), "broken", "chunks"),
            "nothing but the end": (events("[DONE]"), "broken", "chunks"),
            "one piece": (Reply(BARE), "ignored", "one piece"),
            "refused": (error("no streams"), "rejected", "no streams"),
            "crash": (HTML, "broken", "500"),
            "reset": (Reply(b"data: {}\n\n", failure="reset"), "untestable", "transport"),
        },
    ),
    *one(
        "stream.usage_chunk",
        "stream_usage",
        {
            "ignored": (events(*HELLO, "[DONE]"), "ignored", "usage"),
            "null": (events(*HELLO, chunk(None, usage=None), "[DONE]"), "ignored", "usage"),
            "in the last choice": (
                events(*HELLO[:2], chunk({}, finish="stop", usage=USAGE), "[DONE]"),
                "partial",
                "empty",
            ),
            "on every chunk": (
                events(*({**each, "usage": USAGE} for each in HELLO), chunk(None, usage=USAGE), "[DONE]"),
                "supported",
                "",
            ),
            "twice": (
                events(*HELLO, chunk(None, usage=USAGE), chunk(None, usage=USAGE), "[DONE]"),
                "partial",
                "once",
            ),
            "too early": (events(HELLO[0], chunk(None, usage=USAGE), *HELLO[1:], "[DONE]"), "partial", "last"),
            "after [DONE]": (events(*HELLO, "[DONE]", chunk(None, usage=USAGE)), "broken", "before [DONE]"),
            "a count missing": (
                events(*HELLO, chunk(None, usage=without(USAGE, "total_tokens")), "[DONE]"),
                "broken",
                "total_tokens",
            ),
            "zeros": (
                events(*HELLO, chunk(None, usage=dict.fromkeys(USAGE, 0)), "[DONE]"),
                "broken",
                "prompt_tokens is not 0",
            ),
            "no usage allowed": (error("stream_options is unknown"), "rejected", "stream_options"),
            "one piece": (Reply(BARE), "ignored", "one piece"),
        },
    ),
    *one(
        "tools.required",
        "tools_required",
        {
            "two calls": (called(CALL, {**CALL, "id": "call_2"}), "supported", ""),
            "finish stop": (called(CALL, finish="stop"), "supported", ""),
            "ignored": (said("Paris."), "ignored", "without a call"),
            "ignored at length": (said("Paris is the", finish="length"), "ignored", "without a call"),
            "thinks aloud too long": (said("<think>Hm", finish="length"), "untestable", "headroom"),
            "leaked": (said('<tool_call>{"name": "paint_wall"}</tool_call>'), "broken", "parsed"),
            "thinks too long": (said("", finish="length"), "untestable", "headroom"),
            "made-up tool": (called(arguments("{}", name="buy_paint")), "broken", "name"),
            "calls as object": (said(None, tool_calls={"0": CALL}), "broken", "array"),
            "refused": (error("tools are not supported"), "rejected", "tools are not"),
            "no access": (error("no", 403), "untestable", "auth"),
        },
    ),
    *one(
        "json.schema",
        "json_schema",
        {
            "prose": (said("Paris."), "ignored", "prose"),
            "other JSON": (said('{"capital": "Paris"}'), "ignored", "not of the schema"),
            "number for a flag": (said('{"zq": 1, "vx": "mimsy"}'), "ignored", "not of the schema"),
            "fenced": (said(f"```json\n{FITTING}\n```"), "ignored", "prose"),
            "torn": (said('{"zq": true, "zq_w'), "broken", "whole"),
            "cut": (said('{"zq": true, "zq_w', finish="length"), "untestable", "headroom"),
            "thinks too long": (said("", finish="length"), "untestable", "headroom"),
            "long prose": (said("Paris is", finish="length"), "ignored", "prose"),
            "model refuses": (said(None, refusal="I will not"), "untestable", "model"),
            "refused": (error("response_format json_schema is unknown"), "rejected", "response_format"),
            "crash": (HTML, "broken", "500"),
        },
    ),
    *one(
        "error.unknown_model",
        "error_unknown_model",
        {
            "answers anyway": (said("Hi"), "ignored", "200 by small-1"),
            "400": (error("no model", 400, code="model_not_found"), "partial", "404"),
            "another code": (error("no model", 404, code="NotFound"), "partial", "error.code"),
            "code as number": (error("no model", 404, code=404), "partial", "error.code"),
            "flat": (Reply({"message": "no model"}, 404), "broken", "error body"),
            "text": (Reply({"error": "no model"}, 404), "broken", "error body"),
            "detail": (Reply({"detail": "Not Found"}, 404), "broken", "Not Found"),
            "crash": (HTML, "broken", "500"),
            "error inside a 200": (Reply({"error": {"message": "no model"}}), "broken", "status"),
            "no access": (error("no", 403), "untestable", "auth"),
            "overloaded": (error("busy", 503), "untestable", "transient"),
        },
    ),
    *one(
        "error.malformed_json",
        "error_malformed_json",
        {
            "422": (error("bad JSON", 422), "partial", "422"),
            "no type": (Reply({"error": {"message": "bad JSON"}}, 400), "partial", "error.type"),
            "500": (error("bad JSON", 500), "broken", "500"),
            "answers anyway": (said("Hi"), "broken", "200"),
            "detail": (Reply({"detail": [{"msg": "bad"}]}, 422), "broken", "error body"),
            "empty": (Reply(b"", 400), "broken", "error body"),
            "silent": (Reply(status=None, failure="timeout_total"), "untestable", "transient"),
        },
    ),
]


def judged(replies: dict[str, Reply]) -> dict[str, Verdict]:
    """Verdicts by probe, on the clean transcript with these replies in it."""
    return {verdict.probe: verdict for verdict in judge_all(SMOKE, captures(CLEAN | replies), ENDPOINT)}


# --- verdicts --------------------------------------------------------------------------------------------


def test_a_clean_endpoint_passes_every_probe() -> None:
    """On a transcript without a fault every probe says supported."""
    assert {name: verdict.verdict for name, verdict in judged({}).items()} == dict.fromkeys(
        [probe.id for probe in SMOKE], "supported"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.probe}: {case.why}")
def test_verdict(case: Case) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    found = judged(case.replies)[case.probe]
    assert found.verdict == case.verdict, found
    assert case.says in " ".join((found.reason, found.expected, found.actual))


@pytest.mark.parametrize("probe", SMOKE, ids=lambda probe: probe.id)
def test_each_probe_is_killed(probe: Probe) -> None:
    """Each probe has a transcript that it must not pass."""
    assert {"ignored", "broken"} & {case.verdict for case in CASES if case.probe == probe.id}


@pytest.mark.parametrize("probe", SMOKE, ids=lambda probe: probe.id)
def test_a_dead_endpoint_is_not_accused(probe: Probe) -> None:
    """Where nothing answers, or everything is throttled, every probe is untestable and none fails."""
    for reply in (Reply(status=None, failure="connect"), error("slow down", 429)):
        replies = {scenario.name: reply for scenario in scenarios_of(SMOKE)}
        assert judged(replies)[probe.id].verdict == "untestable"


def test_one_dead_surface_costs_one_verdict() -> None:
    """A broken chat is told once, and what builds on it is skipped and names it."""
    found = judged({"chat_plain": HTML})
    assert found["chat.basic"].verdict == "broken"
    assert found["models.list"].verdict == "supported"
    rest = {name: verdict for name, verdict in found.items() if name not in ("chat.basic", "models.list")}
    assert {verdict.reason for verdict in rest.values()} == {"blocked by chat.basic (broken)"}


# --- the registry ----------------------------------------------------------------------------------------


def test_registry() -> None:
    """Ids are unique and well-formed, and each probe states its criterion, title, source and profiles."""
    ids = [probe.id for probe in PROBES]
    assert len(set(ids)) == len(ids)
    for probe in PROBES:
        assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+){1,3}", probe.id)
        assert probe.criterion.endswith(".")
        assert probe.title
        assert probe.spec
        assert probe.profile
        assert set(probe.needs) <= set(ids) - {probe.id}


def test_what_shipped_providers_declare_names_probes() -> None:
    """Each id, or surface, that a shipped block declares is one of the suite's."""
    known = {probe.id for probe in PROBES} | {f"{probe.surface}.*" for probe in PROBES}
    providers = config.load_providers(config.shipped("providers.yaml"))
    told = [one.declared for one in providers.values()]
    named = {probe for declared in told for probe in (*declared.unsupported, *declared.ignored)}
    assert named
    assert named <= known
    assert all(one.source for one in told if one.unsupported or one.ignored)


def test_smoke_is_small() -> None:
    """The smoke profile has its twelve probes and costs at most 13 requests and 64 tokens each."""
    assert len(SMOKE) == 12
    scenarios = scenarios_of(SMOKE)
    assert sum(scenario.repeats for scenario in scenarios) <= 13
    for scenario in scenarios:
        body = scenario.build(ENDPOINT, 0).body or b""
        caps = [int(cap) for cap in re.findall(rb'"max_(?:completion_)?tokens":(\d+)', body)]
        assert all(cap <= 64 for cap in caps)
        assert bool(caps) == (b'"messages"' in body)


def test_every_scenario_has_its_transcript() -> None:
    """Every scenario of the smoke profile is looked at, and has a clean transcript here."""
    assert {scenario.name for scenario in scenarios_of(SMOKE)} == set(CLEAN)


@pytest.mark.parametrize("scenario", scenarios_of(PROBES), ids=lambda scenario: scenario.name)
def test_requests_are_stable(scenario: Any) -> None:
    """A scenario builds the same bytes each time, and says stream just where its body does."""
    first = scenario.build(ENDPOINT, 0)
    assert first == scenario.build(ENDPOINT, 0)
    assert first.stream == (b'"stream":true' in (first.body or b""))


# --- the command -----------------------------------------------------------------------------------------


def shown(*arguments: str) -> str:
    """What ``harness probe`` prints."""
    result = CliRunner().invoke(cli, ["probe", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_list_of_the_command() -> None:
    """Harness probe list names every probe of a profile and what it costs, as a table and as JSON."""
    table = shown("list", "--profile", "smoke")
    assert all(probe.id in table for probe in SMOKE)
    assert "12 requests" in table
    rows = json.loads(shown("list", "--profile", "smoke", "--json"))
    assert {row["id"] for row in rows} == {probe.id for probe in SMOKE}
    assert all(row["criterion"] and row["requests"] for row in rows)


def test_show_of_the_command() -> None:
    """Harness probe show tells criterion and exact requests; an unknown id is answered with the nearest one."""
    text = shown("show", "error.malformed_json")
    assert "A body that is not JSON gets 400" in text
    assert 'POST /chat/completions\n{"model":\n' in text
    assert json.loads(shown("show", "models.list", "--json"))["sends"][0]["method"] == "GET"
    with pytest.raises(UnknownName, match=r"Did you mean tools\.required"):
        shown("show", "tools.require")
