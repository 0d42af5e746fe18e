"""Whether a candidate counts the tokens of prompts as the reference does, and what adds those that it counts more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.fidelity.prompt_tokens import SLACK, Case, Cause, explained
from harness.fidelity.prompt_tokens import Finding as Explained
from harness.report.fidelity.answers import COUNTED, Answer, Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always

TASK = COUNTED
_WORDS: dict[Cause, Word] = {"same": "equivalent", "not stated": "not applicable"}
"""Every other cause is a difference."""
_MOST_SHOWN = 2
_PICTURE, _PLAIN = "image_", "plain"
"""How the shapes with pictures begin, and the one with the same words and none."""
_REFUSALS = ("http_4xx", "http_5xx")
"""Servers without eyes say so with either."""


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
    refused = _refused(answers, endpoint, first, own)
    if refused:
        word = "different"
    offsets = {one: (own[one].prompt_tokens or 0) - (first[one].prompt_tokens or 0) for one in by_size}
    return Finding(
        test="prompt tokens",
        endpoint=endpoint,
        says=_says(found, unsteady) + _pictures(answers, own, refused),
        n=found.cases,
        word=always(word),
        unit="tokens",
        value=max(offsets.values(), key=abs, default=0) if found.cases else None,
        shown=(
            *[Shown(own[one].job, first[one].job, f"{one}: {offsets[one]:+d} prompt tokens") for one in by_size][
                :_MOST_SHOWN
            ],
            *[Shown(job, first[one].job, f"{one}: refused") for one, job in refused.items()][:1],
        ),
        details={
            "cause": found.cause,
            "terms": dict(found.terms),
            "surfaces": {name: list(bounds) for name, bounds in found.surfaces.items()},
            "table": [
                {"shape": one, "reference": first[one].prompt_tokens, "candidate": own[one].prompt_tokens}
                for one in steady
            ],
            "unsteady": unsteady,
            "refused": list(refused),
        },
    )


def pictures_refused(answers: Answers) -> frozenset[tuple[str, str]]:
    """The questions with pictures, where the reference refuses every one: of others they say nothing then."""
    fared = {name: one for name, one in answers.asked.get(answers.reference, {}).items() if _is_picture(*name)}
    blind = all(one.failed == one.n and one.kind in _REFUSALS for one in fared.values())
    return frozenset(fared) if blind else frozenset()


def _is_picture(task: str, sample: str) -> bool:
    return task == TASK and sample.startswith(_PICTURE)


def _refused(answers: Answers, endpoint: str, first: Mapping[str, Answer], own: Mapping[str, Answer]) -> dict[str, str]:
    """The pictures that only the reference takes, each with a job that shows it; it refuses all of them, or none."""
    seen = [one for one in first if _images(first[one])]
    fared = [answers.asked.get(endpoint, {}).get((TASK, one)) for one in seen]
    jobs = {
        name: how.job
        for name, how in zip(seen, fared, strict=True)
        if how is not None and how.job is not None and how.failed == how.n and how.kind in _REFUSALS and name not in own
    }
    return jobs if len(jobs) == len(seen) else {}


def _pictures(answers: Answers, own: Mapping[str, Answer], refused: Mapping[str, str]) -> str:
    """What became of the pictures, where it is not what became of the words."""
    if refused:
        return "; pictures are refused, which the reference takes"
    if pictures_refused(answers):
        return "; pictures not applicable, the reference takes none"
    plain = own.get(_PLAIN)
    counted = [one.prompt_tokens or 0 for one in own.values() if _images(one)]
    if plain is not None and counted and max(counted) <= (plain.prompt_tokens or 0) + SLACK:
        return "; pictures add nothing to what is counted"
    return ""


def _images(one: Answer) -> int:
    contents = [message.get("content") for message in one.body.get("messages") or [] if isinstance(message, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content if isinstance(part, dict)]
    return sum(part.get("type") == "image_url" for part in parts)


def _by_sample(answers: Sequence[Answer]) -> dict[str, Answer]:
    return {one.sample: one for one in reversed(answers)}


def _case(reference: Answer, candidate: Answer) -> Case:
    messages = [one for one in candidate.body.get("messages") or [] if isinstance(one, dict)]
    roles = [one.get("role") for one in messages]
    tools = len(candidate.body.get("tools") or ())
    images = _images(candidate)
    kinds = {
        "images": images > 0,
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
        images=images,
    )


def _says(found: Explained, unsteady: Sequence[str]) -> str:
    if found.cause == "not stated":
        return "the prompt tokens are not stated"
    terms = ", ".join(f"{tokens:+d} for each {term}" for term, tokens in found.terms.items())
    odd = f"; no rule for {', '.join(found.odd)}" if found.odd else ""
    wavering = f"; the reference does not agree with itself on {len(unsteady)}" if unsteady else ""
    said = "the same" if found.cause == "same" else found.cause
    return f"{said} on {found.cases} shapes of prompts{': ' if terms else ''}{terms}{odd}{wavering}"
