"""What counts as a request without an answer where vendors are verified."""

from __future__ import annotations

from harness.report.fidelity.answers import Answers, Asked
from harness.report.fidelity.failures import failures
from harness.report.fidelity.prompts import TASK

OTHERS = {("arithmetic", str(n)): Asked(2, 0, None, None) for n in range(40)}
LOST = Asked(2, 2, "http_5xx", "lost")
HALF_A_LETTER = Asked(2, 2, "empty", "half")


def found(
    reference: dict[tuple[str, str], Asked], candidate: dict[tuple[str, str], Asked]
) -> tuple[str, int, float | None]:
    """Word, questions and gap of a candidate that was asked these beside forty that both answered."""
    asked = {"r/m": OTHERS | reference, "c/m": OTHERS | candidate}
    one = failures(Answers("r/m", ("c/m",), {}, asked), "c/m")
    return one.word(1.0), one.n, one.value


def test_a_lost_question_counts_at_either_side() -> None:
    """What one side alone lost moves the gap, each by its share."""
    question = ("arithmetic", "lost")
    assert found({question: Asked(2, 0, None, None)}, {question: LOST})[1:] == (41, -1 / 41)
    assert found({question: LOST}, {question: Asked(2, 0, None, None)})[1:] == (41, 1 / 41)


def test_pictures_say_nothing_where_the_reference_takes_none() -> None:
    """Its refusals do not make a candidate look better that loses something else."""
    pictures = {(TASK, f"image_{n}"): LOST for n in range(3)}
    tools = {(TASK, "tool_result"): Asked(2, 0, None, None)}
    assert found(pictures | tools, pictures | {(TASK, "tool_result"): LOST})[1:] == (41, -1 / 41)


def test_pictures_count_where_the_reference_takes_them() -> None:
    """A candidate that refuses what the reference answers has that against it."""
    seen = {(TASK, f"image_{n}"): Asked(2, 0, None, None) for n in range(3)}
    assert found(seen, dict.fromkeys(seen, LOST))[1:] == (43, -3 / 43)


def test_half_a_letter_is_no_failure() -> None:
    """An empty answer of one token had its prompt counted; elsewhere an empty answer is one that is lost."""
    assert found({(TASK, "emoji"): HALF_A_LETTER}, {(TASK, "emoji"): Asked(2, 0, None, None)})[1:] == (41, 0.0)
    other = ("arithmetic", "lost")
    assert found({other: Asked(2, 0, None, None)}, {other: HALF_A_LETTER})[1:] == (41, -1 / 41)
