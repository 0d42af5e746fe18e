"""Whole runs against servers that refuse, vanish, never answer or count: who waits, who is given up, what is asked."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from made import Watcher, catalog, endpoint, plan, sample, task
from test_runner import Seen, carry_out

from harness.engines import Running, start
from harness.exchange import Outcome
from harness.provider import Deadlines, Limits, Serve
from harness.report.summary.figures import summarise
from harness.report.summary.running import lines, running
from harness.run import sitting
from harness.run.admission import breaker
from harness.run.admission.rate_limits import MAX_TRIES
from harness.run.conduct import Company
from harness.run.planning.plan import Plan
from harness.run.tally import Budget
from harness.store.query import rows

MS = 1_000_000


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "COOL_S", 0.1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def good() -> Iterator[Running]:
    """A server that answers at once."""
    running = start(Serve("simulator", {"profile": "null", "ttft_ms": 5}))
    yield running
    running.stop()


def _asks(n: int, name: str = "q") -> list[Any]:
    return [sample(f"{name}{number}") for number in range(n)]


def _of(seen: Seen, name: str) -> list[tuple[Any, Outcome]]:
    pairs = zip(seen.attempts, seen.outcomes(), strict=True)
    return [(one, outcome) for one, outcome in pairs if one.job.endpoint == name]


ANSWER = (
    b'{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}'
)


@contextmanager
def counting(answer: Callable[[int], tuple[int, bytes, str]]) -> Iterator[tuple[str, list[float]]]:
    """A server in this process' own thread; ``answer`` gives status, body and a header line for the n-th request."""
    asked: list[float] = []
    guard = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            with guard:
                asked.append(time.perf_counter())
                status, body, header = answer(len(asked))
            self.send_response(status)
            if header:
                self.send_header(*header.split(": "))
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _plain(name: str, questions: list[Any]) -> Any:
    return task(name, questions, stream=False)


# --- cool-downs ------------------------------------------------------------------------------------------


def test_a_refusal_of_one_holds_back_all_of_its_provider(good: Running, tmp_path: Path) -> None:
    """After a 429 with Retry-After 1 both models of that provider are silent for a second; another's go on."""

    def answer(n: int) -> tuple[int, bytes, str]:
        return (429, b'{"error":{"message":"slow down"}}', "Retry-After: 1") if n == 3 else (200, ANSWER, "")

    with counting(answer) as (url, asked):
        ends = [endpoint("busy/a", url), endpoint("busy/b", url), endpoint("free/m", good.base_url)]
        seen = carry_out(plan([_plain("sums", _asks(10))], ends, concurrency=1), tmp_path)
    assert Counter(seen.kinds()) == {None: 30, "throttled": 1}
    assert max(after - before for before, after in pairwise(asked)) >= 0.9
    (refused,) = (one for one, outcome in zip(seen.attempts, seen.outcomes(), strict=True) if outcome.failure)
    began = refused.exchange.marks.eof_ns
    free = [one for one, _ in _of(seen, "free/m")]
    late = [one for one, _ in (*_of(seen, "busy/a"), *_of(seen, "busy/b")) if one.admit_ns > began + 10 * MS]
    assert min(one.admit_ns for one in late) >= began + 900 * MS
    assert max(one.admit_ns for one in free) < min(one.admit_ns for one in late)
    assert max(one.admit_ns - one.sched_ns for one in late) >= 700 * MS, "the wait is on record, outside the timed part"
    assert any("busy: throttled; all its requests wait 1 s" in line for line in seen.watcher.lines)


def test_tokens_of_an_answer_make_room_for_the_next(good: Running, tmp_path: Path) -> None:
    """Estimates alone would stop this run for a minute; what was used is a fraction of them, and it goes on."""
    asks = [sample(f"q{number}", max_tokens=500) for number in range(12)]
    tight = endpoint("p/m", good.base_url, limits=Limits(tokens_per_minute=1200))
    seen = carry_out(plan([task("sums", asks)], [tight], concurrency=4), tmp_path)
    assert seen.kinds() == [None] * 12
    assert max(one.in_flight for one in seen.attempts) <= 2


# --- endpoints that are not there ------------------------------------------------------------------------


def _refused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def _start(made: Plan, results: Path, **company: Any) -> sitting.Sitting:
    return sitting.start(made, results=results, company=Company(Watcher(), **company))


def _resume(sat: sitting.Sitting, things: list[Any], ends: list[Any]) -> sitting.Sitting:
    providers = {one.provider.id: one.provider for one in ends}
    return sitting.resume(sat.folder, catalog=catalog(*things), providers=providers, company=Company(Watcher()))


def test_a_dead_endpoint_is_given_up_and_the_others_go_on(
    good: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused port: a few tries and one more, the rest is not asked, is no failure, and resume asks it."""
    monkeypatch.setattr("harness.run.planning.plan.retry_delay_s", lambda *_: None)
    things, ends = [task("sums", _asks(40))], [endpoint("dead/m", _refused_url()), endpoint("p/m", good.base_url)]
    sat = _start(plan(things, ends), tmp_path)
    assert sat.status == "finished"
    counted = {
        row["endpoint"]: row
        for row in rows(tmp_path, "select endpoint, n_ok, n_failed, n_unasked from endpoint_summary")
    }
    dead = counted["dead/m"]
    assert counted["p/m"]["n_ok"] == 40
    assert 6 <= dead["n_failed"] <= 12
    assert dead["n_failed"] + dead["n_unasked"] == 40
    errors = {row["endpoint"]: row["errors"] for row in summarise(tmp_path, sat.folder.id)["endpoints"]}
    assert errors == {"dead/m": {"connect": dead["n_failed"]}, "p/m": {}}, "what was not asked is no error"
    quality = rows(tmp_path, "select * from quality_summary where endpoint = 'dead/m'")[0]
    assert (quality["n_scored"], quality["n_failed"]) == (0, dead["n_failed"])
    told = lines(running(tmp_path, sat.folder.id, ["dead/m", "p/m"]), sat.folder.id)
    assert len(told) == 1
    assert told[0].startswith("dead/m: given up after ")
    assert "failures in a row (connect: " in told[0]
    assert told[0].endswith(f"; {dead['n_unasked']} requests not asked; harness resume {sat.folder.id} asks them")

    again = _resume(sat, things, ends)
    assert 6 <= again.tally.failed <= 12, "it is still dead, and given up once more"
    assert again.tally.jobs == dead["n_unasked"]
    after = rows(tmp_path, "select n_failed, n_unasked from endpoint_summary where endpoint = 'dead/m'")[0]
    assert after["n_failed"] >= dead["n_failed"] + 6


def test_who_waits_for_another_try_when_its_endpoint_is_given_up_is_told_as_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every planned job has its end; a failure that was to be tried again is none."""
    monkeypatch.setattr("harness.run.planning.plan.retry_delay_s", lambda _, number, __: 0.3 if number < 2 else None)
    sat = _start(plan([task("sums", _asks(20))], [endpoint("dead/m", _refused_url())], concurrency=8), tmp_path)
    assert (sat.tally.jobs, sat.tally.attempts > 20) == (20, True)
    ends = rows(
        tmp_path, "select failure_kind as kind, count(*) as n from attempt_metrics where last_attempt group by 1"
    )
    counted = {row["kind"]: row["n"] for row in ends}
    assert counted["connect"] + counted["unasked"] == 20
    tries = rows(tmp_path, "select max(number) as n from attempts where failure_kind = 'unasked'")[0]
    assert tries["n"] >= 1


def test_a_black_hole_is_given_up_within_its_deadlines(tmp_path: Path) -> None:
    """A port that takes connections and never answers costs so many deadlines, not one for each request."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
        url = f"http://127.0.0.1:{hole.getsockname()[1]}/v1"
        end = endpoint("hole/m", url, deadlines=Deadlines(first_byte_s=0.2))
        seen = carry_out(plan([task("sums", _asks(300))], [end], concurrency=8), tmp_path)
    kinds = Counter(seen.kinds())
    assert kinds["timeout_first_byte"] + kinds["unasked"] == 300
    assert kinds["timeout_first_byte"] <= 17
    assert "hole/m: given up: " in seen.watcher.lines[-1]


def test_an_endpoint_that_comes_back_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that fails for a while and then answers is asked all the rest."""
    monkeypatch.setattr("harness.run.planning.plan.retry_delay_s", lambda *_: None)

    def answer(n: int) -> tuple[int, bytes, str]:
        return (500, b"{}", "") if n <= 5 else (200, ANSWER, "")

    with counting(answer) as (url, asked):
        end = endpoint("p/m", url)
        seen = carry_out(plan([_plain("sums", _asks(30))], [end], concurrency=1), tmp_path)
    assert Counter(seen.kinds()) == {None: 25, "http_5xx": 5}
    assert len(asked) == 30
    assert [line.rpartition(": ")[2] for line in seen.watcher.lines[-1:]] == ["answers again"]


def test_a_day_that_is_used_up_ends_one_endpoint_alone(good: Running, tmp_path: Path) -> None:
    """What goes beyond the day's limit is not asked, in this run or the next; other providers are asked everything."""
    things = [task("sums", _asks(8))]
    ends = [endpoint("thrifty/m", good.base_url, limits=Limits(requests_per_day=10)), endpoint("p/m", good.base_url)]
    first, second = (_start(plan(things, ends), tmp_path) for _ in range(2))
    counts = rows(
        tmp_path,
        "select run_id, n_ok, n_unasked, given_up_why from endpoint_summary "
        "join request_summary using (run_id, endpoint) where endpoint = 'thrifty/m' order by run_id = ?",
        [second.folder.id],
    )
    assert [(row["n_ok"], row["n_unasked"]) for row in counts] == [(8, 0), (2, 6)]
    assert counts[1]["given_up_why"].startswith("its 10 requests of this day are used up")
    assert (first.tally.failed, second.tally.failed) == (0, 0)
    others = rows(tmp_path, "select n_ok from endpoint_summary where endpoint = 'p/m'")
    assert [row["n_ok"] for row in others] == [8, 8]


# --- tries -----------------------------------------------------------------------------------------------


def test_tries_are_counted_and_told(tmp_path: Path) -> None:
    """How many were answered at the first try, within how many, and what trying again cost, by endpoint."""

    def answer(n: int) -> tuple[int, bytes, str]:
        return (503, b"{}", "Retry-After: 0.01") if n in (2, 4, 5) else (200, ANSWER, "")

    with counting(answer) as (url, _):
        sat = _start(plan([_plain("sums", _asks(6))], [endpoint("p/m", url)], concurrency=1), tmp_path)
    (row,) = running(tmp_path, sat.folder.id, ["p/m"])
    assert (row["n_asked"], row["n_answered_first"], row["n_answered"], row["n_retries"]) == (6, 4, 6, 3)
    assert row["n_answered_within"] == [4, 5, 6][:MAX_TRIES]
    assert row["retries_cost_usd"] == pytest.approx(2 * 10 / 1e6)
    assert lines([row], "r") == [
        "p/m: 4 of 6 answered at the first try, 6 within 3; 3 tried again, at a cost of 0.0000200 USD"
    ]


def test_no_more_requests_than_allowed_with_all_tries(tmp_path: Path) -> None:
    """Retries end where they would take the place of planned requests."""
    with counting(lambda n: (503, b"{}", "Retry-After: 0.01")) as (url, asked):
        seen = carry_out(
            plan([_plain("sums", _asks(4))], [endpoint("p/m", url)], concurrency=1),
            tmp_path,
            budget=Budget(max_requests=6),
        )
    assert len(asked) == len(seen.attempts) == 6
    assert len({one.job.id for one in seen.attempts}) == 4
    assert seen.tally.stopped is None


# --- the cache -------------------------------------------------------------------------------------------


def test_the_same_request_is_paid_for_once(tmp_path: Path) -> None:
    """A second run asks nothing that the first was answered: same scores, no cost, no times; repeats stay apart."""
    with counting(lambda n: (200, ANSWER, "")) as (url, asked):
        made = plan([_plain("sums", _asks(5))], [endpoint("p/m", url)], repeats=2)
        first = _start(made, tmp_path, cache=True)
        assert len(asked) == 10
        second = _start(made, tmp_path, cache=True)
        assert len(asked) == 10
        more = plan([_plain("sums", _asks(6))], [endpoint("p/m", url)], repeats=3)
        _start(more, tmp_path, cache=True)
        assert len(asked) == 10 + 6 + 2
        other = plan([_plain("sums", _asks(5))], [endpoint("p/m", url, headers={"x-org": "two"})])
        _start(other, tmp_path, cache=True)
        assert len(asked) == 10 + 6 + 2 + 5
        _start(made, tmp_path)
        assert len(asked) == 10 + 6 + 2 + 5 + 10, "without the flag everything is asked"
    assert (first.tally.cached, second.tally.cached, second.tally.cost_usd) == (0, 10, 0.0)
    got = {
        row["run_id"]: row
        for row in rows(
            tmp_path,
            "select run_id, n_ok, cost_usd, n_cached, e2e_n, wait_n, score from endpoint_summary "
            "join request_summary using (run_id, endpoint) join (select run_id, count(e2e_ms) as e2e_n, "
            "count(*) filter (where n_reads > 0 or lag_max_ms is not null or ttft_ms is not null) as wait_n "
            "from attempt_metrics group by all) using (run_id) "
            "join (select run_id, avg(value) as score from scores group by all) using (run_id)",
        )
    }
    one, two = got[first.folder.id], got[second.folder.id]
    assert (one["n_ok"], one["n_cached"], one["e2e_n"]) == (10, 0, 10)
    assert (two["n_ok"], two["n_cached"], two["e2e_n"], two["wait_n"], two["cost_usd"]) == (10, 10, 0, 0, 0.0)
    assert one["score"] == two["score"]
    assert lines(running(tmp_path, second.folder.id, ["p/m"]), "r") == [
        "p/m: 10 of 10 answers came from the cache: no times, no cost"
    ]


def test_only_good_answers_are_kept(tmp_path: Path) -> None:
    """A failure is asked again in the next run."""

    def answer(n: int) -> tuple[int, bytes, str]:
        return (400, b'{"error":{"message":"no"}}', "") if n <= 3 else (200, ANSWER, "")

    with counting(answer) as (url, asked):
        made = plan([_plain("sums", _asks(6))], [endpoint("p/m", url)], concurrency=1)
        assert _start(made, tmp_path, cache=True).tally.failed == 3
        assert _start(made, tmp_path, cache=True).tally.failed == 0
    assert len(asked) == 9


# --- side by side ----------------------------------------------------------------------------------------


def test_endpoints_are_interleaved_in_time(good: Running, tmp_path: Path) -> None:
    """Whatever part of a run one looks at, every endpoint was asked in it: a slow hour is the same for all."""
    ends = [endpoint(name, good.base_url) for name in ("a/m", "b/m", "c/m")]
    seen = carry_out(plan([task("sums", _asks(24))], ends, concurrency=2), tmp_path)
    by_time = [one.job.endpoint for one in sorted(seen.attempts, key=lambda one: one.admit_ns)]
    for quarter in range(4):
        assert set(by_time[18 * quarter : 18 * (quarter + 1)]) == {"a/m", "b/m", "c/m"}
    orders = {name: [one.job.sample for one in seen.attempts if one.job.endpoint == name] for name in by_time}
    assert len({frozenset(order) for order in orders.values()}) == 1
