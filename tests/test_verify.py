"""``harness verify`` on servers that differ as is known: equal ones are equivalent, each other is found for what it is.

The servers have a model with known distributions; each has its own seed, so that no two of them say the same.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made import Watcher, harness, told

from harness import catalog, config
from harness.cli import cli
from harness.engines import start
from harness.errors import UsageError
from harness.fidelity.mmd import foreseen
from harness.provider import Endpoint, Provider, Serve
from harness.record.folder import RunFolder
from harness.report.fidelity.answers import read
from harness.report.fidelity.earlier import luck_of
from harness.report.fidelity.judged import judged
from harness.report.fidelity.planned import Size, expected, verify_selection
from harness.report.fidelity.told import document
from harness.report.markdown import markdown
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.planning.plan import Plan, make
from harness.run.selecting.selection import Selection
from harness.types import JsonObject

PLANTED: dict[str, dict[str, Any]] = {
    "reference": {},
    "same": {},
    "noisy": {"noise": 2.0},
    "injected": {"injected_tokens": 25},
    "leaking": {"mutants": "tool_leak"},
    "greedy": {"mutants": "always_greedy"},
    "hot": {"mutants": "ignore_temperature"},
    "failing": {"http_500": 0.5},
    "careless": {"accuracy": 0.6},
    "unforced": {"mutants": "ignore_tool_choice"},
    "misended": {"mutants": ["finish_stop", "usage_events"]},
    "coarse": {"noise": 0.4},
    "deaf": {"mutants": "ignore_top_p,ignore_seed,ignore_penalties,ignore_logprobs"},
    "odd": {"other_fingerprint": 0.3, "loops": 0.1, "tokens": 30},
}
"""Server -> how it differs from the plain one."""
CUT = {"cut": {"mutants": "cut_prompt"}, "narrow": {"context_tokens": 6000}}
"""The same for what long prompts show."""
SIGNALS = (("fidelity_logprobs", 8, 2), ("fidelity_sampling", 16, 3), ("fidelity_penalties", 12, 1))
SIZE = Size(12, 6, ("arithmetic", "assistant"), calls=9, signals=SIGNALS)


@pytest.fixture(scope="module")
def endpoints() -> Iterator[dict[str, Endpoint]]:
    """The servers, each a provider of its own."""
    with serving(PLANTED) as found:
        yield found


@contextmanager
def serving(planted: dict[str, dict[str, Any]]) -> Iterator[dict[str, Endpoint]]:
    """Servers by name."""
    with ExitStack() as stack:
        found = {}
        for seed, (name, settings) in enumerate(planted.items()):
            plain = {"profile": "null", "knows_tasks": True, "sampled": True, "tokens": 40, "seed": seed}
            running = start(Serve("simulator", plain | settings))
            stack.callback(running.stop)
            provider = Provider(name, "simulated", running.base_url, models={"m": "sim-small"})
            found[name] = Endpoint(provider, "m", "sim-small")
        yield found


def planned(endpoints: dict[str, Endpoint]) -> Plan:
    """The plan of a verification of all but the first against the first."""
    names = tuple(f"{name}/m" for name in endpoints)
    selection = verify_selection(names[0], names[1:], SIZE)
    return make(selection, catalog.discover([config.shipped("tasks")]), list(endpoints.values()))


@pytest.fixture(scope="module")
def carried(endpoints: dict[str, Endpoint], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunFolder]:
    """The folder of the results and the run of all servers against the reference."""
    results = tmp_path_factory.mktemp("results")
    company = Company(Watcher(), scrape=False, calibrate=False)
    return results, sitting.start(planned(endpoints), results=results, company=company).folder


@pytest.fixture(scope="module")
def found(carried: tuple[Path, RunFolder]) -> JsonObject:
    """What was judged of it."""
    return judged(*carried)


def card(found: JsonObject, name: str) -> dict[str, JsonObject]:
    """The findings on one candidate, by test."""
    (one,) = [each for each in found["candidates"] if each["endpoint"] == f"{name}/m"]
    return {finding["test"]: finding for finding in one["findings"]}


def word(found: JsonObject, name: str) -> str:
    """The verdict on one candidate."""
    (one,) = [each for each in found["candidates"] if each["endpoint"] == f"{name}/m"]
    return str(one["word"])


def test_an_identical_server_is_equivalent(found: JsonObject) -> None:
    """Every test of a server that is the same says equivalent, and its scores are not worse."""
    words = {test: finding["word"] for test, finding in card(found, "same").items()}
    tests = ("distribution", "temperature", "endings", "prompt tokens")
    tests += ("tool triggers", "tool calls", "forced tools", "streams")
    assert word(found, "same") == "equivalent", words
    assert words["answered"] == "not worse"
    assert {words[test] for test in tests} == {"equivalent"}
    assert words["score"] == "not worse"


@pytest.mark.parametrize(
    ("name", "tests"),
    [
        ("noisy", {"distribution", "log probabilities"}),
        ("injected", {"prompt tokens"}),
        ("leaking", {"tool triggers", "tool calls", "forced tools"}),
        ("unforced", {"forced tools"}),
        ("misended", {"endings", "streams"}),
        ("greedy", {"distribution", "temperature"}),
        ("hot", {"temperature"}),
        ("coarse", {"log probabilities"}),
        ("deaf", {"top_p", "seed", "penalties"}),
        ("odd", {"distribution", "endings", "lengths", "backends", "broken answers"}),
    ],
)
def test_each_difference_is_found_by_its_own_tests(found: JsonObject, name: str, tests: set[str]) -> None:
    """What differs in one way is called different by the tests of that, and by no other."""
    assert {test for test, finding in card(found, name).items() if finding["word"] == "different"} == tests
    assert word(found, name) == "different"


def test_an_offset_is_named_for_what_it_is(found: JsonObject) -> None:
    """25 tokens more on every shape are an injected prompt; the smallest request that shows it comes first."""
    one = card(found, "injected")["prompt tokens"]
    assert one["details"]["cause"] == "injected prompt"
    assert one["details"]["terms"] == {"prompt": 25}
    assert one["shown"][0]["why"] == "one_word: +25 prompt tokens"


def test_failures_are_no_wrong_answers(found: JsonObject) -> None:
    """A server that fails half of the time is told so, and what it answers is scored by itself."""
    one = card(found, "failing")
    assert one["answered"]["word"] == "worse"
    assert word(found, "failing") == "different"
    assert one["score"]["details"]["candidate"] == 1.0
    assert "http_5xx" in one["answered"]["says"]


def test_worse_is_not_different(found: JsonObject) -> None:
    """A server with the same distributions that has more wrong answers is worse, which is said beside its verdict."""
    assert card(found, "careless")["score"]["word"] == "worse"
    assert word(found, "careless") != "different"


def verified(planted: dict[str, dict[str, Any]], tasks: tuple[str, ...], results: Path) -> JsonObject:
    """What is judged of servers against the first of them, by these tasks alone."""
    with serving(planted) as servers:
        selection = Selection("verify", tuple(f"{name}/m" for name in servers), tasks, twice=True)
        plan = make(selection, catalog.discover([config.shipped("tasks")]), list(servers.values()))
        company = Company(Watcher(), scrape=False, calibrate=False)
        folder = sitting.start(plan, results=results, company=company).folder
    return judged(results, folder)


def test_pictures_are_counted_as_the_reference_counts_them(tmp_path: Path) -> None:
    """Pictures that are dropped or refused are differences; where the reference takes none they are no question."""
    blind: dict[str, Any] = {"mutants": "text_only"}
    planted = {"reference": {}, "same": {}, "dropping": {"mutants": "swallow_media"}, "blind": blind}
    found = verified(planted, ("fidelity_prompt_tokens",), tmp_path)
    told = {name: card(found, name)["prompt tokens"] for name in planted if name != "reference"}
    assert told["same"]["word"] == "equivalent"
    assert told["same"]["n"] == 20
    assert told["dropping"]["word"] == "different"
    assert told["dropping"]["details"]["cause"] == "image difference"
    assert told["dropping"]["says"].endswith("no rule for images; pictures add nothing to what is counted")
    assert told["blind"]["word"] == "different"
    assert told["blind"]["details"]["refused"] == ["image_small", "image_large", "image_2"]
    assert [shown["why"] for shown in told["blind"]["shown"]] == ["image_small: refused"]
    found = verified({"reference": blind, "same": blind, "seeing": {}}, ("fidelity_prompt_tokens",), tmp_path / "blind")
    for name in ("same", "seeing"):
        one = card(found, name)["prompt tokens"]
        assert (one["word"], one["n"]) == ("equivalent", 17)
        assert one["says"].endswith("pictures not applicable, the reference takes none")


def test_a_cut_context_is_found(tmp_path: Path) -> None:
    """A server that reads only the end of long prompts is told from one that refuses them, and from a whole one."""
    found = verified({"reference": {}, "same": {}, **CUT}, ("needle_1k:5", "needle_8k:5"), tmp_path)
    told = {name: card(found, name)["context"] for name in ("same", *CUT)}
    assert told["same"]["word"] == "equivalent", told["same"]
    assert told["cut"]["word"] == "different", told["cut"]
    assert told["cut"]["details"]["fate"] == "cut at the front"
    assert told["cut"]["details"]["silent"]
    assert told["narrow"]["word"] == "different"
    assert told["narrow"]["details"]["fate"] == "refused"


def test_all_p_values_are_adjusted_together(found: JsonObject) -> None:
    """The family are all tests with a p of all candidates, and no adjusted p is below its own."""
    tested = [one for each in found["candidates"] for one in each["findings"] if one["p"] is not None]
    # One of them serves no log probabilities.
    assert found["family"] == len(tested) == 9 * (len(PLANTED) - 1) - 1
    assert all(one["p_adjusted"] >= one["p"] for one in tested)


def test_the_reference_is_asked_twice(endpoints: dict[str, Endpoint]) -> None:
    """Twice as many requests go to the reference as to a candidate, in the same stages, and its halves are equal."""
    plan = planned(endpoints)
    for stage in plan.stages:
        counts = {lane[0].endpoint: len(lane) for lane in stage.lanes}
        assert counts.pop("reference/m") == 2 * counts["same/m"]
        assert len(set(counts.values())) == 1
    jobs = [job for job in plan.jobs if job.endpoint == "reference/m"]
    assert sum(job.repeat % 2 for job in jobs) * 2 == len(jobs)


def test_the_store_knows_how_often_each_was_asked(carried: tuple[Path, RunFolder]) -> None:
    """What was planned of each endpoint and task is what was asked of it."""
    from harness.store.query import rows

    results, run = carried
    table = rows(results, "select endpoint, task, n_planned from quality_summary where run_id = ?", [run.id])
    planned_of = {(row["endpoint"], row["task"]): row["n_planned"] for row in table}
    assert planned_of["reference/m", "fidelity_text"] == 2 * 12 * 6
    assert planned_of["same/m", "fidelity_text"] == 12 * 6
    assert planned_of["reference/m", "arithmetic"] == 2 * 48
    assert planned_of["same/m", "assistant"] == 4 * 16


def test_the_report_shows_requests_that_differ(carried: tuple[Path, RunFolder], found: JsonObject) -> None:
    """Each difference has a command that sends the request again, and both answers; Markdown has the same."""
    results, run = carried
    text = markdown(document(results, run, found, {}))
    assert "curl -sS" in text
    assert "injected/m: different; score not worse" in text
    assert "in one piece, misended/m:" in text
    assert "reference, reference/m:" in text
    assert json.loads(json.dumps(found)) == found


def test_other_runs_are_no_verifications(carried: tuple[Path, RunFolder]) -> None:
    """A run whose first endpoint was not asked twice cannot be judged as one."""
    results, run = carried
    manifest = run.read_manifest()
    try:
        run.write_manifest(manifest | {"selection": manifest["selection"] | {"twice": False}})
        with pytest.raises(UsageError, match="no verification"):
            read(results, run)
    finally:
        run.write_manifest(manifest)


def test_more_answers_find_less(endpoints: dict[str, Endpoint], found: JsonObject) -> None:
    """The plan says what each test can find; it falls with prompts and answers, and is near what the report says."""
    assert foreseen(12, 12, 6, 0.06) > foreseen(24, 12, 6, 0.06) > foreseen(24, 24, 12, 0.06)
    lines = {one.test: one for one in expected(planned(endpoints))}
    assert lines["distribution"].says.startswith("12 prompts, 6 answers each")
    assert lines["score"].n == 64
    assert lines["prompt tokens"].mde == 1
    said = card(found, "same")["distribution"]["mde"]
    assert said / 5 < (lines["distribution"].mde or 0) < said * 5
    assert lines["tool calls"].says.endswith("five, at most")


def test_an_earlier_verification_says_what_the_next_finds(
    carried: tuple[Path, RunFolder], endpoints: dict[str, Endpoint], found: JsonObject
) -> None:
    """The luck in the reference's answers is that of the last run that asked it; of one never asked it is unknown."""
    results, run = carried
    luck = luck_of(results, "reference/m")
    assert luck is not None
    assert luck.run == run.id
    (told,) = [one for one in expected(planned(endpoints), luck) if one.test == "distribution"]
    assert run.id in told.says
    assert told.mde == pytest.approx(card(found, "same")["distribution"]["mde"], rel=0.25)
    assert luck_of(results, "same/unknown") is None
    assert luck_of(results / "nowhere", "reference/m") is None


def test_tasks_without_right_answers_come_on_top() -> None:
    """A task of more requests with tools leaves the scored ones as they are; one with right answers replaces them."""
    assert SIZE.changed(None, None, None, ("fidelity_tau:9",), ()).tasks == (*SIZE.tasks, "fidelity_tau:9")
    assert SIZE.changed(None, None, 3, ("logic", "fidelity_tau"), ()).tasks == ("logic", "fidelity_tau")
    assert SIZE.changed(None, None, 3, (), ()) == replace(SIZE, calls=3)


def test_the_commands_of_the_page_work(
    endpoints: dict[str, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line of docs/verify.md that is a command does what it says; verifications are made small."""
    servers = dict(zip(("mine", "cheap", "fast"), endpoints.values(), strict=False))
    providers_of(servers, tmp_path)
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[1] / "docs/verify.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    commands = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    assert len(commands) >= 5
    for command in commands:
        small = " --prompts 2 --samples 2 --calls 2 --task arithmetic:2" if "--reference" in command else ""
        small = " --task arithmetic:2 --blocks 1" if "under-load" in command else small
        done = CliRunner().invoke(cli, shlex.split(command + small)[1:])
        assert done.exit_code == 0, (command, done.output, done.exception)
    assert (tmp_path / "verify.md").is_file()


def providers_of(servers: dict[str, Endpoint], folder: Path) -> None:
    """A providers.yaml with these servers."""
    made = "  {}: {{kind: simulated, base_url: '{}', models: {{m: sim-small}}}}"
    blocks = [made.format(name, one.provider.base_url) for name, one in servers.items()]
    (folder / "providers.yaml").write_text("\n".join(["providers:", *blocks]) + "\n")


def test_the_command(endpoints: dict[str, Endpoint], tmp_path: Path) -> None:
    """A plan sends nothing; a verification is an ordinary run whose report can be made again."""
    providers_of({name: endpoints[name] for name in ("reference", "same")}, tmp_path)
    asked = ["verify", "--reference", "reference/m", "--candidate", "same/m", "--prompts", "2", "--samples", "2"]
    asked += ["--calls", "2", "--task", "arithmetic:10", "--budget", "small"]
    plan = harness(tmp_path, *asked, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "nothing was sent" in plan.stdout
    assert "finds a gap of" in plan.stdout
    data = json.loads(harness(tmp_path, *asked, "--plan", "--json").stdout)
    tests = {one["test"]: one["mde"] for one in data["expected"]}
    assert tests["distribution"] > 0
    assert [one["requests"] for one in data["endpoints"]] == [2 * data["requests"] // 3, data["requests"] // 3]
    assert not (tmp_path / "results").exists()
    done = harness(tmp_path, *asked, "--md", "verify.md")
    assert done.returncode == 0, done.stderr
    assert "same/m: " in done.stdout
    assert (tmp_path / "verify.md").read_text().startswith("## Who serves it faithfully?")
    again = harness(tmp_path, "verify", "report", "latest", "--json")
    assert json.loads(again.stdout)["reference"] == "reference/m"
    told(harness(tmp_path, "verify", "--reference", "reference/m"), 2, "--candidate")
    stopped = harness(tmp_path, *asked, "--max-total-tokens", "6000")
    assert stopped.returncode == 130
    assert "broken off" in stopped.stdout
    assert harness(tmp_path, "resume", "latest").returncode == 0
    whole = json.loads(harness(tmp_path, "verify", "report", "--json").stdout)
    assert whole["status"] == "finished"
    assert card(whole, "same")["prompt tokens"]["n"] == 20
    told(harness(tmp_path, *asked, "--context", "4k"), 2, "two lengths")
    told(harness(tmp_path, *asked, "--data", "fidelity_tau=x"), 2, "not asked")
    told(harness(tmp_path, "verify", "--reference", "same/m", "--candidate", "same/m"), 2, "same/m")
