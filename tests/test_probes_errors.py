"""Probes of errors: what no simulated fault shows, and that no answer, however odd, makes a judge fail."""

from __future__ import annotations

from typing import Any

import pytest
from recorded import taken, verdict
from simulated import ROOT
from transcripts import ENDPOINT, Reply, captures, completion, error, events

from harness.catalog import discover
from harness.conformance import Probe, judge_all, scenarios_of

PROBES = discover([ROOT / "tasks" / "probes"]).probes
MINE = [probe for probe in PROBES.values() if probe.surface == "error"]
GARBAGE: dict[str, Reply] = {
    "HTML": Reply(b"<html>Welcome!</html>", 200, {"content-type": "text/html"}),
    "an error page": Reply(b"<html>Bad request</html>", 400, {"content-type": "text/html"}),
    "nothing": Reply(b"", 200),
    "an empty refusal": Reply(b"", 400),
    "an array": Reply([], 200),
    "null": Reply(b"null", 400),
    "a number": Reply(5, 400),
    "a string": Reply("no", 400),
    "odd fields": Reply({"error": [1], "choices": 5, "usage": "many", "id": {}, "model": [], "data": 3}, 200),
    "odd errors": Reply({"error": {"message": 5, "type": [], "param": {}, "code": True}}, 400),
    "deep": Reply(b"[" * 5000 + b"]" * 5000, 400),
    "no UTF-8": Reply(b'{"error": {"message": "\xff"}}', 400),
    "odd choices": Reply({"choices": [None, 5, {"message": "x"}], "usage": {"prompt_tokens": "7"}}, 200),
    "odd chunks": events({"choices": 5, "id": 3}, {"choices": [7], "usage": 1}, {"choices": [{"delta": 3}]}, "[DONE]"),
    "odd events": events("null", "[]", "{", "5"),
    "a teapot": Reply({"error": {"message": "no"}}, 418, {"retry-after": "soon", "x-ratelimit-limit-tokens": "many"}),
    "odd status": Reply({"x": 1}, 799),
}


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("probe", MINE, ids=lambda probe: probe.id)
def test_no_answer_makes_a_judge_fail(probe: Probe, garbage: str) -> None:
    """Whatever comes is judged, as JSON or as anything else."""
    scenarios = [scenario.name for scenario in scenarios_of([probe])] or ["some_scenario"]
    (found,) = judge_all([probe], captures(dict.fromkeys(scenarios, GARBAGE[garbage])), ENDPOINT)
    assert not found.reason.startswith("probe:"), found


@pytest.mark.parametrize("probe", MINE, ids=lambda probe: probe.id)
@pytest.mark.parametrize("reply", [Reply(status=None, failure="timeout_first_byte"), error("no", 403)], ids=repr)
def test_an_obstacle_accuses_nobody(probe: Probe, reply: Reply) -> None:
    """Where a server hangs or lets nobody in, nothing is said against it."""
    scenarios = [scenario.name for scenario in scenarios_of([probe])] or ["some_scenario"]
    (found,) = judge_all([probe], captures(dict.fromkeys(scenarios, reply)), ENDPOINT)
    assert found.verdict == "untestable"


FLAT = Reply({"object": "error", "message": "no"}, 400)
ROUTED = Reply({"detail": "Not Found"}, 404)
SAID = Reply(completion())
LONG = {"messages": [{"role": "user", "content": " hello" * 100}]}


def one(name: str, reply: Reply, **request: Any) -> tuple[str, list[Any]]:
    """A probe and the only capture that it sees."""
    scenario = next(iter(PROBES[name].sees), None)
    return name, [taken(reply, scenario.name if scenario else "some_scenario", **request)]


CASES = {
    "another status than 400": (*one("error.empty_messages", error("no", 422)), "partial", "400"),
    "a refusal that names another field": (
        *one("error.missing_messages", error("no", param="prompt")),
        "partial",
        "param",
    ),
    "a word for a number is as well refused with 422": (*one("error.string_number", error("no", 422)), "supported", ""),
    "an empty answer to a limit of nothing": (
        *one("error.zero_max", Reply(completion("", finish="length"))),
        "supported",
        "",
    ),
    "a server of one model": (*one("error.missing_model", SAID), "partial", "small-1"),
    "a stream for the word yes": (*one("error.stream_type", events({"choices": []}, "[DONE]")), "supported", ""),
    "a stream declared as JSON": (
        *one("error.stream_type", Reply(events({"choices": []}).body)),
        "broken",
        "type and body",
    ),
    "the first of two models is missed": (*one("error.duplicate_keys", error("no model", 404)), "supported", ""),
    "duplicates are refused": (*one("error.duplicate_keys", error("twice")), "rejected", "twice"),
    "text/plain is refused with 422": (*one("error.content_type", error("no", 422)), "partial", "415"),
    "a later request is refused": (*one("error.recovery", error("no")), "broken", "400 no"),
    "a stored list for a GET": (
        "error.method",
        [
            taken(Reply({"object": "list", "data": []}), "error_get_chat"),
            taken(Reply(b"", 405, {"allow": "POST"}), "error_put_chat"),
        ],
        "supported",
        "",
    ),
    "no Allow": (
        "error.method",
        [taken(Reply(b"", 405), "error_get_chat"), taken(Reply(b"", 405), "error_put_chat")],
        "partial",
        "Allow",
    ),
    "the router's own errors": (
        "error.envelope",
        [taken(SAID), taken(error()), taken(ROUTED, path="/nowhere"), taken(Reply(b"", 405), method="PUT")],
        "partial",
        "nowhere",
    ),
    "a flat error of the API": ("error.envelope", [taken(SAID), taken(FLAT)], "broken", "error body"),
    "no error at all": ("error.envelope", [taken(SAID)], "untestable", "evidence"),
    "only flat errors": ("error.code_type", [taken(FLAT)], "untestable", "evidence"),
    "a proxy's page about a size": (
        "error.json_type",
        [taken(error()), taken(Reply(b"<html>", 413, {"content-type": "text/html"}))],
        "supported",
        "",
    ),
    "501 with a reason": ("error.no_5xx", [taken(error("not here", 501))], "supported", ""),
    "501 without one": ("error.no_5xx", [taken(Reply(b"", 501))], "broken", "501"),
    "an error beside an answer": (
        "error.embedded_200",
        [taken(Reply({**completion(), "error": "x"}))],
        "supported",
        "",
    ),
    "an error as a text": ("error.embedded_200", [taken(Reply({"error": "no"}))], "broken", "no"),
    "null as error": ("error.embedded_200", [taken(Reply({"id": "resp_1", "error": None}))], "supported", ""),
    "a Go trace": ("error.no_internals", [taken(error("goroutine 7 [running]:", 500))], "broken", "goroutine"),
    "a path of the API": ("error.no_internals", [taken(error("no such URL: /v1/chat", 404))], "supported", ""),
    "cut and answered": (
        *one("error.context_overflow", Reply(completion(prompt=40)), sent=LONG),
        "ignored",
        "40 read",
    ),
    "a larger context": (*one("error.context_overflow", Reply(completion(prompt=107)), sent=LONG), "untestable", "100"),
    "no usage": (
        *one("error.context_overflow", Reply({**completion(), "usage": None}), sent=LONG),
        "untestable",
        "does not say",
    ),
    "413 for a long prompt": (*one("error.context_overflow", error("long", 413), sent=LONG), "partial", "413"),
    "no limit in sight": (*one("error.rate_limit", SAID), "untestable", "met no limit"),
    "a 429 with a reset": (
        *one("error.rate_limit", Reply(error().body, 429, {"x-ratelimit-reset-requests": "1s"})),
        "supported",
        "",
    ),
    "Retry-After in words": (
        *one("error.retry_after_parse", Reply(error().body, 429, {"retry-after": "soon"})),
        "broken",
        "soon",
    ),
    "Retry-After tomorrow": (
        *one(
            "error.retry_after_parse",
            Reply(
                error().body,
                503,
                {"retry-after": "Fri, 27 Nov 2026 08:00:00 GMT", "date": "Thu, 26 Nov 2026 08:00:00 GMT"},
            ),
        ),
        "partial",
        "soon",
    ),
    "a broken server after a deep body": (
        "error.deep_json",
        [taken(error(), "error_deep_json"), taken(Reply(b"", 500), "error_after_deep")],
        "broken",
        "status",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    name, seen, expected, says = CASES[case]
    found = verdict(PROBES[name], *seen)
    assert found.verdict == expected, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_what_follows_a_flat_error_is_skipped() -> None:
    """A wrong form of all errors is told once where the code of errors is looked at."""
    found = judge_all(
        [PROBES["error.envelope"], PROBES["error.code_type"]], {"a": [taken(SAID), taken(FLAT)]}, ENDPOINT
    )
    assert [each.verdict for each in found] == ["broken", "skipped"]


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({"data": [{"id": "small-1", "max_model_len": 1000}]}, 1164),
        ({"data": [{"id": "other", "context_length": 9}, {"id": "small-1", "context_length": 2000}]}, 2264),
        ({"data": [{"id": "alias", "meta": {"n_ctx_train": 1000}}]}, 1164),
        ({"data": [{"id": "small-1"}]}, 160_000),
        ({"data": "odd"}, 160_000),
    ],
)
def test_the_prompt_is_as_long_as_the_endpoint_tells(listed: Any, words: int) -> None:
    """A tenth more words are sent than the model list says are read, and where it says nothing more than usual."""
    (scenario,) = PROBES["error.context_overflow"].sees
    assert scenario.build_on is not None
    request = scenario.build_on(ENDPOINT, taken(Reply(listed), "error_context_size"))
    assert request is not None
    assert (request.body or b"").count(b" hello") == words


def test_the_good_request_comes_last() -> None:
    """Whether a server goes on after errors is asked when all of them were sent."""
    names = [scenario.name for scenario in scenarios_of(MINE) if scenario.name.startswith("error_")]
    before = names[: names.index("error_recovery")]
    assert set(names) - set(before) == {"error_recovery", "error_burst"}
