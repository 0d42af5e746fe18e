"""Probes of the prompt cache: a long prompt, three times."""

from collections.abc import Iterator

from harness.conformance import Check, Seen, Untestable, accepted, chat, check, count, dig, probe

# Caches of hosted services begin at 1,024 tokens.
ROOMS = " ".join(f"Room {number} of the old lighthouse has {number % 7} windows." for number in range(1, 121))
SLACK = 2
PREFIXED = chat(
    "usage_prefix",
    "a question behind a long text, three times",
    f"{ROOMS} How many rooms does the lighthouse have?",
    cap=8,
    surface="usage",
    temperature=0,
    send={"repeats": 3},
)


@probe(
    "usage.prompt_stable",
    title="Counts the same prompt the same",
    sees=(PREFIXED,),
    over="all",
    needs=("usage.present",),
    spec="OpenAPI: CompletionUsage.prompt_tokens",
    faults={"usage_prompt_drifts": "broken"},
)
def prompt_stable(seen: Seen) -> Iterator[Check]:
    """A prompt that is sent three times has the same prompt_tokens each time, cached or not."""
    captures = seen.all(PREFIXED)
    for capture in captures:
        yield from accepted(capture)
    counts = [capture.tokens("prompt_tokens") for capture in captures]
    known = [each for each in counts if each is not None]
    if len(known) < 2:
        raise Untestable("evidence", f"prompt_tokens of the three: {counts}")
    spread = max(known) - min(known)
    yield check("about the same", spread <= SLACK, "the same", known)
    yield check("the same", spread == 0, "the same", known, must=False)


@probe(
    "usage.cached_bound",
    title="Tells cached tokens within the prompt",
    sees=(PREFIXED,),
    severity="ext",
    ability="C",
    needs=("usage.present",),
    spec="OpenAPI: CompletionUsage.prompt_tokens_details.cached_tokens",
    threads=("BerriAI/litellm#22984",),
    faults={"usage_cached_over": "broken", "usage_no_details": "partial"},
)
def cached_bound(seen: Seen) -> Iterator[Check]:
    """No cached_tokens are more than prompt_tokens, and a repeated long prompt has some."""
    captures = seen.all(PREFIXED)
    some = False
    for number, capture in enumerate(captures):
        yield from accepted(capture)
        cached = dig(capture.usage, "prompt_tokens_details", "cached_tokens")
        if cached is None:
            continue
        prompt = capture.tokens("prompt_tokens") or 0
        within = count(cached) is not None and cached <= prompt
        yield check("cached_tokens", within, f"0 to {prompt}", cached, of=capture)
        some = some or (number > 0 and cached > 0)
    yield check("a repeat is cached", some, "cached_tokens above 0", "none", must=False)


@probe(
    "usage.cached_same_answer",
    title="Answers the same from its cache",
    sees=(PREFIXED,),
    severity="ext",
    ability="C",
    needs=("sampling.t0_repeat",),
    spec="API guide: prompt caching",
    basis="observed",
    faults={"stale_cache": "broken"},
)
def cached_same_answer(seen: Seen) -> Iterator[Check]:
    """A long prompt that is sent three times at temperature 0 has the same answer each time."""
    captures = seen.all(PREFIXED)
    for capture in captures:
        yield from accepted(capture)
    texts = [f"{capture.thinking} {capture.text}".strip() for capture in captures]
    if len(texts) < 2 or not all(texts):
        raise Untestable("evidence", "not every answer holds text")
    # A batch of another size rounds otherwise, which changes how an answer goes on, hardly how it begins.
    begins = {text.split()[0] for text in texts}
    yield check("all begin in the same way", len(begins) == 1, texts[0], " | ".join(texts))
    yield check("all are the same", len(set(texts)) == 1, texts[0], " | ".join(texts), must=False)


PROBES = (prompt_stable, cached_bound, cached_same_answer)
