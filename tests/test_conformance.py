"""The mechanism of conformance: captures, scenarios, probes and how checks become a verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from transcripts import ENDPOINT, Reply, captures, chunk, completion, error, events

from harness.conformance import (
    Check,
    Ignored,
    Probe,
    Refused,
    Scenario,
    Seen,
    Untestable,
    accepted,
    after,
    bare,
    brief,
    chat,
    check,
    dig,
    envelope,
    judge_all,
    literal,
    next_turn,
    parse,
    probe,
    refuses,
    scenarios_of,
    select,
)
from harness.errors import TaskError, UnknownName
from harness.provider import Endpoint, Quirks
from harness.types import Verdict

ASKED = bare("asked", "GET /asked", "/asked", surface="test")
OTHER = bare("other", "GET /other", "/other", surface="test")


def made(*checks: Check, raises: Exception | None = None, name: str = "test.one", **fields: Any) -> Probe:
    """A probe whose judge gives these checks, then raises."""

    def judge(seen: Seen) -> Iterator[Check]:
        """It says what it was told to say."""
        yield from checks
        if raises is not None:
            raise raises

    fields = {"title": "One", "sees": (ASKED,), "spec": "none", **fields}
    return probe(name, **fields)(judge)


def verdict(one: Probe, *replies: Reply) -> Verdict:
    """The verdict of one probe on the replies to its scenario."""
    (found,) = judge_all([one], captures({"asked": replies or (Reply({}),)}), ENDPOINT)
    return found


def by_status(**fields: Any) -> Probe:
    """A probe whose judge says what the status stands for."""

    def judge(seen: Seen) -> Iterator[Check]:
        """It goes by the status."""
        status = seen[ASKED].status
        if status == 404:
            raise Ignored("no effect")
        if status == 422:
            raise Untestable("model", "it would not")
        yield check("well formed", status != 400, of=seen[ASKED])
        yield check("neat", status != 202, must=False)

    return probe("test.one", **{"title": "One", "sees": (ASKED,), "spec": "none", **fields})(judge)


GOOD, MALFORMED, NO_EFFECT, UNWILLING = (Reply({}, status) for status in (200, 400, 404, 422))


# --- checks to verdicts ----------------------------------------------------------------------------------


def test_all_checks_hold() -> None:
    """A probe whose every check holds is supported, with the job as evidence."""
    found = verdict(made(check("a", True), check("b", True, must=False)))
    assert (found.verdict, found.reason) == ("supported", "2 checks hold")
    assert found.evidence == ("probe/vendor/small/asked/0",)


def test_failed_should_is_partial() -> None:
    """A check that clients cope without makes the verdict partial and is named with what was seen."""
    found = verdict(made(check("a", False, 1, None, must=False), check("b", True), check("c", False, must=False)))
    assert (found.verdict, found.reason, found.expected, found.actual) == ("partial", "a, c", "1", "null")


def test_failed_must_is_broken_and_ends_the_judging() -> None:
    """The first must that fails is the verdict, and nothing after it is looked at."""
    found = verdict(made(check("a", False, "x", "y"), raises=RuntimeError("must not be reached")))
    assert (found.verdict, found.reason, found.expected, found.actual) == ("broken", "a", "x", "y")


def test_ignored_is_kept_with_its_evidence() -> None:
    """Ignored carries what was expected and what came instead."""
    found = verdict(made(raises=Ignored("no effect", "A", "B")))
    assert (found.verdict, found.reason, found.expected, found.actual) == ("ignored", "no effect", "A", "B")


def test_refused_tells_what_the_endpoint_said() -> None:
    """Refused shows status and message of the refusal."""
    found = verdict(made(raises=Refused(error("we do not do that", 422).capture("asked"))))
    assert (found.verdict, found.actual) == ("rejected", "422 we do not do that")


def test_untestable_names_its_reason() -> None:
    """Untestable starts with a reason code."""
    assert verdict(made(raises=Untestable("model", "it would not"))).reason == "model: it would not"


def test_a_failing_judge_costs_only_its_own_verdict() -> None:
    """A fault in one judge is said to be one, and the other probes are judged."""
    probes = [made(raises=KeyError("oops")), made(check("a", True), name="test.two")]
    first, second = judge_all(probes, captures({"asked": Reply({})}), ENDPOINT)
    assert first.verdict == "untestable"
    assert first.reason.startswith("probe: its judge failed with KeyError")
    assert second.verdict == "supported"


def test_texts_stay_on_one_line() -> None:
    """What a server sent cannot break or flood a verdict."""
    found = verdict(made(check("a", False, "x\ny", "z" * 10_000)))
    assert found.expected == "x y"
    assert len(found.actual) == 120


# --- obstacles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402, 403, 408, 429, 502, 503, 504, 529])
def test_an_obstacle_is_not_evidence(status: int) -> None:
    """A refused key, a spent quota, a throttle or an overload makes a probe untestable, whatever its judge thinks."""
    found = verdict(made(check("a", False)), error("not now", status))
    assert found.verdict == "untestable"
    assert f"{status} not now" in found.reason


@pytest.mark.parametrize(
    "kind",
    [
        "dns",
        "connect",
        "tls",
        "reset",
        "timeout_connect",
        "timeout_first_byte",
        "timeout_idle",
        "timeout_total",
        "truncated",
    ],
)
def test_a_lost_connection_is_not_evidence(kind: Any) -> None:
    """A timeout or a lost connection makes a probe untestable, even after a good status line."""
    assert verdict(made(check("a", False)), Reply(status=None, failure=kind)).verdict == "untestable"
    assert verdict(made(check("a", False)), Reply(b"{", failure=kind)).verdict == "untestable"


def test_malformed_http_is_evidence() -> None:
    """A response that breaks HTTP itself is judged, for the server did answer."""
    assert verdict(made(check("a", False)), Reply(b"x", failure="bad_http")).verdict == "broken"


def test_a_status_that_is_the_answer() -> None:
    """Where a scenario provokes 401, a 401 is judged."""
    provoked = replace(ASKED, answers=frozenset({401}))
    assert verdict(made(check("a", True), sees=(provoked,)), error(status=401)).verdict == "supported"


def test_clear_repeats_are_judged_without_the_obstructed_ones() -> None:
    """Of several repeats the judge sees those that were answered; all of them stay evidence."""

    def judge(seen: Seen) -> Iterator[Check]:
        """One is left."""
        yield check("one", len(seen.all(ASKED)) == 1)

    made_so = probe("test.one", title="One", sees=(ASKED,), spec="none", over="all")(judge)
    found = verdict(made_so, error(status=429), Reply({}))
    assert found.verdict == "supported"
    assert len(found.evidence) == 2


# --- several samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "word", "agree"),
    [
        ((GOOD, GOOD, GOOD), "supported", 3),
        ((MALFORMED, GOOD, GOOD), "supported", 2),
        ((MALFORMED, MALFORMED, GOOD), "broken", 2),
        ((GOOD, MALFORMED), "broken", 1),
        ((NO_EFFECT, MALFORMED, GOOD), "broken", 1),
    ],
)
def test_most_samples_decide(replies: tuple[Reply, ...], word: str, agree: int) -> None:
    """Of what the server forces, the majority of samples is the verdict; of equally many, the gravest."""
    found = verdict(by_status(ability="F"), *replies)
    assert (found.verdict, found.agree, found.samples) == (word, agree, len(replies))
    assert found.reason.startswith(f"{agree} of") == (agree < len(replies))


@pytest.mark.parametrize(
    ("replies", "word"),
    [
        ((NO_EFFECT, UNWILLING, GOOD), "supported"),
        ((GOOD, GOOD, MALFORMED), "broken"),
        ((UNWILLING, UNWILLING), "untestable"),
        ((UNWILLING, NO_EFFECT), "ignored"),
    ],
)
def test_one_good_sample_shows_that_a_model_can(replies: tuple[Reply, ...], word: str) -> None:
    """Of what the model has to want, one good sample is enough, and one malformed sample is the server's fault."""
    assert verdict(by_status(ability="E"), *replies).verdict == word


@pytest.mark.parametrize(("right", "word"), [(5, "ignored"), (3, "ignored"), (2, "untestable"), (0, "untestable")])
def test_a_weak_model_does_not_accuse_its_server(right: int, word: str) -> None:
    """A model that fails at trivial tasks says nothing about whether the server passed the wish on."""
    said = {"echo": "kestrel-4821", "ok": "OK.", "count": "1 2 3 4 5", "json": '{"a": 1, "b": "two"}'}
    call = {"id": "c", "type": "function", "function": {"name": "ring_bell", "arguments": "{}"}}
    good = {f"gauge_{name}": Reply(completion(text)) for name, text in said.items()}
    good["gauge_tool"] = Reply(completion(None, tool_calls=[call]))
    mixed = {name: one if place < right else Reply(completion("Hm?")) for place, (name, one) in enumerate(good.items())}
    (found,) = judge_all([by_status(ability="E")], captures({"asked": NO_EFFECT, **mixed}), ENDPOINT)
    assert found.verdict == word
    assert found.evidence == ("probe/vendor/small/asked/0",)


def test_what_shows_it_comes_first_among_the_evidence() -> None:
    """The capture that a failed check is about is the first to be looked at."""
    found = verdict(by_status(ability="F"), GOOD, MALFORMED, MALFORMED)
    assert found.evidence[0] == "probe/vendor/small/asked/1"
    assert len(found.evidence) == 3


def over_run(**fields: Any) -> Probe:
    """A probe of everything that was sent."""

    def judge(seen: Seen) -> Iterator[Check]:
        """No status is 400."""
        for capture in seen.everything():
            yield check("no 400", capture.status != 400, of=capture)

    return probe("test.run", title="Run", spec="none", over="run", **fields)(judge)


def test_a_probe_of_the_whole_run() -> None:
    """It sees every scenario that others asked for and names the guilty one; an obstacle is left out."""
    one = over_run()
    clean = captures({"asked": Reply({}), "other": error(status=429)})
    assert judge_all([one], clean, ENDPOINT)[0].verdict == "supported"
    (found,) = judge_all([one], captures({"asked": Reply({}), "other": error()}), ENDPOINT)
    assert (found.verdict, found.evidence) == ("broken", ("probe/vendor/small/other/0",))
    assert judge_all([one], captures({"asked": error(status=429)}), ENDPOINT)[0].verdict == "untestable"
    assert judge_all([one], {}, ENDPOINT)[0].verdict == "skipped"


def test_a_scenario_that_was_not_sent() -> None:
    """A probe without its captures is skipped, not failed."""
    (found,) = judge_all([made(check("a", True), sees=(ASKED, OTHER))], captures({"asked": Reply({})}), ENDPOINT)
    assert (found.verdict, found.reason) == ("skipped", "other was not sent")


# --- prerequisites ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "word"),
    [
        (made(check("a", True), name="test.first"), "supported"),
        (made(check("a", False, must=False), name="test.first"), "supported"),
        (made(raises=Untestable("model", "x"), name="test.first"), "supported"),
        (made(check("a", False), name="test.first"), "skipped"),
        (made(raises=Ignored("x"), name="test.first"), "skipped"),
        (made(raises=Refused(error().capture("asked")), name="test.first"), "skipped"),
    ],
)
def test_needs(first: Probe, word: str) -> None:
    """A prerequisite that failed blocks its dependents; one that could not be tested does not."""
    second = made(check("b", True), name="test.second", needs=("test.first",))
    third = made(check("c", True), name="test.third", needs=("test.second",))
    found = judge_all([third, second, first], captures({"asked": Reply({})}), ENDPOINT)
    assert [each.verdict for each in found[:2]] == [word, word]
    assert [each.probe for each in found] == ["test.third", "test.second", "test.first"]
    if word == "skipped":
        assert found[1].reason == f"blocked by test.first ({found[2].verdict})"


def test_needs_that_are_not_selected_or_turn_in_a_circle() -> None:
    """An unknown prerequisite blocks nothing, and a circle of needs comes to an end."""
    one = made(check("a", True), name="test.one", needs=("test.two", "test.absent"))
    two = made(check("b", True), name="test.two", needs=("test.one",))
    found = judge_all([one, two], captures({"asked": Reply({})}), ENDPOINT)
    assert [each.verdict for each in found] == ["supported", "supported"]


# --- shared checks ---------------------------------------------------------------------------------------


def failed(checks: Iterator[Check]) -> list[str]:
    """Names of the checks that do not hold."""
    return [each.name for each in checks if not each.ok]


def test_accepted() -> None:
    """Only a 200 without an error inside is accepted; a clean no is a refusal and anything else a failed check."""
    assert failed(accepted(Reply({"choices": []}).capture("asked"))) == []
    assert failed(accepted(Reply({"error": {"message": "no"}}).capture("asked"))) == ["no error inside a 200"]
    assert "status" in failed(accepted(Reply(b"<html>", 404).capture("asked")))
    assert "status" in failed(accepted(error(status=500).capture("asked")))
    for status in (400, 404, 422, 501):
        with pytest.raises(Refused):
            list(accepted(Reply({"detail": "no"}, status).capture("asked")))


def test_refuses() -> None:
    """A request that makes no sense wants a 4xx with the documented body; another 4xx or parameter is no must."""
    assert failed(refuses(error(param="n").capture("asked"), 400, param="n")) == []
    assert failed(refuses(error(status=422, param="x").capture("asked"), 400, param="n")) == [
        "status 400",
        "error.param",
    ]
    assert "status" in failed(refuses(error(status=500).capture("asked")))
    with pytest.raises(Ignored):
        list(refuses(Reply(completion("Hi")).capture("asked")))


def test_envelope() -> None:
    """The documented error body passes; a flat one has no error object; each missing field is named."""
    assert failed(envelope(error().capture("asked"))) == []
    assert failed(envelope(error(code="x", param="y").capture("asked"))) == []
    assert failed(envelope(error(code=404).capture("asked"))) == ["error.code"]
    bare = Reply({"error": {"message": "no"}}, 400)
    assert failed(envelope(bare.capture("asked"))) == ["error.type", "error.param", "error.code"]
    bodies: tuple[Any, ...] = ({"detail": "no"}, {"error": "no"}, [{"error": {}}], b"no", {"error": {"message": 1}})
    for body in bodies:
        first = next(each for each in envelope(Reply(body, 400).capture("asked")) if not each.ok)
        assert first.must


# --- captures --------------------------------------------------------------------------------------------


def test_capture_of_an_answer() -> None:
    """Body, header, message, text, finish reason and counts are read from the raw bytes."""
    reply = Reply(completion("é", finish="length"), headers={"content-type": "Application/JSON; charset=utf-8"})
    seen = reply.capture("asked")
    assert (seen.media_type, seen.header("absent"), seen.status) == ("application/json", "", 200)
    assert (seen.text, seen.finish_reason, seen.tokens("prompt_tokens")) == ("é", "length", 12)
    assert seen.at("choices", 0, "message", "role") == "assistant"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'{"choices": {}}', b'{"choices": [7]}', b"\xff"])
def test_capture_of_something_else(body: bytes) -> None:
    """A body of any other shape gives nothing, and never an exception."""
    seen = Reply(body).capture("asked")
    assert (seen.message, seen.text, seen.finish_reason, seen.tokens("prompt_tokens")) == ({}, "", None, None)
    assert seen.chunks == ()


def test_capture_of_a_stream() -> None:
    """A stream gives its events, an unterminated last one included, and the chunks without [DONE] and non-objects."""
    seen = events(chunk({"content": "a"}), "7", "{broken", "[DONE]", end=b'data: {"late": 1}').capture("asked")
    assert [event.data for event in seen.events][1:] == ["7", "{broken", "[DONE]", '{"late": 1}']
    assert [dig(each, "choices", 0, "delta", "content") for each in seen.chunks] == ["a", None]


def test_capture_of_an_endless_line() -> None:
    """A line longer than any event ends the reading, and the events before it are kept."""
    seen = Reply(b"data: {}\n\ndata: " + b"x" * 1_100_000).capture("asked")
    assert [event.data for event in seen.events] == ["{}"]


def test_parse_and_brief() -> None:
    """What is not JSON is None, however deep it is nested, and values become one short line."""
    assert parse(b"[" * 100_000) is None
    assert parse("{") is None
    assert brief({"ä": [1, "x  y"]}) == '{"ä": [1, "x y"]}'


# --- scenarios -------------------------------------------------------------------------------------------


def body_of(endpoint: Endpoint = ENDPOINT, **fields: Any) -> dict[str, Any]:
    """The body that a chat scenario sends."""
    sent: dict[str, Any] = json.loads(chat("x", "X", "Hi", cap=5, **fields).build(endpoint, 0).body or b"")
    return sent


def test_chat_body() -> None:
    """A chat holds the endpoint's model id, the line, the cap and the fields, and says stream only where it is one."""
    sent = body_of(temperature=0)
    assert sent["model"] == "small-1"
    assert sent["messages"] == [{"role": "user", "content": "Hi"}]
    assert sent["temperature"] == 0
    assert "stream" not in sent
    assert body_of(stream=True)["stream"] is True
    assert "stream_options" not in body_of(stream=True)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_chat_follows_the_provider_but_asks_what_is_to_be_found_out(name: Any) -> None:
    """The cap has the provider's name for it and its own fields are sent; what a probe asks for is never dropped."""
    quirks = Quirks(max_tokens_field=name, drop=("stop",), extra_body={"route": "a"})
    endpoint = replace(ENDPOINT, provider=replace(ENDPOINT.provider, quirks=quirks))
    sent = body_of(endpoint, stop=["x"], model="another")
    assert (sent[name], sent["stop"], sent["route"], sent["model"]) == (5, ["x"], "a", "another")
    assert not {"max_tokens", "max_completion_tokens"} - {name} & set(sent)
    one, two = (chat("x", "X", "Hi", cap=5).build(each, 0).workload_sha256 for each in (endpoint, ENDPOINT))
    assert one == two


def test_get_and_literal() -> None:
    """A GET has no body, and literal bytes are sent as they are."""
    assert (ASKED.build(ENDPOINT, 0).method, ASKED.build(ENDPOINT, 0).body) == ("GET", None)
    assert literal("x", "X", b'{"a', surface="test").build(ENDPOINT, 0).body == b'{"a'
    gone = bare("x", "X", lambda endpoint: f"/models/{endpoint.model_id}", method="DELETE", surface="test")
    assert (gone.build(ENDPOINT, 0).method, gone.build(ENDPOINT, 0).path) == ("DELETE", "/models/small-1")


def test_a_scenario_can_leave_room_for_thinking() -> None:
    """Where visible text is needed, the cap grows by what the provider's models may think; the question is the same."""
    quirks = Quirks(reasoning_tokens=1000)
    endpoint = replace(ENDPOINT, provider=replace(ENDPOINT.provider, quirks=quirks))
    assert [body_of(one, visible=True)["max_completion_tokens"] for one in (ENDPOINT, endpoint)] == [5, 1005]
    assert body_of(endpoint)["max_completion_tokens"] == 5
    one, two = (chat("x", "X", "Hi", cap=5, visible=True).build(each, 0) for each in (endpoint, ENDPOINT))
    assert one.workload_sha256 == two.workload_sha256


def test_each_repeat_can_ask_something_else() -> None:
    """Where the messages are a function, they are made of the number of the repeat."""
    scenario = chat("x", "X", lambda number: f"Say {number}", cap=5, send={"repeats": 2, "together": True})
    said = [json.loads(scenario.build(ENDPOINT, number).body or b"")["messages"][0]["content"] for number in range(2)]
    assert (said, scenario.repeats, scenario.together) == (["Say 0", "Say 1"], 2, True)


def test_fields_can_be_left_out() -> None:
    """What is said to be without goes, even what every chat has."""
    assert set(body_of(without=("messages", "model"))) == {"max_completion_tokens"}


def test_a_request_made_of_an_answer() -> None:
    """The next turn holds the first one's messages and what is made of its answer; without it there is none."""
    first = chat("first", "F", "Hi", cap=5, temperature=0)
    turn = next_turn(first, "second", "S", lambda seen: [seen.message, {"role": "user", "content": "And?"}], stop=["x"])
    sent = first.build(ENDPOINT, 0)
    capture = Reply(completion("Hello")).capture("first")
    capture = replace(capture, attempt=replace(capture.attempt, request=sent))
    assert turn.build_on is not None
    made_of = turn.build_on(ENDPOINT, capture)
    assert made_of is not None
    body = json.loads(made_of.body or b"")
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert (body["temperature"], body["stop"], body["max_completion_tokens"]) == (0, ["x"], 5)
    assert [each.name for each in scenarios_of([made(sees=(turn,))])] == ["first", "second"]
    nothing = after(first, "third", "T", lambda endpoint, seen: None)
    assert isinstance(nothing, Scenario)
    assert nothing.build(ENDPOINT, 0) == sent


def test_scenarios_of() -> None:
    """Each scenario is named once in the order of first mention, and two of one name are a mistake."""
    one, two = made(sees=(OTHER, ASKED)), made(name="test.two")
    assert [each.name for each in scenarios_of([one, two])] == ["other", "asked"]
    with pytest.raises(TaskError, match="called 'asked'"):
        scenarios_of([one, made(sees=(replace(ASKED, title="else"),))])


# --- declaring -------------------------------------------------------------------------------------------


def test_probe_declares() -> None:
    """A probe's surface is its id's first word, and its criterion the judge's first line."""
    one = made(name="test.a.b")
    assert (one.surface, one.criterion, one.rev) == ("test", "It says what it was told to say.", 1)


@pytest.mark.parametrize("name", ["test", "Test.one", "test.", "a.b.c.d.e", "test one.x"])
def test_probe_refuses_a_bad_id(name: str) -> None:
    """An id that is not of the form surface.name is a mistake in the task file."""
    with pytest.raises(TaskError, match="surface"):
        made(name=name)


def test_probe_needs_a_docstring_and_a_scenario() -> None:
    """A probe without a public criterion, or without anything to look at, is a mistake."""
    with pytest.raises(TaskError, match="docstring"):
        probe("test.one", title="One", sees=(ASKED,), spec="none")(lambda seen: ())
    with pytest.raises(TaskError, match="no scenario"):
        made(sees=())


@pytest.mark.parametrize(
    ("ability", "severity", "profiles"),
    [("W", "core", ("core", "full")), ("F", "common", ("full",)), ("X", "core", ("disruptive",))],
)
def test_profiles_follow_from_what_a_probe_is(ability: Any, severity: Any, profiles: tuple[str, ...]) -> None:
    """What matters most is in core, what does no harm in full, and what may do harm in neither."""
    assert made(ability=ability, severity=severity).profile == profiles


def test_select() -> None:
    """A profile picks its probes, all picks every probe, and an unknown one is told the known names."""
    one, two = made(profile=("smoke", "core")), made(name="test.two", profile=("core",))
    assert select([one, two], "smoke") == (one,)
    assert select([one, two], "core") == select([one, two], "all") == (one, two)
    assert select([one, two], "test.two") == (two,)
    needy = made(name="test.three", needs=("test.two",), profile=("deep",))
    assert select([one, two, needy], "deep") == (two, needy)
    assert select([one, two, needy], "smoke,deep") == (one, two, needy)
    with pytest.raises(UnknownName, match="smoke"):
        select([one, two], "smoek")
