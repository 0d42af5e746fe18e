"""The life of a run: begun, broken off in every way, taken up, judged again; nothing lost, nothing asked twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from made import WAIT_S, Watcher, begin, catalog, endpoint, harness, load, plan, sample, task, told

from harness.cli.carry import finish
from harness.engines import Running, start
from harness.errors import CannotMeasure, ConfigError, EngineError, StoreError, TaskError, UsageError
from harness.exchange import Completion
from harness.integrity.whole import check
from harness.provider import Auth, Endpoint, Quirks, Serve
from harness.record.folder import RunFolder, list_runs, open_run
from harness.record.journal import read_attempts, sessions
from harness.record.versions import plan_as_stored
from harness.run import sitting
from harness.run.admission.rate_limits import retry_delay_s
from harness.run.arrivals import Closed
from harness.run.conduct import Company
from harness.run.differing import config_parts
from harness.run.planning.plan import sha256
from harness.run.scoring.judge import cancelled
from harness.run.sitting import Sitting
from harness.run.tally import Budget
from harness.scorers.exact import exact
from harness.store.query import rows
from harness.types import Sample, Score, Scorer, Task
from harness.wire.assemble import assemble

SUMS = task("sums", [sample(f"s{n}") for n in range(6)])
CHAT = load("chat", Closed(1), Closed(2), n=3, warmup=1)
FILES = {
    "run.json",
    "plan.jsonl",
    "journal-0.jsonl",
    "scores.jsonl",
    "verdicts.jsonl",
    "attempts.parquet",
    "texts.parquet",
    "scores.parquet",
    "verdicts.parquet",
    "vitals-0.jsonl",
    "server.jsonl",
    "server_samples.parquet",
    "client_samples.parquet",
}
KEYS = {
    "schema_version",
    "id",
    "status",
    "suite",
    "created_at",
    "finished_at",
    "seed",
    "planned",
    "selection",
    "harness_version",
    "python",
    "duckdb",
    "os",
    "host",
    "cpus",
    "plan_sha256",
    "config_sha256",
    "endpoints",
    "tasks",
    "loads",
    "probes",
    "facts",
    "sealed",
    "unscraped",
}


class Server(NamedTuple):
    """A simulator that outlives the runs of this file, and its own record of what it was asked."""

    running: Running
    log: Path

    def asked(self) -> int:
        """Chat requests so far; the record lags behind, so a request of ours is sent and waited for in it."""
        marks = self._count("/models")
        urllib.request.urlopen(f"{self.running.base_url}/models", timeout=WAIT_S).close()
        assert _soon(lambda: self._count("/models") > marks)
        return self._count("/chat/completions")

    def _count(self, path: str) -> int:
        return self.log.read_text().count(f'"path":"/v1{path}"')

    def endpoint(self, name: str = "p/m", **changes: Any) -> Endpoint:
        """The server under a name."""
        return endpoint(name, self.running.base_url, **changes)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One quick server that fails now and then."""
    folder = tmp_path_factory.mktemp("server")
    options = {"profile": "null", "overload_503": 0.2, "retry_after_s": 0.01}
    running = start(Serve("simulator", options), log_dir=folder)
    yield Server(running, folder / "simulator-null.sends.jsonl")
    running.stop()


def _carry_out(things: list[Any], endpoints: list[Endpoint], results: Path, **options: Any) -> Sitting:
    made = plan(things, endpoints, **options.pop("selection", {}))
    return sitting.start(made, results=results, company=Company(Watcher(), **options))


def _resume(run: RunFolder, things: list[Any], endpoints: list[Endpoint], **options: Any) -> Sitting:
    providers = {one.provider.id: one.provider for one in endpoints}
    return sitting.resume(run, catalog=catalog(*things), providers=providers, company=Company(Watcher(), **options))


def _final(run: RunFolder) -> Counter[str]:
    """How many final attempts each job has: neither broken off by us nor to be tried again."""
    found: Counter[str] = Counter()
    for one in read_attempts(run):
        failure = assemble(one.exchange, stream=one.request.stream).failure
        again = failure is not None and retry_delay_s(one.job, one.number, failure) is not None
        found[one.job.id] += not cancelled(one) and not again
    return found


def _tries(run: RunFolder) -> list[tuple[str, int]]:
    return [(one.job.id, one.number) for one in read_attempts(run)]


def _planned(run: RunFolder) -> list[str]:
    return [json.loads(line)["id"] for line in run.plan_path.read_bytes().splitlines()]


def _assert_whole(run: RunFolder) -> None:
    """Every planned job has exactly one final attempt, no try was made twice, and all of it is published."""
    planned = _planned(run)
    assert _final(run) == dict.fromkeys(planned, 1)
    tries = _tries(run)
    assert len(tries) == len(set(tries))
    assert run.read_manifest()["status"] == "finished"
    found = rows(run.root.parent.parent, "select job_id, number from attempts where run_id = ?", [run.id])
    assert sorted((row["job_id"], row["number"]) for row in found) == sorted(tries)


# --- a run from its beginning to its end -----------------------------------------------------------------


def test_a_run_leaves_a_whole_folder(server: Server, tmp_path: Path) -> None:
    """All files and all keys of the manifest are there; database, journal and plan agree, retries included."""
    both = [server.endpoint("p/m"), server.endpoint("q/m")]
    sat = _carry_out([SUMS, CHAT], both, tmp_path)
    assert sat.status == "finished"
    assert {path.name for path in sat.folder.root.iterdir() if not path.name.startswith(".")} == FILES
    manifest = sat.folder.read_manifest()
    assert set(manifest) == KEYS
    assert manifest["planned"] == len(_planned(sat.folder)) == 2 * (6 + 8)
    assert [row["id"] for row in manifest["endpoints"]] == ["p/m", "q/m"]
    assert manifest["finished_at"] > manifest["created_at"]
    _assert_whole(sat.folder)
    scores = rows(tmp_path, "select count(*) as n, min(value) as worst from scores")
    assert scores == [{"n": sum(_answered(sat.folder, "quality")), "worst": 1.0}]


def _answered(run: RunFolder, kind: str) -> list[bool]:
    """Whether each final attempt of a kind gave a completion."""
    last = {one.job.id: one for one in read_attempts(run) if one.job.kind == kind}
    return [assemble(one.exchange, stream=one.request.stream).ok for one in last.values()]


def test_a_run_starts_and_stops_the_servers_it_needs(tmp_path: Path) -> None:
    """A served endpoint is started for the run, its address and version are recorded, and it is gone at the end."""
    served = endpoint("own/m", serve=Serve("simulator", {"profile": "null"}))
    sat = _carry_out([SUMS], [served], tmp_path)
    row = sat.folder.read_manifest()["endpoints"][0]
    assert row["base_url"].startswith("http://127.0.0.1:")
    assert row["engine_version"].startswith("simulator ")
    _assert_whole(sat.folder)
    assert _servers(sat.folder) == []


def test_a_missing_key_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All missing variables are named at once, and no run folder is made."""
    monkeypatch.delenv("MADE_KEY_A", raising=False)
    monkeypatch.delenv("MADE_KEY_B", raising=False)
    both = [endpoint(f"{name}/m", "http://127.0.0.1:1/v1", auth=Auth(env=f"MADE_KEY_{name}")) for name in "AB"]
    with pytest.raises(ConfigError, match=r"MADE_KEY_A .*MADE_KEY_B"):
        _carry_out([SUMS], both, tmp_path)
    assert list_runs(tmp_path) == []


def test_a_run_whose_server_does_not_start_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is kept as failed, without attempts; when what was missing is there, it is carried out."""
    monkeypatch.delenv("MADE_KEY", raising=False)
    served = endpoint("own/m", serve=Serve("simulator", {"profile": "null", "key_env": "MADE_KEY"}))
    with pytest.raises(EngineError, match="MADE_KEY"):
        _carry_out([SUMS], [served], tmp_path)
    run = open_run(tmp_path, "latest")
    assert run.read_manifest()["status"] == "failed"
    assert rows(tmp_path, "select status, sealed from runs") == [{"status": "failed", "sealed": True}]
    monkeypatch.setenv("MADE_KEY", "made-up")
    keyed = endpoint("own/m", serve=served.provider.serve)
    assert _resume(run, [SUMS], [keyed]).barren is not None  # no key was sent: every answer was 401


def test_ctrl_c_while_a_server_starts_is_an_interruption(tmp_path: Path) -> None:
    """Before the first request too, what there is is sealed, and the run can be resumed."""
    served = endpoint("own/m", serve=Serve("simulator", {"profile": "null"}))

    def impatient(what: str) -> None:
        if what.startswith("starting"):
            raise KeyboardInterrupt

    sat = _carry_out([SUMS], [served], tmp_path, announce=impatient)
    assert sat.status == sat.folder.read_manifest()["status"] == "interrupted"
    assert _resume(sat.folder, [SUMS], [served]).status == "finished"
    _assert_whole(sat.folder)


def test_a_run_that_reached_its_bound_is_resumed_without_it(server: Server, tmp_path: Path) -> None:
    """A budget breaks a run off between requests; what was left is asked later, each job once."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path, budget=Budget(max_requests=2))
    assert sat.status == sat.folder.read_manifest()["status"] == "interrupted"
    before = _tries(sat.folder)
    assert 0 < len({job for job, _ in before}) <= 6
    assert _resume(sat.folder, [SUMS], [server.endpoint()]).status == "finished"
    assert _tries(sat.folder)[: len(before)] == before
    _assert_whole(sat.folder)


# --- taking up, and judging again ------------------------------------------------------------------------


def test_resuming_a_finished_run_sends_nothing(server: Server, tmp_path: Path) -> None:
    """No request, no server started, no key needed; the run stays finished and its attempts are as they were."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path)
    before, asked = _tries(sat.folder), server.asked()
    again = _resume(sat.folder, [SUMS], [server.endpoint()])
    assert (again.status, again.tally.attempts) == ("finished", 0)
    assert (_tries(sat.folder), server.asked()) == (before, asked)
    _assert_whole(sat.folder)


@pytest.mark.parametrize(
    ("things", "changes", "words"),
    [
        ([task("sums", [sample(f"s{n}", "Why?" if n == 3 else None) for n in range(6)])], {}, "/s3/0 asks something"),
        ([task("sums", [sample(f"s{n}") for n in range(5)])], {}, "it had 6 requests and now has 5"),
        ([task("sums", [sample(f"t{n}") for n in range(6)])], {}, "where it had quality.sums/p/m/s"),
        ([replace(SUMS, version=2)], {}, "task sums: version 1 -> 2"),
        ([replace(SUMS, scorer=replace(SUMS.scorer, version=99))], {}, "task sums: scorer_version 1 -> 99"),
        ([task("sums", [replace(sample(f"s{n}"), target="?") for n in range(6)])], {}, "task sums: data_sha256 "),
        ([SUMS], {"headers": {"X-Team": "sk-a-secret-of-somebody"}}, "p/m: headers.X-Team none -> #"),
        ([SUMS], {"auth": Auth(env="OTHER_KEY")}, "OTHER_KEY"),
        ([SUMS], {"quirks": Quirks(max_tokens_field="max_tokens")}, "p/m: quirks.max_tokens_field "),
        ([SUMS], {"base_url": "http://127.0.0.1:1/v1"}, "-> http://127.0.0.1:1/v1"),
    ],
)
def test_a_run_is_not_continued_as_another(
    things: list[Task], changes: dict[str, Any], words: str, server: Server, tmp_path: Path
) -> None:
    """Where the questions or the endpoint have changed, resume refuses in one line that says what has."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path, budget=Budget(max_requests=2))
    asked = server.asked()
    provider = replace(server.endpoint().provider, **changes)
    with pytest.raises(UsageError) as caught:
        _resume(sat.folder, things, [replace(server.endpoint(), provider=provider)])
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.asked() == asked


def test_an_address_is_named_without_what_is_secret_in_it() -> None:
    """User, password, query and fragment of an address are no part of what is kept to tell a difference."""
    kept = config_parts(
        {"base_url": "https://me:hunter2@host.example:8443/v1?key=hunter3#hunter4", "query": {"a": "hunter5"}}
    )
    assert kept["base_url"] == "https://host.example:8443/v1"
    assert "hunter" not in str(kept)


def test_a_damaged_plan_is_put_back(server: Server, tmp_path: Path) -> None:
    """What was in plan.jsonl is proved by its hash in the manifest, so resume makes it anew; nothing is sent twice."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path, budget=Budget(max_requests=2))
    plan_was, before = sat.folder.plan_path.read_bytes(), _tries(sat.folder)
    for damage in (lambda: sat.folder.plan_path.write_bytes(b"x"), sat.folder.plan_path.unlink):
        damage()
        _resume(sat.folder, [SUMS], [server.endpoint()])
        assert sat.folder.plan_path.read_bytes() == plan_was
    assert _tries(sat.folder)[: len(before)] == before
    _assert_whole(sat.folder)


def test_a_run_of_version_1_is_finished_by_today(server: Server, tmp_path: Path) -> None:
    """Its plan, without versions in its lines, is known again; what was there stays and the rest is sent once."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path, budget=Budget(max_requests=2))
    lines = plan_as_stored(sat.folder.plan_path.read_bytes(), b"")
    sat.folder.plan_path.write_bytes(lines)
    old = sat.folder.read_manifest() | {"schema_version": 1, "plan_sha256": sha256(lines)}
    del old["sealed"]
    for row in (*old["endpoints"], *old["tasks"]):
        row.pop("config", None)
        row.pop("data_sha256", None)
    sat.folder.manifest_path.write_text(json.dumps(old))
    before = _tries(sat.folder)
    assert _resume(sat.folder, [SUMS], [server.endpoint()]).status == "finished"
    assert _tries(sat.folder)[: len(before)] == before
    assert sat.folder.plan_path.read_bytes() == lines
    _assert_whole(sat.folder)
    assert [one for one in check(tmp_path, [sat.folder]) if one.wrong] == []


def test_a_run_whose_journal_lost_lines_is_not_continued(server: Server, tmp_path: Path) -> None:
    """What was sealed would be asked and paid for again; one line says which file it is, and nothing is sent."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path)
    path, asked = sat.folder.journal_path(0), server.asked()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(StoreError, match=r"journal-0\.jsonl has \d+ bytes where \d+ were sealed"):
        _resume(sat.folder, [SUMS], [server.endpoint()])
    assert server.asked() == asked


def test_prices_and_limits_may_change_before_a_run_is_continued(server: Server, tmp_path: Path) -> None:
    """What does not change a request does not stop a run from being finished."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path, budget=Budget(max_requests=2))
    cheaper = replace(server.endpoint().provider, prices={})
    assert _resume(sat.folder, [SUMS], [replace(server.endpoint(), provider=cheaper)]).status == "finished"


def _wrong(sample: Sample, completion: Completion) -> Score:
    return Score(0.0, None, "made to be wrong", "wrong", 2)


def _failing(sample: Sample, completion: Completion) -> Score:
    raise KeyError("target")


def _rejudge(run: RunFolder, scorer: Callable[[Sample, Completion], Score], providers: list[Endpoint]) -> None:
    judged = replace(SUMS, scorer=Scorer("made", 2, scorer))
    sitting.rejudge(run, catalog=catalog(judged), providers={one.provider.id: one.provider for one in providers})


def test_a_run_is_judged_again_without_a_request(server: Server, tmp_path: Path) -> None:
    """A newer scorer's scores take the place of the old ones; nothing is sent, and the run's end stays when it was."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path)
    asked, manifest = server.asked(), sat.folder.read_manifest()
    _rejudge(sat.folder, _wrong, [server.endpoint()])
    assert rows(tmp_path, "select distinct value, version from scores") == [{"value": 0.0, "version": 2}]
    assert server.asked() == asked
    assert {**sat.folder.read_manifest(), "sealed": None} == {**manifest, "sealed": None}


def test_a_killed_run_that_is_judged_is_interrupted(server: Server, tmp_path: Path) -> None:
    """Judging a run whose process is gone does not leave it running for ever."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path)
    sat.folder.write_manifest(sat.folder.read_manifest() | {"status": "running"})
    _rejudge(sat.folder, exact().score, [server.endpoint()])
    assert rows(tmp_path, "select status from runs") == [{"status": "interrupted"}]


def test_a_scorer_that_fails_costs_the_scores_alone(server: Server, tmp_path: Path) -> None:
    """The error names scorer, task, sample and line; what was measured is sealed, and scored when it is mended."""
    judged = replace(SUMS, scorer=Scorer("broken", 1, _failing))
    with pytest.raises(TaskError, match=r"scorer broken of task sums on sample s\d: KeyError.*test_sitting\.py:\d+"):
        _carry_out([judged], [server.endpoint()], tmp_path)
    run = open_run(tmp_path, "latest")
    _assert_whole(run)
    assert rows(tmp_path, "select count(*) as n from scores") == [{"n": 0}]
    _rejudge(run, _wrong, [server.endpoint()])
    assert rows(tmp_path, "select count(*) as n from scores") == [{"n": sum(_answered(run, "quality"))}]


def test_one_process_at_a_time(server: Server, tmp_path: Path) -> None:
    """While a run is locked it is neither resumed nor judged, and nothing is sent."""
    sat = _carry_out([SUMS], [server.endpoint()], tmp_path)
    asked = server.asked()
    with sat.folder.lock():
        with pytest.raises(StoreError, match=f"being written by process {os.getpid()}"):
            _resume(sat.folder, [SUMS], [server.endpoint()])
        with pytest.raises(StoreError, match="being written"):
            _rejudge(sat.folder, _wrong, [server.endpoint()])
    assert server.asked() == asked


def test_a_run_that_measured_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where every request failed the sitting names the commonest failure, and the command ends with exit code 3."""
    sat = _carry_out([CHAT], [endpoint("p/m", "http://127.0.0.1:9/v1")], tmp_path)
    assert sat.status == "finished"
    assert sat.barren is not None
    assert sat.barren.kind == "connect"
    with pytest.raises(CannotMeasure, match=r"every request failed, most often with connect \(127\.0\.0\.1:9: "):
        finish(sat, tmp_path, as_json=False)
    assert "connect" in capsys.readouterr().out


def test_one_answer_is_a_measurement(server: Server, tmp_path: Path) -> None:
    """An endpoint that is down beside one that answers is a finding, not a failure of the run."""
    sat = _carry_out([CHAT], [endpoint("down/m", "http://127.0.0.1:9/v1"), server.endpoint()], tmp_path)
    assert sat.barren is None


# --- broken off from outside -----------------------------------------------------------------------------

PROVIDERS = """
providers:
  slow:
    kind: simulated
    serve: {engine: simulator, profile: "null", ttft_ms: 100, knows_tasks: true}
    models: {m: sim-small}
"""


def _servers(run: RunFolder) -> list[str]:
    """Processes that write into a run's folder: the servers that were started for it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(run.root).encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


def _soon(what: Callable[[], object]) -> bool:
    until = time.perf_counter() + WAIT_S
    while time.perf_counter() < until:
        if what():
            return True
        time.sleep(0.02)
    return False


def _lines(folder: Path) -> int:
    """Lines of the journal of the only run there."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("results/runs/*/journal-0.jsonl"))


class Broken(NamedTuple):
    """A run that was stopped with Ctrl-C."""

    folder: Path
    run: RunFolder
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """Start a slow run and stop it in the middle of its third request."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "providers.yaml").write_text(PROVIDERS)
    argv = ("eval", "arithmetic:12", "assistant:4", "-e", "slow/m", "--concurrency", "1")
    with begin(folder, *argv) as process:
        try:
            assert _soon(lambda: _lines(folder) >= 3 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    run = open_run(folder / "results", "latest")
    return Broken(folder, run, subprocess.CompletedProcess(argv, process.returncode, out, err))


def test_a_second_process_is_refused(broken: Broken, tmp_path: Path) -> None:
    """A run under way is not resumed: one line names the process that writes it, and the exit code is 5."""
    shutil.copytree(broken.folder, tmp_path, dirs_exist_ok=True)
    run = open_run(tmp_path / "results", "latest")
    before = _tries(run)
    with run.lock():
        refused = harness(tmp_path, "resume")
    told(refused, 5, run.id, f"is being written by process {os.getpid()}. Wait for it to end")
    assert _tries(run) == before


def test_ctrl_c_seals_what_there_is(broken: Broken) -> None:
    """Exit code 130, one line with the command that goes on, a sealed and published run, and no server left.

    What was under way is waited for, so nothing of it is lost.
    """
    told(broken.done, 130, "interrupted; what was there is sealed", f"harness resume {broken.run.id}")
    assert broken.run.read_manifest()["status"] == "interrupted"
    published = rows(broken.folder / "results", "select job_id, number from attempts order by all")
    assert [tuple(row.values()) for row in published] == sorted(_tries(broken.run))
    assert not any(cancelled(one) for one in read_attempts(broken.run))
    assert "interrupt again to break it off" in broken.done.stderr
    assert "arithmetic" in broken.done.stdout
    assert _servers(broken.run) == []


def test_resume_finishes_what_ctrl_c_broke_off(broken: Broken, tmp_path: Path) -> None:
    """Every planned job ends with exactly one final attempt, what was there stays, and another resume sends nothing."""
    shutil.copytree(broken.folder, tmp_path, dirs_exist_ok=True)
    run = open_run(tmp_path / "results", "latest")
    before = _tries(run)
    done = harness(tmp_path, "resume")
    assert done.returncode == 0, done.stderr
    left = 16 - len(before)
    assert f"{left}/{left} requests" in done.stderr
    assert _tries(run)[: len(before)] == before
    _assert_whole(run)
    tries = _tries(run)
    again = harness(tmp_path, "resume")
    told(again, 0, f"nothing of run {run.id} was left to ask, and nothing was sent")
    assert _tries(run) == tries
    _assert_whole(run)
    scored = harness(tmp_path, "score", "latest", "--json")
    assert json.loads(scored.stdout)["run"]["status"] == "finished"


def test_kill_9_loses_no_attempt(tmp_path: Path) -> None:
    """Killed at five random moments a run keeps every journalled attempt, leaves no server, and is finished at last."""
    (tmp_path / "providers.yaml").write_text(PROVIDERS)
    argv: tuple[str, ...] = ("eval", "arithmetic", "-e", "slow/m", "--concurrency", "2")
    kept: list[tuple[str, int]] = []
    for _ in range(5):
        lines = _lines(tmp_path)
        with begin(tmp_path, *argv) as process:
            try:
                assert _soon(lambda seen=lines: _lines(tmp_path) > seen + 1 or process.poll() is not None)  # type: ignore[misc]
                time.sleep(random.uniform(0.0, 0.3))  # of the seed that pytest-randomly prints
            finally:
                process.kill()
            process.communicate(timeout=WAIT_S)
        run = open_run(tmp_path / "results", "latest")
        found = _tries(run)
        assert found[: len(kept)] == kept
        kept = found
        assert _soon(lambda killed=run: not _servers(killed))  # type: ignore[misc]
        argv = ("resume",)
    assert kept
    done = harness(tmp_path, "resume")
    assert done.returncode == 0, done.stderr
    assert _tries(run)[: len(kept)] == kept
    assert len(sessions(run)) == 6
    assert len(_planned(run)) == 48
    _assert_whole(run)


def test_only_a_load_is_worth_a_calibration() -> None:
    """However much a quality task streams, nobody waits for a calibration after it."""
    streamed = {"stage": "quality.sums", "reads": 90_000, "began_ns": 0, "ended_ns": 1_000_000_000, "in_flight_max": 4}
    loaded = {**streamed, "stage": "load.chat@c4", "reads": 6_000}
    assert sitting._to_calibrate([streamed], None) is None
    assert sitting._to_calibrate([streamed, loaded], None) == (4, 6_000.0)
    assert sitting._to_calibrate([streamed, loaded], False) is None
