"""A gate's file: what it says, what is wrong in it and where, and the reviewed files beside it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.config.file import read_plain
from harness.errors import ConfigError
from harness.gates import acceptances, baselines, quantity
from harness.gates.acceptances import Acceptance
from harness.gates.baselines import Baseline
from harness.gates.file import of_mapping, read
from harness.gates.quantity import Margin
from harness.gates.terms import Budget, History

WHOLE = """
mode: paired
base: old/llama
endpoints: [new/llama]
alpha: 0.01
history: {nights: 10, confirm: false}
gates:
  - metric: ttft_p50_ms
    max: 1.2s
    worse_by: 10%
  - metric: output_tokens_per_s
    min: 40
    stages: [chat@c4]
  - metric: error_rate
    worse_by: 1 point
    mode: history
  - metric: quality
    worse_by: 2.5 points
    mode: release
    tasks: [arithmetic]
conformance: locks/conformance.lock.yaml
budget: {cost_usd: 2, requests: 20000, duration: 45m}
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "gate.yaml"
    path.write_text(text)
    return path


def test_everything_that_a_gate_can_say(tmp_path: Path) -> None:
    """An entry with a limit and a margin is two tests; amounts are in the unit of their metric."""
    gate = read(_write(tmp_path, WHOLE))
    assert (gate.base, gate.endpoints, gate.alpha) == ("old/llama", ("new/llama",), 0.01)
    assert gate.history == History(10, confirm=False)
    assert [(one.metric, one.limit, one.margin, one.mode) for one in gate.gates] == [
        ("ttft_p50_ms", 1200.0, None, None),
        ("ttft_p50_ms", None, Margin(0.1, "ratio"), "paired"),
        ("output_tokens_per_s", 40.0, None, None),
        ("error_rate", None, Margin(0.01, "difference"), "history"),
        ("quality", None, Margin(0.025, "difference"), "release"),
    ]
    assert gate.gates[2].stages == ("chat@c4",)
    assert gate.gates[4].tasks == ("arithmetic",)
    assert gate.budget == Budget(2.0, 20000, 2700.0)
    assert gate.conformance == tmp_path / "locks/conformance.lock.yaml"
    assert (gate.baseline, gate.acceptances) == (tmp_path / "baseline.yaml", tmp_path / "acceptances.yaml")
    assert len(gate.margins) == 3


def test_the_example_of_the_documentation_is_a_gate(tmp_path: Path) -> None:
    """What stands there can be copied."""
    text = (Path(__file__).parents[1] / "docs/gates.md").read_text()
    gate = read(_write(tmp_path, text.split("```yaml\n")[1].split("```")[0]))
    assert len(gate.gates) == 5
    assert gate.conformance is not None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "is empty"),
        ("mode: paired", 1, "is empty"),
        ("gates: []\nmode: paired", 1, "is empty"),
        ("gate: []", 1, "gate: unknown field. Did you mean gates?"),
        ("gates:\n- metric: ttft_p50\n  max: 1s", 2, "ttft_p50_ms"),
        ("gates:\n- metric: acuracy\n  min: 80%", 2, "unknown metric 'acuracy'"),
        (
            "gates:\n- metric: quality\n  worst_by: 2 points",
            3,
            "gates[0].worst_by: unknown field. Did you mean worse_by?",
        ),
        ("gates:\n- metric: quality", 2, "says no limit"),
        ("gates:\n- metric: quality\n  worse_by: 2 points", 3, "worse_by needs a mode"),
        ("gates:\n- {metric: quality, min: 80%, mode: paired}", 2, "mode goes with worse_by"),
        ("mode: pared\ngates: []", 1, "must be 'paired', 'history' or 'release'"),
        ("gates:\n- {metric: ttft_p50_ms, min: 1s}", 2, "use max"),
        ("gates:\n- {metric: quality, max: 80%}", 2, "use min"),
        ("gates:\n- {metric: error_rate, max: 1}", 2, "max must be a share in per cent, as in 1%"),
        ("gates:\n- {metric: error_rate, max: 0.01}", 2, "max must be a share in per cent"),
        ("gates:\n- {metric: ttft_p50_ms, max: 800}", 2, "max must be a time, as in 800ms or 1.2s"),
        ("gates:\n- {metric: ttft_p50_ms, max: fast}", 2, "must be a number with its unit"),
        ("gates:\n- {metric: quality, worse_by: 2%, mode: paired}", 2, "must be a difference of shares"),
        ("gates:\n- {metric: ttft_p50_ms, worse_by: 2 points, mode: paired}", 2, "as in 10%"),
        ("gates:\n- {metric: ttft_p50_ms, worse_by: 0%, mode: paired}", 2, "must be above 0"),
        ("gates:\n- {metric: output_tokens_per_s, worse_by: 100%, mode: paired}", 2, "below 100%"),
        ("gates:\n- {metric: usd_per_right, worse_by: 5%, mode: paired}", 2, "has no blocks"),
        ("gates: {a: 1}", 1, "must be a list"),
        ("budget: {duration: later}", 1, "duration must be"),
        ("budget: {cost: 3}", 1, "Did you mean cost_usd?"),
        ("history: {nights: 2}\nbudget: {requests: 1}", 1, "history.nights"),
        ("gates:\n- metric: quality\n  min: 80%\n  metric: quality", 4, "is given twice"),
        ("a: &a [*a]", 1, "aliases"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_how_to_mend_it(text: str, line: int, words: str, tmp_path: Path) -> None:
    """File, line, field, what is wrong; a name that is not known gets the nearest."""
    with pytest.raises(ConfigError) as told:
        read(_write(tmp_path, text))
    assert f"gate.yaml:{line}" in str(told.value)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_the_gate_of_a_suite_can_be_read_by_itself(tmp_path: Path) -> None:
    """What stands under ``gate:``; a mistake in it is told at its line of the suite."""
    text = "tasks: [a]\ngate:\n  gates:\n  - {metric: ttft_p95_ms, max: 2s}\n"
    assert [one.limit for one in read(_write(tmp_path, text)).gates] == [2000.0]
    with pytest.raises(ConfigError, match=r"gate.yaml:4: gate.gates\[0\].metric: unknown metric"):
        read(_write(tmp_path, text.replace("ttft_p95_ms", "ttft_p95")))


def test_a_gate_inside_another_file_is_read_the_same_way(tmp_path: Path) -> None:
    """A mapping of a suite is a gate; a mistake in it is told at its place in that file."""
    path = tmp_path / "nightly.yaml"
    path.write_text(
        "tasks: [a]\ngate:\n  gates:\n  - metric: ttft_p95_ms\n    max: 2s\n  - metric: ttft_p99\n    max: 2s\n"
    )
    document = read_plain(path, empty="")
    assert isinstance(document.value, dict)

    def place(*where: str | int) -> str:
        return document.place("gate", *where)

    with pytest.raises(ConfigError) as told:
        of_mapping(document.value["gate"], file="nightly.yaml", folder=tmp_path, place=place)
    assert "nightly.yaml:6: gate.gates[1].metric: unknown metric 'ttft_p99'" in str(told.value)
    del document.value["gate"]["gates"][1]
    gate = of_mapping(document.value["gate"], file="nightly.yaml", folder=tmp_path, place=place)
    assert [(one.metric, one.limit) for one in gate.gates] == [("ttft_p95_ms", 2000.0)]


@pytest.mark.parametrize(
    ("margin", "text"),
    [
        (Margin(0.1, "ratio"), "10%"),
        (Margin(0.01, "difference"), "1 point"),
        (Margin(0.025, "difference"), "2.5 points"),
    ],
)
def test_a_margin_is_shown_as_it_is_written(margin: Margin, text: str) -> None:
    """What is printed can be put into a file."""
    assert margin.text == text
    assert quantity.margin(text, "ms" if margin.scale == "ratio" else "share") == margin


ONE = Acceptance("ttft_p50_ms", "new/llama", "chat@c4", "25%", "longer prompts: see #12", "ada", "2026-12-31")


def test_acceptances_are_written_and_read_again(tmp_path: Path) -> None:
    """An entry about the same takes the place of the older one, others stay."""
    path = tmp_path / "acceptances.yaml"
    assert acceptances.read(path) == []
    acceptances.add(path, ONE)
    other = Acceptance("error_rate", None, None, None, "vendor's maintenance", "bo", "2026-12-01")
    acceptances.add(path, other)
    acceptances.add(path, ONE)
    assert acceptances.read(path) == [other, ONE]
    assert "until: '2026-12-31'" in path.read_text() or "until: 2026-12-31" in path.read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acceptances:\n- {metric: ttft_p50, why: a, who: b, until: 2026-01-01}", "ttft_p50_ms"),
        ("acceptances:\n- {metric: error_rate, who: b, until: 2026-01-01}", "why: is missing"),
        ("acceptances:\n- {metric: error_rate, why: a, who: b}", "until: is missing"),
        ("acceptances:\n- {metric: error_rate, why: a, who: b, until: soon}", "must be a day"),
        ("acceptances:\n- {metric: error_rate, why: a, who: b, until: 2026-01-01, up_to: 5%}", "up_to must be a diff"),
        ("acceptances:\n- {metric: error_rate, why: '', who: b, until: 2026-01-01}", "why"),
        ("acceptance: []", "Did you mean acceptances?"),
    ],
)
def test_an_acceptance_without_its_reason_is_none(text: str, words: str, tmp_path: Path) -> None:
    """What, why, who and until when are asked for, each with file and line."""
    path = tmp_path / "acceptances.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as told:
        acceptances.read(path)
    assert "acceptances.yaml:" in str(told.value)
    assert words in str(told.value)


def test_an_acceptance_holds_to_the_end_of_its_last_day() -> None:
    """And it is warned of in its last week."""
    assert not ONE.expired(date(2026, 12, 31))
    assert ONE.expired(date(2027, 1, 1))
    assert ONE.ends_soon(date(2026, 12, 25))
    assert not ONE.ends_soon(date(2026, 12, 24))


def test_baselines_are_written_and_read_again(tmp_path: Path) -> None:
    """One for each endpoint; a new one takes the place of the older."""
    path = tmp_path / "baseline.yaml"
    work = {"chat@c4": {"model": "m", "law": "closed(4)"}}
    first = Baseline(
        "new/m", "20260101t000000z-x-abcdef", "2026-01-01T00:00:00+00:00", "start", "ada", "2026-01-01", work
    )
    other = Baseline("old/m", first.run, first.began, "start", "ada", "2026-01-01", {})
    baselines.pin(path, [first, other])
    second = Baseline(
        "new/m", "20260201t000000z-x-abcdef", "2026-02-01T00:00:00+00:00", "new", "ada", "2026-02-01", work
    )
    baselines.pin(path, [second])
    assert baselines.read(path) == {"new/m": second, "old/m": other}


def test_two_baselines_of_one_endpoint_are_a_mistake(tmp_path: Path) -> None:
    """Nobody could say which one holds."""
    path = tmp_path / "baseline.yaml"
    one = "{endpoint: a/m, run: x, began: '2026-01-01', why: w, who: a, pinned: '2026-01-01'}"
    path.write_text(f"baselines:\n- {one}\n- {one}\n")
    with pytest.raises(ConfigError, match=r"baseline.yaml:3: baselines\[1\].endpoint: a/m has a baseline already"):
        baselines.read(path)
