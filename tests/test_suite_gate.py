"""A suite's run and its gate: one after the other, one exit code, and a second run where that decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made import endpoint, harness, plan, sample, task, told

from harness.catalog import discover
from harness.catalog.suite import read
from harness.cli import gated
from harness.cli.carry import Terms
from harness.cli.gate import Files
from harness.errors import CannotMeasure, ConfigError
from harness.gates.file import of_mapping
from harness.gates.judgement import Judgement
from harness.gates.of_suite import gate_of
from harness.run.selecting.selection import Selection
from harness.run.tally import Budget

GATE = {"gates": [{"metric": "quality", "min": "50%"}]}


def work_in(folder: Path, accuracy: int = 1) -> Path:
    """A suite of twenty sums with a gate; gives its file."""
    serve = {"engine": "simulator", "profile": "steady-vendor", "ttft_ms": 0, "itl_ms": 0, "accuracy": accuracy}
    block = {"kind": "simulated", "models": {"sim-small": "sim-small"}, "serve": serve}
    (folder / "providers.yaml").write_text(json.dumps({"providers": {"quick": block}}))
    path = folder / "tasks" / "suites" / "night.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"tasks": ["arithmetic:20"], "endpoints": ["quick/sim-small"], "gate": GATE}))
    return path


def test_one_object_holds_tables_and_verdict(tmp_path: Path) -> None:
    """With --json; the exit code is the verdict's, and --no-gate leaves it out."""
    work_in(tmp_path, accuracy=0)
    done = harness(tmp_path, "run", "night", "--json", "--verdict", "v.json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["gate"]["verdict"], found["gate"]["file"]) == ("fail", "tasks/suites/night.yaml:1")
    assert found["endpoints"]
    assert json.loads((tmp_path / "v.json").read_text()) == found["gate"]
    plain = harness(tmp_path, "run", "night", "--json", "--no-gate")
    assert plain.returncode == 0, plain.stderr
    assert "gate" not in json.loads(plain.stdout)


def test_a_wrong_gate_costs_nothing(tmp_path: Path) -> None:
    """It is read before anything is sent, and told at its place in the suite's file."""
    path = work_in(tmp_path)
    path.write_text(
        "tasks: [arithmetic:1]\nendpoints: [quick/sim-small]\ngate:\n  gates:\n    - {metric: qualty, min: 1}\n"
    )
    line = told(harness(tmp_path, "run", "night"), 2, "unknown metric 'qualty'. Did you mean quality")
    assert "tasks/suites/night.yaml:5: gate.gates[0].metric" in line
    wrong = {"tasks": ["arithmetic:1"], "endpoints": ["quick/sim-small"], "gate": GATE | {"base": "quick/sim-smal"}}
    path.write_text(json.dumps(wrong))
    told(harness(tmp_path, "run", "night"), 2, "'quick/sim-smal'. Did you mean quick/sim-small")
    path.write_text("tasks: [arithmetic:1]\nendpoints: [quick/sim-small]\ngate: gone.yaml\n")
    told(harness(tmp_path, "run", "night"), 2, "gone.yaml: there is no such file")
    path.write_text("tasks: [arithmetic:1]\nendpoints: [quick/sim-small]\n")
    told(harness(tmp_path, "run", "night", "--junit", "j.xml"), 2, "--junit is of a gate's verdict", "Give --gate FILE")
    assert not (tmp_path / "results").exists()


def test_the_papers_of_a_shipped_suite_lie_where_the_user_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is ever written into the package; those of one's own suite lie beside it."""
    monkeypatch.chdir(tmp_path)
    shipped = gate_of(discover().suite("nightly"))
    own = gate_of(read(work_in(tmp_path)))
    assert shipped is not None
    assert own is not None
    assert shipped.baseline.parent == tmp_path
    assert own.baseline.parent == tmp_path / "tasks" / "suites"


def test_a_gate_is_found_beside_its_suite(tmp_path: Path) -> None:
    """A path begins at the suite's folder, and so do the paths in a gate in place."""
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "g.yaml").write_text(json.dumps(GATE))
    suite = tmp_path / "s.yaml"
    suite.write_text("tasks: [a]\ngate: gates/g.yaml\n")
    named = gate_of(read(suite))
    assert named is not None
    assert named.folder == tmp_path / "gates"
    suite.write_text(json.dumps({"tasks": ["a"], "gate": GATE}))
    in_place = gate_of(read(suite))
    assert in_place is not None
    assert in_place.folder == tmp_path
    suite.write_text("tasks: [a]\n")
    assert gate_of(read(suite)) is None
    suite.write_text(json.dumps({"tasks": ["a"], "gate": {"gates": [{"metric": "quality"}]}}))
    with pytest.raises(ConfigError, match=r"s\.yaml:1: gate\.gates\[0\]: says no limit"):
        gate_of(read(suite))


# --- a second run ----------------------------------------------------------------------------------------


@dataclass
class Played:
    """Runs and verdicts that come in a given order, and what was asked for."""

    statuses: list[str]
    verdicts: list[dict[str, Any]]
    nonces: list[str] = field(default_factory=list)
    judged: list[tuple[str, ...]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    barren: bool = False

    def sit(self, plan: Any, terms: Terms) -> Any:
        """The next run."""
        self.nonces.append(plan.selection.nonce)
        number = len(self.nonces)
        return SimpleNamespace(status=self.statuses[number - 1], folder=SimpleNamespace(id=f"run-{number}"))

    def judge(self, results: Path, gate: Any, runs: tuple[str, ...]) -> Any:
        """The next verdict."""
        self.judged.append(tuple(runs))
        told = self.verdicts[len(self.judged) - 1]
        return SimpleNamespace(**{"unconfirmed": False, "cases": (), **told})

    def finish(self, sat: Any, results: Path, *, as_json: bool, tell: Callable[[Any], None] | None = None) -> None:
        """It is told."""
        self.finished.append(sat.folder.id)
        if self.barren:
            raise CannotMeasure("nothing could be measured")


def carried_out(monkeypatch: pytest.MonkeyPatch, played: Played, **changes: Any) -> int | None:
    """The exit code of a run and its gate; None: it ended by itself."""
    for name in ("sit", "judge", "finish"):
        monkeypatch.setattr(gated, name, getattr(played, name))
    made = plan([task("sums", [sample("4")])], [endpoint()], nonce="first")
    gate = of_mapping(GATE, file="g", folder=Path(), place=lambda *where: "g")
    nowhere = Files(*[None] * 5)
    how = {"gate": gate, "files": nowhere, "github": False, "strict": True, "confirm": True, **changes}

    def again(selection: Selection) -> Any:
        return SimpleNamespace(selection=selection)

    terms = Terms(Path("results"), None, Budget(), dry_run=False, as_json=False)
    try:
        gated.carry_out_and_judge(made, again, terms, gated.Gating(**how))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else None
    return None


ONCE = {"verdict": "inconclusive", "exit_code": 4, "unconfirmed": True}
TWICE = {"verdict": "fail", "exit_code": 1}
GOOD = {"verdict": "pass", "exit_code": 0}


def test_what_is_worse_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With prompts that no cache has seen; both runs are judged together, and that verdict counts."""
    played = Played(["finished", "finished"], [ONCE, TWICE])
    assert carried_out(monkeypatch, played) == 1
    assert played.judged == [("run-1",), ("run-1", "run-2")]
    assert played.nonces[0] == "first"
    assert played.nonces[1] not in ("first", "")


def test_what_is_not_worse_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without --confirm so is everything."""
    played = Played(["finished"], [GOOD])
    assert carried_out(monkeypatch, played) == 0
    played = Played(["finished"], [ONCE])
    assert carried_out(monkeypatch, played, confirm=False) == 4
    played = Played(["finished"], [ONCE])
    assert carried_out(monkeypatch, played, confirm=False, strict=False) == 0


def test_a_run_that_was_broken_off_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as any other does, the second run too."""
    played = Played(["interrupted"], [])
    assert carried_out(monkeypatch, played) is None
    assert played.finished == ["run-1"]
    played = Played(["finished", "interrupted"], [ONCE])
    assert carried_out(monkeypatch, played) is None
    assert played.finished == ["run-2"]


def test_a_dead_server_is_judged_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is written before the run is told to have measured nothing, with exit code 3."""
    written: list[Judgement] = []
    monkeypatch.setattr(Files, "write", lambda self, found: written.append(found))
    played = Played(["finished"], [{"verdict": "error", "exit_code": 3}], barren=True)
    with pytest.raises(CannotMeasure):
        carried_out(monkeypatch, played)
    assert [one.verdict for one in written] == ["error"]
