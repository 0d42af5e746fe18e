"""The program in the answer passes its tests, run where it can reach nothing; off unless the user allows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import CannotMeasure, TaskError
from harness.exchange import Completion
from harness.scorers import permission
from harness.scorers.python_code import code_of, whole_program
from harness.scorers.sandbox.run import Limits, Ran, run, trouble
from harness.scorers.strict_json import clipped
from harness.types import Sample, Score, Scorer

VERSION = 1

_FIELDS = ("tests", "entry_point", "prompt")


def code_execution(*, seconds: float = 5.0) -> Scorer:
    """Full marks when the tests run to their end without an error, within ``seconds``.

    The target is a mapping: ``tests`` (Python source, run after the program in its namespace) and, where they apply,
    ``entry_point`` (the function that is asked for) and ``prompt`` (source that an answer may continue; it ends in
    the head of ``entry_point``). TaskError for another target. The code is taken out of the answer by
    ``python_code.code_of``.

    ``details`` hold how it ``ended`` (``sandbox.run.Ended``), the end of its ``output``, its ``seconds`` and what
    held it, ``walls``.
    UsageError where the user has not allowed it; CannotMeasure on a machine that cannot contain programs.
    """
    limits = Limits(seconds=seconds)
    name = "code_execution"

    def score(sample: Sample, completion: Completion) -> Score:
        target = _target(sample)
        permission.need_code(name)
        if why := trouble():
            raise CannotMeasure(
                f"programs cannot be contained on this machine: {why}", hint="See docs/code-execution.md"
            )
        entry = target.get("entry_point", "")
        code = code_of(completion.text, entry)
        if not code.strip():
            return Score(0.0, None, "no code in the answer", name, VERSION)
        program = whole_program(target["prompt"], code, entry) if "prompt" in target else code
        ran = run(program, target["tests"], limits)
        if ran.ended == "refused":
            raise CannotMeasure(f"the program of sample {sample.id} could not be contained: {ran.why}")
        explanation = clipped(f"{ran.ended}: {ran.why}" if ran.why else "all tests passed", 400)
        return Score(float(ran.ended == "ok"), clipped(code, 4000), explanation, name, VERSION, details=_details(ran))

    return Scorer(name, VERSION, score, waits=True)


def _target(sample: Sample) -> Mapping[str, str]:
    target: Any = sample.target
    where = f"sample {sample.id}: the target of code_execution"
    if not isinstance(target, Mapping):
        raise TaskError(f"{where} is a mapping with the field tests, not a {type(target).__name__}")
    for field, value in target.items():
        if field not in _FIELDS or not isinstance(value, str):
            raise TaskError(f"{where} has the fields {', '.join(_FIELDS)}, all of them text; this one has {field!r}")
    if not target.get("tests", "").strip():
        raise TaskError(f"{where} has no tests")
    if "prompt" in target and not target.get("entry_point"):
        raise TaskError(f"{where} has a prompt but no entry_point, the function that an answer may continue")
    return target


def _details(ran: Ran) -> dict[str, Any]:
    return {
        "ended": ran.ended,
        "seconds": round(ran.seconds, 3),
        "output": clipped(ran.output, 2000),
        "walls": list(ran.walls),
    }
