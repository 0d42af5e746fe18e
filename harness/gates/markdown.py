"""A judgement as Markdown: the summary of a CI step, and one comment that is renewed in place.

What a server, a model or a file of the user's said is in it as text: it can end no cell, be no markup, and mention
nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.gates.judgement import Case, Judgement, Verdict
from harness.report.conformance.junit import text as writable

MOST_BYTES = 60_000
"""A comment may have 65,536 characters, a step's summary 1 MiB. Source: docs.github.com, workflow commands and REST."""
_WORDS: dict[Verdict, str] = {
    "pass": "pass",
    "fail": "**FAIL**",
    "inconclusive": "inconclusive",
    "error": "**could not measure**",
}
_COLUMNS = ("verdict", "endpoint", "work", "metric", "rule", "found", "could have seen", "why")
_MARKUP = {ord(sign): f"\\{sign}" for sign in "\\`*_{}[]()#+!|~"} | {
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord("&"): "&amp;",
    ord("@"): "&#64;",
}
_MOST_ROWS = 200


def summary(found: Judgement) -> str:
    """Everything: all cases, the gravest first, with what can be done next."""
    return _cut(_whole(found), found)


def comment(found: Judgement, *, name: str = "gate") -> str:
    """One comment: a marker by which the next one finds and replaces it, and what a reader of a change must know."""
    marker = f"<!-- endpoint-harness: {''.join(char for char in name if char.isalnum() or char in '-_.') or 'gate'} -->"
    return _cut([marker, *_whole(found)], found)


def _whole(found: Judgement) -> list[str]:
    counts = ", ".join(f"{n} {word}" for word, n in found.counts.items() if n) or "nothing was tested"
    where = f"Run `{_code(found.run)}`, gate `{_code(found.file)}`."
    lines = [f"### Gate: {_WORDS[found.verdict]}", "", f"{counts}. {where}"]
    if found.confirmed_by:
        lines.append(f"Confirmed by run `{_code(found.confirmed_by)}`.")
    ordered = found.of("fail", "error") + found.of("inconclusive") + found.of("pass")
    if ordered:
        lines += ["", _line(*_COLUMNS), "|" + "---|" * len(_COLUMNS)]
        lines += [_row(case) for case in ordered[:_MOST_ROWS]]
    if len(ordered) > _MOST_ROWS:
        lines += ["", f"{len(ordered) - _MOST_ROWS} more cases are in the JSON."]
    said = list(dict.fromkeys(_next(ordered)))
    lines += ["", "What next:", "", *(f"- {line}" for line in said)] if said else []
    lines += ["", *(f"> {_safe(line)}" for line in found.warnings)] if found.warnings else []
    return lines


def _next(cases: list[Case]) -> Iterator[str]:
    for case in cases:
        if case.next:
            yield f"`{_code(case.next)}`"


def _row(case: Case) -> str:
    told = (case.endpoint or "the run", case.workload, case.metric, case.rule, case.found, case.could_have_seen)
    return "| " + " | ".join([_WORDS[case.verdict], *map(_safe, (*told, case.reason))]) + " |"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _safe(text: str) -> str:
    return writable(" ".join(text.split())).translate(_MARKUP)


def _code(text: str) -> str:
    """Text between single backticks, where nothing but a backtick means anything."""
    return writable(" ".join(text.split())).replace("`", "'").replace("|", "\\|")


def _cut(lines: list[str], found: Judgement) -> str:
    text = "\n".join(lines) + "\n"
    if len(text.encode()) <= MOST_BYTES:
        return text
    kept = text.encode()[:MOST_BYTES].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n\nThis was cut; all {len(found.cases)} cases are in the JSON.\n"
