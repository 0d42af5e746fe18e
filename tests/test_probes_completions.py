"""What the probes of legacy completions make of answers that no fault of the simulator shows."""

from __future__ import annotations

import json

import pytest
from served import GARBAGE, GONE, PAGE, Bench, edited, restreamed
from transcripts import Reply, error

BENCH = Bench.of("cpl")
CLEAN = BENCH.clean
PLAIN, TOLD = CLEAN["cpl_plain"], CLEAN["cpl_logprobs"]
PROMPT = "The harbour was quiet. The ships were asleep. The lamps were lit. The wind"
HERE = ("choices", 0, "logprobs")


def said(text: object, reply: Reply = PLAIN, finish: str = "stop") -> Reply:
    """A completion with this text."""
    return edited(edited(reply, "choices", 0, "text", to=text), "choices", 0, "finish_reason", to=finish)


CASES = [
    # probe, answers by scenario, verdict, what the verdict says
    ("cpl.basic", {"cpl_plain": error("no such path", 404)}, "rejected", "404"),
    ("cpl.basic", {"cpl_plain": PAGE, "meta_post": PAGE}, "rejected", "Hello"),
    ("cpl.basic", {"cpl_plain": PAGE}, "broken", "text"),
    ("cpl.basic", {"cpl_plain": error("busy", 503)}, "untestable", "transient"),
    ("cpl.basic", {"cpl_plain": said(None)}, "broken", "text"),
    ("cpl.basic", {"cpl_plain": edited(PLAIN, "choices", 0, "finish_reason", to=None)}, "broken", "finish_reason"),
    ("cpl.stream", {"cpl_plain": error("no such path", 404)}, "skipped", "cpl.basic (rejected)"),
    ("cpl.stream", {"cpl_stream": PLAIN}, "ignored", "one piece"),
    ("cpl.stream", {"cpl_stream": error("no streams", 400)}, "rejected", "no streams"),
    ("cpl.stream", {"cpl_stream": restreamed(CLEAN["cpl_stream"], lambda all_: all_[:2])}, "broken", "finish_reason"),
    ("cpl.stop", {"cpl_stop": said("It blew. And blew.")}, "ignored", "runs past"),
    ("cpl.stop", {"cpl_stop": said("It blew. ")}, "broken", "left out"),
    ("cpl.stop", {"cpl_plain": said("It blew"), "cpl_stop": said("It blew")}, "untestable", "model"),
    ("cpl.stop", {"cpl_stop": said("It blew", finish="length")}, "untestable", "headroom"),
    ("cpl.echo", {"cpl_echo": error("echo is not supported", 400)}, "rejected", "not supported"),
    ("cpl.echo", {"cpl_echo": said(f"<s>{PROMPT} blows")}, "partial", "begins"),
    ("cpl.suffix", {"cpl_suffix": error("no suffix", 400)}, "rejected", "no suffix"),
    ("cpl.suffix", {"cpl_suffix": PLAIN}, "ignored", "same text"),
    ("cpl.suffix", {"cpl_suffix": said("blew until at last")}, "supported", ""),
    (
        "cpl.prompt_list",
        {"cpl_prompt_list": edited(CLEAN["cpl_prompt_list"], "choices", 1, "index", to=0)},
        "broken",
        "indexes",
    ),
    ("cpl.prompt_list", {"cpl_prompt_list": edited(PLAIN, "choices", to=[])}, "broken", "choices"),
    ("cpl.prompt_tokens", {"cpl_prompt_tokens": error("a string, please", 422)}, "rejected", "please"),
    ("cpl.best_of", {"cpl_best_of": error("best_of is gone", 400)}, "rejected", "gone"),
    ("cpl.logprobs", {"cpl_logprobs": error("no logprobs", 400)}, "rejected", "no logprobs"),
    ("cpl.logprobs", {"cpl_logprobs": edited(TOLD, *HERE, "token_logprobs", 0, to=0.5)}, "broken", "token_logprobs"),
    ("cpl.logprobs", {"cpl_logprobs": edited(TOLD, *HERE, "token_logprobs", 0, to=None)}, "supported", ""),
    ("cpl.logprobs", {"cpl_logprobs": edited(TOLD, *HERE, "text_offset", to=GONE)}, "partial", "text_offset"),
    ("cpl.logprobs", {"cpl_logprobs": edited(TOLD, *HERE, "top_logprobs", 0, to={})}, "partial", "alternatives"),
    ("cpl.text_offset", {"cpl_logprobs": PLAIN}, "skipped", "cpl.logprobs (ignored)"),
    ("cpl.text_offset", {"cpl_logprobs": edited(TOLD, *HERE, "text_offset", to=[0])}, "broken", "text_offset"),
    ("cpl.text_offset", {"cpl_logprobs": edited(TOLD, *HERE, "text_offset", 0, to=-7)}, "broken", "text_offset"),
    ("cpl.usage_stream", {"cpl_stream_usage": error("no stream_options", 400)}, "rejected", "stream_options"),
]


@pytest.mark.parametrize(
    ("probe", "replies", "verdict", "says"), CASES, ids=[f"{case[0]} {at}" for at, case in enumerate(CASES)]
)
def test_verdict(probe: str, replies: dict[str, Reply], verdict: str, says: str) -> None:
    """Each answer gets the verdict that its probe's criterion gives it, for the reason that it has."""
    found = BENCH.judged(replies)[probe]
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_offsets_may_count_from_the_prompt() -> None:
    """Whether the prompt is counted is written nowhere: offsets are compared with the first of them."""
    told = json.loads(TOLD.body)["choices"][0]["logprobs"]["text_offset"]
    moved = edited(TOLD, *HERE, "text_offset", to=[at + len(PROMPT) for at in told])
    assert BENCH.judged({"cpl_logprobs": moved})["cpl.text_offset"].verdict == "supported"


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_makes_no_judge_fail(what: str) -> None:
    """Whatever stands in the place of an answer, every probe comes to a verdict of its own."""
    assert BENCH.failing(GARBAGE[what]) == []
