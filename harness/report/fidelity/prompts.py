"""Whether a candidate counts the tokens of prompts as the reference does, and what adds those that it counts more."""

from __future__ import annotations

from collections.abc import Sequence

from harness.fidelity.prompt_tokens import Case, Cause, explained
from harness.fidelity.prompt_tokens import Finding as Explained
from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always

TASK = "fidelity_prompt_tokens"
_WORDS: dict[Cause, Word] = {"same": "equivalent", "not stated": "not applicable"}
"""Every other cause is a difference."""
_MOST_SHOWN = 2


def prompt_tokens(answers: Answers, endpoint: str) -> Finding:
    """The offsets of all shapes of prompts and the fewest terms that give them; the reference has to be steady."""
    twice = answers.counted(answers.reference, TASK)
    first, again = (_by_sample([one for one in twice if one.repeat % 2 == side]) for side in (0, 1))
    own = _by_sample(answers.counted(endpoint, TASK))
    unsteady = [one for one in first if one in again and first[one].prompt_tokens != again[one].prompt_tokens]
    steady = [one for one in first if one in own and one not in unsteady]
    found = explained([_case(first[one], own[one]) for one in steady])
    by_size = sorted(found.evidence, key=lambda one: len(str(own[one].body)))
    word = "inconclusive" if unsteady and found.cause == "same" else _WORDS.get(found.cause, "different")
    offsets = {one: (own[one].prompt_tokens or 0) - (first[one].prompt_tokens or 0) for one in by_size}
    return Finding(
        test="prompt tokens",
        endpoint=endpoint,
        says=_says(found, unsteady),
        n=found.cases,
        word=always(word),
        unit="tokens",
        value=max(offsets.values(), key=abs, default=0) if found.cases else None,
        shown=tuple(Shown(own[one].job, first[one].job, f"{one}: {offsets[one]:+d} prompt tokens") for one in by_size)[
            :_MOST_SHOWN
        ],
        details={
            "cause": found.cause,
            "terms": dict(found.terms),
            "surfaces": {name: list(bounds) for name, bounds in found.surfaces.items()},
            "table": [
                {"shape": one, "reference": first[one].prompt_tokens, "candidate": own[one].prompt_tokens}
                for one in steady
            ],
            "unsteady": unsteady,
        },
    )


def _by_sample(answers: Sequence[Answer]) -> dict[str, Answer]:
    return {one.sample: one for one in reversed(answers)}


def _case(reference: Answer, candidate: Answer) -> Case:
    messages = [one for one in candidate.body.get("messages") or [] if isinstance(one, dict)]
    roles = [one.get("role") for one in messages]
    tools = len(candidate.body.get("tools") or ())
    kinds = {
        "tool results": "tool" in roles,
        "tools": tools > 0,
        "system": "system" in roles,
        "multi-turn": len(messages) > 1,
        "unicode": not str([one.get("content") for one in messages]).isascii(),
    }
    return Case(
        id=candidate.sample,
        surface=next((kind for kind, holds in kinds.items() if holds), "text"),
        reference=reference.prompt_tokens,
        candidate=candidate.prompt_tokens,
        messages=len(messages),
        system=kinds["system"],
        tools=tools,
        tool_results=roles.count("tool"),
    )


def _says(found: Explained, unsteady: Sequence[str]) -> str:
    if found.cause == "not stated":
        return "the prompt tokens are not stated"
    terms = ", ".join(f"{tokens:+d} for each {term}" for term, tokens in found.terms.items())
    odd = f"; no rule for {', '.join(found.odd)}" if found.odd else ""
    wavering = f"; the reference does not agree with itself on {len(unsteady)}" if unsteady else ""
    said = "the same" if found.cause == "same" else found.cause
    return f"{said} on {found.cases} shapes of prompts{': ' if terms else ''}{terms}{odd}{wavering}"
