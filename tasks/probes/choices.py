"""Probes of several choices at once."""

from collections.abc import Iterator

from harness.conformance import (
    BAD_REFUSALS,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    dig,
    probe,
    refuses,
)
from harness.conformance.plain import CAP, CAPPED, HELLO, STORY

N = 3
THREE = chat("sampling_n", f"a long task with n {N} and {CAP} tokens", STORY, cap=CAP, surface="sampling", n=N)
NONE = chat("sampling_n_zero", "n 0", HELLO, cap=8, surface="sampling", n=0)


@probe(
    "sampling.n_count",
    title="Gives as many choices as asked",
    sees=(THREE,),
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.n, 1 to 128",
    faults={"ignore_n": "ignored", "choice_index_zero": "broken"},
)
def n_count(seen: Seen) -> Iterator[Check]:
    """With n 3 there are three choices, with the indexes 0, 1 and 2."""
    capture = seen[THREE]
    yield from accepted(capture)
    choices = capture.at("choices")
    yield check("choices", isinstance(choices, list) and bool(choices), f"{N} choices", capture.json, of=capture)
    if len(choices) == 1:
        raise Ignored("one choice alone", f"{N} choices", "1 choice", of=capture)
    yield check("number of choices", len(choices) == N, N, len(choices), of=capture)
    indexes = [dig(choice, "index") for choice in choices]
    yield check("indexes", all(place in indexes for place in range(N)), [*range(N)], indexes, of=capture)
    yield check("in order", indexes == [*range(N)], [*range(N)], indexes, must=False)


@probe(
    "sampling.n_usage",
    title="Counts several choices rightly",
    sees=(CAPPED, THREE),
    severity="ext",
    ability="F",
    needs=("usage.present", "sampling.n_count"),
    spec="OpenAPI: CompletionUsage",
    faults={"usage_prompt_times_n": "broken", "usage_first_choice": "broken", "usage_completion_short": "partial"},
)
def n_usage(seen: Seen) -> Iterator[Check]:
    """With n 3, prompt_tokens is that of one choice, and completion_tokens is the sum over the three."""
    single, three = seen[CAPPED], seen[THREE]
    yield from accepted(single)
    yield from accepted(three)
    prompts = single.tokens("prompt_tokens"), three.tokens("prompt_tokens")
    one, all_three = single.tokens("completion_tokens"), three.tokens("completion_tokens")
    if None in prompts or one is None or all_three is None:
        raise Untestable("evidence", "usage is not stated")
    yield check("the prompt is counted once", prompts[0] == prompts[1], prompts[0], prompts[1], of=three)
    finishes = [dig(three.at("choices", place), "finish_reason") for place in range(N)]
    if finishes != ["length"] * N or single.finish_reason != "length":
        raise Untestable("model", "not all choices reached the limit, so that their lengths are not known")
    yield check("more than one choice is counted", all_three > one, f"{N} x {one}", all_three, of=three)
    yield check("completion_tokens is the sum", all_three == N * one, f"{N} x {one}", all_three, must=False)


@probe(
    "sampling.n_zero",
    title="Refuses no choices",
    sees=(NONE,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.n, minimum 1",
    faults={**BAD_REFUSALS, "ignore_ranges": "ignored"},
)
def n_zero(seen: Seen) -> Iterator[Check]:
    """With n 0 the request is refused with 400 and an error that names the field."""
    yield from refuses(seen[NONE], param="n")


PROBES = (n_count, n_usage, n_zero)
