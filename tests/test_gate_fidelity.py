"""A gate on whether a vendor still serves what it served, on simulated vendors that changed overnight in known ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made import Watcher

from harness import catalog, config
from harness.engines import start
from harness.gates import fidelity, pinning
from harness.gates.baselines import pin
from harness.gates.file import of_mapping
from harness.gates.judge import judge
from harness.gates.judgement import Case, Judgement
from harness.gates.of_suite import gate_of
from harness.gates.terms import GateFile
from harness.provider import Endpoint, Provider, Serve
from harness.report.fidelity.answers import Answer
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.planning.plan import make
from harness.run.selecting.selection import Selection

NIGHTS: dict[str, dict[str, Any]] = {
    "first": {},
    "equal": {},
    "swapped": {"noise": 4.0},
    "injected": {"injected_tokens": 25},
}
"""Night -> how the vendor's server differs from that of the first night."""
SUITE = catalog.discover([config.shipped("tasks")]).suite("fidelity-nightly")


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The results of the shipped suite on one vendor, and the run of each night."""
    results = tmp_path_factory.mktemp("nights")
    tasks = catalog.discover([config.shipped("tasks")])
    selection = Selection(SUITE.name, ("vendor/m",), SUITE.tasks, repeats=SUITE.repeats)
    with ExitStack() as stack:
        runs = {}
        for seed, (night, settings) in enumerate(NIGHTS.items()):
            plain = {"profile": "null", "knows_tasks": True, "sampled": True, "tokens": 40, "seed": seed}
            running = start(Serve("simulator", plain | settings))
            stack.callback(running.stop)
            provider = Provider("vendor", "simulated", running.base_url, models={"m": "sim-small"})
            plan = make(selection, tasks, [Endpoint(provider, "m", "sim-small")])
            company = Company(Watcher(), scrape=False, calibrate=False)
            runs[night] = sitting.start(plan, results=results, company=company).folder.id
        yield results, runs


def gate(folder: Path, tests: str | list[str] = "all", **more: Any) -> GateFile:
    """A gate on these tests, with its papers in a folder."""
    block = {"fidelity": tests, **more}
    return of_mapping(block, file="g.yaml", folder=folder, place=lambda *where: f"g.yaml: {where}")


def words(found: Judgement) -> dict[str, str]:
    """The verdict of each test."""
    return {case.metric: case.verdict for case in found.cases}


def case_of(found: Judgement, test: str) -> Case:
    """The case of one test."""
    return next(case for case in found.cases if case.metric == test)


def test_the_suite_ships_with_its_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests that apply are judged, by a gate whose papers lie where the user works."""
    monkeypatch.chdir(tmp_path)
    shipped = gate_of(SUITE)
    assert shipped is not None
    assert shipped.fidelity == ("all",)
    assert {name.partition(":")[0] for name in SUITE.tasks} <= set(fidelity.TASKS.values())


def test_the_first_night_is_the_yardstick(nights: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """It can be compared with nothing, which is neither a pass nor a failure."""
    results, runs = nights
    found = judge(results, gate(tmp_path), [runs["first"]])
    assert words(found) == dict.fromkeys(fidelity.TASKS, "inconclusive")
    assert found.exit_code == 4
    assert "later ones are compared with" in found.cases[0].reason


def test_an_equal_night_passes(nights: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Another server with the same model and template, and other draws, passes each test."""
    results, runs = nights
    found = judge(results, gate(tmp_path), [runs["equal"]])
    assert found.verdict == "pass", found.as_json()
    assert set(words(found)) == {*fidelity.TASKS}


@pytest.mark.parametrize(
    ("night", "failed", "says"),
    [
        ("swapped", {"greedy", "answers", "border"}, "answers of another distribution"),
        ("injected", {"prompt_tokens"}, "injected prompt"),
    ],
)
def test_a_change_overnight_fails_by_its_test(
    night: str, failed: set[str], says: str, nights: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Another model behind the name fails by its answers, an injected prompt by its tokens, and by nothing else."""
    results, runs = nights
    found = judge(results, gate(tmp_path), [runs[night]])
    assert {test for test, word in words(found).items() if word == "fail"} == failed
    assert found.exit_code == 1
    assert any(says in case.reason for case in found.cases if case.verdict == "fail")
    assert all("--set-baseline" in case.next for case in found.cases if case.verdict == "fail")
    schema = json.loads((Path(fidelity.__file__).parent / "verdict.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(found.as_json())), schema)


def test_a_pinned_night_takes_its_place(nights: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Who accepts the new model pins that night: it passes the same, and the old one fails against it."""
    results, runs = nights
    one = gate(tmp_path)
    pin(one.baseline, pinning.entries(results, one, runs["swapped"], why="w", who="a", today=_day()))
    found = judge(results, one, [runs["injected"]])
    assert set(words(found).values()) == {"fail"}
    assert runs["swapped"] in case_of(found, "answers").method


def test_what_was_not_asked_is_an_error(
    nights: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that is named and has no answers must not pass."""
    results, runs = nights
    monkeypatch.setattr(fidelity, "TASKS", {**fidelity.TASKS, "border": "fidelity_unasked"})
    found = judge(results, gate(tmp_path, ["border"]), [runs["equal"]])
    assert words(found) == {"border": "error"}
    assert "did not ask fidelity_unasked" in found.cases[0].reason


def answers(said: dict[str, Sequence[str]], tokens: int | None = 9) -> list[Answer]:
    """Answers by prompt."""
    rest = {"job": "j", "reasoning": "", "calls": (), "finish": "stop", "output_tokens": 1, "score": 1.0}
    return [
        Answer(
            task="t",
            sample=sample,
            repeat=repeat,
            text=text,
            prompt_tokens=tokens,
            cluster=None,
            body={},
            faults=(),
            ok=True,
            ttft_ms=None,
            in_flight=1,
            **rest,  # type: ignore[arg-type]
        )
        for sample, texts in said.items()
        for repeat, text in enumerate(texts)
    ]


def verdict(test: str, before: Sequence[Answer], now: Sequence[Answer]) -> str:
    """The verdict of one test that is judged alone, or why it does not apply."""
    found = fidelity._TESTS[test](before, now, fidelity.ALPHA)
    return found if isinstance(found, str) else found.word(found.p)[0]


SURE, EVEN, LEANING = ["a"] * 8, ["a", "b"] * 4, ["a"] * 7 + ["b"]


@pytest.mark.parametrize(
    ("test", "before", "now", "says"),
    [
        ("greedy", {str(i): SURE for i in range(8)}, {str(i): SURE for i in range(8)}, "pass"),
        ("greedy", {str(i): SURE for i in range(8)}, {str(i): ["b"] * 8 for i in range(8)}, "fail"),
        ("greedy", {str(i): SURE for i in range(8)}, {str(i): SURE if i else ["b"] * 8 for i in range(8)}, "pass"),
        ("greedy", {str(i): EVEN for i in range(8)}, {str(i): LEANING for i in range(8)}, "pass"),
        ("greedy", {"0": SURE}, {"0": ["b"] * 8}, "inconclusive"),
        ("border", {str(i): EVEN for i in range(8)}, {str(i): EVEN for i in range(8)}, "pass"),
        ("border", {str(i): EVEN for i in range(8)}, {str(i): ["b"] * 8 for i in range(8)}, "fail"),
        ("border", {str(i): SURE for i in range(8)}, {str(i): ["b"] * 8 for i in range(8)}, "fail"),
        ("border", {str(i): SURE for i in range(8)}, {str(i): SURE for i in range(8)}, "pass"),
        ("border", {str(i): SURE for i in range(40)}, {str(i): LEANING if i < 6 else SURE for i in range(40)}, "pass"),
        ("answers", {"0": SURE}, {"0": SURE}, "inconclusive"),
    ],
)
def test_the_verdict_of_answers(
    test: str, before: dict[str, Sequence[str]], now: dict[str, Sequence[str]], says: str
) -> None:
    """What chance alone gives, or what touches few prompts, passes; another usual answer everywhere fails."""
    assert says in verdict(test, answers(before), answers(now))


def test_the_verdict_of_prompt_tokens() -> None:
    """Counts that come in two kinds tonight fail, as those that are no longer stated; never stated is no test."""
    one = {str(i): ["a", "a"] for i in range(6)}
    mixed = answers(one)[::2] + answers(one, 12)[1::2]
    assert verdict("prompt_tokens", answers(one), answers(one)) == "pass"
    assert verdict("prompt_tokens", answers(one), mixed) == "fail"
    assert verdict("prompt_tokens", mixed, answers(one)) == "inconclusive"
    assert verdict("prompt_tokens", answers(one), answers(one, None)) == "fail"
    assert "not stated" in verdict("prompt_tokens", answers(one, None), answers(one, None))


def _day() -> Any:
    from datetime import date

    return date(2026, 3, 1)
