"""``harness verify under-load``: whether answers get worse when the server is busy, on simulated servers that do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made import harness, task
from made import sample as asked

from harness import catalog
from harness.cli import cli
from harness.errors import UsageError
from harness.provider import Endpoint, Provider
from harness.run.arrivals import Closed, Constant, law_json
from harness.run.planning.plan import Plan, make
from harness.run.selecting.selection import Busy, Selection
from harness.scorers.judge import judge
from harness.types import JsonObject

PROVIDERS = """providers:
  hasty:
    kind: simulated
    serve: {{engine: simulator, busy_from: 6, busy_accuracy: 0.5, {same}}}
    models: {{m: sim-small}}
  steady:
    kind: simulated
    serve: {{engine: simulator, {same}}}
    models: {{m: sim-small}}
"""
SAME = "profile: 'null', knows_tasks: true, ttft_ms: 8"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> JsonObject:
    """What a run on a server whose answers suffer from load, and on one whose do not, says; it is judged twice."""
    folder = tmp_path_factory.mktemp("busy")
    (folder / "providers.yaml").write_text(PROVIDERS.format(same=SAME))
    command = ("verify", "under-load", "-e", "hasty/m", "-e", "steady/m", "--concurrency", "12")
    done = harness(folder, *command, "--task", "arithmetic", "--task", "logic", "--md", "busy.md", "--json")
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)
    again = harness(folder, "verify", "report", "latest", "--json")
    assert json.loads(again.stdout) == first
    first["md"] = (folder / "busy.md").read_text()
    return dict(first)


def card(found: JsonObject, name: str) -> dict[str, Any]:
    """The findings on one endpoint by test, with its word and its times."""
    (one,) = [each for each in found["candidates"] if each["endpoint"] == name]
    return one | {finding["test"]: finding for finding in one["findings"]}


def test_a_server_that_hurries_is_worse(found: JsonObject) -> None:
    """Answers that are right alone and wrong under load are worse, with the questions that show it."""
    one = card(found, "hasty/m")
    assert one["word"] == one["score"]["word"] == "worse"
    assert one["answered"]["word"] == "not worse"
    assert one["score"]["details"]["reference"] == 1.0
    assert one["score"]["high"] < 0
    assert one["score"]["shown"][0]["why"].endswith("alone: right, under load: wrong")
    assert one["times"]["alone"]["under_way"] == 1
    assert one["times"]["under load"]["under_way"] > 6


def test_a_steady_server_is_not_worse(found: JsonObject) -> None:
    """The same questions, answered alike however many are under way, rule a loss of the margin out."""
    one = card(found, "steady/m")
    assert one["word"] == "not worse"
    assert {row["word"] for row in one["findings"]} <= {"not worse", "inconclusive"}


def test_the_report_has_commands_and_times(found: JsonObject) -> None:
    """Each loss comes with a command and both answers, and the times to the first token stand beside."""
    assert "## Does quality fall when the server is busy? Alone, and with 12 requests at once" in found["md"]
    assert "### hasty/m: worse\n" in found["md"]
    assert "under load, hasty/m:" in found["md"]
    assert "curl -sS" in found["md"]
    assert "TTFT p50: alone" in found["md"]


def planned(law: Closed | Constant, blocks: int) -> Plan:
    """The plan of two tasks with samples of one name, under a law."""
    endpoint = Endpoint(Provider("p", "simulated", "http://127.0.0.1:1/v1", models={"m": "m"}), "m", "m")
    things = [task(name, [asked(str(i)) for i in range(5)]) for name in ("a", "b")]
    tasks = catalog.Catalog(tasks={one.name: one for one in things})
    chosen = Selection("busy", ("p/m",), ("a", "b"), repeats=2 * blocks, busy=Busy(law_json(law)))
    return make(chosen, tasks, [endpoint])


def test_both_sides_are_asked_the_same_by_turns() -> None:
    """A B, B A: each block has all questions alone and under the law; no two jobs share an id."""
    plan = planned(Closed(4), 2)
    assert [stage.name for stage in plan.stages] == ["alone@c1#1", "busy@c4#1", "busy@c4#2", "alone@c1#2"]
    assert {stage.law for stage in plan.stages} == {Closed(1), Closed(4)}
    jobs = list(plan.jobs)
    assert len({job.id for job in jobs}) == len(jobs) == 40
    for stage in plan.stages:
        (lane,) = stage.lanes
        assert {(job.task, job.sample) for job in lane} == {(t, str(i)) for t in "ab" for i in range(5)}
        assert {job.repeat % 2 for job in lane} == {int(stage.name.startswith("busy"))}
    assert Selection.from_json(json.loads(json.dumps(plan.selection, default=vars_of))) == plan.selection


def vars_of(one: Any) -> Any:
    """A selection as plain data."""
    import dataclasses

    return dataclasses.asdict(one)


def test_a_rate_has_times() -> None:
    """Under a rate each question is due at its time; alone none is."""
    alone, busy = (stage.lanes[0] for stage in planned(Constant(10.0), 1).stages)
    assert {job.due_ns for job in alone} == {None}
    assert [job.due_ns for job in busy] == [i * 100_000_000 for i in range(10)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "--concurrency or one --rate"),
        (["--concurrency", "1"], "is what it is compared with"),
        (["--concurrency", "4", "--rate", "3"], "cannot go together"),
        (["--concurrency", "30"], "20 requests at once"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: list[str], says: str, tmp_path: Path) -> None:
    """How busy is said once, beyond 1 and within the endpoint's limits, and of tasks that need no judge."""
    block = "{kind: simulated, base_url: 'http://127.0.0.1:1/v1', models: {m: m}, limits: {concurrency: 20}}"
    (tmp_path / "providers.yaml").write_text(f"providers:\n  p: {block}\n")
    given = [*options, "--providers", str(tmp_path / "providers.yaml"), "--dry-run"]
    done = CliRunner().invoke(cli, ["verify", "under-load", "-e", "p/m", *given])
    assert isinstance(done.exception, UsageError), done.output
    assert says in f"{done.exception}"


def test_judged_tasks_are_refused() -> None:
    """A task whose answers a model judges is refused where it is planned."""
    endpoint = Endpoint(Provider("p", "simulated", "http://127.0.0.1:1/v1", models={"m": "m"}), "m", "m")
    tasks = catalog.Catalog(tasks={"a": task("a", [asked("0")], scorer=judge())})
    chosen = Selection("busy", ("p/m",), ("a",), repeats=2, busy=Busy(law_json(Closed(2))), judges=("p/m",))
    with pytest.raises(UsageError, match="judged by a model"):
        make(chosen, tasks, [endpoint], [endpoint])
