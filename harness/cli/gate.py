"""``harness gate``: a run against limits, margins, a lockfile and a budget."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import click

from harness.cli import options
from harness.errors import UnknownName, UsageError
from harness.gates import acceptances, baselines, pinning, quantity, workflow
from harness.gates.badge import badge
from harness.gates.file import read
from harness.gates.judge import judge
from harness.gates.judgement import Judgement
from harness.gates.junit import junit
from harness.gates.markdown import comment, summary
from harness.gates.terminal import show
from harness.gates.terms import GateFile
from harness.record.folder import write_atomic
from harness.report.nights.metrics import METRICS
from harness.report.summary import terminal

_FILE = options.NewFile()


class Files(NamedTuple):
    """Where a judgement is written to; None: it is not."""

    verdict: Path | None
    junit: Path | None
    md: Path | None
    comment: Path | None
    badge: Path | None

    def write(self, found: Judgement) -> None:
        """Write what was asked for; StoreError when a file cannot be written."""
        texts: tuple[tuple[Path | None, Callable[[], str]], ...] = (
            (self.verdict, lambda: json.dumps(found.as_json(), indent=2) + "\n"),
            (self.junit, lambda: junit(found)),
            (self.md, lambda: summary(found)),
            (self.comment, lambda: comment(found, name=Path(found.file).stem)),
            (self.badge, lambda: json.dumps(badge(found)) + "\n"),
        )
        for path, made in texts:
            if path is not None:
                write_atomic(path, made().encode())


outputs = [
    click.option("--verdict", type=_FILE, metavar="FILE", help="Also write the verdict as JSON."),
    click.option("--junit", "junit_file", type=_FILE, metavar="FILE", help="Also write it as JUnit XML."),
    click.option("--md", type=_FILE, metavar="FILE", help="Also write it as Markdown."),
    click.option(
        "--comment", "comment_file", type=_FILE, metavar="FILE", help="Also write it as one renewable comment."
    ),
    click.option("--badge", "badge_file", type=_FILE, metavar="FILE", help="Also write the JSON of a badge."),
    click.option("--github", is_flag=True, help="Print annotations, and add to $GITHUB_STEP_SUMMARY."),
]
_keeping = [
    click.option("--accept", metavar="METRIC", help="Accept that METRIC is worse for a while: --why, --who, --until."),
    click.option("--set-baseline", "pinned", metavar="RUN", help="Compare later runs with RUN: --why, --who."),
    click.option("--why", metavar="TEXT", help="Reason of an acceptance or a baseline."),
    click.option("--who", metavar="NAME", help="Who answers for it."),
    click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day of an acceptance."),
    click.option(
        "--endpoint", "-e", metavar="PROVIDER/MODEL", help="The only endpoint that is accepted. Default: any."
    ),
    click.option("--workload", metavar="NAME", help="The only task or stage that is accepted. Default: any."),
    click.option("--up-to", metavar="MARGIN", help="As much worse as is accepted, as in 25% or '3 points'."),
]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="gate.yaml")
@click.option("--run", default="latest", show_default=True, help="The run that is judged.")
@click.option("--rerun", metavar="RUN", help="The run that was made to confirm it.")
@click.option(
    "--strict/--lenient", default=True, show_default=True, help="Whether inconclusive ends with 4, or with 0."
)
@options.several(outputs, _keeping)
@options.results
@options.as_json
def command(
    file: Path,
    run: str,
    rerun: str | None,
    strict: bool,
    verdict: Path | None,
    junit_file: Path | None,
    md: Path | None,
    comment_file: Path | None,
    badge_file: Path | None,
    github: bool,
    accept: str | None,
    pinned: str | None,
    results: Path,
    as_json: bool,
    **about: str | datetime | None,
) -> None:
    """Judge a run by FILE (default: gate.yaml): limits, margins, features, a budget. docs/gates.md has its format.

    Nothing that could not be told passes: where a change as large as the margin could have gone unseen, the verdict is
    inconclusive. Against history a result fails once a second run finds the same.

    \b
    Examples:
      harness load chat -e old/llama -e new/llama --concurrency 4 --repeats 5     # blocks by turns
      harness gate gate.yaml                                                      # the last run
      harness gate gate.yaml --run 20261121t1103 --json
      harness gate gate.yaml --junit gate.xml --github                            # in CI
      harness gate gate.yaml --set-baseline latest --why "new hardware" --who ada
      harness gate gate.yaml --accept ttft_p50_ms --up-to 25% --why "longer prompts" --who ada --until 2026-12-31

    Exit codes: 0 pass; 1 something is worse; 2 the file or the baseline is wrong; 3 could not be measured;
    4 inconclusive (0 with --lenient); 5 results cannot be read.
    """
    gate = read(file)
    if accept is not None and pinned is not None:
        raise UsageError("--accept and --set-baseline do not go together", hint="One at a time: each has its reason")
    if accept is not None:
        _accept(gate, accept, about)
        return
    if pinned is not None:
        _pin(results, gate, pinned, about)
        return
    if given := [name for name, value in about.items() if value is not None]:
        option = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{option} goes with --accept or --set-baseline", hint="See harness gate --help")
    found = judge(results, gate, [run] if rerun is None else [run, rerun])
    Files(verdict, junit_file, md, comment_file, badge_file).write(found)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
    else:
        show(found, terminal.console())
    if github:
        annotate(found, to_stderr=as_json)
    sys.exit(0 if found.verdict == "inconclusive" and not strict else found.exit_code)


def annotate(found: Judgement, *, to_stderr: bool) -> None:
    """Print the annotations of a workflow, and add to the summary of its step."""
    for line in workflow.lines(found):
        click.echo(line, err=to_stderr)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(found))


def _said(about: dict[str, str | datetime | None], name: str, wanted: str) -> str:
    value = about[name]
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{wanted} needs --{name}", hint="It is a line that others review")
    return value.strip()


def _accept(gate: GateFile, metric: str, about: dict[str, str | datetime | None]) -> None:
    """Write an acceptance into the gate's file of them."""
    gated = dict.fromkeys(one.metric for one in gate.gates)
    if metric not in gated:
        raise UnknownName(f"metric in {gate.file}", metric, gated)
    until = about["until"]
    if not isinstance(until, datetime):
        raise UsageError("--accept needs --until", hint="An acceptance ends by itself, as in --until 2026-12-31")
    if until.date() < _today():
        raise UsageError(f"--until {until.date()} is over")
    endpoint, workload, most = (
        value if isinstance(value := about[name], str) else None for name in ("endpoint", "workload", "up_to")
    )
    why, who = (_said(about, name, "--accept") for name in ("why", "who"))
    if most is not None:
        try:
            quantity.margin(most, METRICS[metric].unit)
        except ValueError as error:
            raise UsageError(f"--up-to {error}") from None
    one = acceptances.Acceptance(metric, endpoint, workload, most, why, who, until.date().isoformat())
    acceptances.add(gate.acceptances, one)
    click.echo(f"{gate.acceptances}: {metric} {one.text}", err=True)


def _pin(results: Path, gate: GateFile, run: str, about: dict[str, str | datetime | None]) -> None:
    """Write a run into the gate's file of baselines."""
    if given := [name for name in ("until", "endpoint", "workload", "up_to") if about[name] is not None]:
        raise UsageError(f"--{given[0].replace('_', '-')} goes with --accept", hint="See harness gate --help")
    why, who = (_said(about, name, "--set-baseline") for name in ("why", "who"))
    found = pinning.entries(results, gate, run, why=why, who=who, today=_today())
    baselines.pin(gate.baseline, found)
    for one in found:
        click.echo(f"{gate.baseline}: {one.endpoint} is compared with run {one.run}", err=True)


def _today() -> date:
    return datetime.now(UTC).date()
