"""Probes of several requests at once."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from harness.conformance import Check, Refused, Seen, Untestable, accepted, chat, check, probe

AT_ONCE = 4
THROTTLED = (429, 503)
LINE = "Write five short sentences about the sea."
_GREEDY: dict[str, Any] = {"cap": 32, "surface": "load", "visible": True, "temperature": 0}

ALONE = chat("load_alone", "a short task at temperature 0", LINE, **_GREEDY)
TOGETHER = chat(
    "load_together",
    f"the same {AT_ONCE} times at once",
    LINE,
    **_GREEDY,
    send={"repeats": AT_ONCE, "together": True, "answers": frozenset(THROTTLED)},
)


@probe(
    "load.parallel_accepts",
    title="Answers several requests at once",
    sees=(TOGETHER,),
    severity="common",
    basis="eco",
    over="all",
    needs=("chat.basic",),
    spec="API guide: rate limits",
    faults={"one_at_a_time": "partial"},
)
def parallel_accepts(seen: Seen) -> Iterator[Check]:
    """Of four requests at once all are answered with 200; a clean 429 is partial."""
    captures = seen.all(TOGETHER)
    if all(capture.status in THROTTLED for capture in captures):
        raise Untestable("transient", "none of them was let in, so that it is not for their number")
    for capture in captures:
        if capture.status in THROTTLED:
            yield check("answered at once", False, "200", capture.status, must=False, of=capture)  # noqa: FBT003 - refused
            continue
        try:
            yield from accepted(capture)
        except Refused as refused:
            yield check("answered at once", False, "200", refused.actual, of=capture)  # noqa: FBT003 - refused


@probe(
    "isolation.t0_load",
    title="Says the same under load at temperature 0",
    sees=(ALONE, TOGETHER),
    severity="ext",
    basis="eco",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.temperature",
    threads=("vllm-project/vllm#5607",),
    faults={"ignore_temperature": "partial"},
)
def t0_load(seen: Seen) -> Iterator[Check]:
    """At temperature 0 four requests at once are answered word for word like the same request alone."""
    alone = seen[ALONE]
    yield from accepted(alone)
    others = [capture for capture in seen.all(TOGETHER) if capture.status == 200 and capture.text]
    if not others or not alone.text:
        raise Untestable("evidence", "there is nothing to compare")
    for capture in others:
        alike = SequenceMatcher(None, alone.text, capture.text, autojunk=False).ratio()
        equal = alone.text == capture.text
        yield check("the same text", equal, alone.text, f"{alike:.0%} alike: {capture.text}", must=False, of=capture)


PROBES = (parallel_accepts, t0_load)
