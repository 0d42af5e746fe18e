"""Whether the sampling parameters do at a candidate what they do at the reference: the same prompts in two settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Literal, NamedTuple

from harness.fidelity.sampling import Response, Texts, repetition, response, variety
from harness.report.fidelity.answers import Answer, Answers, texts
from harness.report.fidelity.distribution import TASK as HOT
from harness.report.fidelity.finding import Finding, Shown, Word, always

TASK = "fidelity_greedy"
SAMPLING = "fidelity_sampling"
PENALTIES = "fidelity_penalties"
_MOST_SHOWN = 1


class _Parameter(NamedTuple):
    """What one parameter does, and which answers show it."""

    name: str
    off: str
    """Task of the answers under the first setting."""
    on: str
    off_ending: str
    """What the names of its prompts end with, beside the name that both settings share."""
    on_ending: str
    measure: Callable[[Sequence[str]], float | None]
    expected: Literal["rises", "falls"]
    does: str
    settings: str


_TEMPERATURE = _Parameter(
    "temperature", TASK, HOT, "", "", variety, "rises", "answers vary by", "at temperature 0 and 1"
)
_SAMPLED = (
    _Parameter("top_p", HOT, SAMPLING, "", " top_p", variety, "falls", "answers vary by", "at top_p 1 and 0.1"),
    _Parameter("seed", HOT, SAMPLING, "", " seed", variety, "falls", "answers vary by", "without and with one seed"),
)
_PENALTY = _Parameter(
    *("penalties", PENALTIES, PENALTIES, " off", " on", repetition),
    *("falls", "words that were said before:", "without and with penalties"),
)


def temperature(answers: Answers, endpoint: str) -> Finding:
    """How much more answers vary at temperature 1 than at 0, against the same of the reference."""
    return _finding(answers, endpoint, _TEMPERATURE)


def parameters(answers: Answers, endpoint: str, tasks: Sequence[str]) -> Iterator[Finding]:
    """The same of ``top_p``, ``seed`` and the penalties, as far as their tasks were asked."""
    for one in (*_SAMPLED, _PENALTY):
        if one.on in tasks and one.off in tasks:
            yield _finding(answers, endpoint, one)


def _finding(answers: Answers, endpoint: str, one: _Parameter) -> Finding:
    first = answers.first(one.off), answers.first(one.on)
    given = answers.candidate(endpoint, one.off), answers.candidate(endpoint, one.on)
    own, reference = _response(one, *given), _response(one, *first)
    says = f"{one.does} {_varied(own)} {one.settings}, the reference's {_varied(reference)}"
    if not _under(one.on_ending, given[1]):
        says = f"no answer {one.settings}: {_refusals(answers, endpoint, one)}"
    varied = (one.on, one.on_ending) if one.expected == "falls" else (one.off, one.off_ending)
    return Finding(
        test=one.name,
        endpoint=endpoint,
        says=says,
        n=own.prompts,
        word=always(_word(own, reference, one)),
        shown=_shown(one, answers.first(varied[0]), answers.candidate(endpoint, varied[0]), varied[1]),
        details={"candidate": asdict(own), "reference": asdict(reference)},
    )


def _response(one: _Parameter, off: Sequence[Answer], on: Sequence[Answer]) -> Response:
    return response(_under(one.off_ending, off), _under(one.on_ending, on), one.measure, one.expected)


def _under(ending: str, answers: Sequence[Answer]) -> Texts:
    """Texts of the prompts with that ending, by the rest of their names."""
    return {name.removesuffix(ending): some for name, some in texts(answers).items() if name.endswith(ending)}


def _refusals(answers: Answers, endpoint: str, one: _Parameter) -> str:
    fared = answers.asked.get(endpoint, {}).items()
    kinds = {how.kind for (task, sample), how in fared if task == one.on and sample.endswith(one.on_ending)} - {None}
    return ", ".join(sorted(map(str, kinds))) or "it was not asked"


def _word(own: Response, reference: Response, one: _Parameter) -> Word:
    """Only a reference that honours the parameter says what to expect.

    Where nothing is left to fall at a candidate, as where it always answers the same, the temperature's row tells it.
    """
    if reference.word != "honoured":
        return "not applicable" if reference.word in ("not applicable", "ignored") else "inconclusive"
    if own.word == "not applicable" and one.expected == "falls":
        return "not applicable"
    if own.word == "inconclusive":
        return "inconclusive"
    return "equivalent" if own.word == "honoured" else "different"


def _varied(found: Response) -> str:
    if found.off is None or found.on is None:
        return "too few to tell"
    return f"{100 * found.off:.0f} and {100 * found.on:.0f} %"


def _shown(one: _Parameter, first: Sequence[Answer], own: Sequence[Answer], ending: str) -> tuple[Shown, ...]:
    """A prompt under the setting that should leave little, whose answers have most of it, the reference's beside it."""
    given = {name: some for name, some in texts(own).items() if name.endswith(ending)}
    asked, jobs = ({each.sample: each.job for each in reversed(side)} for side in (first, own))
    worst = sorted((name for name in given if name in asked), key=lambda name: -(one.measure(given[name]) or 0))
    return tuple(
        Shown(
            jobs[name],
            asked[name],
            f"{name}: {len(set(given[name]))} answers of {len(given[name])} are different"
            if one.measure is variety
            else f"{name}: {100 * (one.measure(given[name]) or 0):.0f} % of the words were said before",
        )
        for name in worst[:_MOST_SHOWN]
    )
