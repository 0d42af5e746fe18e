"""Equal expressions are right however they are written, and no expression can hang the judging."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import reply

from harness import catalog, config
from harness.errors import CannotMeasure, TaskError
from harness.scorers.extra import need
from harness.scorers.math_equivalence import math_equivalence, stated
from harness.scorers.sympy_worker import Worker
from harness.types import Sample, Score, Scorer

DATA = Path(__file__).parents[2] / "shared" / "data" / "math500" / "test.jsonl"
SHARED = pytest.mark.skipif(not DATA.is_file(), reason="the shared data sets are not beside this checkout")
pytest.importorskip("math_verify", reason="the extra scorers is not installed")


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """One scorer, and so one process, for the whole file; generous, for the machine may be busy."""
    return math_equivalence(seconds=30.0)


def judge(scorer: Scorer, target: Any, text: str) -> Score:
    """The score of one answer."""
    return scorer.score(Sample("s", (), target), reply(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"So \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1} or rather \boxed{2}", "2"),
        (r"\boxed{\text{a {b} c}}", r"\text{a {b} c}"),
        (r"\fbox{3}", "3"),
        (r"\boxed 5", "5"),
        (r"\boxed{$5$}", "5"),
        (r"\boxed{5", "5"),
        ("The answer is $x^2$.", "x^2"),
        ("**Answer:** 7\nThat was easy.", "7"),
        (r"The final answer is: \[ 12 \]", "12"),
        ("The answer is\n\n42", "42"),
        ("First 3.\nThen\n$$5$$", "5"),
        ("**5**", "5"),
        ("3/4", "3/4"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_where_the_expression_is_read(text: str, found: str) -> None:
    """The last box, else behind the last "answer is", else the last line; without its delimiters."""
    assert stated(text) == found


EQUAL = [
    (r"\frac{3}{4}", "0.75"),
    (r"\frac{3}{4}", r"\dfrac34"),
    (r"\frac{3}{4}", "3/4"),
    (r"\left( 3, \frac{\pi}{2} \right)", "(3, pi/2)"),
    ("5", "x = 5"),
    ("5", r"5\text{ cm}"),
    ("1000", "1,000"),
    ("75", r"75\%"),
    ("10", r"\$10"),
    (r"90^\circ", "90"),
    (r"\sqrt{2}", "sqrt(2)"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    ("p - q", "-q + p"),
    ("x^2+2x+1", "(x+1)^2"),
    ("1,-2", "-2, 1"),
    (r"\text{(C)}", "C"),
    (r"\text{Evelyn}", "Evelyn"),
    (r"\begin{pmatrix}1&0\\0&1\end{pmatrix}", r"\begin{bmatrix}1&0\\0&1\end{bmatrix}"),
    (5, "5.0"),
    (0.5, r"\frac12"),
]
DIFFERENT = [
    ("2", "3"),
    (r"\frac{3}{4}", r"\frac{4}{3}"),
    ("5", "-5"),
    ("(1, 2)", "(2, 1)"),
    ("x+1", "x-1"),
    ("[0,1)", "(0,1]"),
    (r"\text{Evelyn}", "Angela"),
    ("12", "1 + 2"),
    ("3", "9**9**9"),
    ("3", "y" * 2000),
]


@pytest.mark.parametrize(
    ("gold", "answer", "value"), [(*one, 1.0) for one in EQUAL] + [(*one, 0.0) for one in DIFFERENT]
)
def test_equal_expressions_are_right(scorer: Scorer, gold: Any, answer: str, value: float) -> None:
    """By value and not by look; different ones are wrong and not undecided."""
    score = judge(scorer, gold, rf"Thus \boxed{{{answer}}}.")
    assert (score.value, score.fault) == (value, ""), score


@pytest.mark.parametrize("answer", [r"9^{9^{9^9}}", r"\binom{10^9}{5 \cdot 10^8}", "999999999!"])
def test_what_cannot_be_decided_in_time_is_neither_right_nor_wrong(answer: str) -> None:
    """The fault is named, and the next answer is judged by a new process."""
    quick = math_equivalence(seconds=2.0)
    score = judge(quick, "3", rf"\boxed{{{answer}}}")
    assert (score.value, score.fault) == (None, "math_undecided"), score
    assert score.explanation == "could not be decided in 2 s, expected 3"
    assert judge(math_equivalence(seconds=30.0), "3", r"\boxed{\frac{6}{2}}").value == 1.0


def test_a_killed_process_is_replaced() -> None:
    """Whatever ended it: the question that met its end is undecided, the next one is not."""
    worker = Worker(30.0)
    assert worker.equal("2", "4/2") is True
    process = worker._process
    assert process is not None
    process.kill()
    process.wait()
    assert worker.equal("2", "4/2") is None
    assert worker.equal("2", "4/2") is True
    worker.close()
    assert worker.equal("2", "5/2") is False
    worker.close()


def test_threads_share_one_process_and_get_their_own_answers(scorer: Scorer) -> None:
    """The limits rest on no signal, so any thread may ask."""
    values: dict[int, float | None] = {}

    def ask(number: int) -> None:
        values[number] = judge(scorer, str(number % 3), rf"\boxed{{{number}}}").value

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == {number: float(number % 3 == number) for number in range(12)}


@pytest.mark.parametrize("target", [None, "", "  ", True, ["1"], {"a": 1}])
def test_a_target_that_is_no_expression_is_the_tasks_mistake(scorer: Scorer, target: Any) -> None:
    """One line that names the sample."""
    with pytest.raises(TaskError, match="sample s: the target"):
        judge(scorer, target, "1")


def test_without_math_verify_one_line_says_what_to_install(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent, for an empty answer asks for it too."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    need.cache_clear()
    with pytest.raises(CannotMeasure, match=r"needs math-verify.*pip install"):
        judge(scorer, "1", "")
    need.cache_clear()


def test_sympy_is_imported_in_the_child_alone() -> None:
    """The process that judges stays small and quick to start, and an equal text needs no child at all."""
    script = """
        import sys
        from harness.exchange import Completion, StreamMarks
        from harness.scorers.math_equivalence import math_equivalence
        from harness.types import Sample
        def value(text):
            answer = Completion(text, "", "", (), "stop", None, StreamMarks())
            return math_equivalence().score(Sample("s", (), "1/2"), answer).value
        print(value(r"\\boxed{ 1 / 2 }"), "subprocess" in sys.modules and sys.modules["subprocess"]._active)
        print(value("0.5"), [name for name in sys.modules if name.startswith(("sympy", "math_verify"))])
    """
    lines = [line.removeprefix("        ") for line in script.splitlines()]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout == "1.0 []\n1.0 []\n"


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=40) | st.text("\\{}$^_&()[]frac12sqrtboxed ,.", max_size=40))
def test_no_text_makes_it_raise(scorer: Scorer, text: str) -> None:
    """Right, wrong or undecided, whatever a model wrote."""
    assert judge(scorer, "x^2", rf"\boxed{{{text}}}").value in (0.0, 1.0, None)


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "answer is ", "{", "$", "\\[", "}", " ", "\n", "\\boxed", "sqrt(", "\\,"]
)
def test_a_model_in_a_loop_is_read_quickly(scorer: Scorer, piece: str) -> None:
    """A hundred thousand characters of one piece are no quadratic work."""
    assert judge(scorer, "x^2", piece * (100_000 // len(piece))).value in (0.0, 1.0, None)


# --- golden values ---------------------------------------------------------------------------------------


def rows() -> list[dict[str, Any]]:
    """The rows of MATH-500."""
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


@SHARED
def test_every_answer_of_math500_is_the_last_box_of_its_solution(scorer: Scorer) -> None:
    """500 of 500, judged as if a model had written the worked solution."""
    task = catalog.discover([config.shipped("tasks")]).task("math500")
    samples = list(task.load(DATA))
    solutions = {row["unique_id"]: row["solution"] for row in rows()}
    assert len(samples) == len(solutions) == 500
    found = {one.id: judge(scorer, one.target, solutions[one.id]) for one in samples}
    assert {name: score for name, score in found.items() if score.value != 1.0} == {}


@SHARED
def test_math_verify_alone_agrees_with_every_answer() -> None:
    """Without the comparison of texts too: 500 of 500 expressions equal themselves."""
    worker = Worker(30.0)
    assert [row["unique_id"] for row in rows() if not worker.equal(row["answer"], row["answer"])] == []
    worker.close()


@SHARED
def test_the_answer_to_the_next_problem_is_wrong(scorer: Scorer) -> None:
    """Of the 497 neighbours that differ as texts, just one pair is equal: 5, and x=5."""
    answers = [row["answer"] for row in rows()]
    pairs = [(one, other) for one, other in itertools.pairwise(answers) if one != other]
    equal = [pair for pair in pairs if judge(scorer, pair[0], rf"\boxed{{{pair[1]}}}").value != 0.0]
    assert equal == [("5", "x=5")]
    assert len(pairs) == 497
