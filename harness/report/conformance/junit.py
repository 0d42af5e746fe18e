"""The conformance matrix for a CI server: JUnit XML with a suite for each endpoint and a case for each probe."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from harness.report import words
from harness.report.conformance.matrix import why
from harness.types import JsonObject

_FAILED = ("broken", "ignored")
_UNTOLD = ("untestable", "skipped")
_NO_CHARACTERS = dict.fromkeys((0xFFFE, 0xFFFF), "?")


def junit(found: JsonObject) -> str:
    """A failure is what is broken or silently ignored; what could not be told is skipped; a clean no passes."""
    top = ET.Element("testsuites", name="conformance")
    for endpoint in found["endpoints"]:
        name = endpoint["endpoint"]
        cells = [(row, row["cells"][name]) for row in found["probes"] if name in row["cells"]]
        suite = ET.SubElement(
            top,
            "testsuite",
            name=text(name),
            tests=str(len(cells)),
            failures=str(sum(cell["verdict"] in _FAILED for _, cell in cells)),
            skipped=str(sum(cell["verdict"] in _UNTOLD for _, cell in cells)),
        )
        properties = ET.SubElement(suite, "properties")
        for key in ("grade", "support", "honesty", "broken_n", "evidence", "model_id", "engine_version"):
            ET.SubElement(properties, "property", name=key, value=text(endpoint.get(key, "")))
        for row, cell in cells:
            case = ET.SubElement(suite, "testcase", classname=row["surface"], name=row["probe"])
            if cell["verdict"] in _FAILED:
                failure = ET.SubElement(case, "failure", type=cell["verdict"], message=text(cell["reason"]))
                failure.text = text(why(cell))
            elif cell["verdict"] in _UNTOLD:
                ET.SubElement(case, "skipped", message=text(f"{cell['verdict']}: {cell['reason']}"))
            elif cell["verdict"] != "supported":
                ET.SubElement(case, "system-out").text = text(f"{cell['verdict']}: {why(cell)}")
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def text(value: object) -> str:
    """Text that XML can hold: controls are spelt out, and what is no character becomes a question mark.

    Source: Extensible Markup Language (XML) 1.0, fifth edition (2008), production 2, Char.
    """
    plain = words.plain("" if value is None else str(value)).encode("utf-8", "replace").decode()
    return plain.translate(_NO_CHARACTERS)
