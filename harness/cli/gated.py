"""A suite that has been carried out, judged by its gate."""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click

from harness.cli.carry import Terms, finish, sit
from harness.cli.gate import Files, annotate
from harness.gates.judge import judge
from harness.gates.judgement import Judgement
from harness.gates.terminal import show
from harness.gates.terms import GateFile
from harness.report import whole
from harness.report.summary import terminal
from harness.run.planning.plan import Plan
from harness.run.selecting.selection import new_nonce
from harness.run.sitting import Sitting
from harness.run.stored import Replan
from harness.store.query import held


@dataclass(frozen=True, slots=True)
class Gating:
    """How a run is judged, and where the verdict goes."""

    gate: GateFile
    files: Files
    github: bool
    strict: bool
    """Whether inconclusive ends with 4, or with 0."""
    confirm: bool
    """Whether the suite is run once more where a second run decides."""


def carry_out_and_judge(plan: Plan, again: Replan, terms: Terms, gating: Gating) -> None:
    """Carry out a plan, print its tables and its verdict, and end with the exit code of the verdict.

    What is worse than history is confirmed by running the plan once more. A run that was broken off is not judged, and
    ends as any other does; one of which nothing could be measured is judged, and then told as such.
    """
    sat = sit(plan, terms)
    found = _judged(sat, terms.results, gating, ())
    if found is None:
        finish(sat, terms.results, as_json=terms.as_json)
        return
    if found.unconfirmed and gating.confirm:
        click.echo(f"worse than in earlier runs, and seen once: {plan.selection.suite} is run again", err=True)
        second = sit(again(replace(plan.selection, nonce=new_nonce())), terms)
        confirmed = _judged(second, terms.results, gating, (sat.folder.id,))
        if confirmed is None:
            finish(second, terms.results, as_json=terms.as_json)
            return
        found = confirmed
    gating.files.write(found)
    if gating.github:
        annotate(found, to_stderr=terms.as_json)
    finish(sat, terms.results, as_json=False, tell=functools.partial(_tell, found, terms))
    sys.exit(0 if found.verdict == "inconclusive" and not gating.strict else found.exit_code)


def _judged(sat: Sitting, results: Path, gating: Gating, before: tuple[str, ...]) -> Judgement | None:
    """The verdict on a run, or on the one ``before`` it that it was made to confirm; None: it was broken off.

    One that lost a worker went to its end: its verdict is error, and stands in every file that is asked for.
    """
    return judge(results, gating.gate, (*before, sat.folder.id)) if sat.status in ("finished", "partial") else None


def _tell(found: Judgement, terms: Terms, sat: Sitting) -> None:
    if terms.as_json:
        with held(terms.results):
            click.echo(json.dumps(whole.tables(terms.results, sat.folder) | {"gate": found.as_json()}, indent=2))
        return
    console = terminal.console()
    whole.show(terms.results, sat.folder, console, as_json=False)
    show(found, console)
