"""Probes of logit_bias and the penalties.

Which text a token id stands for is not told by an endpoint. So one id is made certain, whatever it stands for, and all
ids at the start of the vocabulary are ruled out, which is where most tokenizers keep single signs.
"""

import re
from collections.abc import Iterator

from harness.conformance import (
    BAD_REFUSALS,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    brief,
    chat,
    check,
    probe,
    refuses,
)
from harness.conformance.plain import HELLO, LISTED, TWIN

CERTAIN_ID = "2000"
"""A common piece of a word in the vocabularies of GPT, Llama, Qwen, Mistral, Gemma and their kin."""
FIRST_IDS = 300
"""Holds all single bytes of a byte-level vocabulary, and the digits among them."""
WINDOW = 4
REPETITIVE = 0.5
"""Most variety of a text in which a penalty must have an effect."""

FORCED = chat(
    "sampling_bias_force",
    "a list of numbers with one token made certain",
    LISTED,
    cap=4,
    surface="sampling",
    temperature=0,
    logit_bias={CERTAIN_ID: 100},
)
BANNED = chat(
    "sampling_bias_ban",
    f"a list of numbers with the first {FIRST_IDS} token ids ruled out",
    LISTED,
    cap=12,
    surface="sampling",
    temperature=0,
    logit_bias={str(number): -100 for number in range(FIRST_IDS)},
)
NOT_AN_ID = chat("sampling_bias_bad", "logit_bias for zz", HELLO, cap=8, surface="sampling", logit_bias={"zz": 1})
LAUGH = 'Write the word "ha" 40 times, with spaces between them.'
LOW, HIGH = (
    chat(
        f"sampling_frequency_{name}",
        f"a word again and again with frequency_penalty {penalty}",
        LAUGH,
        cap=48,
        surface="sampling",
        temperature=0,
        frequency_penalty=penalty,
    )
    for name, penalty in (("low", -2), ("high", 2))
)
TOO_PRESENT = chat(
    "sampling_presence_range", "presence_penalty 3", HELLO, cap=8, surface="sampling", presence_penalty=3.0
)


def alike(one: str, other: str) -> bool:
    """Whether two texts begin in the same way, as far as both go."""
    one, other = one.strip(), other.strip()
    return one[: len(other)] == other[: len(one)]


def variety(text: str) -> float:
    """Share of the short pieces of a text that occur for the first time, whether or not it has words."""
    pieces = [text[start : start + WINDOW] for start in range(len(text) - WINDOW + 1)]
    return len(set(pieces)) / len(pieces)


@probe(
    "sampling.logit_bias_force",
    title="Can be made to say one token",
    sees=(TWIN, FORCED),
    severity="ext",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.logit_bias",
    faults={"ignore_logit_bias": "ignored"},
)
def logit_bias_force(seen: Seen) -> Iterator[Check]:
    """A bias of 100 on one token id makes that token the whole answer, in place of what else is said."""
    plain, forced = seen[TWIN], seen[FORCED]
    yield from accepted(plain)
    yield from accepted(forced)
    usual, text = plain.thinking or plain.text, forced.thinking or forced.text
    if not usual.strip() or not text.strip():
        raise Untestable("evidence", "an answer holds no text; the token may have none")
    if alike(usual, text):
        raise Ignored("the answer is the same with the bias", f"token {CERTAIN_ID} again and again", text, of=forced)
    repeated = re.search(r"(\S+?)(?:\s*\1){2,}\s*\Z", text) is not None
    yield check("one token alone", repeated, "the same again and again", text, must=False)


@probe(
    "sampling.logit_bias_ban",
    title="Can be kept from saying a token",
    sees=(TWIN, FORCED, BANNED),
    severity="ext",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.logit_bias",
    faults={"ignore_logit_bias": "ignored"},
)
def logit_bias_ban(seen: Seen) -> Iterator[Check]:
    """A bias of -100 on the first 300 token ids changes how an answer of digits begins."""
    plain, forced, banned = seen[TWIN], seen[FORCED], seen[BANNED]
    yield from accepted(plain)
    yield from accepted(banned)
    usual, text = plain.thinking or plain.text, banned.thinking or banned.text
    if not usual.strip():
        raise Untestable("evidence", "the answer without a bias holds no text")
    if not text.strip() or not alike(usual, text):
        yield check("the answer is another one", ok=True)
        return
    if forced.status == 200 and not alike(usual, forced.thinking or forced.text):
        raise Untestable("evidence", "the tokens of the answer are not among those ruled out")
    raise Ignored("the answer is the same with the bias", "another answer", text, of=banned)


@probe(
    "sampling.logit_bias_invalid",
    title="Refuses a bias on no token",
    sees=(NOT_AN_ID,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.logit_bias",
    faults={**BAD_REFUSALS, "ignore_logit_bias": "ignored"},
)
def logit_bias_invalid(seen: Seen) -> Iterator[Check]:
    """A logit_bias whose key is no token id is refused with 400 and an error that names the field."""
    yield from refuses(seen[NOT_AN_ID], param="logit_bias")


@probe(
    "sampling.freq_penalty_effect",
    title="Heeds frequency_penalty",
    sees=(LOW, HIGH),
    severity="ext",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.frequency_penalty, -2 to 2",
    faults={"ignore_penalties": "ignored"},
)
def freq_penalty_effect(seen: Seen) -> Iterator[Check]:
    """Asked for one word again and again, an answer with frequency_penalty 2 is more varied than one with -2."""
    low, high = seen[LOW], seen[HIGH]
    yield from accepted(low)
    yield from accepted(high)
    texts = low.thinking + low.text, high.thinking + high.text
    if min(map(len, texts)) < 2 * WINDOW:
        raise Untestable("model", "an answer is too short to repeat anything")
    if texts[0] == texts[1] and variety(texts[0]) > REPETITIVE:
        raise Untestable("model", f"it repeats nothing: {brief(texts[0], 60)}")
    if texts[0] == texts[1]:
        raise Ignored("both penalties give one answer", f"more variety than {texts[0]}", texts[1], of=high)
    more = variety(texts[1]) > variety(texts[0])
    yield check("variety rises", more, f"more variety than {texts[0]}", texts[1], must=False)


@probe(
    "sampling.pres_penalty_range",
    title="Refuses a penalty out of range",
    sees=(TOO_PRESENT,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.presence_penalty, -2 to 2",
    faults={**BAD_REFUSALS, "ignore_ranges": "ignored"},
)
def pres_penalty_range(seen: Seen) -> Iterator[Check]:
    """A presence_penalty of 3 is refused with 400 and an error that names the field."""
    yield from refuses(seen[TOO_PRESENT], param="presence_penalty")


PROBES = (logit_bias_force, logit_bias_ban, logit_bias_invalid, freq_penalty_effect, pres_penalty_range)
