"""Texts that are not kept: left out at the end of a run or purged later, everywhere at once, and figures stay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from echoing import echoing
from test_canary import called, contents

from harness.errors import StoreError, UsageError
from harness.record.folder import RunFolder, list_runs
from harness.record.journal import entries, read_attempts
from harness.store import query, texts
from harness.store.index import publish

ASKED, SAID = "quagga-in-the-question", "okapi-in-the-answer"
FIGURES = "select * exclude (failure_detail) from attempts order by job_id, number"


def ask(folder: Path, *options: str) -> RunFolder:
    """A finished run with an endpoint that answers and one that repeats the question as it refuses."""
    lines = [json.dumps({"question": f"{ASKED} {number}", "target": "okapi"}) for number in range(6)]
    (folder / "ask.jsonl").write_text("\n".join(lines) + "\n")
    choice = {"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}
    answer = {"id": "1", "object": "chat.completion", "choices": [choice]}
    refusal = {"error": {"message": f"no {ASKED}", "type": "invalid_request_error"}}
    with echoing(bodies={"good": json.dumps(answer).encode(), "refused": json.dumps(refusal).encode()}) as url:
        blocks = ["providers:"]
        for way in ("good", "refused"):
            blocks += [f"  {way}:", "    kind: hosted", f"    base_url: {url}/{way}/v1", "    any_model: true"]
        (folder / "providers.yaml").write_text("\n".join(blocks) + "\n")
        argv = ["eval", "ask.jsonl", "--scorer", "includes", "-e", "good/m", "-e", "refused/m", *options]
        subprocess.run([sys.executable, "-m", "harness", *argv], cwd=folder, check=True, capture_output=True)
    return list_runs(folder / "results")[-1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run that has all its texts."""
    folder = tmp_path_factory.mktemp("whole")
    ask(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "printed").mkdir()
    return tmp_path


@pytest.fixture
def run(home: Path, whole: Path) -> RunFolder:
    """A copy of that run in the folder to work in."""
    shutil.copytree(whole, home, dirs_exist_ok=True)
    return list_runs(home / "results")[0]


def words_in(run: RunFolder) -> list[str]:
    """Files of a run, and of the database, that hold a word of a question or an answer."""
    return [
        where for where, data in contents(run.root.parent.parent) if ASKED.encode() in data or SAID.encode() in data
    ]


def rows(home: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of the database."""
    return query.rows(home / "results", sql)


@pytest.mark.parametrize("keep", ["none", "hash"])
def test_a_run_keeps_no_texts(home: Path, capfd: pytest.CaptureFixture[str], keep: str) -> None:
    """No word is left in any file; scores and failures are what they were, and the manifest says what was kept."""
    run = ask(home, "--store-text", keep)
    assert words_in(run) == []
    assert (run.read_manifest()["texts"]["kept"], run.read_manifest()["selection"]["store_text"]) == (keep, keep)
    scored = rows(home, "select endpoint, avg(value) as mean, count(*) as n from scores group by all")
    assert scored == [{"endpoint": "good/m", "mean": 1.0, "n": 6}]
    assert rows(home, "select count(*) as n from attempts where failure_kind is not null")[0]["n"] == 6
    hashes = {row["text"] for row in rows(home, "select text from texts where text is not null")}
    assert {text[:7] for text in hashes} == (set() if keep == "none" else {"sha256:"})
    called(home, ["runs", "show", run.id], capfd)
    called(home, ["report", run.id], capfd)
    shown = "".join(path.read_text() for path in (home / "printed").iterdir())
    assert f"kept: {keep}" in shown


def test_figures_survive_a_purge(home: Path, run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    """Every column of attempts but the words of a failure is the same before and after, and after a rebuild."""
    before, scores = rows(home, FIGURES), rows(home, "select job_id, value from scores order by all")
    assert words_in(run) != []
    assert called(home, ["purge", "--text", run.id], capfd) == 0
    assert called(home, ["db", "rebuild"], capfd) == 0
    assert rows(home, FIGURES) == before
    assert rows(home, "select job_id, value from scores order by all") == scores
    assert words_in(run) == []


def test_a_sample_is_the_same_questions_of_all(home: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of some questions all texts stay, of the others none, in the journal as in the database."""
    monkeypatch.setattr(texts, "ONE_IN", 3)
    texts.purge(run, "sample")
    publish(home / "results")
    kept = {
        name: {row["sample"] for row in rows(home, sql)}
        for name, sql in {
            name: "select distinct sample from attempts join texts using (run_id, job_id, number) "
            f"where endpoint = '{name}/m' and request_body is not null"
            for name in ("good", "refused")
        }.items()
    }
    assert 0 < len(kept["good"]) < 6
    assert kept["refused"] <= kept["good"]
    journalled = {one.job.sample for _, one in entries(run, purged_too=True) if not one.exchange.purged}
    assert journalled == kept["good"]


def test_what_needs_the_words_is_refused(home: Path, run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    """Judging again and resuming end with exit code 2 and one line, and the sealed run stays as it was."""
    texts.purge(run, "none")
    sealed = [run.manifest_path, *run.root.glob("*.parquet")]
    before = [path.read_bytes() for path in sealed]
    for argv in (["score", run.id], ["probe", "rejudge", run.id], ["resume", run.id]):
        assert called(home, argv, capfd) == 2
    assert [path.read_bytes() for path in sealed] == before
    with pytest.raises(UsageError, match="were purged"):
        list(read_attempts(run))
    attempts = [attempt for _, attempt in entries(run, purged_too=True)]
    assert all(attempt.exchange.purged and attempt.exchange.body == b"" for attempt in attempts)
    assert all(attempt.exchange.reads for attempt in attempts if attempt.exchange.status)


def test_a_cache_keeps_texts(home: Path, run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    """``--cache`` and ``--store-text none`` exclude each other."""
    argv = ["eval", "ask.jsonl", "--scorer", "includes", "-e", "steady-vendor/sim-small", "--cache"]
    assert called(home, [*argv, "--store-text", "none"], capfd) == 2


def test_only_old_runs_are_purged(home: Path, run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    """``--older-than`` goes by the end of a run; a dry run says which and changes nothing; twice is once."""
    old, young = run, RunFolder(run.root.with_name(f"{run.id}-young"))
    shutil.copytree(old.root, young.root)
    ended = (datetime.now(UTC) - timedelta(days=31)).isoformat(timespec="milliseconds")
    old.write_manifest(old.read_manifest() | {"finished_at": ended})
    assert called(home, ["purge", "--text", "--older-than", "30d", "--dry-run"], capfd) == 0
    assert "texts" not in old.read_manifest()
    for _ in range(2):
        assert called(home, ["purge", "--text", "--older-than", "30d"], capfd) == 0
    assert "texts" not in young.read_manifest()
    assert old.read_manifest()["texts"]["purged_at"] is not None
    said = [path.read_text() for path in sorted((home / "printed").iterdir(), key=lambda path: path.stat().st_mtime_ns)]
    assert f"would purge {old.id}" in said[-3]
    assert f"purged {old.id}" in said[-2]
    assert "nothing to purge" in said[-1]


@pytest.mark.parametrize("argv", [[], ["--text"], ["--older-than", "30d"], ["--text", "--older-than", "soon"]])
def test_a_purge_must_be_meant(home: Path, run: RunFolder, capfd: pytest.CaptureFixture[str], argv: list[str]) -> None:
    """Without what and which, nothing is purged."""
    assert called(home, ["purge", *argv], capfd) == 2


def test_a_run_that_is_written_is_left_alone(home: Path, run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    """Its lock is held: the purge says so, and the run is whole."""
    with run.lock():
        assert called(home, ["purge", "--text", run.id], capfd) == 5
    assert "texts" not in run.read_manifest()


@pytest.mark.parametrize("nth", range(2, 10))
def test_a_purge_that_is_broken_off_is_finished_by_the_next(
    home: Path, run: RunFolder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """At whichever file the disk refuses: no file is half, nothing is judged meanwhile, and the next one ends it."""
    calls = 0
    replace = Path.replace

    def failing(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(28, os.strerror(28))
        return replace(path, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", failing)
        with pytest.raises(StoreError, match="no space left"):
            texts.purge(run, "none")
    assert texts.state(run.read_manifest()).due
    assert [path.name for path in run.root.iterdir() if path.name.endswith(".tmp")] == []
    assert called(home, ["purge", "--text", "--older-than", "30d"], capfd) == 0
    assert words_in(run) == []
    assert not texts.state(run.read_manifest()).due
