"""Probes of the limit of output tokens, under both of its names."""

from collections.abc import Iterator

from harness.conformance import Capture, Check, Ignored, Seen, Untestable, accepted, chat, check, probe, said_no
from harness.conformance.plain import CAP, CAPPED, HELLO, SENTENCES, STORY

DRAFT_BLOCK = 8
"""Servers that decode speculatively may run over by the rest of one block."""
CHARS_PER_TOKEN = 20
"""More than any tokenizer puts into one token on average."""
WIDE_CAP = 50
HUGE_CAP = 10_000_000

# A task that ends by itself, for where the name is unknown nothing else ends it.
NEW_NAME = chat(
    "sampling_new_cap",
    f"five sentences with max_completion_tokens {CAP} alone",
    SENTENCES,
    cap=CAP,
    surface="sampling",
    without=("max_tokens",),
    max_completion_tokens=CAP,
)
BOTH_NAMES = chat(
    "sampling_two_caps",
    f"a long task with max_tokens {WIDE_CAP} and max_completion_tokens {CAP}",
    STORY,
    cap=CAP,
    surface="sampling",
    max_tokens=WIDE_CAP,
    max_completion_tokens=CAP,
)
ONE = chat("sampling_one", "a long task with at most 1 token", STORY, cap=1, surface="sampling")
HUGE = chat("sampling_huge_cap", "one line with a limit of ten million tokens", HELLO, cap=HUGE_CAP, surface="sampling")


def kept(capture: Capture, cap: int) -> Iterator[Check]:
    """Checks that a task that needs more was cut at its limit, and that it says so.

    Raises:
        Ignored: far more came than is allowed.
        Untestable: the model ended by itself before the limit.
    """
    spent, finish = capture.tokens("completion_tokens"), capture.finish_reason
    if spent is not None and spent > max(DRAFT_BLOCK, cap):
        raise Ignored("more tokens than allowed", f"at most {cap}", spent, of=capture)
    if len(capture.text) > DRAFT_BLOCK * CHARS_PER_TOKEN:
        raise Ignored("more text than that many tokens can hold", f"at most {cap} tokens", capture.text, of=capture)
    if finish == "stop" and spent is not None and spent < cap:
        raise Untestable("model", f"it ended by itself after {spent} tokens")
    yield check("finish_reason", finish == "length", "length", finish, of=capture)
    yield check("usage.completion_tokens", spent is not None, f"at most {cap}", "not stated", must=False)
    yield check("no token too many", spent is None or spent <= cap, f"at most {cap}", spent, must=False)


@probe(
    "sampling.max_tokens",
    title="Keeps the limit of output tokens",
    sees=(CAPPED,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.max_tokens, .max_completion_tokens",
    threads=("ollama/ollama#18575",),
    faults={
        "ignore_max_tokens": "ignored",
        "ignore_max_completion_tokens": "ignored",
        "cap_plus_one": "partial",
        "finish_stop": "broken",
        "finish_null": "broken",
        "finish_odd": "broken",
        "no_usage": "partial",
        "usage_inflated": "ignored",
    },
    profile=("smoke", "core", "full"),
)
def max_tokens(seen: Seen) -> Iterator[Check]:
    """A long task capped at 5 tokens ends with finish_reason length and at most 5 completion tokens."""
    yield from accepted(seen[CAPPED])
    yield from kept(seen[CAPPED], CAP)


@probe(
    "sampling.max_completion_tokens",
    title="Knows max_completion_tokens",
    sees=(NEW_NAME,),
    severity="core",
    ability="F",
    needs=("finish.length",),
    spec="OpenAPI: CreateChatCompletionRequest.max_completion_tokens",
    threads=("abetlen/llama-cpp-python#1907", "ikawrakow/ik_llama.cpp#2321"),
    faults={
        "ignore_max_tokens": "ignored",
        "ignore_max_completion_tokens": "ignored",
        "cap_plus_one": "partial",
        "no_usage": "partial",
        "usage_inflated": "ignored",
    },
)
def max_completion_tokens(seen: Seen) -> Iterator[Check]:
    """With max_completion_tokens 5 alone, five sentences end with finish_reason length after at most 5 tokens."""
    yield from accepted(seen[NEW_NAME])
    yield from kept(seen[NEW_NAME], CAP)


@probe(
    "sampling.max_one",
    title="Can be held to one token",
    sees=(ONE,),
    ability="F",
    needs=("finish.length", "sampling.max_tokens"),
    spec="OpenAPI: CreateChatCompletionRequest.max_completion_tokens",
    faults={"cap_plus_one": "partial", "no_usage": "partial"},
)
def max_one(seen: Seen) -> Iterator[Check]:
    """A limit of 1 token is accepted, and the answer has finish_reason length and at most 1 completion token."""
    capture = seen[ONE]
    yield from accepted(capture)
    if capture.finish_reason == "stop" and not capture.text and not capture.thinking:
        raise Untestable("model", "its first token ends the answer")
    yield from kept(capture, 1)


@probe(
    "sampling.max_over_context",
    title="Survives a limit beyond the context",
    sees=(HUGE,),
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.max_completion_tokens",
    threads=("vllm-project/vllm#34340", "sgl-project/sglang#37711"),
    faults={"crash_huge_cap": "broken"},
)
def max_over_context(seen: Seen) -> Iterator[Check]:
    """A limit of ten million tokens is answered as if it were the highest possible."""
    capture = seen[HUGE]
    yield from accepted(capture)
    yield check("choices", bool(capture.at("choices")), "one choice or more", capture.json, of=capture)


@probe(
    "sampling.max_both",
    title="Settles two limits",
    sees=(BOTH_NAMES,),
    severity="ext",
    ability="F",
    needs=("finish.length",),
    spec="OpenAPI: CreateChatCompletionRequest.max_tokens (deprecated), .max_completion_tokens",
    faults={
        "ignore_max_tokens": "ignored",
        "ignore_max_completion_tokens": "ignored",
        "cap_plus_one": "partial",
        "no_usage": "partial",
        "usage_inflated": "ignored",
    },
)
def max_both(seen: Seen) -> Iterator[Check]:
    """Of max_tokens 50 and max_completion_tokens 5 the latter is kept, or both together are refused."""
    capture = seen[BOTH_NAMES]
    if said_no(capture):
        yield check("refused", ok=True)
        return
    yield from accepted(capture)
    yield from kept(capture, CAP)


PROBES = (max_tokens, max_completion_tokens, max_one, max_over_context, max_both)
