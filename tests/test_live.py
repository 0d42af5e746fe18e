"""A run that is being measured is followed from the outside, from its journals alone."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from published import manifest
from test_journal import SIMPLE

from harness.errors import StoreError
from harness.exchange import Failure
from harness.record.folder import RunFolder, create
from harness.record.journal import Journal, attempts_of, sessions
from harness.report.live import Row, Watched, under_way
from harness.types import Attempt


def tried(job: str, endpoint: str, *, number: int = 0, status: int = 200, fails: str | None = None) -> Attempt:
    """An attempt whose headers came 4 ns after its sending."""
    failure = None if fails is None else Failure(fails, "why")  # type: ignore[arg-type] - a kind
    job_of = replace(SIMPLE.job, id=job, endpoint=endpoint, stage="load.x@c1")
    return replace(SIMPLE, job=job_of, number=number, exchange=replace(SIMPLE.exchange, status=status, failure=failure))


def begun(results: Path, **changes: object) -> RunFolder:
    """A run folder with a manifest that says it is running."""
    run = create(results, "live")
    run.write_manifest(manifest(run, status="running", planned=10, **changes))
    return run


def test_progress_is_counted_from_where_the_last_look_ended(tmp_path: Path) -> None:
    """Each look adds what was written since; retries are attempts but no planned requests."""
    run = begun(tmp_path)
    watched = Watched(run)
    with Journal(run) as journal:
        journal.append(tried("a", "p/m"))
        first = watched.look()
        assert (first.done, first.planned, first.behind) == (1, 10, False)
        assert first.rows == [Row("p/m", 1, {}, 4e-6)]
        journal.append(tried("b", "q/m", status=503))
        journal.append(tried("b", "q/m", number=1, fails="reset"))
        second = watched.look()
    assert second.done == 2
    assert second.rows == [Row("p/m", 1, {}, 4e-6), Row("q/m", 2, {"http_5xx": 1, "reset": 1}, None)]
    assert second.stage == "load.x@c1"


def test_the_pace_is_that_of_the_last_ten_seconds(tmp_path: Path) -> None:
    """What ended earlier counts as done and not as pace; without a pace nothing is said of the time left."""
    run = begun(tmp_path)
    with Journal(run) as journal:
        for name in "abcde":
            journal.append(tried(name, "p/m"))
    last = sessions(run)[0].wall - timedelta(microseconds=sessions(run)[0].mono_ns / 1e3)
    watched = Watched(run)
    now = watched.look(last + timedelta(seconds=1))
    assert (now.per_s, now.left_s) == (0.5, 10.0)
    later = watched.look(last + timedelta(seconds=60))
    assert (later.done, later.per_s, later.left_s) == (5, 0.0, None)


def test_a_line_that_is_being_written_waits_for_the_next_look(tmp_path: Path) -> None:
    """Half a line is no line yet and no damage; damage in a whole line is told with its file."""
    run = begun(tmp_path)
    with Journal(run) as journal:
        journal.append(tried("a", "p/m"))
        path = journal.path
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(whole + lines[-1][:40])
    watched = Watched(run)
    assert watched.look().done == 1
    path.write_bytes(whole + lines[-1])
    assert watched.look().done == 2
    path.write_bytes(whole + lines[-1] + b"no line\n")
    with pytest.raises(StoreError, match="journal-0"):
        watched.look()


def test_only_a_run_that_is_being_written_is_under_way(tmp_path: Path) -> None:
    """One with a living writer; neither a broken-off one, nor one without a manifest, nor one known to have ended."""
    begun(tmp_path), create(tmp_path, "empty")
    run = begun(tmp_path)
    assert under_way(tmp_path, set()) == []
    with run.lock():
        assert under_way(tmp_path, set()) == [run]
        assert under_way(tmp_path, {run.id}) == []


@pytest.mark.parametrize("job", ["a", 'q"uote\\', "é\u2028/x", "\x7f\x01"])
def test_the_attempts_of_a_job_are_found_without_reading_all(job: str, tmp_path: Path) -> None:
    """However its id is spelt in the line; a job whose id only contains the other's is none of them."""
    run = begun(tmp_path)
    with Journal(run) as journal:
        for name in (job, f"{job}b", job):
            journal.append(tried(name, "p/m"))
    assert [attempt.job.id for attempt in attempts_of(run, {job})] == [job, job]
