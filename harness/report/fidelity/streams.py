"""Whether a candidate streams what it answers in one piece, as far as the reference does."""

from __future__ import annotations

from collections.abc import Sequence

from harness.fidelity import categories
from harness.fidelity.streams import Streaming, streaming
from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always, of_gap
from harness.stats.power import ALPHA

TASK = "fidelity_calls"
WHOLE = "fidelity_calls_whole"
"""The same requests, not streamed."""
_TEST = "streams"
_MOST_SHOWN = 2


def streams(answers: Answers, endpoint: str) -> Finding:
    """Streams of an endpoint against its own answers in one piece; a reference that differs there is no yardstick."""
    own, reference = _found(answers, endpoint), _found(answers, answers.reference)
    if own is None:
        return Finding(
            _TEST, endpoint, "too few answers that were streamed and in one piece", 0, always("inconclusive")
        )
    gap = own.gap
    odd = reference is not None and reference.gap.p_value <= ALPHA and bool(reference.differing)

    def word(adjusted: float | None) -> Word:
        said = gap.word(categories.MARGIN, adjusted)
        return "not applicable" if odd and said == "different" else said

    return of_gap(
        gap,
        categories.MARGIN,
        test=_TEST,
        endpoint=endpoint,
        says=f"{_told(own)}; the reference: {'nothing to compare' if reference is None else _told(reference)}",
        word=word,
        unit="energy coefficient, 0 the same, 1 nothing in common",
        shown=_shown(answers, endpoint, own),
        details={"differing": {name: list(names) for name, names in own.differing.items()}},
    )


def _found(answers: Answers, endpoint: str) -> Streaming | None:
    sides = [_by_sample(answers.candidate(endpoint, task)) for task in (TASK, WHOLE)]
    streamed, whole = ({name: [one.completion for one in some] for name, some in side.items()} for side in sides)
    return streaming(streamed, whole)


def _by_sample(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for one in answers:
        found.setdefault(one.sample, []).append(one)
    return found


def _told(found: Streaming) -> str:
    named = ", ".join(f"{name} {count}" for name, count in found.named.items())
    whole = f"{found.gap.prompts - len(found.differing)} of {found.gap.prompts} requests give the same both ways"
    return f"{whole}{f' (other {named})' if named else ''}"


def _shown(answers: Answers, endpoint: str, own: Streaming) -> tuple[Shown, ...]:
    """The requests in which most differs: the stream, and the answer in one piece beside it."""
    sides = [_by_sample(answers.candidate(endpoint, task)) for task in (TASK, WHOLE)]
    worst = sorted(own.differing, key=lambda name: (-len(own.differing[name]), len(str(sides[0][name][0].body))))
    return tuple(
        Shown(
            sides[0][name][0].job,
            sides[1][name][0].job,
            f"{name}: streamed with other {', '.join(own.differing[name])}",
            "in one piece",
        )
        for name in worst[:_MOST_SHOWN]
    )
