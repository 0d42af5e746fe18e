"""Probes of legacy completions."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.conformance import (
    DONE,
    Capture,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    check,
    count,
    dig,
    post,
    present,
    probe,
    streamed,
)
from harness.conformance.plain import NO_POST
from harness.conformance.scenario import Scenario

PROMPT = "The harbour was quiet. The ships were asleep. The lamps were lit. The wind"
"""Of short sentences, so that a model that goes on writes a full stop before long."""
SUFFIX = "and at last the lighthouse keeper closed the great green door behind him and climbed the stairs."
STOP = "."
CAP, FREE_CAP = 4, 40
ALTERNATIVES = 2
IDS = (100, 200, 300)
"""Small enough for any vocabulary."""


def complete(name: str, title: str, *, prompt: Any = PROMPT, cap: int = CAP, **fields: Any) -> Scenario:
    """A legacy completion at temperature 0."""
    body = {"model": None, "prompt": prompt, "max_tokens": cap, "temperature": 0, **fields}
    return post(name, title, "/completions", body, surface="cpl", stream=bool(fields.get("stream")))


PLAIN = complete("cpl_plain", "a prompt to go on with", cap=FREE_CAP)
STOPPED = complete("cpl_stop", 'the same with stop "."', cap=FREE_CAP, stop=[STOP])
STREAM = complete("cpl_stream", "the same as a short stream", cap=8, stream=True)
STREAM_USAGE = complete("cpl_stream_usage", "the same with usage", stream=True, stream_options={"include_usage": True})
ECHO = complete("cpl_echo", "the same with echo", echo=True)
INSERT = complete("cpl_suffix", "the same with a suffix", cap=FREE_CAP, suffix=SUFFIX)
LIST = complete("cpl_prompt_list", "two prompts", prompt=[PROMPT, "Once upon a time"])
TOKENS = complete("cpl_prompt_tokens", "a prompt of token ids", prompt=list(IDS))
BEST = complete("cpl_best_of", "the better one of two", best_of=2, n=1)
LOGPROBS = complete("cpl_logprobs", "the same with logprobs", cap=8, logprobs=ALTERNATIVES)


@probe(
    "cpl.basic",
    title="Completes a prompt",
    sees=(PLAIN, NO_POST),
    spec="OpenAPI: CreateCompletionResponse",
    faults={"cpl_404": "rejected", "cpl_chat_object": "partial", "cpl_chat_shape": "broken"},
)
def basic(seen: Seen) -> Iterator[Check]:
    """A prompt gets a choice with text as a string and a finish_reason; object is text_completion."""
    capture = seen[PLAIN]
    yield from present(capture, seen[NO_POST])
    yield from one_choice(capture)
    finish = capture.at("choices", 0, "finish_reason")
    yield check("finish_reason", isinstance(finish, str), "a string", finish)
    kind = capture.at("object")
    yield check("object", kind == "text_completion", "text_completion", kind, must=False)


@probe(
    "cpl.stream",
    title="Streams a completion",
    sees=(STREAM,),
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionRequest.stream",
    faults={"cpl_no_stream": "ignored", "cpl_chat_object": "partial", "cpl_no_done": "partial"},
)
def stream(seen: Seen) -> Iterator[Check]:
    """Every chunk has object text_completion and choices with text; a finish_reason comes, and [DONE] is the last."""
    capture = seen[STREAM]
    yield from streamed(capture)
    given = [chunk.get("choices") for chunk in capture.chunks]
    choices = [choice for each in given if isinstance(each, list) for choice in each]
    yield check("choices", bool(choices), "one choice or more", capture.chunks[0])
    odd = [choice for choice in choices if not isinstance(dig(choice, "text"), str)]
    yield check("text", not odd, "a string in every chunk", odd[:1])
    finished = any(isinstance(dig(choice, "finish_reason"), str) for choice in choices)
    yield check("finish_reason", finished, "a string in one of the chunks", choices[-1])
    kinds = {str(chunk.get("object")) for chunk in capture.chunks}
    yield check("object", kinds == {"text_completion"}, "text_completion", sorted(kinds), must=False)
    last = capture.events[-1].data.strip()
    yield check("[DONE]", last == DONE, DONE, last, must=False)


@probe(
    "cpl.stop",
    title="Stops a completion at a stop string",
    sees=(PLAIN, STOPPED),
    ability="F",
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionRequest.stop",
    faults={"cpl_ignore_stop": "ignored", "cpl_include_stop": "broken"},
)
def stop(seen: Seen) -> Iterator[Check]:
    """With stop "." the text ends before the first full stop, where without it the text holds one."""
    free, capture = seen[PLAIN], seen[STOPPED]
    yield from accepted(capture)
    yield from one_choice(capture)
    text = text_of(capture)
    if STOP in text:
        # Text that ends at its first full stop did stop there; text that goes on never looked for it.
        yield check("the stop string is left out", text.find(STOP) < len(text.rstrip()) - 1, "text before .", text)
        raise Ignored("the text runs past the stop string", "text before .", text)
    if STOP not in text_of(free):
        raise Untestable("model", "without stop it wrote no full stop either")
    if capture.at("choices", 0, "finish_reason") == "length":
        raise Untestable("headroom", "the output was cut before its first full stop")
    yield check("stops before the stop string", True, "text before .", text)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "cpl.echo",
    title="Echoes the prompt",
    sees=(ECHO,),
    severity="ext",
    ability="F",
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionRequest.echo",
    faults={"cpl_ignore_echo": "ignored"},
)
def echo(seen: Seen) -> Iterator[Check]:
    """With echo the text begins with the prompt."""
    capture = seen[ECHO]
    yield from accepted(capture)
    yield from one_choice(capture)
    text = text_of(capture)
    if PROMPT not in text:
        raise Ignored("the prompt is not in the text", PROMPT, text)
    yield check("the text begins with it", text.startswith(PROMPT), PROMPT, text, must=False)


@probe(
    "cpl.suffix",
    title="Writes towards a suffix",
    sees=(PLAIN, INSERT),
    severity="ext",
    ability="C",
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionRequest.suffix",
    faults={"cpl_ignore_suffix": "ignored"},
)
def suffix(seen: Seen) -> Iterator[Check]:
    """A suffix adds to usage.prompt_tokens or changes the text at temperature 0, or is refused."""
    free, capture = seen[PLAIN], seen[INSERT]
    yield from accepted(capture)
    yield from one_choice(capture)
    before, after = free.tokens("prompt_tokens"), capture.tokens("prompt_tokens")
    if after and before and after > before:
        yield check("it is counted", True, f"more than {before}", after)  # noqa: FBT003 - just compared
        return
    if text_of(capture) == text_of(free):
        raise Ignored("the same text, and no token more", "another text", text_of(capture))
    yield check("it changes the text", True, "another text", text_of(capture))  # noqa: FBT003 - just compared


@probe(
    "cpl.prompt_list",
    title="Completes two prompts at once",
    sees=(LIST,),
    severity="ext",
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionRequest.prompt",
    faults={"cpl_first_prompt": "ignored"},
)
def prompt_list(seen: Seen) -> Iterator[Check]:
    """Two prompts get two choices with text, of index 0 and 1."""
    capture = seen[LIST]
    yield from accepted(capture)
    choices = capture.at("choices")
    yield check("choices", isinstance(choices, list) and bool(choices), "two choices", choices)
    if len(choices) == 1:
        raise Ignored("one prompt was answered", 2, 1)
    given = [dig(choice, "index") for choice in choices]
    yield check("indexes", len(given) == 2 and set(map(count, given)) == {0, 1}, [0, 1], given)
    yield check("text", all(isinstance(dig(choice, "text"), str) for choice in choices), "strings", choices)
    yield check("in order", given == [0, 1], [0, 1], given, must=False)


@probe(
    "cpl.prompt_tokens",
    title="Completes a prompt of token ids",
    sees=(TOKENS,),
    severity="ext",
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionRequest.prompt",
    threads=("vllm-project/vllm#35231",),
    faults={"cpl_tokens_500": "broken"},
)
def prompt_tokens(seen: Seen) -> Iterator[Check]:
    """A prompt of token ids is completed, or cleanly refused."""
    capture = seen[TOKENS]
    yield from accepted(capture)
    yield from one_choice(capture)


@probe(
    "cpl.best_of",
    title="Sends the best of several",
    sees=(BEST,),
    severity="ext",
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionRequest.best_of",
    faults={"cpl_all_candidates": "ignored"},
)
def best_of(seen: Seen) -> Iterator[Check]:
    """With best_of 2 and n 1 there is one choice, or it is refused."""
    capture = seen[BEST]
    yield from accepted(capture)
    yield from one_choice(capture)
    choices = capture.at("choices")
    if len(choices) > 1:
        raise Ignored("all candidates come back", 1, len(choices))


@probe(
    "cpl.logprobs",
    title="Tells logprobs of a completion",
    sees=(LOGPROBS,),
    severity="ext",
    needs=("cpl.basic",),
    spec="OpenAPI: CreateCompletionResponse.choices[].logprobs",
    faults={
        "empty": "broken",
        "cpl_ignore_logprobs": "ignored",
        "cpl_chat_logprobs": "broken",
        "cpl_short_logprobs": "broken",
    },
)
def logprobs(seen: Seen) -> Iterator[Check]:
    """Tokens, token_logprobs, top_logprobs and text_offset are equally long arrays, and no logprob is above 0."""
    capture = seen[LOGPROBS]
    yield from accepted(capture)
    yield from one_choice(capture)
    told = capture.at("choices", 0, "logprobs")
    if told is None:
        raise Ignored("no logprobs came", "four arrays", None)
    tokens, values = dig(told, "tokens"), dig(told, "token_logprobs")
    yield check("tokens", strings(tokens), "an array of strings", tokens)
    fine = isinstance(values, list) and all(value is None or is_logprob(value) for value in values)
    yield check("token_logprobs", fine, "numbers of 0 or less", values)
    yield check("one for each token", len(values) == len(tokens), len(tokens), len(values))
    for name, must in (("top_logprobs", True), ("text_offset", False)):
        found = dig(told, name)
        size = len(found) if isinstance(found, list) else found
        yield check(name, size == len(tokens), f"{len(tokens)} entries", size, must=must)
    first = dig(told, "top_logprobs", 0)
    most = ALTERNATIVES + 1  # the token that was drawn may stand beside the likeliest ones
    fine = isinstance(first, Mapping) and 1 <= len(first) <= most
    yield check("alternatives", fine, f"1 to {most}", first, must=False)


@probe(
    "cpl.text_offset",
    title="Tells where tokens stand",
    sees=(LOGPROBS,),
    severity="ext",
    needs=("cpl.logprobs",),
    spec="OpenAPI: CreateCompletionResponse.choices[].logprobs.text_offset",
    faults={"cpl_offset_zero": "broken"},
)
def text_offset(seen: Seen) -> Iterator[Check]:
    """Each text_offset, counted from the first one, is where its token stands in the text."""
    capture = seen[LOGPROBS]
    yield from accepted(capture)
    tokens = capture.at("choices", 0, "logprobs", "tokens")
    offsets = capture.at("choices", 0, "logprobs", "text_offset")
    if not strings(tokens):
        raise Untestable("evidence", "there are no tokens beside the text")
    whole = isinstance(offsets, list) and bool(offsets) and all(count(one) is not None for one in offsets)
    yield check("text_offset", whole and len(offsets) == len(tokens), f"{len(tokens)} numbers", offsets)
    text, start = text_of(capture), offsets[0]
    # Half of a character is spelt in words of the server's own.
    plain = [(at - start, token) for at, token in zip(offsets, tokens, strict=True) if token.isascii()]
    astray = [(at, token) for at, token in plain if "bytes:" not in token and not text.startswith(token, max(0, at))]
    yield check("tokens stand there", not astray, "tokens where they are said to be", astray[:3])


@probe(
    "cpl.usage_stream",
    title="Reports usage at the end of a streamed completion",
    sees=(STREAM_USAGE,),
    severity="ext",
    needs=("cpl.stream",),
    spec="OpenAPI: ChatCompletionStreamOptions.include_usage",
    faults={"cpl_no_usage_chunk": "ignored", "cpl_usage_every_chunk": "partial"},
)
def usage_stream(seen: Seen) -> Iterator[Check]:
    """With include_usage the last chunk alone has usage, above 0, and its choices are empty."""
    capture = seen[STREAM_USAGE]
    yield from streamed(capture)
    holding = [chunk for chunk in capture.chunks if chunk.get("usage")]
    if not holding:
        raise Ignored("no chunk of the stream holds usage", "a last chunk with usage", "none")
    spent = dig(holding[-1], "usage", "prompt_tokens")
    yield check("usage.prompt_tokens", bool(count(spent)), "more than 0", spent)
    last = holding[-1].get("choices") == [] and holding[-1] is capture.chunks[-1]
    yield check("in a last chunk without choices", last, "choices []", holding[-1], must=False)
    yield check("it comes once", len(holding) == 1, 1, len(holding), must=False)


def one_choice(capture: Capture) -> Iterator[Check]:
    """Checks that there is a choice with text."""
    text = capture.at("choices", 0, "text")
    yield check("text", isinstance(text, str), "a string", capture.at("choices", 0), of=capture)


def text_of(capture: Capture) -> str:
    """The text of the first choice; empty: there is none."""
    text = capture.at("choices", 0, "text")
    return text if isinstance(text, str) else ""


def strings(value: Any) -> bool:
    """Whether it is an array of one string or more."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def is_logprob(value: Any) -> bool:
    """Whether it is a number that a logarithm of a probability can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= 0


PROBES = (
    *(basic, stream, stop, echo, suffix, prompt_list, prompt_tokens),
    *(best_of, logprobs, text_offset, usage_stream),
)
