"""Questions on which endpoints differ, by hand; and what the summary says of the same."""

from pathlib import Path
from typing import Any

import pytest
from published import attempt, make_run, manifest, score

from harness.record.folder import RunFolder
from harness.report import question
from harness.report.comparison import flips
from harness.report.comparison.flips import Mark, Question
from harness.report.summary.figures import summarise
from harness.store.index import publish

MARKS = {"send0": 0, "tok1": 100, "tokn": 300, "eof": 302}
SCORES = {"a/m": (1.0, 1.0, 0.0, 0.0, None, 1.0), "b/m": (1.0, 0.0, 1.0, 0.0, 1.0, None)}
"""What each endpoint scored on six questions; None: it failed."""


def asked_run(results: Path, slug: str = "made", **changes: Any) -> RunFolder:
    """A run of six questions to two endpoints; the texts of the first question are kept."""
    rows, scores, texts = [], [], []
    for name, values in SCORES.items():
        for place, value in enumerate(values):
            job = f"sums/{name}/{place}"
            about = {"kind": "quality", "stage": "quality.sums", "task": "sums", "sample": f"s{place}"}
            about |= {"workload_sha256": f"{place}{changes.get('salt', '')}", "endpoint": name}
            failed = {"failure_kind": "http_5xx", "failure_detail": "gone", "status": 500} if value is None else {}
            rows.append(attempt(job, ms=MARKS, **about, **failed))
            scores += [] if value is None else [score(job, value, endpoint=name, sample=f"s{place}")]
            body = '{"messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "2 + 3?"}]}'
            told = {"request_body": body, "response_body": "", "text": f"{name} says 5", "reasoning": None}
            kept = {"tool_calls_json": "[]", "response_headers_json": "[]", "text_lossy": False}
            texts += [{"run_id": "?", "job_id": job, "number": 0, **told, **kept}] if place == 0 else []
    run = make_run(results, slug, attempts=rows, scores=scores, texts=texts)
    one = manifest(run)["endpoints"][0]
    run.write_manifest(manifest(run, endpoints=[one | {"id": name} for name in SCORES], loads=[]))
    publish(results)
    return run


def test_flips_against_an_endpoint_of_the_run(tmp_path: Path) -> None:
    """One lost, one won, two the same; what one side has no score for is not compared."""
    run = asked_run(tmp_path)
    found = flips.questions(tmp_path, run.id, "sums", (run.id, "a/m"))
    assert [one.flip("b/m") for one in found] == ["same", "worse", "better", "same", "not compared", "not compared"]
    (row,) = flips.totals(found, ["b/m"])
    assert row == {"endpoint": "b/m", "better": 1, "worse": 1, "same": 2, "not compared": 2, "n": 4}
    assert found[0].asked == "2 + 3?"
    assert found[1].asked is None


def test_the_counts_are_those_of_the_comparison(tmp_path: Path) -> None:
    """What the summary counts as ahead is what is counted here, from either side."""
    run = asked_run(tmp_path)
    own = flips.of_task(summarise(tmp_path, run.id), "sums")
    found = flips.questions(tmp_path, run.id, "sums", (run.id, "a/m"))
    (row,) = flips.totals(found, ["b/m"])
    tested = flips.tested(own, "a/m", "b/m")
    turned = flips.tested(own, "b/m", "a/m")
    assert tested is not None
    assert turned is not None
    assert (tested["endpoint_ahead"], tested["baseline_ahead"], tested["n"]) == (row["better"], row["worse"], row["n"])
    assert (turned["value"], turned["low"], turned["high"]) == (-tested["value"], -tested["high"], -tested["low"])
    assert flips.tested(own, "a/m", "c/m") is None


def test_a_verdict_turns_with_its_sides() -> None:
    """Better of one is worse of the other; unclear stays unclear."""
    row = {"baseline": "a", "endpoint": "b", "value": 0.5, "low": 0.2, "high": 0.7, "verdict": "better"}
    turned = flips.tested([row], "b", "a")
    assert turned is not None
    assert (turned["verdict"], turned["low"], turned["high"]) == ("worse", -0.7, -0.2)
    unclear = flips.tested([row | {"verdict": "unclear", "low": None}], "b", "a")
    assert unclear is not None
    assert (unclear["verdict"], unclear["high"]) == ("unclear", None)


def test_another_run_is_a_baseline_too(tmp_path: Path) -> None:
    """Against an older run only the very same questions are compared."""
    old, other = asked_run(tmp_path, "old"), asked_run(tmp_path, "other", salt="x")
    same = flips.questions(tmp_path, old.id, "sums", (old.id, "b/m"))
    apart = flips.questions(tmp_path, old.id, "sums", (other.id, "b/m"))
    assert flips.totals(same, ["b/m"])[0]["n"] == 5
    assert flips.totals(apart, ["b/m"])[0]["n"] == 0


@pytest.mark.parametrize(("which", "left"), [("differ", "12"), ("worse", "1"), ("better", "2"), ("all", "012345")])
def test_only_what_is_wanted(which: str, left: str, tmp_path: Path) -> None:
    """Where they differ, where one is worse, where one is better, all."""
    run = asked_run(tmp_path)
    found = flips.questions(tmp_path, run.id, "sums", (run.id, "a/m"))
    assert [one.sample for one in flips.wanted(found, ["a/m", "b/m"], which)] == [f"s{place}" for place in left]


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (None, "–"),
        (Mark(None, 0, 1, "x"), "not scored"),
        (Mark(1.0, 1, 1, "x"), "● right"),
        (Mark(0.0, 1, 1, "x"), "✕ wrong"),
        (Mark(0.625, 1, 1, "x"), "0.62"),
        (Mark(2 / 3, 3, 3, "x"), "0.67 of 3"),
        (Mark(1.0, 2, 3, "x"), "● right of 2"),
    ],
)
def test_a_score_in_words(mark: Mark | None, words: str) -> None:
    """Right and wrong are words with signs; other scores are numbers, of so many repeats."""
    assert flips.said(mark) == words


def test_a_question_nobody_scored_differs_from_nothing() -> None:
    """No score is no difference."""
    one = Question("s", None, Mark(None, 0, 1, "x"), {"a/m": Mark(1.0, 1, 1, "x")})
    assert not one.differs(["a/m"])
    assert one.flip("a/m") == "not compared"


def test_every_answer_of_a_question(tmp_path: Path) -> None:
    """The answers stand in the order that is asked for, with their scores; a failed one says why."""
    run = asked_run(tmp_path)
    first = question.answers(tmp_path, run.id, "sums", "s0", ["b/m", "a/m"])
    assert [row["endpoint"] for row in first] == ["b/m", "a/m"]
    assert question.answered(first[0]) == "b/m says 5"
    assert question.asked(first[0]["request_body"]) == "[system]\nBe brief\n\n[user]\n2 + 3?"
    assert next(iter(question.judged(first[0]))).startswith("score 1 by exact")
    failed = question.answers(tmp_path, run.id, "sums", "s4", ["a/m", "b/m"])[0]
    assert question.answered(failed) == "http_5xx: gone"
    assert list(question.judged(failed)) == ["failed: not judged"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, "The texts of this run are not kept here."),
        ("no json", "no json"),
        ("[" * 100_000, "[" * 100_000),
        ("[1]", "[1]"),
        ('{"input": "Hello"}', "Hello"),
        ('{"messages": "odd"}', "odd"),
        ('{"messages": [3, {"content": [{"type": "text"}]}]}', '3\n\n[?]\n[{"type": "text"}]'),
    ],
)
def test_what_was_asked_is_text_whatever_it_is(body: str | None, text: str) -> None:
    """A request that is no chat, no JSON or nested without end is shown as it is."""
    assert question.asked(body) == text
