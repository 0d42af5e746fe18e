"""The conformance matrix as one HTML file: no script, nothing fetched, every text of others escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from harness.report import words
from harness.report.conformance.figures import surfaces
from harness.report.conformance.matrix import LEGEND, LETTERS, declared_lines, heads, tally, why, worth_a_look
from harness.types import JsonObject

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1b1f24; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #d8dee4; vertical-align: top; }
summary { cursor: pointer; font-weight: 600; padding: .4rem 0; }
code { font-size: 90%; }
.why { color: #57606a; font-size: 90%; overflow-wrap: anywhere; }
.broken { background: #ffe3e0; } .ignored { background: #f6e3fb; } .rejected { background: #dff3f8; }
.partial { background: #fff5d6; } .supported { background: #e4f5e6; }
"""


def html(found: JsonObject, *, only_differences: bool = False) -> str:
    """A page with the heads, and a part for each surface that opens where something is not supported."""
    return "".join(_page(found, only_differences=only_differences))


def _page(found: JsonObject, *, only_differences: bool) -> Iterator[str]:
    names = [row["endpoint"] for row in found["endpoints"]]
    run = found["run"]
    title = f"Conformance ({run['profile']})"
    yield "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
    yield "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><h1>{_text(title)}</h1>"
    made = f"run {run['id']} · {run['created_at']} · endpoint-harness {run['harness_version']} · {run['os']}"
    yield f"<p>{_text(made)}</p>"
    yield "<table><tr><th>endpoint<th>grade<th>support<th>honesty<th>broken<th>evidence<th>model<th>version</tr>"
    for row in found["endpoints"]:
        about = (row["endpoint"], *heads(row), row.get("model_id") or "", row.get("engine_version") or "")
        yield "<tr>" + "".join(f"<td>{_text(each)}" for each in about) + "</tr>"
    yield f"</table><p>{_text(LEGEND)}</p>"
    yield "".join(f"<p>{_text(line)}</p>" for line in declared_lines(found))
    for surface, probes in surfaces(found):
        shown = list(worth_a_look(probes, only_differences=only_differences, whole=not only_differences))
        tallies = " · ".join(f"{name}: {tally(probes, name)}" for name in names)
        bad = any(cell["verdict"] in ("broken", "ignored") for row in probes for cell in row["cells"].values())
        yield f"<details{' open' if bad else ''}><summary>{_text(surface)} — {_text(tallies)}</summary><table>"
        yield "<tr><th>probe<th>severity" + "".join(f"<th>{_text(name)}" for name in names) + "</tr>"
        for row in shown:
            yield f"<tr><td><code>{_text(row['probe'])}</code><div class=why>{_text(row['title'])}</div>"
            yield f"<td>{_text(row['severity'])}"
            yield "".join(_cell(row["cells"].get(name)) for name in names) + "</tr>"
        yield "</table></details>"
    yield "</body></html>\n"


def _cell(cell: JsonObject | None) -> str:
    if cell is None:
        return f"<td>{words.NOTHING}"
    verdict = cell["verdict"]
    told = "" if verdict == "supported" else f"<div class=why>{_text(why(cell))}</div>"
    return f"<td class={verdict}>{_text(LETTERS[verdict])} {_text(verdict)}{told}"


def _text(value: object) -> str:
    return escape(words.plain(str(value)))
