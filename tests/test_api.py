"""What the commands do, from Python: the same plans, the same runs, the same figures."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import harness
from harness.cli import cli
from harness.conformance import Check, Seen, chat, check, probe
from harness.errors import CannotMeasure, UnknownName, UsageError
from harness.exchange import Completion
from harness.run.arrivals import Closed
from harness.types import Load, Sample, Score, Scorer, Task

TWO = ("quick/sim-small", "wrong/sim-small")
SERVE = {"engine": "simulator", "profile": "steady-vendor", "ttft_ms": 0, "itl_ms": 0}
BLOCK = {"kind": "simulated", "models": {"sim-small": "sim-small"}}
SUITE = {
    "tasks": ["arithmetic:12"],
    "endpoints": ["quick/sim-small"],
    "gate": {"gates": [{"metric": "quality", "min": "50%"}]},
}


def brief(words: int) -> Scorer:
    """Whether an answer is short."""

    def score(sample: Sample, completion: Completion) -> Score:
        said = len(completion.text.split())
        return Score(float(0 < said <= words), completion.text, f"{said} words", f"brief({words})", 1)

    return Scorer(f"brief({words})", 1, score)


def load_of_mine(data: Path | None) -> Iterator[Sample]:
    """One question."""
    yield Sample("one", ({"role": "user", "content": "Repeat exactly: yes"},), params={"max_tokens": 8})


ASKED = chat("mine_said", "one line", "Say hello.", cap=8)
MINE = Task("mine", 1, "quality", "Answers briefly.", load_of_mine, brief(2))
SHORT = Load("short_of_mine", 1, "Made for a test.", (Closed(1),), 3, lambda seed, index: next(load_of_mine(None)))


@probe("mine.answers", title="Answers", sees=(ASKED,), spec="made for a test", profile=("mine",))
def answers(seen: Seen) -> Iterator[Check]:
    """The status is 200."""
    yield check("status", seen[ASKED].status == 200, 200, seen[ASKED].status)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a quick vendor, one that is mostly wrong, one that is not there, and a suite."""
    made = tmp_path_factory.mktemp("api")
    blocks = {
        "quick": BLOCK | {"serve": SERVE},
        "wrong": BLOCK | {"serve": SERVE | {"accuracy": 0.2}},
        "away": {"kind": "local", "base_url": "http://127.0.0.1:9/v1", "models": {"m": "m"}},
    }
    (made / "providers.yaml").write_text(json.dumps({"providers": blocks}))
    (made / "mine.jsonl").write_text('{"question": "Repeat exactly: a b c"}\n')
    (made / "tasks" / "suites").mkdir(parents=True)
    (made / "tasks" / "suites" / "ci.yaml").write_text(json.dumps(SUITE))
    before = Path.cwd()
    os.chdir(made)
    yield made
    os.chdir(before)


@pytest.fixture(scope="module")
def ran(folder: Path) -> harness.Run:
    """A run of two endpoints, awaited as in a notebook: inside a loop that goes on meanwhile."""

    async def cell() -> harness.Run:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        heart = asyncio.create_task(beat())
        found = await harness.run(harness.plan.eval("arithmetic:10", endpoints=TWO))
        heart.cancel()
        assert beats > 2
        return found

    return asyncio.run(cell())


def command(*argv: str) -> Any:
    """What a command prints as JSON."""
    done = CliRunner().invoke(cli, argv)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_name_is_there_and_the_verb_is_the_package_too() -> None:
    """All that ``harness`` offers can be had; ``harness.run`` is called as a function and imported as a package."""
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    assert set(harness.__all__) <= set(dir(harness))
    assert isinstance(harness.run, ModuleType)
    assert callable(harness.run)
    with pytest.raises(AttributeError, match="nothing"):
        _ = harness.nothing  # type: ignore[attr-defined]


OWN = ("-e", "quick/sim-small")


@pytest.mark.parametrize(
    ("argv", "plan"),
    [
        (
            ("eval", "arithmetic", "logic:2", *OWN, "--limit", "3", "--repeats", "2", "--seed", "7"),
            lambda: harness.plan.eval("arithmetic", "logic:2", endpoints=OWN[1], limit=3, repeats=2, seed=7),
        ),
        (
            ("eval", "mine.jsonl", *OWN, "--scorer", "answered", "--max-tokens", "9"),
            lambda: harness.plan.eval(Path("mine.jsonl"), endpoints=OWN[1], scorer="answered", max_tokens=9),
        ),
        (
            ("load", "chat", *OWN, "--concurrency", "1,2", "-n", "5", "--repeats", "2", "--output-tokens", "16"),
            lambda: harness.plan.load(
                "chat", endpoints=OWN[1], concurrency=[1, 2], requests=5, repeats=2, output_tokens=16
            ),
        ),
        (
            ("load", "chat", *OWN, "--rate", "3", "--duration", "2s"),
            lambda: harness.plan.load("chat", endpoints=OWN[1], rate=3, duration=2),
        ),
        (("probe", *OWN, "--profile", "smoke"), lambda: harness.plan.probe("smoke", endpoints=OWN[1])),
        (("run", "ci"), lambda: harness.plan.suite("ci")),
        (
            ("verify", "--reference", TWO[0], "--candidate", TWO[1], "--budget", "small", "--dry-run"),
            lambda: harness.plan.verify(*TWO, budget="small"),
        ),
    ],
    ids=("tasks", "file", "levels", "duration", "probe", "suite", "verify"),
)
def test_a_plan_is_that_of_the_command(folder: Path, argv: Sequence[str], plan: Any) -> None:
    """What Python plans is what the command of that name plans: stages, requests, tokens, cost."""
    assert plan().forecast() == command(*argv, "--dry-run", "--json")


def test_results_are_frames_and_say_what_the_commands_say(ran: harness.Run) -> None:
    """Attempts, scores and views come as DataFrames of this run alone; reports are those of the commands."""
    attempts, scores = ran.attempts(), ran.scores()
    assert isinstance(attempts, pd.DataFrame)
    assert (ran.status, ran.stopped, len(scores), set(scores["endpoint"])) == ("finished", None, 20, set(TWO))
    assert set(attempts["run_id"]) == {ran.id}
    quality = ran.frame().set_index("endpoint")["quality_mean"]
    assert quality[TWO[0]] == 1.0 > quality[TWO[1]]
    assert ran.verdicts().empty
    assert harness.open_run(ran.id[:20]).id == ran.id
    assert ran.id in set(harness.runs()["run_id"])
    assert ran.report() == command("report", ran.id, "--json")
    assert harness.compare(*TWO, run=ran) == command("compare", *TWO, "--run", ran.id, "--json")
    assert json.loads(json.dumps(harness.trend("quality"))) == command("trend", "-m", "quality", "--json")
    with pytest.raises(UsageError, match="no column run_id"):
        ran.frame("store")


def test_a_report_is_written_in_each_form(ran: harness.Run, tmp_path: Path) -> None:
    """HTML, Markdown and JUnit by the file's suffix; another one is refused before anything is written."""
    for name, sign in (("a.html", "<html"), ("a.md", "## "), ("a.xml", "<testsuites")):
        ran.write(tmp_path / name)
        assert sign in (tmp_path / name).read_text()
    with pytest.raises(UsageError, match="ends in"):
        ran.write(tmp_path / "a.pdf")
    with pytest.raises(UnknownName, match="report format 'slack'"):
        ran.text("slack")


def test_tasks_loads_and_probes_of_ones_own(folder: Path) -> None:
    """Objects of this process are asked like those of files, a scorer of one's own takes any task's place of it."""
    endpoint = harness.providers()["quick"]

    async def all_of_it() -> list[harness.Run]:
        plans = [
            harness.plan.eval(MINE, "arithmetic:2", "mine.jsonl", endpoints=TWO[0], scorer=brief(1)),
            harness.plan.load(SHORT, endpoints=harness.Endpoint(endpoint, "sim-small", "sim-small"), warmup=0),
            harness.plan.probe(answers, endpoints=TWO[0]),
        ]
        return [await harness.run(one, results=folder / "own") for one in plans]

    evaluated, loaded, probed = asyncio.run(all_of_it())
    values = evaluated.scores().set_index("task")
    assert set(values["scorer"]) == {"brief(1)"}
    assert values["value"]["mine"] == 1.0
    assert values["value"]["mine.jsonl"] == 0.0
    assert len(loaded.attempts()) == 3
    assert probed.verdicts()["verdict"].tolist() == ["supported"]
    assert probed.matrix()["endpoints"][0]["endpoint"] == TWO[0]
    assert len(evaluated.rescore().scores()) == len(values)


def test_a_run_that_is_cancelled_is_sealed_and_goes_on(folder: Path) -> None:
    """Whoever waits no more gets the cancellation back once what was there is sealed; resuming sends the rest."""
    slow = Load("slow", 1, "Made for a test.", (Closed(1),), 150, SHORT.sample, warmup=0)
    results = folder / "cancelled"

    async def broken_off() -> None:
        waiting = asyncio.create_task(harness.run(harness.plan.load(slow, endpoints=TWO[0]), results=results))
        while sum(path.read_bytes().count(b"\n") for path in results.glob("runs/*/journal-0.jsonl")) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # a file has no event
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(broken_off())
    first = harness.open_run(results=results)
    assert first.status == "interrupted"
    assert 0 < len(first.attempts()) < 150
    whole = asyncio.run(harness.resume(first, own=[slow]))
    assert (whole.status, len(whole.attempts())) == ("finished", 150)


def test_a_suite_is_judged_by_its_gate(folder: Path) -> None:
    """The verdict is plain data, of the suite's own gate or of a file."""
    run = asyncio.run(harness.run(harness.plan.suite("ci"), results=folder / "gated"))
    assert run.gate(suite="ci")["verdict"] == "pass"
    (folder / "strict.yaml").write_text(json.dumps({"gates": [{"metric": "quality", "min": "101%"}]}))
    with pytest.raises(UsageError):
        run.gate()


def test_mistakes_are_the_errors_of_the_commands(folder: Path) -> None:
    """An unknown option or endpoint, a plan too large, a process that cannot know an object, and nobody at home."""
    with pytest.raises(UnknownName, match="requests"):
        harness.plan.load("chat", endpoints=TWO[0], request=5)  # type: ignore[call-arg]
    with pytest.raises(UnknownName, match="quick"):
        harness.plan.eval("arithmetic", endpoints="quik/sim-small")
    plan = harness.plan.eval("arithmetic:2", endpoints="away/m")
    with pytest.raises(UsageError, match="2 requests, more than"):
        asyncio.run(harness.run(plan, max_requests=1))
    with pytest.raises(UsageError, match="objects of this process"):
        asyncio.run(harness.run(harness.plan.load(SHORT, endpoints=TWO[0]), workers=2))
    with pytest.raises(CannotMeasure, match="nothing could be measured"):
        asyncio.run(harness.run(harness.plan.eval("arithmetic:2", endpoints="away/m"), results=folder / "away"))
    (row,) = asyncio.run(harness.check_endpoints("away/m", free=True))
    assert row["endpoint"] == "away/m"
