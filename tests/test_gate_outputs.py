"""A judgement as CI servers, step summaries, comments, annotations, badges and programs read it."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from gated import Made, judged, run_of
from jsonschema import Draft202012Validator
from made import environment, harness, told

from harness.gates import markdown, workflow
from harness.gates.badge import badge
from harness.gates.judgement import Case, Judgement, Verdict
from harness.gates.junit import junit

HOSTILE = 'a\x00b\x1b[31m ]]> <script>|`x` @everyone #12 ::error::x %0A\r\nnext \ud800 \ufffe "q"'
SCHEMA = json.loads(files("harness.gates").joinpath("verdict.schema.json").read_text("utf-8"))


def case(verdict: Verdict, **changes: Any) -> Case:
    """A margin on TTFT."""
    usual = {"kind": "margin", "metric": "ttft_p50_ms", "endpoint": "new/m", "workload": "chat@c4", "reason": "why"}
    numbers = {"unit": "ms", "mode": "paired", "base": 100.0, "value": 150.0, "limit": 0.1, "scale": "ratio"}
    tested = {"change": 0.5, "low": 0.45, "high": 0.56, "mde": 0.04, "p_value": 1e-5, "p_adjusted": 1e-5, "n": 5}
    return Case(verdict=verdict, **{**usual, **numbers, **tested, "counted": "blocks", "alpha": 0.05, **changes})


def of(*cases: Case, warnings: tuple[str, ...] = ()) -> Judgement:
    """A judgement of these."""
    return Judgement("gate.yaml", "20260101t000000z-x-abcdef", None, cases, warnings, "0.1.0", "2026-03-01")


ALL = of(
    case("pass"), case("fail"), case("inconclusive"), case("error", value=None, reason=HOSTILE), warnings=(HOSTILE,)
)


@pytest.mark.parametrize(
    ("verdicts", "verdict", "code"),
    [
        (["pass"], "pass", 0),
        (["pass", "inconclusive"], "inconclusive", 4),
        (["inconclusive", "error"], "error", 3),
        (["error", "fail", "inconclusive"], "fail", 1),
        ([], "error", 3),
    ],
)
def test_the_gravest_case_is_the_verdict(verdicts: list[Verdict], verdict: str, code: int) -> None:
    """What is proven worse stands; without any case nothing was measured."""
    found = of(*map(case, verdicts))
    assert (found.verdict, found.exit_code) == (verdict, code)


def test_junit_tells_worse_from_not_measured_and_not_told() -> None:
    """failure, error and skipped, with counts that agree, and numbers as properties."""
    top = ET.fromstring(junit(ALL))
    suite = top.find("testsuite")
    assert suite is not None
    assert suite.get("name") == "new/m chat@c4"
    counts = {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    assert {name: suite.get(name) for name in counts} == counts == {name: top.get(name) for name in counts}
    cases = suite.findall("testcase")
    marks = [next((one.tag for one in each if one.tag != "properties"), None) for each in cases]
    assert marks == [None, "failure", "skipped", "error"]
    numbers = {one.get("name"): one.get("value") for one in cases[1].iter("property")}
    assert (float(numbers["value"] or 0), float(numbers["mde"] or 0), numbers["unit"]) == (150.0, 0.04, "ms")
    assert cases[1].get("name") == "ttft_p50_ms 10% worse at most (paired)"


def test_junit_of_hostile_text_is_xml() -> None:
    """Control characters, which XML forbids, are spelt out; markup is text."""
    text = junit(ALL)
    ET.fromstring(text)
    assert not {"\x00", "\x1b", "\r", "\ufffe"} & set(text)
    assert "<script>" not in text


@pytest.mark.parametrize("make", [markdown.summary, markdown.comment])
def test_hostile_text_is_text_in_markdown(make: Any) -> None:
    """It can end no cell, be no markup, mention nobody and refer to nothing."""
    text = make(ALL)
    assert not {"\x00", "\x1b", "\r"} & set(text)
    for live in ("<script", "@everyone", " #12", "`x`"):
        assert live not in text.replace("\\#12", "").replace("\\`x\\`", "")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 5
    assert {row.replace("\\|", "").count("|") for row in rows} == {9}
    assert "**FAIL**" in text


def test_a_comment_is_found_again_by_its_marker() -> None:
    """One comment for each gate, whatever its name holds."""
    assert markdown.comment(ALL, name="nightly").startswith("<!-- endpoint-harness: nightly -->\n")
    assert markdown.comment(ALL, name="--> x").startswith("<!-- endpoint-harness: --x -->\n")
    assert markdown.summary(ALL).startswith("### Gate: **FAIL**")


def test_a_comment_has_a_bound() -> None:
    """GitHub refuses a comment of more than 65,536 characters."""
    many = of(*(replace(case("fail"), reason="x" * 1000, metric="ttft_p50_ms") for _ in range(300)))
    assert len(markdown.comment(many).encode()) < 65_536
    assert "cut" in markdown.comment(many)


def test_annotations_are_one_line_each() -> None:
    """What a server said can begin no command of its own; ten of a kind are shown at most."""
    lines = workflow.lines(ALL)
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::notice"]
    assert all("\n" not in line and "\r" not in line and "%0A" not in line.replace("%250A", "") for line in lines)
    assert lines[0].startswith("::error title=worse%3A new/m chat@c4 ttft_p50_ms::10%25 worse at most (paired); ")
    many = workflow.lines(of(*(case("fail") for _ in range(25))))
    assert len(many) == 10
    assert many[-1] == "::error title=gate::16 more are in the summary"


def test_a_badge_says_the_verdict() -> None:
    """In the shape of a shields.io endpoint."""
    assert badge(of(case("pass"))) == {"schemaVersion": 1, "label": "gate", "message": "pass", "color": "brightgreen"}
    assert badge(ALL)["message"] == "1 of 4 worse"
    assert badge(of(case("error")))["color"] == "lightgrey"


def test_the_json_has_the_published_schema() -> None:
    """And every field that it has is described in it."""
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(ALL.as_json())))
    made = ALL.as_json()
    assert set(made) == set(SCHEMA["properties"]) == set(SCHEMA["required"])
    described = SCHEMA["$defs"]["case"]
    assert set(made["cases"][0]) == set(described["properties"]) == set(described["required"])


def test_the_command_writes_all_of_it(tmp_path: Path) -> None:
    """One judgement in every form; the exit code is the verdict's."""
    slow = tuple(1.5 * one for one in (100.0, 103.0, 98.0, 101.0, 99.0))
    results = tmp_path / "results"
    run_of(results, old=Made((100.0, 103.0, 98.0, 101.0, 99.0)), new=Made(slow))
    gate = "mode: paired\nbase: old/m\ngates:\n- {metric: ttft_p50_ms, worse_by: 10%}\n"
    judged(results, gate)
    (tmp_path / "gate.yaml").write_text(gate)
    step = tmp_path / "step.md"
    step.write_text("before\n")
    outputs = ("--verdict", "v.json", "--junit", "g.xml", "--md", "g.md", "--comment", "c.md", "--badge", "b.json")
    env = environment(GITHUB_STEP_SUMMARY=str(step))
    done = harness(tmp_path, "gate", "gate.yaml", *outputs, "--github", env=env)
    assert done.returncode == 1, done.stderr
    verdict = json.loads((tmp_path / "v.json").read_text())
    Draft202012Validator(SCHEMA).validate(verdict)
    assert (verdict["verdict"], verdict["cases"][0]["endpoint"]) == ("fail", "new/m")
    assert ET.parse(tmp_path / "g.xml").getroot().get("failures") == "1"
    assert step.read_text() == "before\n" + (tmp_path / "g.md").read_text()
    assert "::error title=worse%3A new/m" in done.stdout
    assert "could have seen" in done.stdout
    shown = json.loads(harness(tmp_path, "gate", "--json").stdout)
    assert shown == verdict


def test_reviewed_files_are_written_by_the_command(tmp_path: Path) -> None:
    """An acceptance and a baseline, each with its reason; what is missing is asked for."""
    results = tmp_path / "results"
    blocks = (100.0, 103.0, 98.0, 101.0, 99.0)
    run_of(results, old=Made(blocks), new=Made(tuple(1.5 * one for one in blocks)))
    gate = "mode: paired\nbase: old/m\ngates:\n- {metric: ttft_p50_ms, worse_by: 10%}\n"
    judged(results, gate)
    (tmp_path / "gate.yaml").write_text(gate)
    why = ("--why", "longer prompts", "--who", "ada")
    accept = ("gate", "gate.yaml", "--accept", "ttft_p50_ms")
    told(harness(tmp_path, *accept, *why), 2, "--accept needs --until")
    told(harness(tmp_path, *accept, *why, "--until", "2020-01-01"), 2, "is over")
    told(harness(tmp_path, *accept, "--until", "2999-01-01", "--who", "ada"), 2, "--accept needs --why")
    told(harness(tmp_path, *accept, *why, "--until", "2999-01-01", "--up-to", "5 points"), 2, "--up-to must be a part")
    told(harness(tmp_path, "gate", "gate.yaml", "--accept", "ttft_p50", *why), 2, "Did you mean ttft_p50_ms")
    told(harness(tmp_path, "gate", "gate.yaml", "--why", "x"), 2, "--why goes with --accept or --set-baseline")
    assert harness(tmp_path, *accept, *why, "--until", "2999-01-01", "--up-to", "60%").returncode == 0
    assert harness(tmp_path, "gate").returncode == 0
    assert harness(tmp_path, "gate", "gate.yaml", "--set-baseline", "latest", *why).returncode == 0
    assert "new/m" in (tmp_path / "baseline.yaml").read_text()


def test_inconclusive_ends_with_4_or_where_it_is_asked_for_with_0(tmp_path: Path) -> None:
    """A script can tell it from a pass; a CI server that knows only red and green need not."""
    results = tmp_path / "results"
    run_of(results, old=Made((100.0,)), new=Made((100.0,)))
    gate = "mode: paired\nbase: old/m\ngates:\n- {metric: ttft_p50_ms, worse_by: 10%}\n"
    judged(results, gate)
    (tmp_path / "gate.yaml").write_text(gate)
    assert harness(tmp_path, "gate").returncode == 4
    assert harness(tmp_path, "gate", "--lenient").returncode == 0
    told(harness(tmp_path, "gate", "nothing.yaml"), 2, "nothing.yaml: there is no such file")
