"""The probes of finish reasons and usage: verdicts that no fault of the simulator shows, and bodies nobody expects."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from transcripts import ENDPOINT, GARBAGE, Replies, Reply, chunk, completion, error, events, judged, spoilt

from harness.catalog import discover
from harness.conformance import Probe, scenarios_of
from harness.conformance.gauge import GAUGE

FOUND = discover([Path(__file__).parents[1] / "tasks" / "probes"]).probes
PROBES: dict[str, Probe] = {
    name: probe
    for name, probe in FOUND.items()
    if probe.surface in ("finish", "usage") and name != "usage.image_counted"
}
RUN = scenarios_of(PROBES.values())
KNOWN = replace(ENDPOINT, model_id="SmolLM2-135M")
"""A model whose tokenizer's counts are at hand."""
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
REFUSED = error("unknown field")
PROSE = "The sea is deep and wide, and ships sail on it."


def said(text: str | None, *, thought: Any = None, cached: Any = None, **fields: Any) -> Reply:
    """An answer with this text, and what its usage says in detail."""
    body = completion(text, **fields)
    if thought is not None:
        body["usage"]["completion_tokens_details"] = {"reasoning_tokens": thought}
    if cached is not None:
        body["usage"]["prompt_tokens_details"] = {"cached_tokens": cached}
    return Reply(body)


def counted(usage: Any) -> Reply:
    """An answer with this as its usage."""
    return Reply({**completion(), "usage": usage})


def called(arguments: str, finish: str, output: int = 3) -> Reply:
    """A tool call with these arguments."""
    call = {"id": "c", "type": "function", "function": {"name": "paint_wall", "arguments": arguments}}
    return said(None, finish=finish, output=output, tool_calls=[call])


def streamed(text: str, finish: str | None = "stop", usage: Any = USAGE) -> Reply:
    """A stream of this text."""
    return events(chunk({"content": text}), chunk({}, finish=finish), chunk(None, usage=usage), "[DONE]")


CLEAN: Replies = {
    "chat_plain": said("Hello there!"),
    "twin_whole": said("1 2 3"),
    "twin_stream": streamed("1 2 3"),
    "finish_ok": said("OK", output=1),
    "finish_cut_call": called('{"col', "length"),
    "sampling_cap": said("Once upon a time there", finish="length", output=5),
    "sampling_no_stop": said(PROSE, output=12),
    "usage_tools": said("Hello!", prompt=60),
    "usage_growing": tuple(said("Yes", prompt=prompt) for prompt in (10, 60, 110)),
    "usage_exact": said("Yes", prompt=77),
    "usage_prefix": (said("120", cached=0, thought=0), said("120", cached=8), said("120", cached=8)),
}


class Case(NamedTuple):
    """What comes back otherwise, and what must be made of it."""

    probe: str
    why: str
    replies: Replies
    verdict: str
    says: str = ""
    """Must occur in reason, expected or actual."""


def growing(*prompts: int | None) -> Replies:
    """Answers to a prompt that grows."""
    return {"usage_growing": tuple(counted({**USAGE, "prompt_tokens": prompt}) for prompt in prompts)}


def prefixed(*answers: Reply) -> Replies:
    """Answers to the long prompt."""
    return {"usage_prefix": answers}


CASES = [
    # finish
    Case("finish.enum", "none at all", dict.fromkeys(CLEAN, said("x", finish=None)), "untestable", "evidence"),  # type: ignore[arg-type]
    Case("finish.enum", "an object", {"chat_plain": said("x", finish={})}, "broken", "string"),  # type: ignore[arg-type]
    Case("finish.enum", "odd in a stream", {"twin_stream": streamed("1 2 3", "eos_token")}, "partial", "eos_token"),
    Case("finish.enum", "an empty word", {"chat_plain": said("x", finish="")}, "partial"),
    Case("finish.present", "no answer at all", dict.fromkeys(CLEAN, REFUSED), "untestable", "evidence"),
    Case("finish.present", "absent", {"usage_tools": Reply({"choices": [{"index": 0}]})}, "broken", "finish_reason"),
    Case("finish.stop", "goes on", {"finish_ok": said("OK, so", finish="length", output=64)}, "untestable", "model"),
    Case("finish.stop", "thinks on", {"finish_ok": said("", finish="length", output=9)}, "untestable", "model"),
    Case("finish.stop", "length too early", {"finish_ok": said("OK", finish="length", output=1)}, "broken", "length"),
    Case("finish.stop", "a word of its own", {"finish_ok": said("OK", finish="end_turn")}, "partial", "end_turn"),
    Case("finish.length", "limit not kept", {"sampling_cap": said(PROSE, output=60)}, "untestable", "evidence"),
    Case("finish.length", "ended by itself", {"sampling_cap": said("No.", output=2)}, "untestable", "model"),
    Case("finish.length", "no count", {"sampling_cap": counted(None)}, "untestable", "model"),
    Case("finish.length", "thinks", {"sampling_cap": said("", finish="length", output=5)}, "supported"),
    Case("finish.twin", "another text", {"twin_stream": streamed("1, 2", "length")}, "untestable", "model"),
    Case("finish.twin", "no streams", {"twin_stream": REFUSED}, "rejected"),
    Case(
        "finish.length_over_tools",
        "whole call",
        {"finish_cut_call": called('{"colour": "red"}', "tool_calls", 9)},
        "untestable",
        "evidence",
    ),
    Case("finish.length_over_tools", "claims a call", {"finish_cut_call": called('{"col', "tool_calls")}, "broken"),
    Case("finish.length_over_tools", "no call", {"finish_cut_call": said("Paris.", output=2)}, "untestable", "model"),
    Case("finish.length_over_tools", "nothing shown", {"finish_cut_call": said("", finish="length")}, "supported"),
    Case("finish.length_over_tools", "no tools", {"finish_cut_call": REFUSED}, "rejected"),
    # usage
    Case("usage.present", "null", {"chat_plain": counted(None)}, "broken", "usage"),
    Case("usage.present", "as text", {"chat_plain": counted({**USAGE, "total_tokens": "15"})}, "broken", "total"),
    Case("usage.present", "a fraction", {"chat_plain": counted({**USAGE, "prompt_tokens": 1.5})}, "broken", "prompt"),
    Case("usage.present", "output of 0", {"chat_plain": said("Hello", output=0)}, "broken", "completion"),
    Case("usage.present", "nothing said", {"chat_plain": said("", output=0)}, "supported"),
    Case("usage.sum", "in a stream", {"twin_stream": streamed("1", usage={**USAGE, "total_tokens": 9})}, "broken", "9"),
    Case("usage.sum", "nowhere", dict.fromkeys(CLEAN, counted(None)), "untestable", "evidence"),
    Case("usage.prompt_linear", "off by 2", growing(10, 60, 112), "supported"),
    Case("usage.prompt_linear", "off by 5", growing(10, 60, 115), "partial"),
    Case("usage.prompt_linear", "cut", growing(10, 60, 64), "broken"),
    Case("usage.prompt_linear", "constant", growing(10, 10, 10), "broken"),
    Case("usage.prompt_exact", "one more", {"usage_exact": said("Yes", prompt=78)}, "partial", "68"),
    Case("usage.prompt_exact", "an estimate", {"usage_exact": said("Yes", prompt=40)}, "broken", "30"),
    Case("usage.prompt_exact", "not told", {"usage_exact": counted(None)}, "untestable", "evidence"),
    Case("usage.prompt_linear", "not told", growing(10, None, 110), "untestable", "evidence"),
    Case(
        "usage.completion_at_cap", "a block more", {"sampling_cap": said("Once", finish="length", output=8)}, "partial"
    ),
    Case("usage.completion_at_cap", "ended by itself", {"sampling_cap": said("No.")}, "untestable", "evidence"),
    Case("usage.completion_vs_text", "too many", {"sampling_no_stop": said(PROSE, output=900)}, "broken", "900"),
    Case("usage.completion_vs_text", "too few", {"sampling_no_stop": said(PROSE, output=2)}, "broken"),
    Case(
        "usage.completion_vs_text",
        "hidden thoughts",
        {"sampling_no_stop": said(PROSE, output=900, thought=880)},
        "untestable",
    ),
    Case("usage.completion_vs_text", "too short", {"sampling_no_stop": said("No.")}, "untestable", "evidence"),
    Case("usage.stream_twin", "no usage", {"twin_stream": streamed("1 2 3", usage=None)}, "untestable", "evidence"),
    Case(
        "usage.stream_twin",
        "another prompt",
        {"twin_stream": streamed("1", usage={**USAGE, "prompt_tokens": 3})},
        "broken",
    ),
    Case(
        "usage.stream_twin",
        "one more",
        {"twin_stream": streamed("1 2 3", usage={**USAGE, "completion_tokens": 4})},
        "partial",
    ),
    Case(
        "usage.stream_twin",
        "another text",
        {"twin_stream": streamed("1 2", usage={**USAGE, "completion_tokens": 9})},
        "supported",
    ),
    Case("usage.reasoning_bound", "not stated", {"usage_prefix": said("120")}, "untestable", "evidence"),
    Case("usage.reasoning_bound", "negative", {"chat_plain": said("x", thought=-1)}, "broken", "-1"),
    Case(
        "usage.reasoning_bound", "shown, not counted", {"chat_plain": said("x", thought=0, reasoning="Hm")}, "partial"
    ),
    Case("usage.reasoning_bound", "shown, not stated", {"chat_plain": said("x", reasoning_content="Hm")}, "partial"),
    Case("usage.reasoning_bound", "counted", {"chat_plain": said("x", thought=2, reasoning="Hm")}, "supported"),
    Case("usage.tools_counted", "not told", {"usage_tools": counted({})}, "untestable", "evidence"),
    Case("usage.tools_counted", "refused", {"usage_tools": error("this model has no tools")}, "rejected"),
    Case("usage.prompt_stable", "off by one", prefixed(said("x"), said("x", prompt=13)), "partial"),
    Case("usage.prompt_stable", "cached is left out", prefixed(said("x"), said("x", prompt=2)), "broken"),
    Case("usage.prompt_stable", "one came through", prefixed(said("x"), error("slow down", 429)), "untestable"),
    Case("usage.cached_bound", "never cached", prefixed(said("x", cached=0), said("x", cached=0)), "partial"),
    Case("usage.cached_bound", "as text", prefixed(said("x", cached=0), said("x", cached="8")), "broken"),
    Case("usage.cached_bound", "the first one too", prefixed(said("x", cached=8), said("x", cached=8)), "supported"),
    Case("usage.cached_same_answer", "late difference", prefixed(said("a b c"), said("a b d")), "partial"),
    Case("usage.cached_same_answer", "nothing said", prefixed(said(""), said("")), "untestable", "evidence"),
]


@pytest.mark.parametrize("name", PROBES)
def test_a_clean_transcript_is_supported(name: str) -> None:
    """Answers without a fault pass."""
    assert judged(PROBES[name], CLEAN, RUN, KNOWN).verdict == "supported"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.probe}: {case.why}")
def test_verdict(case: Case) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    found = judged(PROBES[case.probe], {**CLEAN, **case.replies}, RUN, KNOWN)
    assert found.verdict == case.verdict, found
    assert case.says in " ".join((found.reason, found.expected, found.actual))


def test_a_tokenizer_that_is_not_known_is_no_evidence() -> None:
    """Without the counts of a model's own tokenizer nothing is said about its prompts."""
    assert judged(PROBES["usage.prompt_exact"], CLEAN, RUN).verdict == "untestable"


def test_a_wrong_count_names_its_answer() -> None:
    """A probe that judges the whole run says which answer it is about."""
    wrong = counted({**USAGE, "total_tokens": 9})
    assert judged(PROBES["usage.sum"], {**CLEAN, "usage_tools": wrong}, RUN).evidence[0].endswith("usage_tools/0")


@pytest.mark.parametrize("name", PROBES)
def test_nothing_makes_a_judge_fail(name: str) -> None:
    """Whatever a server answers, each probe comes to a verdict of its own."""
    probe = PROBES[name]
    for scenario in scenarios_of([probe]) or RUN[:2]:
        if scenario in GAUGE:
            continue
        clean = CLEAN[scenario.name]
        body = (clean if isinstance(clean, Reply) else clean[0]).body
        bodies = map(Reply, spoilt(copy.deepcopy(body))) if isinstance(body, dict) else ()
        for reply in (*GARBAGE, *bodies):
            found = judged(
                probe, {scenario.name: reply} if probe.over == "run" else {**CLEAN, scenario.name: reply}, RUN
            )
            assert not found.reason.startswith("probe:"), (found, reply)
