"""Programs in answers: how they are found, that nobody runs them unasked, and the references of two data sets."""

from __future__ import annotations

import gzip
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made import WAIT_S, begin, harness, reply, sample, task, told

from harness import catalog, config
from harness.errors import TaskError, UsageError
from harness.exchange import Completion
from harness.record.folder import open_run
from harness.run.scoring.scoring import Answered, scores
from harness.scorers import permission
from harness.scorers.code_execution import code_execution
from harness.scorers.python_code import code_of, defines, whole_program
from harness.scorers.sandbox.run import trouble
from harness.types import Sample, Score, Scorer, Task

DATA = Path(__file__).parents[2] / "shared" / "data"
CONTAINED = pytest.mark.skipif(trouble() is not None, reason=f"this machine cannot contain programs: {trouble()}")
SHARED = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not beside this checkout")
ADDS = {"tests": "assert add(1, 2) == 3", "entry_point": "add"}


@pytest.fixture
def allowed() -> Iterator[None]:
    """The user allows it."""
    with permission.code_allowed():
        yield


def judge(target: Any, text: str, scorer: Scorer | None = None) -> Score:
    """The score of one answer."""
    return (scorer or code_execution(seconds=2.0)).score(Sample("s", (), target), reply(text))


# --- where the code is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("    return 1", "    return 1"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Sure!\n\n```py\nx = 1\n```\nDone.", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("~~~python\nx = 1\n~~~", "x = 1\n"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
        ("```Python title=a.py\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1\n```\nthen\n```python\nx = 2\n```", "x = 2\n"),
        ("```python\nx = 1\n```\nrun it:\n```bash\npython a.py\n```", "x = 1\n"),
        ("```python\nx = 1\n```\nit prints\n```text\n1\n```", "x = 1\n"),
        ("```python\nx = 1", "x = 1"),
        ("1. So:\n   ```python\n   def f():\n       return 1\n   ```", "def f():\n    return 1\n"),
        ("```python\r\nx = 1\r\n```\r\n", "x = 1\r\n"),
        ("```bash\nls\n```", "```bash\nls\n```"),
        ("", ""),
        ("```", "```"),
    ],
)
def test_the_last_python_block_is_the_code(text: str, code: str) -> None:
    """Fences of any length and kind; an unfinished one reaches to the end; without any, all is code."""
    assert code_of(text) == code


def test_an_example_of_use_behind_the_function_is_not_taken_for_it() -> None:
    """The last block that defines what was asked for."""
    text = "```python\ndef add(a, b):\n    return a + b\n```\nUse it:\n```python\nprint(add(1, 2))\n```"
    assert code_of(text, "add").startswith("def add")
    assert code_of(text, "other").startswith("print")
    assert [defines(code, "f") for code in ("async def f(): 0", "f = 1", "class f: 0", "x.f = 1", " def f(): 0")] == [
        *(True, True, True, False, False)
    ]


PROMPT = 'from typing import List\n\ndef twice(x):\n    return 2 * x\n\ndef f(x: List[int]) -> int:\n    """Sum."""\n'


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("    return sum(x)", PROMPT + "    return sum(x)"),
        ("\n    return sum(x)\n", PROMPT + "\n    return sum(x)\n"),
        ("def f(x):\n    return 1\n", PROMPT[: PROMPT.index("def f")] + "\ndef f(x):\n    return 1\n"),
        (
            "from __future__ import annotations\ndef f(x): return 1",
            "from __future__ import annotations\n" + PROMPT[: PROMPT.index("def f")] + "\n\ndef f(x): return 1",
        ),
    ],
)
def test_a_completion_goes_on_and_a_whole_function_takes_the_place(code: str, whole: str) -> None:
    """What stands before the function in the prompt, imports and others, is kept for a whole function too."""
    assert whole_program(PROMPT, code, "f") == whole
    compile(whole, "", "exec")


@pytest.mark.parametrize(
    "piece", ["```", "```python\n", "`", "~~~\n", " ", "def f", "from __future__ import a\n", "\n"]
)
def test_a_model_in_a_loop_is_read_quickly(piece: str) -> None:
    """A hundred thousand characters of one piece are no quadratic work."""
    text = piece * (100_000 // len(piece))
    assert isinstance(whole_program(PROMPT, code_of(text, "f"), "f"), str)


# --- the scorer ------------------------------------------------------------------------------------------


@CONTAINED
@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("text", "value", "ended", "explanation"),
    [
        ("```python\ndef add(a, b): return a + b\n```", 1.0, "ok", "all tests passed"),
        ("def add(a, b): return a - b", 0.0, "assertion", "assertion: AssertionError: (line 1 of the tests)"),
        ("I cannot do that.", 0.0, "exception", "exception: SyntaxError: invalid syntax (<program>, line 1)"),
        ("def add(a, b):\n    while True: pass", 0.0, "timeout", "timeout: it was not done within 2 s"),
        ("def add(a, b): return bytearray(1 << 40)", 0.0, "memory", "memory: MemoryError: (line 1 of the program)"),
        ("import os; os._exit(0)", 0.0, "exception", "exception: it ended the interpreter before its tests were"),
    ],
)
def test_an_answer_is_right_when_its_tests_pass(text: str, value: float, ended: str, explanation: str) -> None:
    """Each end is named in the explanation and the details."""
    score = judge(ADDS, text)
    assert (score.value, score.details["ended"], score.fault) == (value, ended, "")
    assert score.explanation.startswith(explanation)
    json.dumps(dict(score.details))


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "target",
    [None, "assert 1", {}, {"tests": ""}, {"tests": 1}, {"tests": "x", "test": "x"}, {"tests": "x", "prompt": "x"}],
)
def test_a_malformed_target_is_the_tasks_mistake(target: Any) -> None:
    """One line that names the sample."""
    with pytest.raises(TaskError, match="sample s: the target of code_execution"):
        judge(target, "x = 1")


def test_nothing_is_run_unless_it_is_allowed(tmp_path: Path) -> None:
    """The permission is for a block, and nothing remembers it."""
    refused = "--allow-code-exec"
    with pytest.raises(UsageError, match=refused):
        judge(ADDS, "x = 1")
    if trouble() is None:
        with permission.code_allowed():
            assert judge(ADDS, "").explanation == "no code in the answer"
    with pytest.raises(UsageError, match=refused):
        judge(ADDS, "")


# --- the run ---------------------------------------------------------------------------------------------

PROVIDERS = """
providers:
  practice:
    kind: simulated
    serve: {engine: simulator, profile: "null"}
    models: {sim-small: sim-small}
"""
TASK = '''
"""Programs to be repeated."""
from harness.scorers.code_execution import code_execution
from harness.types import Sample, Task

PROGRAMS = ["def f(): return 1", "def f(): return 2"] * 4

def load(data):
    for number, program in enumerate(PROGRAMS):
        yield Sample(
            id=str(number),
            messages=({"role": "user", "content": "Repeat exactly: " + program},),
            target={"tests": "import time; time.sleep(%s); assert f() == 1", "entry_point": "f"},
            params={"max_tokens": 64},
        )

TASK = Task("programs", 1, "quality", "Programs.", load, code_execution(seconds=30.0))
'''
ASKED = ("eval", "programs", "-e", "practice/sim-small", "--json")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[float], Path]:
    """A working folder with a simulated endpoint and a task whose tests take so many seconds."""

    def made(seconds: float) -> Path:
        (tmp_path / "tasks" / "quality").mkdir(parents=True)
        (tmp_path / "tasks" / "quality" / "programs.py").write_text(TASK % seconds)
        (tmp_path / "providers.yaml").write_text(PROVIDERS)
        return tmp_path

    return made


@CONTAINED
def test_the_command_asks_for_permission_each_time(folder: Callable[[float], Path]) -> None:
    """Without the option nothing is sent and no run is made; scoring and resuming want it again."""
    here = folder(0)
    for refused in (ASKED, (*ASKED, "--dry-run")):
        told(harness(here, *refused), 2, "--allow-code-exec", "docs/code-execution.md")
    assert not (here / "results" / "runs").exists()
    done = harness(here, *ASKED, "--allow-code-exec")
    assert done.returncode == 0, done.stderr
    for command in ("score", "resume"):
        told(harness(here, command), 2, "--allow-code-exec")
        assert harness(here, command, "--allow-code-exec").returncode == 0
    run = open_run(here / "results", "latest")
    assert "allow" not in json.dumps(run.read_manifest())
    values = [json.loads(line)["value"] for line in run.scores_path.read_text().splitlines()]
    assert sorted(values) == [0.0] * 4 + [1.0] * 4


@CONTAINED
def test_ctrl_c_while_programs_run_leaves_a_run_that_can_be_scored(folder: Callable[[float], Path]) -> None:
    """The line that ends it names the command that takes up the judging, and that gives all scores."""
    here = folder(2)
    with begin(here, *ASKED, "--allow-code-exec") as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("sealing"):
                time.sleep(1.0)
                process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130
    said = [line for line in lines if line.startswith("harness: ")]
    run = open_run(here / "results", "latest")
    assert len(said) == 1, lines
    assert f"harness score {run.id}" in said[0]
    assert not run.scores_path.exists()
    assert run.read_manifest()["status"] == "finished"
    (here / "tasks" / "quality" / "programs.py").write_text(TASK % 0)  # another target, the same question
    assert harness(here, "score", "--allow-code-exec").returncode == 0
    assert run.scores_path.read_text().count("\n") == 8


def test_answers_are_judged_several_at_once_and_told_in_order() -> None:
    """A scorer that waits is called in threads; the scores come in the order of the answers, and progress is told."""
    under_way, most = 0, 0

    def slow(asked: Sample, answer: Completion) -> Score:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        time.sleep(0.02)
        under_way -= 1
        return Score(1.0, asked.id, "", "slow", 1)

    waiting = task("slow", [], scorer=Scorer("slow", 1, slow, waits=True))
    plain = task("plain", [], scorer=Scorer("slow", 1, slow))
    heard: list[tuple[int, int]] = []
    answers = [Answered((waiting, plain)[n % 2], sample(str(n)), [reply("x")]) for n in range(20)]
    judged = list(scores(answers, lambda done, of: heard.append((done, of))))
    assert [score.answer for score in judged] == [str(n) for n in range(20)]
    assert heard == [(n + 1, 20) for n in range(20)]
    assert most > 1 or len(os.sched_getaffinity(0)) == 1


def test_a_scorer_that_fails_in_a_thread_ends_the_judging() -> None:
    """With the task and the sample in its one line, and without judging what is left."""
    called: list[str] = []

    def bad(asked: Sample, answer: Completion) -> Score:
        called.append(asked.id)
        raise ValueError("of a scorer")

    failing = task("bad", [], scorer=Scorer("bad", 1, bad, waits=True))
    with pytest.raises(TaskError, match="scorer bad of task bad on sample 0: ValueError: of a scorer"):
        list(scores([Answered(failing, sample(str(n)), [reply("x")]) for n in range(1000)]))
    assert len(called) < 1000


# --- golden values ---------------------------------------------------------------------------------------


def shipped(name: str) -> Task:
    """A task as it is shipped."""
    return catalog.discover([config.shipped("tasks")]).task(name)


def judged(found: Task, answers: dict[str, str], data: Path) -> dict[str, Score]:
    """The scores of answers, by sample id, as a run judges them."""
    asked = [Answered(found, one, [reply(answers[one.id])]) for one in found.load(data) if one.id in answers]
    with permission.code_allowed():
        return {one.sample.id: score for one, score in zip(asked, scores(asked), strict=True)}


def humaneval() -> list[dict[str, Any]]:
    """The rows of HumanEval."""
    with gzip.open(DATA / "humaneval" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@CONTAINED
@SHARED
@pytest.mark.usefixtures("allowed")
def test_the_example_samples_of_humaneval_give_one_half() -> None:
    """Its README: three of the six pass, so pass@1 is 0.5."""
    folder = DATA / "humaneval"
    found = shipped("humaneval")
    (one,) = found.load(folder / "example_problem.jsonl")
    lines = (folder / "example_samples.jsonl").read_text().splitlines()
    values = [judge(one.target, json.loads(line)["completion"]).value for line in lines]
    assert values == [0, 0, 0, 1, 1, 1]


@CONTAINED
@SHARED
def test_every_reference_of_humaneval_passes() -> None:
    """All 164: half as completions, half as whole functions between fences, as a chat model writes them."""
    rows = humaneval()
    answers = {}
    for number, row in enumerate(rows):
        head = row["prompt"].rindex(f"def {row['entry_point']}")
        whole = f"Here it is:\n\n```python\n{row['prompt'][head:]}{row['canonical_solution']}```\n"
        answers[row["task_id"]] = whole if number % 2 else row["canonical_solution"]
    found = judged(shipped("humaneval"), answers, DATA / "humaneval" / "HumanEval.jsonl.gz")
    assert len(found) == 164
    assert {name: score.explanation for name, score in found.items() if score.value != 1.0} == {}


@CONTAINED
@SHARED
def test_no_empty_function_passes_humaneval() -> None:
    """A function that gives nothing fails the tests of each problem, of which every eighth is tried here."""
    answers = {row["task_id"]: "    pass\n" for row in humaneval()[::8]}
    found = judged(shipped("humaneval"), answers, DATA / "humaneval" / "HumanEval.jsonl.gz")
    assert len(found) == 21
    assert {score.value for score in found.values()} == {0.0}


SLOW = "123"
"""Its reference tries each number below 10,000 against each, some 8 s; this one does it in a few milliseconds."""
QUICKER = """
def amicable_numbers_sum(limit):
    sums = [0] * (limit + 1)
    for d in range(1, limit + 1):
        for multiple in range(2 * d, limit + 1, d):
            sums[multiple] += d
    return sum(n for n in range(2, limit + 1) if sums[n] != n and sums[n] <= limit and sums[sums[n]] == n)
"""


@CONTAINED
@SHARED
def test_every_reference_of_mbpp_passes() -> None:
    """All 500 of the test split, but for one reference that is too slow and has a quicker one in its place."""
    rows = [json.loads(line) for line in (DATA / "mbpp" / "mbpp.jsonl").read_text().splitlines()]
    answers = {str(row["task_id"]): f"```python\n{row['code']}\n```" for row in rows} | {SLOW: QUICKER}
    found = judged(shipped("mbpp"), answers, DATA / "mbpp" / "mbpp.jsonl")
    assert [int(name) for name in found] == list(range(11, 511))
    assert {name: score.explanation for name, score in found.items() if score.value != 1.0} == {}


@CONTAINED
@SHARED
def test_the_checked_half_of_mbpp_is_read_too() -> None:
    """257 of its 427 rows are in the test split; every tenth reference is run."""
    path = DATA / "mbpp" / "sanitized-mbpp.json"
    found = shipped("mbpp")
    asked = list(found.load(path))
    assert len(asked) == 257
    rows = {str(row["task_id"]): row["code"] for row in json.loads(path.read_text())}
    some = judged(found, {one.id: rows[one.id] for one in asked[::10] if one.id != SLOW}, path)
    assert {name: score.explanation for name, score in some.items() if score.value != 1.0} == {}


@SHARED
@pytest.mark.parametrize(
    ("name", "file", "n", "first"),
    [
        ("humaneval", "humaneval/HumanEval.jsonl.gz", 164, "has_close_elements"),
        ("mbpp", "mbpp/mbpp.jsonl", 500, "remove_Occ"),
    ],
)
def test_code_tasks_name_the_function_that_is_asked_for(name: str, file: str, n: int, first: str) -> None:
    """Every sample knows its function, so that an example of use in an answer is not taken for it."""
    found = list(shipped(name).load(DATA / file))
    assert len(found) == n
    assert found[0].target["entry_point"] == first
    assert all(one.target["entry_point"] for one in found)
    assert all("```python" in one.messages[0]["content"] for one in found)


def test_a_row_of_mbpp_without_a_question_is_refused(tmp_path: Path) -> None:
    """Neither ``text`` nor ``prompt``: the line names the task id."""
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"task_id": 12, "code": "def f(): 1", "test_list": ["assert f()"]}) + "\n")
    with pytest.raises(TaskError, match="task_id 12"):
        list(shipped("mbpp").load(path))
