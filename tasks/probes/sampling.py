"""Probes of the parameters that shape the output."""

from collections.abc import Iterator

from harness.conformance import Check, Ignored, Seen, Untestable, accepted, brief, chat, check, probe
from harness.conformance.plain import CAP, CAPPED

DRAFT_BLOCK = 8
"""Servers that decode speculatively may run over by the rest of one block."""
CHARS_PER_TOKEN = 20
"""More than any tokenizer puts into one token on average."""
SENTENCES = "Write five short sentences about the sea."
STOP = "."
"""Ends sentences in whatever a model says, so that no model has to be able to follow an instruction."""
STOP_CAP = 64

FREE = chat("sampling_no_stop", "a task of several sentences", SENTENCES, cap=STOP_CAP, surface="sampling")
STOPPED = chat("sampling_stop", 'the same with stop "."', SENTENCES, cap=STOP_CAP, surface="sampling", stop=[STOP])


@probe(
    "sampling.max_tokens",
    title="Keeps the limit of output tokens",
    sees=(CAPPED,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.max_tokens, .max_completion_tokens",
    profile=("smoke", "core", "full"),
)
def max_tokens(seen: Seen) -> Iterator[Check]:
    """A long task capped at 5 tokens ends with finish_reason length and at most 5 completion tokens."""
    capture = seen[CAPPED]
    yield from accepted(capture)
    spent, finish = capture.tokens("completion_tokens"), capture.finish_reason
    if spent is not None and spent > DRAFT_BLOCK:
        raise Ignored("more tokens than allowed", f"at most {CAP}", spent)
    if len(capture.text) > DRAFT_BLOCK * CHARS_PER_TOKEN:
        raise Ignored("more text than that many tokens can hold", f"at most {CAP} tokens", capture.text)
    if finish == "stop" and spent is not None and spent < CAP:
        raise Untestable("model", f"it ended by itself after {spent} tokens")
    yield check("finish_reason", finish == "length", "length", finish)
    yield check("usage.completion_tokens", spent is not None, f"at most {CAP}", "not stated", must=False)
    yield check("no token too many", spent is None or spent <= CAP, f"at most {CAP}", spent, must=False)


@probe(
    "sampling.stop_string",
    title="Stops at a stop string",
    sees=(FREE, STOPPED),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: StopConfiguration",
    profile=("smoke", "core", "full"),
)
def stop_string(seen: Seen) -> Iterator[Check]:
    """Sentences hold full stops without a stop string, and with stop "." the text ends before the first of them."""
    free, stopped = seen[FREE], seen[STOPPED]
    if free.status != 200:
        raise Untestable("evidence", f"the same request without stop was answered with {free.status}")
    yield from accepted(stopped)
    text = stopped.text
    if STOP in text:
        # Text that ends at its first full stop did stop there; text that goes on never looked for it.
        yield check("the stop string is left out", text.find(STOP) < len(text.rstrip()) - 1, "text before .", text)
        raise Ignored("the text runs past the stop string", "text before .", text)
    if STOP not in free.text:
        raise Untestable("model", f"without stop it wrote no full stop either: {brief(free.text, 60)}")
    spent = stopped.tokens("completion_tokens")
    if stopped.cut_short or (stopped.finish_reason == "length" and (spent is None or spent >= STOP_CAP)):
        raise Untestable("headroom", "the output was cut before its first full stop")
    yield check("stops before the stop string", True, "text before .", text)  # noqa: FBT003 - every way to fail was taken above


PROBES = (max_tokens, stop_string)
