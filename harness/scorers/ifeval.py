"""Instructions that a program can check: the prompt is followed when every one of its instructions is.

A target is a list of instructions, each ``{"id": "length_constraints:number_words", "kwargs": {"relation": "at least",
"num_words": 300}}``; the 25 ids and their arguments are those of the data set.

Source: Zhou et al., "Instruction-Following Evaluation for Large Language Models", arXiv:2311.07911, section 2 (strict
and loose) and its list of verifiable instructions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.errors import TaskError, UnknownName
from harness.exchange import Completion
from harness.scorers.extra import need
from harness.scorers.ifeval_checks import CHECKS, Instruction
from harness.scorers.strict_json import shown
from harness.types import Sample, Score, Scorer

VERSION = 1
_NAME = "ifeval"


def ifeval() -> Scorer:
    """Full marks when the answer follows every instruction of its prompt (the strict prompt-level accuracy).

    ``details`` holds, instruction by instruction, ``followed`` and ``followed_loosely``; ``loose`` is the value that
    the loose rule gives: an instruction then counts when any of eight forms of the answer follows it (without the first
    line, the last, both; and each without asterisks). ``undetermined`` lists the instructions, from 0, about a language
    that could not be told; they count as followed, as in the published scores.
    TaskError for a target that is no such list, or an instruction with unknown or missing arguments; CannotMeasure
    where a library that an instruction needs is not installed.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        instructions = _instructions(sample)
        text = completion.text
        undetermined: list[int] = []
        strict = [_follows(one, [text], number, undetermined) for number, one in enumerate(instructions)]
        variants = list(_loosened(text))
        loose = [
            followed or _follows(one, variants, number, [])
            for number, (one, followed) in enumerate(zip(instructions, strict, strict=True))
        ]
        missed = [one.id for one, followed in zip(instructions, strict, strict=True) if not followed]
        details: dict[str, Any] = {
            "instructions": [one.id for one in instructions],
            "followed": strict,
            "followed_loosely": loose,
            "loose": float(all(loose)),
        }
        if undetermined:
            details["undetermined"] = undetermined
        explanation = f"{len(strict) - len(missed)} of {len(strict)} instructions followed"
        explanation += f"; not {', '.join(missed)}" if missed else ""
        return Score(float(not missed), None, explanation, _NAME, VERSION, details=details)

    return Scorer(_NAME, VERSION, score)


def _instructions(sample: Sample) -> list[Instruction]:
    target = sample.target
    if not isinstance(target, list | tuple) or not target or not all(isinstance(one, dict) for one in target):
        raise TaskError(f"sample {sample.id}: the target of {_NAME} is a list of {{id, kwargs}}, not {shown(target)}")
    return [_instruction(one, f"sample {sample.id}: instruction {number}") for number, one in enumerate(target, 1)]


def _instruction(stated: dict[str, Any], where: str) -> Instruction:
    name = stated.get("id")
    if not isinstance(name, str) or name not in CHECKS:
        raise UnknownName(f"instruction ({where})", str(name), CHECKS)
    check = CHECKS[name]
    # Some copies of the data set fill each row with the arguments of all instructions, null where there are none.
    kwargs = {key: value for key, value in (stated.get("kwargs") or {}).items() if value is not None}
    for key, kind in check.arguments.items():
        if not isinstance(kwargs.get(key), kind) or isinstance(kwargs[key], bool):
            raise TaskError(f"{where}, {name}: {key} must be a {kind.__name__}, not {shown(kwargs.get(key))}")
    if surplus := set(kwargs) - set(check.arguments):
        raise TaskError(f"{where}, {name}: it takes no {min(surplus)}")
    for library in check.libraries:
        need(library, _NAME)
    return Instruction(name, kwargs, check.follows)


def _follows(instruction: Instruction, texts: Sequence[str], number: int, undetermined: list[int]) -> bool:
    """Whether any of some forms of the answer follows an instruction; an empty one follows none."""
    for text in texts:
        if text.strip():
            found = instruction.follows(text, **instruction.kwargs)
            if found is None:
                undetermined.append(number)
            if found is not False:
                return True
    return False


def _loosened(text: str) -> Iterator[str]:
    lines = text.split("\n")
    forms = (text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])))
    yield from forms
    yield from (form.replace("*", "") for form in forms)
