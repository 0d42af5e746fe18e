"""Coverage, repeats, clusters, families and ranks in the report, on runs whose numbers can be worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from published import attempt, make_run, manifest, score
from test_report import endpoint, shown

from harness.cli import cli
from harness.report import words
from harness.report.summary.figures import summarise
from harness.store.index import publish
from harness.store.query import rows
from harness.types import JsonObject

Answer = float | str | None
"""A score; ``"!kind"``: a failure; another text: the fault of an answer that cannot be judged; None: never asked."""


def answered(
    results: Path,
    given: Mapping[str, Mapping[str, Sequence[Sequence[Answer]]]],
    *,
    repeats: int = 1,
    clusters: Sequence[str] | None = None,
    hashes: Mapping[str, str] | None = None,
    **about: Any,
) -> str:
    """A published run: endpoint -> task -> question -> what came of each time it was asked."""
    made, scores = [], []
    for name, tasks in given.items():
        for task, questions in tasks.items():
            for at, tries in enumerate(questions):
                for repeat, answer in enumerate(tries):
                    if answer is None:
                        continue
                    job = f"quality.{task}/{name}/q{at}/{repeat}"
                    place = {"endpoint": name, "task": task, "sample": f"q{at}", "repeat": repeat}
                    row = attempt(job, ms={"send0": 0, "eof": 9}, kind="quality", stage=f"quality.{task}", **place)
                    row["workload_sha256"] = (hashes or {}).get(name, "00")
                    failure = answer[1:] if isinstance(answer, str) and answer.startswith("!") else None
                    made.append(row | {"failure_kind": failure, "failure_detail": failure})
                    if failure is None:
                        value, fault = (None, answer) if isinstance(answer, str) else (answer, None)
                        cluster = clusters[at] if clusters else None
                        scores.append(score(job, 0.0, **place) | {"value": value, "fault": fault, "cluster": cluster})
    run = make_run(results, attempts=made, scores=scores)
    names = list(given)
    sizes = {task: len(questions) for tasks in given.values() for task, questions in tasks.items()}
    tasks = [{"name": task, "version": 1, "kind": "quality", "n": n} for task, n in sizes.items()]
    selection = {"selection": {"repeats": repeats}}
    run.write_manifest(manifest(run, endpoints=[endpoint(n) for n in names], tasks=tasks, loads=[]) | selection | about)
    publish(results)
    return run.id


def once(*answers: Answer) -> list[list[Answer]]:
    """Questions that were asked once."""
    return [[answer] for answer in answers]


def test_every_answer_that_is_missing_has_its_name(tmp_path: Path) -> None:
    """Of 12 planned: 5 scored, 3 failed of two kinds, 2 invalid, 1 cancelled, 1 never sent; both denominators stand."""
    came = once(1, 1, 1, 0, 0, "!http_5xx", "!http_5xx", "!empty", "leaked_markup", "unscorable", "!cancelled", None)
    run = answered(tmp_path, {"a/m": {"sums": came}})
    (task,) = summarise(tmp_path, run)["tasks"]
    counts = {name: task[name] for name in ("n_planned", "n_asked", "n_scored", "n_failed", "n_invalid", "n_not_asked")}
    assert list(counts.values()) == [12, 10, 5, 3, 2, 2]
    assert task["failed"] == {"http_5xx": 2, "empty": 1}
    assert task["invalid"] == {"leaked_markup": 1, "unscorable": 1}
    assert (task["coverage"], task["enough"], task["mean"]) == (0.5, False, None)
    assert (task["mean_of_scored"], task["mean_of_asked"], task["at_most"]) == (0.6, 0.3, 0.8)
    assert words.score(task) == "coverage 50 %: between 30 and 80 %"
    text = shown(summarise(tmp_path, run))
    assert "http_5xx 2, empty 1" in text
    assert "No score stands where under 95 %" in text


@pytest.mark.parametrize(("failed", "said"), [(1, "100 % [83–100] n=19 of 20"), (2, "coverage 90 %: between 90 and")])
def test_the_floor_is_19_of_20(tmp_path: Path, failed: int, said: str) -> None:
    """At 95 % coverage the mean of what was scored is the result, with both counts; below it is not."""
    run = answered(tmp_path, {"a/m": {"sums": once(*[1.0] * (20 - failed), *["!throttled"] * failed)}})
    (row,) = summarise(tmp_path, run)["endpoints"]
    assert words.score(row["quality"]).startswith(said)


def test_an_answer_that_no_scorer_saw_is_not_left_out(tmp_path: Path) -> None:
    """With a damaged file of scores every answer is asked and not judged, and nothing is said of quality."""
    run = answered(tmp_path, {"a/m": {"sums": once(1, 0)}})
    (tmp_path / "runs" / run / "scores.parquet").write_bytes(b"no parquet")
    publish(tmp_path)
    (task,) = summarise(tmp_path, run)["tasks"]
    assert (task["n_asked"], task["n_not_judged"], task["coverage"], task["mean"]) == (2, 2, 0.0, None)
    assert words.unjudged(task) == {"not judged": 2}


def test_fractional_scores_have_the_interval_of_a_mean(tmp_path: Path) -> None:
    """0, 0.5, 0.5, 1: mean 0.5, SE 0.2041, Student's bounds with 3 df; the share exactly right has Wilson's beside."""
    run = answered(tmp_path, {"a/m": {"sums": once(0, 0.5, 0.5, 1)}})
    (task,) = summarise(tmp_path, run)["tasks"]
    assert (task["mean"], task["method"], task["binary"]) == (0.5, "Student", False)
    assert task["standard_error"] == pytest.approx(0.204124, abs=1e-6)
    assert (task["low"], task["high"]) == (0.0, 1.0)
    assert [round(each, 4) for each in task["right"].values()] == [0.25, 0.0456, 0.6994]
    assert words.score(task) == "0.50 [0.00–1.00] n=4"


def test_questions_of_one_cluster_are_no_independent_proof(tmp_path: Path) -> None:
    """Forty answers of twenty passages, alike within each, have the interval of twenty."""
    same = [float(i // 2 % 3 == 0) for i in range(40)]
    passages = [f"p{i // 2}" for i in range(40)]
    together = answered(tmp_path / "a", {"a/m": {"sums": once(*same)}}, clusters=passages)
    alone = answered(tmp_path / "b", {"a/m": {"sums": once(*same[::2])}})
    (task,), (half,) = (summarise(tmp_path / at, run)["tasks"] for at, run in (("a", together), ("b", alone)))
    assert (task["clusters"], task["method"], task["n"]) == (20, "clustered", 40)
    assert task["standard_error"] == pytest.approx(half["standard_error"])


THRICE = [[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_repeats_show_luck(tmp_path: Path) -> None:
    """Of 3, 2, 1 and 0 right in three tries: pass@1 1/2, pass@3 3/4, pass^3 1/4, over four questions."""
    run = answered(tmp_path, {"a/m": {"sums": THRICE}}, repeats=3)
    (task,) = summarise(tmp_path, run)["tasks"]
    found = task["repeats"]
    assert [each["mean"] for each in found["pass_at"]] == pytest.approx([1 / 2, 2 / 3, 3 / 4])
    assert [each["mean"] for each in found["pass_hat"]] == pytest.approx([1 / 2, 1 / 3, 1 / 4])
    assert {each["n"] for each in found["pass_at"]} == {4}
    assert (task["n"], task["n_scored"], task["method"]) == (4, 12, "Student")
    # Within: (0 + 1/3 + 1/3 + 0) / 4; the means' variance is 5/27, less a third of that.
    assert found["variance"] == {"between": pytest.approx(5 / 27 - 1 / 18), "within": pytest.approx(1 / 6)}
    assert words.score(task).endswith("n=4×3")
    assert words.tries(found["pass_hat"][-1]) == "25 % [5–70] n=4"
    assert "pass^3" in shown(summarise(tmp_path, run))


def test_a_question_with_a_failed_try_leaves_pass_k_its_bounds(tmp_path: Path) -> None:
    """One of four questions lacks a try: pass^3 of the other three is no result; at least 1/4, at most 2/4 is."""
    run = answered(tmp_path, {"a/m": {"sums": [[1, 1, "!empty"], *THRICE[::3], [1, 0, 0]]}}, repeats=3)
    (task,) = summarise(tmp_path, run)["tasks"]
    last = task["repeats"]["pass_hat"][-1]
    assert (last["mean"], last["n"], last["questions"], last["at_least"], last["at_most"]) == (None, 3, 4, 0.25, 0.5)
    assert words.tries(last) == "between 25 and 50 %"


def test_a_question_counts_once_however_often_it_was_asked(tmp_path: Path) -> None:
    """Comparisons of repeats are over questions' means: 4 of them, not 12 answers, with their luck split off."""
    other = [[1, 1, 1], [1, 1, 1], [1, 1, 0], [0, 0, 1]]
    run = answered(tmp_path, {"a/m": {"sums": THRICE}, "b/m": {"sums": other}}, repeats=3)
    (found,) = summarise(tmp_path, run)["comparisons"]
    assert (found["n"], found["value"]) == (4, pytest.approx(0.25))
    assert (found["test"], found["method"]) == ("sign flips", "Student")
    assert (found["p_value"], words.flips(found)) == (pytest.approx(2 / 8), "+3 −0")
    # Four differences of variance 0.0463 are less than the luck of both sides, (1/6 + 1/6) / 3: none is between them.
    assert found["variance"]["between"] == 0.0
    assert found["variance"]["mde_of_twice_the_questions"] == pytest.approx((2.3646 + 0.896) / 72**0.5, abs=1e-4)
    assert found["variance"]["mde_of_twice_the_repeats"] == pytest.approx((3.1824 + 0.9785) / 72**0.5, abs=1e-4)
    assert found["variance"]["within"] == [pytest.approx(1 / 6), pytest.approx(1 / 6)]
    assert (found["seed"], len(found["bootstrap"])) == (0, 2)


def test_unequal_questions_are_not_compared(tmp_path: Path) -> None:
    """Where the bytes that were sent differ there is nothing to pair."""
    tasks = {"sums": once(1, 0, 1)}
    run = answered(tmp_path, {"a/m": tasks, "b/m": tasks}, hashes={"b/m": "11"})
    assert summarise(tmp_path, run)["comparisons"] == []


def family(results: Path) -> JsonObject:
    """Three endpoints on two tasks of 40: a is right always, b half the time, c a quarter."""
    half, quarter = [float(i % 2) for i in range(40)], [float(i % 4 == 3) for i in range(40)]
    given = {"a/m": [1.0] * 40, "b/m": half, "c/m": quarter}
    run = answered(results, {name: {task: once(*row) for task in ("sums", "words")} for name, row in given.items()})
    return summarise(results, run)


def test_all_pairs_are_one_family(tmp_path: Path) -> None:
    """Three pairs, each of both tasks together and alone, are nine p-values, adjusted as one."""
    summary = family(tmp_path)
    found = summary["comparisons"] + summary["other_pairs"]
    assert (len(summary["comparisons"]), len(summary["other_pairs"]), summary["family"]) == (6, 3, 9)
    assert {(row["baseline"], row["endpoint"]) for row in summary["other_pairs"]} == {("b/m", "c/m")}
    assert all(row["p_adjusted"] >= row["p_value"] for row in found)
    assert max(row["p_adjusted"] for row in found) == max(row["p_value"] for row in found)
    assert [words.metric(row) for row in summary["other_pairs"]] == ["quality", "quality: sums", "quality: words"]
    text = shown(summary)
    assert "adjusted for 9 comparisons (Benjamini-Hochberg)" in text
    assert "quality: words" in text


def test_ranks_are_ranges(tmp_path: Path) -> None:
    """Where all three are told apart each has its rank; equal endpoints share all of them."""
    summary = family(tmp_path / "apart")
    assert [words.rank(row["quality"]) for row in summary["endpoints"]] == ["1 of 3", "2 of 3", "3 of 3"]
    same = {"sums": once(1, 0, 1, 0)}
    run = answered(tmp_path / "same", {"a/m": same, "b/m": same, "c/m": same})
    summary = summarise(tmp_path / "same", run)
    assert [words.rank(row["quality"]) for row in summary["endpoints"]] == ["1–3 of 3"] * 3
    assert "1–3 of 3" in shown(summary)


def test_flips_are_named_up_to_twenty_each_way(tmp_path: Path) -> None:
    """Of 30 lost and 2 won questions 20 and 2 are named."""
    before, after = [1.0] * 30 + [0.0] * 2, [0.0] * 30 + [1.0] * 2
    run = answered(tmp_path, {"a/m": {"sums": once(*before)}, "b/m": {"sums": once(*after)}})
    (found,) = summarise(tmp_path, run)["comparisons"]
    assert (found["baseline_ahead"], len(found["baseline_ahead_on"])) == (30, 20)
    assert (found["endpoint_ahead"], found["endpoint_ahead_on"]) == (2, ["sums/q30", "sums/q31"])


@pytest.mark.parametrize(("margin", "word"), [(None, "unclear"), ("10", "not worse"), ("1", "inconclusive")])
def test_a_margin_changes_what_is_asked(tmp_path: Path, margin: str | None, word: str) -> None:
    """100 equal answers: no difference is shown; a loss of 10 points is ruled out, one of 1 point is not."""
    rights = {"sums": once(*[float(i % 3 > 0) for i in range(100)])}
    run = answered(tmp_path, {"a/m": rights, "b/m": rights})
    asked = ["report", run, "--json", "--results", str(tmp_path), *(("--margin", margin) if margin else ())]
    (found,) = json.loads(CliRunner().invoke(cli, asked).output)["comparisons"]
    assert (found["verdict"], found["margin"]) == (word, margin and float(margin) / 100)
    told = CliRunner().invoke(cli, [each for each in asked if each != "--json"]).output
    assert ("not worse: a loss of" in told) == (margin is not None)


@pytest.mark.parametrize("margin", ["0", "-1", "nan", "x"])
def test_a_margin_is_a_number_above_zero(tmp_path: Path, margin: str) -> None:
    """Anything else is refused as a usage error."""
    done = CliRunner().invoke(cli, ["report", "latest", "--results", str(tmp_path), "--margin", margin])
    assert done.exit_code == 2


def test_a_question_of_several_requests_is_one_answer(tmp_path: Path) -> None:
    """The score of one turn is the question's; a turn that failed leaves it without; one that was cut off, unasked."""
    made, scores = [], []
    for sample, kinds in (("good", (None, None)), ("bad", (None, "reset")), ("cut", (None, "cancelled"))):
        for turn, kind in enumerate(kinds):
            job = f"quality.sums/p/m/{sample}/0" + (f"~{turn}" if turn else "")
            about = {"kind": "quality", "task": "sums", "sample": sample, "turn": turn, "failure_kind": kind}
            made.append(attempt(job, ms={"send0": 0, "eof": 9}, workload_sha256=f"{turn}{turn}", **about))
        if sample == "good":
            scores.append(score(job, 1.0, sample=sample))
    make_run(tmp_path, attempts=made, scores=scores)
    publish(tmp_path)
    found = rows(
        tmp_path, "select sample, outcome, reason, value, workload_sha256 as hash from answers order by sample"
    )
    assert [tuple(row.values()) for row in found] == [
        ("bad", "failed", "reset", None, "00"),
        ("cut", "not asked", None, None, "00"),
        ("good", "scored", None, 1.0, "00"),
    ]
