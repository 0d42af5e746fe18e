"""A run for a CI server: JUnit XML with a suite for each endpoint and run, and a case for each task, level and probe.

A case fails where something is shown to be bad: a task on which an endpoint is worse than the first one, a probe that
found a feature broken or ignored. What could not be measured is an error, never a failure; thresholds are the affair
of gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from harness.report import words
from harness.report.conformance.junit import text
from harness.report.onefile.collected import Collected
from harness.types import JsonObject

_FAILED = ("broken", "ignored")
_UNTOLD = ("untestable", "skipped")


class _Case(NamedTuple):
    group: str
    name: str
    found: str
    """passed, failure, error or skipped."""
    told: str


def junit_of_runs(runs: Sequence[Collected]) -> str:
    """The XML of these runs."""
    top = ET.Element("testsuites", name="endpoint-harness")
    for one in runs:
        for endpoint in one.summary["endpoints"]:
            cases = list(_cases(one.summary, endpoint["endpoint"], one.conformance))
            suite = ET.SubElement(
                top,
                "testsuite",
                name=text(endpoint["endpoint"] if len(runs) == 1 else f"{endpoint['endpoint']} ({one.folder.id})"),
                tests=str(len(cases)),
                failures=str(sum(case.found == "failure" for case in cases)),
                errors=str(sum(case.found == "error" for case in cases)),
                skipped=str(sum(case.found == "skipped" for case in cases)),
            )
            properties = ET.SubElement(suite, "properties")
            about = {**endpoint, "run": one.folder.id, "plan_sha256": one.summary["run"]["plan_sha256"]}
            for key in ("run", "plan_sha256", "model_id", "engine_version"):
                ET.SubElement(properties, "property", name=key, value=text(about.get(key)))
            for case in cases:
                _add(suite, case)
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ET.Element, case: _Case) -> None:
    element = ET.SubElement(suite, "testcase", classname=text(case.group), name=text(case.name))
    if case.found == "passed":
        if case.told:
            ET.SubElement(element, "system-out").text = text(case.told)
    else:
        ET.SubElement(element, case.found, message=text(case.told))


def _cases(summary: JsonObject, endpoint: str, probed: JsonObject | None) -> Iterator[_Case]:
    for row in summary["tasks"]:
        if row["endpoint"] == endpoint:
            yield _task(row, summary["comparisons"])
    for row in summary["loads"]:
        if row["endpoint"] == endpoint:
            yield _level(row)
    for row in (probed or {"probes": []})["probes"]:
        if endpoint in row["cells"]:
            yield _probe(row, row["cells"][endpoint])


def _task(row: JsonObject, comparisons: Sequence[JsonObject]) -> _Case:
    group, told = f"tasks.{row['kind']}", words.score(row)
    if not row["n_asked"]:
        return _Case(group, row["task"], "skipped", "nothing was asked")
    if not row["enough"]:
        return _Case(group, row["task"], "error", f"too little could be scored: {told}")
    own = [
        each
        for each in comparisons
        if each["endpoint"] == row["endpoint"] and each["metric"] == row["kind"] and each["verdict"] == "worse"
    ]
    for each in own:
        # Of one task alone the comparison of its kind is that of the task.
        if each["task"] == row["task"] or (each["task"] is None and _alone(comparisons, row)):
            than = f"worse than {each['baseline']} by {words.value(each).lstrip('-')} [{words.bounds(each)}]"
            return _Case(group, row["task"], "failure", f"{told}: {than}, n={each['n']}")
    return _Case(group, row["task"], "passed", told)


def _alone(comparisons: Sequence[JsonObject], row: JsonObject) -> bool:
    return not any(each["task"] for each in comparisons if each["metric"] == row["kind"])


def _level(row: JsonObject) -> _Case:
    name = row["stage"].removeprefix("load.")
    if not row["n_ok"]:
        return _Case("loads", name, "error", f"none of {row['n']} requests was answered")
    p50, p95 = (words.number(row[f"ttft_{label}_ms"], 1) for label in ("p50", "p95"))
    speed = words.number(row["output_tokens_per_s"], 1)
    told = f"TTFT p50 {p50} ms, p95 {p95} ms, {speed} tokens/s, {row['n_failed']} of {row['n']} failed"
    return _Case("loads", name, "passed", told)


def _probe(row: JsonObject, cell: JsonObject) -> _Case:
    told = "" if cell["verdict"] == "supported" else f"{cell['verdict']}: {cell['reason']}"
    found = "failure" if cell["verdict"] in _FAILED else "skipped" if cell["verdict"] in _UNTOLD else "passed"
    return _Case(f"probes.{row['surface']}", row["probe"], found, told)
