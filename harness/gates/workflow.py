"""A judgement as annotations of a GitHub workflow: lines that its runner picks out of what a step prints.

Source: docs.github.com, "Workflow commands for GitHub Actions": ``::error title={title}::{message}``; ``%``, CR and LF
are spelt ``%25``, ``%0D`` and ``%0A``, in a property ``:`` and ``,`` too; ten of each kind are shown for a step.
"""

from __future__ import annotations

from harness.gates.judgement import Case, Judgement
from harness.report.conformance.junit import text as writable

_SHOWN = 10


def lines(found: Judgement) -> list[str]:
    """A line for what failed or could not be measured (``error``), and for what could not be told (``warning``)."""
    return [
        *_of("error", found.of("fail", "error")),
        *_of("warning", found.of("inconclusive")),
        *(f"::notice title=gate::{_message(line)}" for line in found.warnings[:_SHOWN]),
    ]


def _of(level: str, cases: list[Case]) -> list[str]:
    kept = cases if len(cases) <= _SHOWN else cases[: _SHOWN - 1]
    lines = []
    for case in kept:
        what = {"fail": "worse", "error": "could not measure", "inconclusive": "inconclusive"}[case.verdict]
        title = " ".join(part for part in (f"{what}:", case.endpoint, case.workload, case.metric) if part)
        told = [case.rule, "" if case.value is None else case.found, case.reason]
        lines.append(f"::{level} title={_property(title)}::{_message('; '.join(part for part in told if part))}")
    if len(kept) < len(cases):
        lines.append(f"::{level} title=gate::{len(cases) - len(kept)} more are in the summary")
    return lines


def _message(text: str) -> str:
    return writable(" ".join(text.split())).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
