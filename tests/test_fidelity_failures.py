"""What counts as a request without an answer where vendors are verified."""

from __future__ import annotations

from pathlib import Path

import pytest
from published import attempt, make_run

from harness.report.fidelity.answers import Answers, Asked, asked_in
from harness.report.fidelity.failures import failures
from harness.report.fidelity.prompts import TASK
from harness.store.index import publish

OTHERS = {("arithmetic", str(n)): Asked(2, 0, None, None) for n in range(200)}
FINE = Asked(2, 0, None, None)
LOST = Asked(2, 2, "http_5xx", "lost")
PICTURES = [(TASK, f"image_{n}") for n in range(3)]


def found(
    reference: dict[tuple[str, str], Asked], candidate: dict[tuple[str, str], Asked]
) -> tuple[str, int, float | None]:
    """Word, questions and gap of a candidate that was asked these beside 200 that both answered."""
    asked = {"r/m": OTHERS | reference, "c/m": OTHERS | candidate}
    one = failures(Answers("r/m", ("c/m",), {}, asked), "c/m")
    return one.word(1.0), one.n, one.value


def test_a_lost_question_counts_at_either_side() -> None:
    """What one side alone lost moves the gap, each by its share; a twentieth more is worse."""
    question = ("arithmetic", "lost")
    assert found({question: FINE}, {question: LOST}) == ("not worse", 201, -1 / 201)
    assert found({question: LOST}, {question: FINE}) == ("not worse", 201, 1 / 201)
    many = [("arithmetic", f"lost {n}") for n in range(60)]
    assert found(dict.fromkeys(many, FINE), dict.fromkeys(many, LOST))[0] == "worse"


def test_pictures_say_nothing_where_the_reference_refuses_all() -> None:
    """Its refusals do not make a candidate look better that loses something else."""
    tools = (TASK, "tool_result")
    lost = {tools: LOST} | dict.fromkeys(PICTURES, LOST)
    assert found({tools: FINE} | dict.fromkeys(PICTURES, LOST), lost) == ("not worse", 201, -1 / 201)


@pytest.mark.parametrize("kind", [None, "timeout", "http_429"])
def test_pictures_count_where_the_reference_does_not_refuse_all(kind: str | None) -> None:
    """What is no refusal says nothing of eyes: a candidate that refuses has that against it."""
    first = FINE if kind is None else Asked(2, 2, kind, "busy")
    seen = {PICTURES[0]: first} | dict.fromkeys(PICTURES[1:], FINE)
    assert found(seen, dict.fromkeys(PICTURES, LOST))[1] == 203


def test_half_a_letter_is_no_failure(tmp_path: Path) -> None:
    """An empty answer of one token whose prompt was counted is fine; not counted, or of another task, it is lost."""
    rows = [
        attempt(f"{name}", endpoint="r/m", kind="quality", stage=f"quality.{task}", task=task, sample=name)
        | {"failure_kind": "empty", "prompt_tokens": counted}
        for task, name, counted in ((TASK, "emoji", 9), (TASK, "nothing", None), ("arithmetic", "1", 9))
    ]
    run = make_run(tmp_path, "half", attempts=rows)
    publish(tmp_path)
    asked = asked_in(tmp_path, run)["r/m", 0]
    assert {name: one.failed for name, one in asked.items()} == {
        (TASK, "emoji"): 0,
        (TASK, "nothing"): 1,
        ("arithmetic", "1"): 1,
    }
