"""A suite on a schedule: when it is due, what is remembered and told, and how it ends."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time as clocks
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import WAIT_S, begin, environment, harness, told

from harness.errors import UsageError
from harness.watch import nights, webhook
from harness.watch.cron import parse
from harness.watch.keeper import Ended, Watch
from harness.watch.nights import Night
from harness.watch.schedule import AtTimes, Every, Schedule, missed

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo | None = None) -> datetime:
    """A moment of UTC, or of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC).astimezone(UTC)


# --- cron ------------------------------------------------------------------------------------------------

NEXT = [
    ("0 3 * * *", "2026-11-26T11:00", "2026-11-27T03:00"),
    ("0 3 * * *", "2026-11-27T02:59:59", "2026-11-27T03:00"),
    ("0 3 * * *", "2026-11-27T03:00", "2026-11-28T03:00"),
    ("*/15 * * * *", "2026-11-26T11:01", "2026-11-26T11:15"),
    ("5/20 * * * *", "2026-11-26T11:26", "2026-11-26T11:45"),
    ("30 8-10/2,23 * * *", "2026-11-26T10:31", "2026-11-26T23:30"),
    ("0 0 1 jan *", "2026-11-26T00:00", "2027-01-01T00:00"),
    ("0 0 29 2 *", "2026-11-26T00:00", "2028-02-29T00:00"),
    ("0 0 31 * *", "2026-11-30T12:00", "2026-12-31T00:00"),
    ("0 12 * * mon-fri", "2026-11-27T13:00", "2026-11-30T12:00"),
    ("0 12 * * 7", "2026-11-26T13:00", "2026-11-29T12:00"),
    ("0 12 * * 0", "2026-11-26T13:00", "2026-11-29T12:00"),
    # Both days are restricted: the 13th, and every Friday.
    ("0 0 13 * fri", "2026-12-01T00:00", "2026-12-04T00:00"),
    ("0 0 13 * fri", "2026-12-11T00:00", "2026-12-13T00:00"),
    # A field that begins with a star restricts nothing by itself: odd days that are Mondays.
    ("0 0 */2 * mon", "2026-11-26T00:00", "2026-12-07T00:00"),
]


@pytest.mark.parametrize(("text", "now", "due"), NEXT)
def test_the_next_moment_of_an_expression(text: str, now: str, due: str) -> None:
    """It is later than the one it is asked of, and all five fields fit."""
    assert parse(text, UTC).after(at(now)) == at(due)


DAYLIGHT = [
    # Clocks go from 2 to 3 on 29 March 2026: half past two is not there, and is taken an hour later.
    ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:30", "2026-03-30T02:30"]),
    ("0 * * * *", "2026-03-29T01:10", ["2026-03-29T03:00", "2026-03-29T04:00"]),
    # And from 3 back to 2 on 25 October: half past two comes twice, and is due once.
    ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30", "2026-10-26T02:30"]),
]


@pytest.mark.parametrize(("text", "now", "dues"), DAYLIGHT)
def test_a_night_is_neither_lost_nor_doubled_when_the_clocks_change(text: str, now: str, dues: list[str]) -> None:
    """In the time of a place."""
    cron, moment = parse(text, BERLIN), at(now, BERLIN)
    for due in dues:
        moment = cron.after(moment)
        assert moment == at(due, BERLIN)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 3 * *", "five fields"),
        ("", "five fields"),
        ("@daily", "five fields"),
        ("0 3 * * * *", "five fields"),
        ("60 3 * * *", "'60' is no minute (0 to 59)"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 3 0 * *", "'0' is no day of month"),
        ("0 3 * fbe *", "'fbe' is no month"),
        ("0 3 * * 8", "'8' is no day of week"),
        ("0 3 * * fri-mon", "'fri-mon' is no day of week"),
        ("*/0 3 * * *", "'*/0' is no minute"),
        ("-1 3 * * *", "'-1' is no minute"),
        ("² 3 * * *", "is no minute"),
        ("0 3 31 2 *", "never comes"),
        ("1," * 500 + "1 3 * * *", "five fields"),
    ],
)
def test_what_is_no_expression_is_told(text: str, words: str) -> None:
    """With the field and what it can be."""
    with pytest.raises(UsageError) as found:
        parse(text)
    assert words in str(found.value)


FIVE = st.lists(st.text("0123456789*/,-afjmno", max_size=8), min_size=5, max_size=5).map(" ".join)


@given(st.text(max_size=40) | FIVE)
def test_any_text_is_a_schedule_or_a_mistake(text: str) -> None:
    """Whatever is given, there is a next moment that fits, or a mistake of the user's."""
    now = at("2026-11-26T11:00")
    try:
        cron = parse(text, UTC)
    except UsageError:
        return
    due = cron.after(now)
    assert due > now
    assert due.time() in cron.times
    assert due.month in cron.months


def test_what_was_missed_is_counted() -> None:
    """Between two moments, both left out."""
    nightly = AtTimes(parse("0 3 * * *", UTC))
    gone = missed(nightly, at("2026-11-20T03:00"), at("2026-11-24T03:00"))
    assert gone == (at("2026-11-21T03:00"), at("2026-11-23T03:00"), 3)
    assert missed(nightly, at("2026-11-20T03:00"), at("2026-11-20T04:00")) is None


# --- the watch -------------------------------------------------------------------------------------------


@dataclass
class FakeClock:
    """A clock that waits in no time, and ends when it is past ``until``."""

    time: datetime
    until: datetime
    stopped: bool = False
    oversleeps: list[timedelta] = field(default_factory=list)
    """How much too late it wakes, one for each wait."""

    def now(self) -> datetime:
        """Its time."""
        return self.time

    def wait(self, until: datetime) -> bool:
        """Be there."""
        if until > self.until:
            self.stopped = True
            return False
        late = self.oversleeps.pop(0) if self.oversleeps else timedelta()
        self.time = max(self.time, until) + late
        return True


@dataclass
class Told:
    """A watch with everything that it said."""

    results: Path
    clock: FakeClock
    lines: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    begun: list[datetime] = field(default_factory=list)

    def watch(self, schedule: Schedule, run: Callable[[int], Ended], jitter_s: float = 0) -> Watch:
        """It runs ``run`` with the number of the night, from 0."""

        def one() -> Ended:
            self.begun.append(self.clock.now())
            return run(len(self.begun) - 1)

        (self.results / "watch").mkdir(parents=True, exist_ok=True)
        return Watch(
            "nightly",
            self.results,
            schedule,
            self.clock,
            one,
            self.lines.append,
            self.changes.append,
            lambda: jitter_s,
        )

    @property
    def words(self) -> list[tuple[str, int]]:
        """What each line of the history says."""
        return [(night.word, night.n) for night in nights.of_suite(self.results, "nightly")]


def good(night: int) -> Ended:
    """A night without anything to tell."""
    return Ended(0, f"run-{night}")


NIGHTLY = AtTimes(parse("0 3 * * *", UTC))


def test_it_runs_every_night_and_changes_are_told(tmp_path: Path) -> None:
    """Once for each due time; others hear of a verdict when it is another one than before."""
    made = Told(tmp_path, FakeClock(at("2026-11-20T12:00"), at("2026-11-27T00:00")))
    bad = ("fail: a/m chat@c4 ttft_p95_ms",)
    ends = [good(0), Ended(1, "run-1", bad), Ended(1, "run-2", bad), Ended(3, None), Ended(0, "run-4"), good(5)]
    assert made.watch(NIGHTLY, lambda night: ends[night]).keep() == 130
    assert made.begun == [at(f"2026-11-{day}T03:00") for day in range(21, 27)]
    assert [word for word, _ in made.words] == ["pass", "fail", "fail", "error", "pass", "pass"]
    assert [text.splitlines()[0].partition(" (")[0] for text in made.changes] == [
        "nightly: fail",
        "nightly: error",
        "nightly: pass",
    ]
    assert made.changes[0].splitlines()[1:] == list(bad)
    assert not any("missed" in line for line in made.lines)


def test_another_thing_that_is_worse_is_a_change(tmp_path: Path) -> None:
    """And a bad first night is one; a good first night is none."""
    made = Told(tmp_path, FakeClock(at("2026-11-20T12:00"), at("2026-11-24T00:00")))
    ends = [Ended(1, "r", ("fail: a",)), Ended(1, "r", ("fail: a", "fail: b")), Ended(1, "r", ("fail: b", "fail: a"))]
    made.watch(NIGHTLY, lambda night: ends[night]).keep()
    assert len(made.changes) == 2


def test_nights_without_a_watch_are_said_to_be_missed(tmp_path: Path) -> None:
    """When it is begun again, from what it remembers; a fixed time is not made up for."""
    Told(tmp_path, FakeClock(at("2026-11-20T12:00"), at("2026-11-21T12:00"))).watch(NIGHTLY, good).keep()
    again = Told(tmp_path, FakeClock(at("2026-11-24T12:00"), at("2026-11-25T12:00")))
    again.watch(NIGHTLY, good).keep()
    assert "missed 3 runs" in "".join(again.lines)
    assert "no watch was running" in "".join(again.lines)
    assert again.begun == [at("2026-11-25T03:00")]
    assert again.words == [("pass", 1), ("missed", 3), ("pass", 1)]


def test_a_machine_that_slept_runs_once_and_says_so(tmp_path: Path) -> None:
    """The last of the moments that went by is made up for, the ones before are missed."""
    clock = FakeClock(at("2026-11-20T12:00"), at("2026-11-25T00:00"), oversleeps=[timedelta(days=2, hours=1)])
    made = Told(tmp_path, clock)
    made.watch(NIGHTLY, good).keep()
    assert made.begun == [at("2026-11-23T04:00"), at("2026-11-24T03:00")]
    assert made.words == [("missed", 2), ("pass", 1), ("pass", 1)]
    assert any("late: this machine slept" in line for line in made.lines)


def test_a_run_that_takes_too_long_skips_what_was_due_meanwhile(tmp_path: Path) -> None:
    """Nothing runs beside itself, and nothing is caught up in a row."""
    clock = FakeClock(at("2026-11-20T00:00"), at("2026-11-21T00:00"))
    made = Told(tmp_path, clock)

    def slow(night: int) -> Ended:
        clock.time += timedelta(hours=13 if night == 0 else 1)
        return good(night)

    made.watch(Every(6 * 3600), slow).keep()
    assert made.begun == [at("2026-11-20T00:00"), at("2026-11-20T18:00"), at("2026-11-21T00:00")]
    assert ("missed", 2) in made.words
    assert any("the run before took until then" in line for line in made.lines)


def test_an_interval_goes_on_where_the_last_watch_was(tmp_path: Path) -> None:
    """Begun anew too early, it waits for its turn; too late, it runs at once."""
    nights.folder_of(tmp_path).mkdir(parents=True)
    nights.add(tmp_path, Night("nightly", "2026-11-20T00:00:00+00:00", "pass"))
    early = Told(tmp_path, FakeClock(at("2026-11-20T02:00"), at("2026-11-20T07:00")))
    early.watch(Every(6 * 3600), good).keep()
    assert early.begun == [at("2026-11-20T06:00")]
    late = Told(tmp_path, FakeClock(at("2026-11-21T02:00"), at("2026-11-21T03:00")))
    late.watch(Every(6 * 3600), good).keep()
    assert late.begun == [at("2026-11-21T02:00")]
    assert ("missed", 3) in late.words


def test_jitter_moves_the_beginning_and_not_the_schedule(tmp_path: Path) -> None:
    """The night is remembered by the time that it was due."""
    made = Told(tmp_path, FakeClock(at("2026-11-20T12:00"), at("2026-11-22T12:00")))
    made.watch(NIGHTLY, good, jitter_s=600).keep()
    assert made.begun == [at("2026-11-21T03:10"), at("2026-11-22T03:10")]
    assert [one.due for one in nights.of_suite(tmp_path, "nightly")][1] == "2026-11-22T03:00:00+00:00"


def test_an_interrupted_night_ends_the_watch_and_is_no_change(tmp_path: Path) -> None:
    """Its exit code is the watch's; what it compares the next night with is the last that said anything."""
    made = Told(tmp_path, FakeClock(at("2026-11-20T12:00"), at("2026-11-30T00:00")))
    ends = [Ended(1, "r", ("fail: a",)), Ended(130, "r")]
    assert made.watch(NIGHTLY, lambda night: ends[night]).keep() == 130
    assert len(made.begun) == 2
    again = Told(tmp_path, FakeClock(at("2026-11-22T12:00"), at("2026-11-23T12:00")))
    again.watch(NIGHTLY, good).keep()
    assert "it was fail" in again.changes[0]


def test_history_survives_a_torn_line(tmp_path: Path) -> None:
    """What cannot be read is left out, and the next line is whole."""
    folder = nights.folder_of(tmp_path)
    folder.mkdir()
    (folder / "history.jsonl").write_bytes(
        b'[]\n{"suite": "nightly", "due": "2026-11-20T00:00:00", "word": "pass"}\n{"sui'
    )
    nights.add(tmp_path, Night("nightly", "2026-11-21T00:00:00+00:00", "pass"))
    nights.add(tmp_path, Night("other", "2026-11-21T00:00:00+00:00", "fail"))
    assert [one.due for one in nights.of_suite(tmp_path, "nightly")] == ["2026-11-21T00:00:00+00:00"]


# --- the webhook -----------------------------------------------------------------------------------------


@dataclass
class Hook:
    """A server on loopback that remembers what it got."""

    url: str = ""
    status: int = 200
    got: list[tuple[str, bytes]] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    """It answers what it is told to."""
    made = Hook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(made.status)
            self.send_header("location", "http://example.invalid/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/made-up-token?x=1"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_is_text_and_nothing_more(hook: Hook) -> None:
    """Nothing in it mentions anybody; it is as long as a chat takes."""
    assert webhook.post(hook.url, "night: fail\n<!channel> & <https://x|y>") is None
    path, body = hook.got[0]
    assert path == "/services/T0/B0/made-up-token?x=1"
    assert json.loads(body) == {"text": "night: fail\n&lt;!channel&gt; &amp; &lt;https://x|y&gt;"}
    assert len(webhook.escaped("x" * 10_000)) == webhook.MOST_CHARACTERS


@pytest.mark.parametrize(
    ("status", "words"),
    [(302, "the webhook answered 302, and is not followed elsewhere"), (404, "answered 404"), (500, "answered 500")],
)
def test_what_goes_wrong_is_told_without_the_address(hook: Hook, status: int, words: str) -> None:
    """It ends nothing, and no redirect is followed."""
    hook.status = status
    problem = webhook.post(hook.url, "a")
    assert problem is not None
    assert words in problem
    assert "token" not in problem
    assert len(hook.got) == 1


def test_nobody_there_is_told() -> None:
    """In one line."""
    assert webhook.post("http://127.0.0.1:9/x", "a") == "the webhook could not be reached: ConnectionRefusedError"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "is not set"),
        ("hooks.example.com/x", "must hold an address"),
        ("ftp://example.com/x", "must hold an address"),
        ("http://example.com/x", "plain HTTP"),
        ("https://exa mple.com/", "must hold an address"),
        ("http://[::1/x", "must hold an address"),
    ],
)
def test_an_address_comes_from_the_environment_and_is_sound(
    monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    """What it holds is never repeated."""
    monkeypatch.setenv("MADE_HOOK", value)
    with pytest.raises(UsageError) as found:
        webhook.address("MADE_HOOK")
    assert words in str(found.value)
    assert not value or value not in str(found.value)


# --- the command -----------------------------------------------------------------------------------------


def work_in(folder: Path, gate: str = "{metric: error_rate, max: 50%, tasks: [arithmetic]}") -> None:
    """A folder with a suite of six sums, and who answers them."""
    (folder / "tasks" / "suites").mkdir(parents=True)
    (folder / "tasks" / "suites" / "night.yaml").write_text(
        f"tasks: ['arithmetic:20']\nendpoints: [quick/sim-small]\ngate:\n  gates:\n    - {gate}\n"
    )
    (folder / "providers.yaml").write_text(
        "providers:\n  quick:\n    kind: simulated\n    models: {sim-small: sim-small}\n"
        "    serve: {engine: simulator, profile: steady-vendor, ttft_ms: 0, itl_ms: 0, accuracy: 1}\n"
    )


def test_one_night_from_end_to_end(tmp_path: Path, hook: Hook) -> None:
    """It is run, judged, remembered and told; what follows -- goes to the run; the address is nowhere."""
    work_in(tmp_path, "{metric: quality, min: 50%}")
    env = environment(MADE_HOOK=hook.url)
    done = harness(tmp_path, "watch", "night", "--once", "--webhook-env", "MADE_HOOK", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "night ended: pass (exit code 0, run 2" in done.stdout
    assert hook.got == []
    suite = tmp_path / "tasks" / "suites" / "night.yaml"
    dear = "metric: usd_per_item, max: 0.0000000001"
    suite.write_text(suite.read_text().replace("metric: quality, min: 50%", dear))
    (tmp_path / "providers.yaml").write_text(
        (tmp_path / "providers.yaml").read_text()
        + "    prices: {sim-small: {input_usd_per_mtok: 100, output_usd_per_mtok: 100}}\n"
    )
    done = harness(
        tmp_path, "watch", "night", "--once", "--webhook-env", "MADE_HOOK", "--", "--max-requests", "40", env=env
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert json.loads(hook.got[0][1])["text"].splitlines()[1] == "fail: quick/sim-small arithmetic usd_per_item"
    assert [one.word for one in nights.of_suite(tmp_path / "results", "night")] == ["pass", "fail"]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file())
    assert b"made-up-token" not in kept + done.stdout.encode() + done.stderr.encode()


WRONG = {
    "no time": (("night",), "one of --every, --cron and --once"),
    "two times": (("night", "--every", "6h", "--once"), "one of --every, --cron and --once"),
    "no interval": (("night", "--every", "soon"), "'soon' is no time above 0"),
    "too short": (("night", "--every", "5s"), "--every 5s is shorter than a minute"),
    "no cron": (("night", "--cron", "0 3 * *"), "five fields"),
    "no jitter": (("night", "--once", "--jitter", "x"), "'x' is no time"),
    "no hook": (("night", "--once", "--webhook-env", "MADE_NO_HOOK"), "MADE_NO_HOOK of --webhook-env is not set"),
    "no suite": (("nigt", "--once"), "Did you mean night"),
    "a mistyped option of the run": (("night", "--once", "--", "--max-cots", "1"), "--max-cots"),
    "an endpoint": (("night", "--once", "-e", "quik/sim-small"), "Did you mean quick"),
}


@pytest.mark.parametrize(("argv", "words"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_before_the_night(tmp_path: Path, argv: tuple[str, ...], words: str) -> None:
    """In one line, with exit code 2, and nothing is run."""
    work_in(tmp_path)
    told(harness(tmp_path, "watch", *argv), 2, words)
    assert not (tmp_path / "results" / "runs").exists()


def test_two_watches_do_not_share_results(tmp_path: Path) -> None:
    """The second is told who the first is; Ctrl-C ends the first, with exit code 130."""
    work_in(tmp_path)
    with begin(tmp_path, "watch", "night", "--cron", "0 3 1 1 *") as first:
        assert first.stdout is not None
        try:
            while "next run" not in first.stdout.readline():
                pass
            told(harness(tmp_path, "watch", "night", "--once"), 5, f"is watched by process {first.pid}")
        finally:
            first.send_signal(signal.SIGINT)
        out, _ = first.communicate(timeout=WAIT_S)
    assert first.returncode == 130
    assert out.rstrip().endswith("stopped")


def test_ctrl_c_drains_the_run_under_way(tmp_path: Path) -> None:
    """What was asked is sealed, the night is remembered as interrupted, and the exit code is 130."""
    work_in(tmp_path)
    path = tmp_path / "providers.yaml"
    path.write_text(path.read_text().replace("ttft_ms: 0", "ttft_ms: 400"))
    with begin(tmp_path, "watch", "night", "--every", "6h", "--", "--no-gate") as watch:
        deadline = clocks.monotonic() + WAIT_S
        while not [one for one in (tmp_path / "results").glob("runs/*/journal-0.jsonl") if one.stat().st_size]:
            assert clocks.monotonic() < deadline
            clocks.sleep(0.05)
        os.kill(watch.pid, signal.SIGINT)
        out, _ = watch.communicate(timeout=WAIT_S)
    assert watch.returncode == 130, out
    assert [one.word for one in nights.of_suite(tmp_path / "results", "night")] == ["interrupted"]
    assert list((tmp_path / "results").glob("runs/*/attempts.parquet"))
