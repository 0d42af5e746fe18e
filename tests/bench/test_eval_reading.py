"""What the benchmark of evaluation tools reads: recorded results of each, and the figures drawn from them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import table
from environments import NotHereError
from evaltools import LEFT, EvalTool, EvalWork, Scored, evalscope, inspect_ai, lm_eval, loops, ours, promptfoo
from evalworks import SHEET, WORKS, figures, questions, quick
from truth import Truth

SAMPLES = Path(__file__).with_name("samples") / "evals"
ROW = '{"question": "How many are %d and 1?", "answer": "One more.\\n#### %s"}\n'


@pytest.mark.parametrize(
    ("tool", "sample", "place", "scored"),
    [
        (loops.AIOHTTP, "loop.jsonl", "scores.jsonl", Scored(2, 1)),
        (inspect_ai.TOOL, "inspect.eval", "logs/1_questions_x.eval", Scored(2, 2)),
        (lm_eval.TOOL, "lm-eval.jsonl", "out/truth/samples_questions_1.jsonl", Scored(2, 0)),
        (promptfoo.TOOL, "promptfoo.json", "out.json", Scored(3, 1)),
        (evalscope.TOOL, "evalscope.jsonl", "out/reviews/truth/gsm8k_main.jsonl", Scored(4, 0)),
    ],
    ids=lambda value: value.name if isinstance(value, EvalTool) else None,
)
def test_results_of_peers_are_read(tmp_path: Path, tool: EvalTool, sample: str, place: str, scored: Scored) -> None:
    """Samples with a score and samples named as failed are those of the recorded run; a run that left none is told."""
    with pytest.raises(NotHereError):
        tool.read(tmp_path)
    target = tmp_path / LEFT / place
    target.parent.mkdir(parents=True)
    shutil.copy(SAMPLES / sample, target)
    assert tool.read(tmp_path) == scored


def test_ours_is_read(tmp_path: Path) -> None:
    """A sample failed when its last attempt did; a score without a value is none, and its sample is told as failed."""
    run = tmp_path / LEFT / "runs" / "1"
    run.mkdir(parents=True)
    attempts = [("a", 0, None), ("b", 1, None), ("b", 0, "http_500"), ("c", 0, "empty"), ("d", 0, None)]
    pq.write_table(
        pa.table(dict(zip(("job_id", "number", "failure_kind"), zip(*attempts, strict=True), strict=True))),
        run / "attempts.parquet",
    )
    pq.write_table(pa.table({"value": [0.0, 1.0, None]}), run / "scores.parquet")
    assert ours.TOOL.read(tmp_path) == Scored(2, 2)


def test_questions_are_the_same_for_all_and_repeated(tmp_path: Path) -> None:
    """Five questions of three rows: the first comes again, with the prompt of the shipped task and an id of its own."""
    data = tmp_path / "test.jsonl"
    data.write_text("".join(ROW % (number, f"1,00{number}") for number in range(3)))
    asked = questions(EvalWork("five", 5), data, tmp_path)
    assert len(asked.source.read_text().splitlines()) == 5
    assert [each.target for each in asked.each] == ["1000", "1001", "1002", "1000", "1001"]
    assert len({each.id for each in asked.each}) == 5
    assert asked.each[0].prompt == asked.each[3].prompt
    assert asked.each[0].prompt.endswith("Problem: How many are 0 and 1?")
    with pytest.raises(NotHereError, match="--data"):
        questions(EvalWork("five", 5), tmp_path / "none", tmp_path)


@pytest.mark.parametrize(
    ("scored", "lost_silent_wrongly"),
    [
        (Scored(3, 1), (1, 0, 0)),  # told apart
        (Scored(4, 0), (0, 0, 1)),  # an answer that never came whole has a score
        (Scored(2, 0), (2, 2, 0)),  # left out without a word
    ],
)
def test_damage_is_counted(tmp_path: Path, scored: Scored, lost_silent_wrongly: tuple[int, int, int]) -> None:
    """Of four answers one was empty: what was lost, lost without a word, and scored with nothing behind it."""
    drawn = figures(EvalWork("empty", 4, faults={"empty": 25}), _truth(["", "", "empty", ""]), scored, _SPENT, tmp_path)
    assert (drawn["n_lost"], drawn["n_silent"], drawn["n_wrongly"]) == lost_silent_wrongly
    assert drawn["n_seen"] == 4


def test_what_is_kept_on_disk_is_all_that_the_tool_left(tmp_path: Path) -> None:
    """Every file in its folder counts, none beside it."""
    (tmp_path / LEFT / "deep").mkdir(parents=True)
    (tmp_path / LEFT / "deep" / "log").write_bytes(bytes(1_500_000))
    (tmp_path / "truth.log").write_bytes(bytes(1_000_000))
    assert figures(WORKS[0], _truth([""] * 10), Scored(10, 0), _SPENT, tmp_path)["left_mb"] == 1.5


def test_the_table_of_evaluations(tmp_path: Path) -> None:
    """CPU of a question is net of the tool's start, a tool that scored nothing has none, and options are named."""
    works = {work.name: work for work in WORKS}
    runs: list[dict[str, Any]] = []
    for name, scored, cpu_s in (
        ("start", 10, 1.0),
        ("clean", 1000, 3.0),
        ("faults", 0, 3.0),
        ("faults, stubborn", 900, 3),
    ):
        work = works[name]
        drawn = figures(work, _truth([""] * work.requests), Scored(scored, 0), _SPENT | {"cpu_s": cpu_s}, tmp_path)
        runs.append({"tool": "lm-eval", "work": name, "requests": work.requests, "figures": drawn})
    on = table.machine() | {"server": "made"}
    text = table.render(
        {"machine": on, "repeats": 1, "quick": False, "absent": {"promptfoo": "needs npm"}, "runs": runs},
        [lm_eval.TOOL, promptfoo.TOOL],
        SHEET,
    )
    assert "| | | lm-eval 0.4.13, 1 run |" in text
    assert "CPU beyond its start, ms a question | 2 |" in text
    assert "lost and not told as failed | 1,000 |" in text
    assert "- promptfoo: needs npm" in text
    assert "- lm-eval is told to try again by max_retries=10." in text


def test_a_quick_work_still_says_what_it_is() -> None:
    """A tenth of the questions, and never fewer than ten, under the same name with the same faults."""
    assert [quick(work).requests for work in WORKS] == [10, 100, 100, 100, 100, 1000, 10_000]
    assert all((quick(work).name, quick(work).faults) == (work.name, work.faults) for work in WORKS)


_SPENT = {"wall_s": 2.0, "cpu_s": 1.0, "peak_pss_mb": 50.0, "peak_rss_mb": 60.0, "code": 0}


def _truth(fault: list[str]) -> Truth:
    at = np.arange(len(fault)) * 1_000_000
    return Truth(at, at + 10, at + 20, np.full(len(fault), 16), fault, [])
