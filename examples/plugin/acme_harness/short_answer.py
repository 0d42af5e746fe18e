"""A probe: whether max_tokens is kept."""

from __future__ import annotations

from collections.abc import Iterator

from harness.conformance import Check, Seen, chat, check, probe

ASKED = chat("acme_short_answer", "a long text, at most 8 tokens of it", "Count from one to a hundred.", cap=8)


@probe(
    "acme.short_answer",
    title="Keeps max_tokens",
    sees=(ASKED,),
    spec="OpenAPI: CreateChatCompletionRequest.max_completion_tokens",
    profile=("acme",),
)
def short_answer(seen: Seen) -> Iterator[Check]:
    """The usage says 8 output tokens at most."""
    used = seen[ASKED].tokens("completion_tokens")
    yield check("completion_tokens", used is not None and used <= 8, "8 at most", used)


PROBES = (short_answer,)
