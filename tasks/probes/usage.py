"""Probes of the counts in usage: whether they are there, agree with themselves, and with what was sent."""

from collections.abc import Iterator

from harness.conformance import Check, Ignored, Seen, Untestable, accepted, chat, check, count, dig, probe, streamed
from harness.conformance.plain import CAP, CAPPED, HELLO, PAINT_TOOL, PLAIN, PROSE, TWIN, TWIN_STREAM

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
LINE = "Say nothing."
STEP = 50
SLACK = 2
"""Tokens by which two counts of one text may differ where it meets another text."""
BLOCK = 8
"""Tokens that a server may decode ahead."""
TOKENS_PER_CHAR = (0.1, 1.5)
"""Bounds for prose in Latin letters."""
ENOUGH = 40
"""Characters whose tokens tell something."""

TOOLED = chat("usage_tools", "the same line with a tool", HELLO, cap=16, surface="usage", tools=[PAINT_TOOL])
# Figures, accents, three scripts, code and an emoji: where tokenizers differ.
REFERENCE = (
    " In 1789, Zoë's naïve owl cost £12.50; it flew 3,000 km — 東京 to Łódź — "
    "and said: «if (x != 10) { return y[0]; }» 🦉"
)
KNOWN = {"smollm2": 67, "sim-": 46}
"""Tokens by which that text lengthens a prompt, counted with the tokenizer of the models whose name holds the word."""

EXACT = chat("usage_exact", "a line of signs", f"{LINE}{REFERENCE}", cap=4, surface="usage")
GROWING = chat(
    "usage_growing",
    f"a line that grows by {STEP} words each time",
    lambda repeat: LINE + " hello" * STEP * repeat,
    cap=4,
    surface="usage",
    send={"repeats": 3},
)


@probe(
    "usage.present",
    title="Counts tokens",
    sees=(PLAIN,),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: CompletionUsage.required",
    faults={"no_usage": "broken", "usage_zero": "broken"},
)
def present(seen: Seen) -> Iterator[Check]:
    """An answer has usage with prompt_tokens, completion_tokens and total_tokens as numbers that are not all 0."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    # The schema leaves usage optional, yet whoever pays by the token reads it without asking whether it is there.
    yield check("usage", bool(capture.usage), "an object with three counts", capture.at("usage"))
    for name in COUNTS:
        value = capture.usage.get(name)
        yield check(f"usage.{name}", count(value) is not None, "a number of tokens", value)
    yield check("prompt_tokens is not 0", capture.usage["prompt_tokens"] > 0, "1 or more", 0)
    silent = not capture.text and not capture.thinking
    yield check("completion_tokens is not 0", silent or capture.usage["completion_tokens"] > 0, "1 or more", 0)


@probe(
    "usage.sum",
    title="Adds its counts up",
    severity="core",
    over="run",
    needs=("chat.basic",),
    spec="OpenAPI: CompletionUsage.total_tokens",
    threads=("sgl-project/sglang#10012",),
    faults={"usage_total": "broken"},
)
def total(seen: Seen) -> Iterator[Check]:
    """Wherever usage holds all three counts, total_tokens is prompt_tokens plus completion_tokens."""
    summed = False
    for capture in seen.everything():
        prompt, completion, whole = map(capture.tokens, COUNTS)
        if prompt is not None and completion is not None and whole is not None:
            summed = True
            yield check("total_tokens", whole == prompt + completion, f"{prompt} + {completion}", whole, of=capture)
    if not summed:
        raise Untestable("evidence", "no answer has all three counts")


@probe(
    "usage.prompt_linear",
    title="Counts prompts in proportion",
    sees=(GROWING,),
    ability="W",
    over="all",
    needs=("usage.present",),
    spec="OpenAPI: CompletionUsage.prompt_tokens",
    faults={"usage_constant_prompt": "broken"},
)
def prompt_linear(seen: Seen) -> Iterator[Check]:
    """Twice fifty more words make prompt_tokens grow twice by the same amount."""
    captures = seen.all(GROWING)
    for capture in captures:
        yield from accepted(capture)
    counts = [capture.tokens("prompt_tokens") for capture in captures]
    known = [each for each in counts if each is not None]
    if len(known) != 3:
        raise Untestable("evidence", f"prompt_tokens of the three prompts: {counts}")
    first, second = known[1] - known[0], known[2] - known[1]
    yield check("prompt_tokens grows", min(first, second) > 0, "more for a longer prompt", known)
    near = abs(first - second) <= max(first, second) // 10 + SLACK
    yield check("by about the same", near, f"twice about {first}", known)
    yield check("by the same", abs(first - second) <= SLACK, f"twice {first}", known, must=False)


@probe(
    "usage.prompt_exact",
    title="Counts prompts as the tokenizer does",
    sees=(GROWING, EXACT),
    severity="ext",
    basis="observed",
    over="all",
    needs=("usage.prompt_linear",),
    spec="the tokenizer of the model",
    faults={"usage_prompt_estimated": "broken"},
)
def prompt_exact(seen: Seen) -> Iterator[Check]:
    """A text of many scripts makes prompt_tokens grow by as much as the model's own tokenizer makes of it."""
    short, given = seen[GROWING], seen[EXACT]
    yield from accepted(short)
    yield from accepted(given)
    name = seen.endpoint.model_id.casefold()
    expected = next((tokens for word, tokens in KNOWN.items() if word in name), None)
    before, after = short.tokens("prompt_tokens"), given.tokens("prompt_tokens")
    if expected is None or before is None or after is None:
        raise Untestable("evidence", "no count of this model's tokenizer is at hand")
    yield check(
        "near the tokenizer's count", abs(after - before - expected) <= expected // 10, expected, after - before
    )
    yield check("the tokenizer's count", after - before == expected, expected, after - before, must=False)


@probe(
    "usage.completion_at_cap",
    title="Counts an answer that was cut",
    sees=(CAPPED,),
    ability="F",
    needs=("usage.present",),
    spec="OpenAPI: CompletionUsage.completion_tokens",
    threads=("vllm-project/vllm#8625",),
    faults={"cap_plus_one": "partial", "usage_completion_short": "partial", "usage_inflated": "broken"},
)
def completion_at_cap(seen: Seen) -> Iterator[Check]:
    """Where finish_reason is length, completion_tokens is the limit of the request."""
    capture = seen[CAPPED]
    yield from accepted(capture)
    spent = capture.tokens("completion_tokens")
    if capture.finish_reason != "length" or spent is None:
        raise Untestable("evidence", f"finish_reason is {capture.finish_reason}, completion_tokens {spent}")
    yield check("near the limit", abs(spent - CAP) <= BLOCK, CAP, spent)
    yield check("at the limit", spent == CAP, CAP, spent, must=False)


@probe(
    "usage.completion_vs_text",
    title="Counts answers plausibly",
    sees=(PROSE,),
    severity="ext",
    needs=("usage.present",),
    spec="OpenAPI: CompletionUsage.completion_tokens",
    faults={"usage_inflated": "broken"},
)
def completion_vs_text(seen: Seen) -> Iterator[Check]:
    """For prose, completion_tokens is between a tenth of its characters and one and a half times as many."""
    capture = seen[PROSE]
    yield from accepted(capture)
    spent, text = capture.tokens("completion_tokens"), capture.thinking + capture.text
    hidden = capture.tokens("completion_tokens_details", "reasoning_tokens")
    if spent is None or len(text) < ENOUGH or (hidden and not capture.thinking):
        raise Untestable("evidence", "there is too little text to compare the count with")
    least, most = (round(len(text) * bound) for bound in TOKENS_PER_CHAR)
    yield check("completion_tokens", least <= spent <= most, f"{least} to {most}", spent)


@probe(
    "usage.stream_twin",
    title="Counts streams like whole answers",
    sees=(TWIN, TWIN_STREAM),
    needs=("usage.present", "stream.done"),
    spec="OpenAPI: ChatCompletionStreamOptions.include_usage",
    threads=("BerriAI/litellm#41071",),
    faults={"usage_events": "broken"},
)
def stream_twin(seen: Seen) -> Iterator[Check]:
    """The same request at temperature 0 has the same prompt_tokens as a stream, and the same text the same count."""
    whole, stream = seen[TWIN], seen[TWIN_STREAM]
    yield from accepted(whole)
    yield from streamed(stream)
    if not stream.usage:
        raise Untestable("evidence", "the stream holds no usage")
    prompts = whole.tokens("prompt_tokens"), stream.tokens("prompt_tokens")
    yield check("prompt_tokens", prompts[0] == prompts[1], *prompts, of=stream)
    if whole.text != stream.text:
        return
    spent = whole.tokens("completion_tokens"), stream.tokens("completion_tokens")
    off = None if spent[0] is None or spent[1] is None else abs(spent[0] - spent[1])
    # Some count the token that ends the answer in one of the two alone.
    yield check("completion_tokens", off is not None and off <= 1, *spent, of=stream)
    yield check("the same completion_tokens", off == 0, *spent, must=False)


@probe(
    "usage.reasoning_bound",
    title="Counts reasoning within the answer",
    over="run",
    needs=("usage.present",),
    spec="OpenAPI: CompletionUsage.completion_tokens_details.reasoning_tokens",
    faults={
        "no_reasoning_tokens": "partial",
        "usage_no_details": "partial",
        "usage_completion_short": "broken",
        "usage_reasoning_over": "broken",
    },
)
def reasoning_bound(seen: Seen) -> Iterator[Check]:
    """No reasoning_tokens are more than completion_tokens, and they are more than 0 where reasoning is shown."""
    stated = False
    for capture in seen.everything():
        thought = dig(capture.usage, "completion_tokens_details", "reasoning_tokens")
        spent = capture.tokens("completion_tokens")
        if thought is not None and spent is not None:
            stated = True
            within = count(thought) is not None and thought <= spent
            yield check("reasoning_tokens", within, f"0 to {spent}", thought, of=capture)
        if capture.is_chat and capture.thinking and capture.usage:
            stated = True
            yield check("reasoning is counted", bool(thought), "1 or more", thought, must=False, of=capture)
    if not stated:
        raise Untestable("evidence", "no reasoning_tokens are stated, and no reasoning is shown")


@probe(
    "usage.tools_counted",
    title="Tools reach the model",
    sees=(PLAIN, TOOLED),
    severity="core",
    needs=("usage.present",),
    spec="OpenAPI: CompletionUsage.prompt_tokens, CreateChatCompletionRequest.tools",
    faults={"reject_tools": "rejected", "ignore_tools": "ignored", "usage_constant_prompt": "ignored"},
)
def tools_counted(seen: Seen) -> Iterator[Check]:
    """With a tool beside the same line, prompt_tokens rises."""
    without, given = seen[PLAIN], seen[TOOLED]
    yield from accepted(without)
    yield from accepted(given)
    before, after = without.tokens("prompt_tokens"), given.tokens("prompt_tokens")
    if not before or not after:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    if after <= before:
        raise Ignored("the prompt did not grow by the tool", f"more than {before}", after, of=given)
    yield check("prompt_tokens rises", ok=True)


PROBES = (
    present,
    total,
    prompt_linear,
    prompt_exact,
    completion_at_cap,
    completion_vs_text,
    stream_twin,
    reasoning_bound,
    tools_counted,
)
