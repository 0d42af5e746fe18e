"""A judgement for a CI server: JUnit XML with a suite for each endpoint and piece of work, a case for each test.

What is worse is a failure, what could not be measured an error, what could not be told is skipped: a reader of the file
never takes one for another.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from harness.gates.judgement import Case, Judgement, suites
from harness.report.conformance.junit import text

_ELEMENTS = {"fail": "failure", "error": "error", "inconclusive": "skipped"}
_NUMBERS = ("base", "value", "limit", "change", "low", "high", "mde", "p_value", "p_adjusted", "alpha", "n")
_WORDS = ("unit", "scale", "mode", "counted", "method")


def junit(found: Judgement) -> str:
    """The XML; numbers are properties of their case, in the units of the JSON."""
    top = ET.Element("testsuites", name=text(f"gate {found.file}"), **_counts(list(found.cases)))
    for (endpoint, workload), cases in suites(found.cases).items():
        name = text(f"{endpoint} {workload}".strip())
        suite = ET.SubElement(top, "testsuite", name=name, **_counts(cases))
        properties = ET.SubElement(suite, "properties")
        for key, value in (("run", found.run), ("confirmed_by", found.confirmed_by), ("gate", found.file)):
            if value is not None:
                ET.SubElement(properties, "property", name=key, value=text(value))
        for case in cases:
            _case(suite, name, case)
    if found.warnings:
        ET.SubElement(top, "system-out").text = text("\n".join(found.warnings))
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _counts(cases: list[Case]) -> dict[str, Any]:
    of = {name: sum(case.verdict == word for case in cases) for word, name in _COUNTED.items()}
    return {"tests": str(len(cases)), **{name: str(n) for name, n in of.items()}}


_COUNTED = {"fail": "failures", "error": "errors", "inconclusive": "skipped"}


def _case(suite: ET.Element, classname: str, case: Case) -> None:
    made = ET.SubElement(suite, "testcase", classname=classname, name=text(f"{case.metric} {case.rule}".strip()))
    properties = ET.SubElement(made, "properties")
    for name in _NUMBERS:
        if (value := getattr(case, name)) is not None:
            ET.SubElement(properties, "property", name=name, value=repr(value))
    for name in _WORDS:
        if value := getattr(case, name):
            ET.SubElement(properties, "property", name=name, value=text(value))
    if case.verdict in _ELEMENTS:
        said = ET.SubElement(made, _ELEMENTS[case.verdict], message=text(case.reason))
        if case.verdict != "inconclusive":
            said.set("type", "worse" if case.verdict == "fail" else "not measured")
            said.text = text("\n".join(part for part in (case.found, case.reason, case.next) if part))
    elif case.accepted is not None:
        ET.SubElement(made, "system-out").text = text(case.reason)
