"""The probes of sampling parameters: verdicts that no fault of the simulator shows, and bodies that nobody expects."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from transcripts import GARBAGE, Replies, Reply, chunk, completion, error, events, judged, spoilt

from harness.catalog import discover
from harness.conformance import Probe, scenarios_of
from harness.conformance.gauge import GAUGE

PROBES: dict[str, Probe] = {
    name: probe
    for name, probe in discover([Path(__file__).parents[1] / "tasks" / "probes"]).probes.items()
    if probe.surface == "sampling"
}
COUNTED = "1 2 3 4 5 6 7 8 9 10 11 12 13"
REFUSED = error("unknown field")
SILENT = Reply(completion("", finish="length"))
THINKS = Reply(completion("", reasoning_content="Hm, let me see", finish="length", output=5))


def said(text: str | None, **fields: Any) -> Reply:
    """An answer with this text."""
    return Reply(completion(text, **fields))


def streamed(*texts: str, finish: str = "stop") -> Reply:
    """A stream of these pieces."""
    return events(*(chunk({"content": text}) for text in texts), chunk({}, finish=finish), "[DONE]")


def choices(*indexes: Any, output: int = 15, finish: str = "length", prompt: int = 12) -> Reply:
    """An answer with several choices."""
    body = completion("Once upon a time there", finish=finish, output=output, prompt=prompt)
    return Reply({**body, "choices": [{**body["choices"][0], "index": index} for index in indexes]})


def biased(text: str, *entries: Any, thinking: str | None = None) -> Reply:
    """An answer with log probabilities."""
    body = completion(text, reasoning_content=thinking)
    body["choices"][0]["logprobs"] = {"content": list(entries)}
    return Reply(body)


def entry(token: Any, value: Any = -0.1, *others: float, **fields: Any) -> dict[str, Any]:
    """The log probability of a token, with those of alternatives."""
    ranked = [{"token": "x", "logprob": other, "bytes": None} for other in others]
    return {"token": token, "logprob": value, "bytes": list(str(token).encode()), "top_logprobs": ranked, **fields}


DIFFERENT = said("red green blue one two"), said("sea sky sun three four"), said("cat dog owl five six")
SAME = said("red green blue one two")
CLEAN: Replies = {
    "chat_plain": said("Hello there!"),
    "twin_whole": said(COUNTED),
    "sampling_cold": SAME,
    "sampling_cold_more": SAME,
    "sampling_hot": DIFFERENT,
    "sampling_narrow": SAME,
    "sampling_seeded": SAME,
    "sampling_seed_8": DIFFERENT[1],
    "sampling_seed_9": DIFFERENT[2],
    "sampling_hottest": said("Hello!"),
    "sampling_too_hot": error("out of range", param="temperature"),
    "sampling_too_wide": error("out of range", param="top_p"),
    "sampling_n_zero": error("out of range", param="n"),
    "sampling_bias_bad": error("no token", param="logit_bias"),
    "sampling_presence_range": error("out of range", param="presence_penalty"),
    "sampling_top_alone": error("logprobs is off"),
    "sampling_cap": said("Once upon a time there", finish="length", output=5),
    "sampling_new_cap": said("The sea is deep and", finish="length", output=5),
    "sampling_two_caps": said("Once upon a time there", finish="length", output=5),
    "sampling_one": said("Once", finish="length", output=1),
    "sampling_huge_cap": said("Hello!"),
    "sampling_n": choices(0, 1, 2),
    "sampling_logprobs": biased("Hi é", entry("Hi"), entry(" é")),
    "sampling_top_logprobs": biased("Hi", entry("Hi", -0.1, -0.1, -3)),
    "sampling_logprobs_off": said("Hello!"),
    "sampling_bias_force": said("abc abc abc abc", finish="length"),
    "sampling_bias_ban": said("One, two"),
    "sampling_frequency_low": said("ha " * 30),
    "sampling_frequency_high": said("ha ha and so we laugh about every little thing in turn"),
    "sampling_no_stop": said("The sea is deep. Ships sail on it.", output=9),
    "sampling_stop": said("The sea is deep", output=4),
    "sampling_stop_array": said("Th", output=1),
    "sampling_stop_five": error("at most four"),
    "sampling_stop_long": said("Hello!"),
    "sampling_stop_prompt": said("Hello!"),
    "sampling_stop_free": said("The sea is deep and wide."),
    "sampling_stop_blank": said("The"),
    "sampling_stop_split": streamed("The sea", " i"),
    "sampling_stop_held": streamed("The sea", " is deep and wide."),
    "sampling_stop_accent": said("The small caf"),
}


class Case(NamedTuple):
    """What comes back otherwise, and what must be made of it."""

    probe: str
    why: str
    replies: Replies
    verdict: str
    says: str = ""
    """Must occur in reason, expected or actual."""


CASES = [
    # temperature, top_p, seeds
    Case(
        "t_effect",
        "late differences at 0",
        {"sampling_cold": (said("a b c d e f"), said("a b c d e g"), said("a b c d e h"))},
        "supported",
    ),
    Case("t_effect", "says nothing", {"sampling_hot": SILENT}, "untestable", "headroom"),
    Case("t_effect", "thinks alone", {"sampling_cold": THINKS}, "supported"),
    Case(
        "t_effect",
        "one came through",
        {"sampling_hot": (SAME, error("slow down", 429), error("slow down", 429))},
        "untestable",
        "evidence",
    ),
    Case("t_effect", "hot is refused", {"sampling_hot": REFUSED}, "rejected", "unknown field"),
    Case("t0_repeat", "4 of 5", {"sampling_cold_more": (SAME, DIFFERENT[1])}, "supported"),
    Case("t0_repeat", "3 of 5", {"sampling_cold_more": DIFFERENT[1:]}, "partial", "3 of 5"),
    Case("t0_repeat", "few came through", {"sampling_cold": error("slow down", 429)}, "untestable", "transient"),
    Case("t_max", "refused", {"sampling_hottest": REFUSED}, "rejected"),
    Case("t_out_of_range", "clamped", {"sampling_too_hot": said("Hello!")}, "ignored", "400"),
    Case("t_out_of_range", "crash", {"sampling_too_hot": error("oops", 500)}, "broken", "500"),
    Case("top_p_effect", "nothing varies", {"sampling_hot": SAME}, "untestable", "evidence"),
    Case("top_p_effect", "no effect", {"sampling_narrow": DIFFERENT}, "ignored", "top_p"),
    Case("seed_repeat", "nothing varies", {"sampling_hot": SAME}, "untestable", "evidence"),
    Case("seed_repeat", "two of three", {"sampling_seeded": (SAME, SAME, DIFFERENT[1])}, "partial"),
    Case(
        "seed_repeat",
        "late differences",
        {"sampling_seeded": (said("a b c d e f"), said("a b c d e g"), said("a b c d e h"))},
        "partial",
    ),
    Case("seed_effect", "nothing varies", {"sampling_hot": SAME}, "untestable", "evidence"),
    Case("seed_effect", "a seed is refused", {"sampling_seed_9": REFUSED}, "rejected"),
    # limits
    Case("max_completion_tokens", "unknown", {"sampling_new_cap": said("word " * 60, output=60)}, "ignored", "60"),
    Case("max_completion_tokens", "refused", {"sampling_new_cap": error("unknown", 422)}, "rejected"),
    Case("max_completion_tokens", "thinks", {"sampling_new_cap": THINKS}, "supported"),
    Case("max_one", "ends at once", {"sampling_one": said("", output=1)}, "untestable", "model"),
    Case("max_one", "two tokens", {"sampling_one": said("Once upon", finish="length", output=2)}, "partial"),
    Case("max_over_context", "crash", {"sampling_huge_cap": error("oops", 500)}, "broken"),
    Case("max_over_context", "refused", {"sampling_huge_cap": error("too many")}, "rejected"),
    Case("max_both", "refused", {"sampling_two_caps": error("one of the two")}, "supported"),
    Case(
        "max_both",
        "the old name wins",
        {"sampling_two_caps": said("word " * 50, finish="length", output=50)},
        "ignored",
    ),
    # choices
    Case("n_count", "two", {"sampling_n": choices(0, 1)}, "broken", "number"),
    Case("n_count", "another order", {"sampling_n": choices(2, 0, 1)}, "partial", "order"),
    Case("n_count", "refused", {"sampling_n": error("n must be 1")}, "rejected"),
    Case("n_usage", "one ended by itself", {"sampling_n": choices(0, 1, 2, finish="stop")}, "untestable", "model"),
    Case(
        "n_usage",
        "no counts",
        {"sampling_n": Reply({**choices(0, 1, 2).body, "usage": None})},
        "untestable",
        "evidence",
    ),
    # log probabilities
    Case("logprobs_shape", "none", {"sampling_logprobs": said("Hi")}, "ignored"),
    Case("logprobs_shape", "none, and no text", {"sampling_logprobs": said(None)}, "untestable", "headroom"),
    Case(
        "logprobs_shape",
        "of the older kind",
        {
            "sampling_logprobs": Reply(
                {
                    **completion("Hi"),
                    "choices": [
                        {**completion("Hi")["choices"][0], "logprobs": {"tokens": ["Hi"], "token_logprobs": [-0.1]}}
                    ],
                }
            )
        },
        "ignored",
    ),
    Case("logprobs_shape", "null", {"sampling_logprobs": biased("Hi", entry("Hi", None))}, "broken", "logprob"),
    Case(
        "logprobs_shape",
        "no alternatives",
        {"sampling_logprobs": biased("Hi", entry("Hi", top_logprobs=None))},
        "partial",
    ),
    Case("logprobs_shape", "bytes as text", {"sampling_logprobs": biased("Hi", entry("Hi", bytes="Hi"))}, "partial"),
    Case("logprobs_concat", "null bytes", {"sampling_logprobs": biased("Hi", entry("Hi", bytes=None))}, "supported"),
    Case(
        "logprobs_concat", "end mark", {"sampling_logprobs": biased("Hi", entry("Hi"), entry("<|im_end|>"))}, "partial"
    ),
    Case("logprobs_concat", "a space cut off", {"sampling_logprobs": biased("Hi", entry(" Hi"))}, "partial"),
    Case(
        "logprobs_concat",
        "a character cut in two",
        {"sampling_logprobs": biased("Hi\ufffd", entry("Hi"), entry("x", bytes=[0xC3]))},
        "supported",
    ),
    Case("logprobs_concat", "a token missing", {"sampling_logprobs": biased("Hi there", entry("Hi"))}, "broken"),
    Case(
        "logprobs_concat",
        "thoughts too",
        {"sampling_logprobs": biased("Hi", entry("Hm"), entry("Hi"), thinking="Hm")},
        "untestable",
        "evidence",
    ),
    Case("top_logprobs_count", "none", {"sampling_top_logprobs": biased("Hi", entry("Hi"))}, "ignored"),
    Case(
        "top_logprobs_count",
        "of another kind",
        {"sampling_top_logprobs": biased("Hi", entry("Hi", top_logprobs={"Hi": -0.1}))},
        "broken",
    ),
    Case(
        "logprobs_argmax", "a tie", {"sampling_top_logprobs": biased("Hi", entry("Hi", -0.1003, -0.1, -3))}, "supported"
    ),
    Case(
        "logprobs_argmax",
        "one of three",
        {"sampling_top_logprobs": biased("abc", entry("a", -2, -1), entry("b", -1, -1), entry("c", -1, -1))},
        "partial",
    ),
    Case(
        "logprobs_argmax",
        "no alternatives",
        {"sampling_top_logprobs": biased("Hi", entry("Hi"))},
        "untestable",
        "evidence",
    ),
    Case("top_logprobs_alone", "without effect", {"sampling_top_alone": said("Hi")}, "supported"),
    Case("logprobs_off", "empty", {"sampling_logprobs_off": biased("Hi")}, "supported"),
    # logit_bias, penalties
    Case(
        "logit_bias_force",
        "a token without text",
        {"sampling_bias_force": said("", finish="length")},
        "untestable",
        "evidence",
    ),
    Case("logit_bias_force", "another answer", {"sampling_bias_force": said("Sure, here are")}, "partial"),
    Case("logit_bias_force", "refused", {"sampling_bias_force": error("logit_bias is not supported")}, "rejected"),
    Case("logit_bias_ban", "other ids", {"sampling_bias_ban": said("1 2 3 4 5")}, "untestable", "evidence"),
    Case("logit_bias_ban", "nothing left to say", {"sampling_bias_ban": said("", finish="length")}, "supported"),
    Case("logit_bias_ban", "nothing said", {"twin_whole": SILENT}, "untestable", "evidence"),
    Case("freq_penalty_effect", "falls", {"sampling_frequency_high": said("ha " * 31)}, "partial"),
    Case("freq_penalty_effect", "too short", {"sampling_frequency_high": said("ha")}, "untestable", "model"),
    Case(
        "freq_penalty_effect",
        "repeats nothing",
        dict.fromkeys(("sampling_frequency_low", "sampling_frequency_high"), said("Ha! 40 times, with spaces.")),
        "untestable",
        "model",
    ),
    Case("freq_penalty_effect", "words run together", {"sampling_frequency_low": said("ha" * 40)}, "supported"),
    # stop strings
    Case("stop_excluded", "runs past", {"sampling_stop": said("The sea. It is")}, "untestable", "evidence"),
    Case("stop_excluded", "no full stop anyway", {"sampling_no_stop": said("the sea")}, "untestable", "model"),
    Case(
        "stop_excluded", "cut", {"sampling_stop": said("The sea", finish="length", output=64)}, "untestable", "headroom"
    ),
    Case("stop_finish", "runs past", {"sampling_stop": said("The sea. It is")}, "untestable", "evidence"),
    Case(
        "stop_finish",
        "length before the limit",
        {"sampling_stop": said("The sea", finish="length", output=4)},
        "broken",
        "length",
    ),
    Case(
        "stop_finish", "cut", {"sampling_stop": said("The sea", finish="length", output=64)}, "untestable", "headroom"
    ),
    Case(
        "stop_finish",
        "word of its own",
        {"sampling_stop": said("The sea", finish="stop_sequence")},
        "partial",
        "stop_sequence",
    ),
    Case("stop_array", "the one listed first", {"sampling_stop_array": said("The sea is deep")}, "ignored"),
    Case("stop_array", "left in", {"sampling_stop_array": said("The")}, "broken", "left out"),
    Case("stop_array", "refused", {"sampling_stop_array": error("one stop string only")}, "rejected"),
    Case("stop_five", "heeded", {"sampling_stop_five": said("The sea is deep", output=4)}, "supported"),
    Case("stop_five", "crash", {"sampling_stop_five": error("oops", 500)}, "broken"),
    Case("stop_long", "refused", {"sampling_stop_long": error("too long")}, "rejected"),
    Case("stop_not_prompt", "silent anyway", {"chat_plain": said("")}, "untestable", "model"),
    Case("stop_not_prompt", "thinks", {"sampling_stop_prompt": THINKS}, "untestable", "headroom"),
    Case("stop_whitespace", "one word anyway", {"sampling_stop_free": said("1,2,3,4,5")}, "untestable", "model"),
    Case("stop_whitespace", "begins with it", {"sampling_stop_blank": said("")}, "supported"),
    Case("stop_multi_token", "another text", {"sampling_stop_split": streamed("One, two")}, "untestable", "model"),
    Case("stop_multi_token", "text lost", {"sampling_stop_split": streamed("The sea")}, "partial", "before it"),
    Case("stop_multi_token", "most is lost", {"sampling_stop_split": streamed("T")}, "untestable", "evidence"),
    Case("stop_multi_token", "left in", {"sampling_stop_split": streamed("The sea is deep")}, "broken", "left out"),
    Case("stop_multi_token", "no words to cut between", {"sampling_stop_free": said("123")}, "skipped", "not sent"),
    Case("stop_tail_kept", "another text", {"sampling_stop_held": streamed("One, two, three")}, "untestable", "model"),
    Case("stop_tail_kept", "silent", {"sampling_stop_held": streamed("")}, "untestable", "headroom"),
    Case("stop_unicode", "does not repeat it", {"sampling_stop_accent": said("Sure!")}, "untestable", "model"),
    Case(
        "stop_unicode",
        "in two code points",
        {"sampling_stop_accent": said("The small cafe\u0301 is open.")},
        "untestable",
        "model",
    ),
]


@pytest.mark.parametrize("name", PROBES)
def test_a_clean_transcript_is_supported(name: str) -> None:
    """Answers without a fault pass."""
    assert judged(PROBES[name], CLEAN).verdict == "supported"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.probe}: {case.why}")
def test_verdict(case: Case) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    found = judged(PROBES[f"sampling.{case.probe}"], {**CLEAN, **case.replies})
    assert found.verdict == case.verdict, found
    assert case.says in " ".join((found.reason, found.expected, found.actual))


@pytest.mark.parametrize("name", PROBES)
def test_nothing_makes_a_judge_fail(name: str) -> None:
    """Whatever a server answers, each probe comes to a verdict of its own."""
    probe = PROBES[name]
    for scenario in scenarios_of([probe]):
        if scenario in GAUGE:
            continue
        clean = CLEAN[scenario.name]
        body = (clean if isinstance(clean, Reply) else clean[0]).body
        bodies = map(Reply, spoilt(copy.deepcopy(body))) if isinstance(body, dict) else ()
        for reply in (*GARBAGE, *bodies):
            found = judged(probe, {**CLEAN, scenario.name: reply})
            assert not found.reason.startswith("probe:"), (found, reply)
