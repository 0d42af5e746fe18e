"""What a person sees of a run: how far, how fast, what failed, what it cost; and little where nobody looks."""

from __future__ import annotations

import io

import pytest
from made import reply
from rich.console import Console

from harness.exchange import Exchange, Failure, FailureKind, Outcome, Usage, WireMarks
from harness.provider import Price
from harness.report import progress
from harness.report.progress import Progress
from harness.run.tally import Tally
from harness.types import Attempt, Job, JobKind, Request

GOOD = Outcome(reply("yes", usage=Usage(100, 20)), None)


def _attempt(endpoint: str, number: int = 0, kind: JobKind = "quality", *, cached: bool = False) -> Attempt:
    job = Job(f"s/{endpoint}/{number}/0", endpoint, kind, "quality.sums", "sums", str(number))
    exchange = Exchange(WireMarks(), 200, (), (), "user", reused=False, cached=cached)
    return Attempt(job, 0, Request("/x", b"", False, ""), exchange, 0, 0, 1)


def _bad(kind: FailureKind) -> Outcome:
    return Outcome(None, Failure(kind, "made"))


def _watched(*, terminal: bool = False) -> tuple[Progress, io.StringIO]:
    text = io.StringIO()
    return Progress(Console(file=text, width=200, force_terminal=terminal, color_system=None)), text


def test_where_nobody_looks_a_line_for_each_tenth() -> None:
    """A thousand quick requests give nine lines on the way and a summary, however quick they are."""
    watched, text = _watched()
    with watched:
        watched.planned(1000)
        for number in range(1000):
            watched.finished(_attempt("p/m", number), GOOD, again=False)
    lines = text.getvalue().splitlines()
    assert [line.split(" ")[0] for line in lines] == [*(f"{n}00/1000" for n in range(1, 10)), "1000/1000"]


def test_a_slow_run_says_something_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock too: not oftener than that, also with few requests."""
    at = [0]
    monkeypatch.setattr(progress.time, "perf_counter_ns", lambda: at[0])
    watched, text = _watched()
    with watched:
        watched.planned(10_000)
        for second in range(1, 61):
            at[0] = second * 1_000_000_000
            watched.finished(_attempt("p/m", second), GOOD, again=False)
        assert len(text.getvalue().splitlines()) == 6
        assert "10/10000 requests  1.0/s  ETA 166:30" in text.getvalue()


def test_failures_tries_tokens_and_money_are_in_the_line() -> None:
    """Failed attempts by kind, tries after the first, tokens and USD so far, and what came from the cache."""
    watched, text = _watched()
    tally, price = Tally(), Price(1.0, 5.0)
    with watched:
        watched.planned(6)
        watched.follow(lambda: tally)
        seen = [(GOOD, False), (_bad("throttled"), True), (_bad("throttled"), False), (_bad("connect"), False)]
        for number, (outcome, again) in enumerate(seen):
            attempt = _attempt("p/m", number)
            tally.add(attempt, outcome, price, again=again)
            watched.finished(attempt, outcome, again=again)
        attempt = _attempt("p/m", 9, cached=True)
        tally.add(attempt, GOOD, price, again=False)
        watched.finished(attempt, GOOD, again=False)
    last = text.getvalue().splitlines()[-1]
    assert last.startswith("4/6 requests")
    assert "2 throttled, 1 connect (1 tried again)  120 tokens  0.000200 USD  1 from the cache" in last
    assert (tally.jobs, tally.failed, tally.attempts, tally.cached) == (4, 2, 5, 1)


@pytest.mark.parametrize(
    ("prices", "words"),
    [([None], "cost unknown"), ([Price(1.0, 1.0), None], "0.000120 USD and more: some cost unknown"), ([], "")],
)
def test_a_cost_that_is_not_known_is_said_to_be(prices: list[Price | None], words: str) -> None:
    """Never 0, and never a part of it as the whole."""
    watched, _ = _watched()
    tally = Tally()
    watched.follow(lambda: tally)
    for price in prices:
        tally.add(_attempt("p/m"), GOOD, price, again=False)
    assert ("cost" in str(watched._line())) is ("cost" in words)
    assert words in str(watched._line())


def test_several_endpoints_have_a_line_each() -> None:
    """What was not asked of one is not among what was done with it; a name from outside moves no cursor."""
    watched, text = _watched()
    with watched:
        watched.planned(4)
        watched.finished(_attempt("good/m"), GOOD, again=False)
        watched.finished(_attempt("dead/\x1b[2Jm"), _bad("connect"), again=False)
        watched.finished(_attempt("dead/\x1b[2Jm", 1), _bad("unasked"), again=False)
    lines = [line.split() for line in text.getvalue().splitlines()[-2:]]
    assert lines == [["good/m", "1", "no", "failures"], ["dead/\\x1b[2Jm", "1", "1", "connect,", "1", "unasked"]]


def test_a_terminal_gets_one_picture_that_moves() -> None:
    """Drawing is bounded by time: thousands of answers in a moment are not thousands of pictures."""
    watched, text = _watched(terminal=True)
    with watched:
        watched.planned(5000)
        watched.told("p/m: throttled; all its requests wait 5 s")
        for number in range(5000):
            watched.finished(_attempt("p/m", number), GOOD, again=False)
    assert "all its requests wait 5 s" in text.getvalue()
    assert text.getvalue().count("/5000 requests") < 500


def test_probes_are_no_failures() -> None:
    """A probe may well ask for what must be refused."""
    watched, _ = _watched()
    watched.finished(_attempt("p/m", kind="probe"), _bad("http_4xx"), again=False)
    assert "no failures" in str(watched._line())
