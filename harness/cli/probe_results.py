"""What ``harness probe`` tells of a run: evidence, matrix, differences, and a judgement by newer probes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from harness import catalog, config
from harness.cli import options, probe_list
from harness.conformance.probe import select
from harness.errors import UnknownName, UsageError
from harness.provider import Provider
from harness.record.folder import RunFolder, open_run, write_atomic
from harness.report.conformance import evidence, junit, matrix, matrix_html
from harness.report.conformance import figures as conformance
from harness.report.summary import terminal
from harness.report.words import plain
from harness.run.scoring import rejudge as again
from harness.types import JsonObject

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = options.NewFile()


class Outputs(NamedTuple):
    """Files that a matrix is written to; None: it is not."""

    md: Path | None
    html: Path | None
    junit: Path | None

    def write(self, found: JsonObject, *, only_differences: bool = False) -> None:
        """Write what was asked for; StoreError when a file cannot be written."""
        makers: list[tuple[Path | None, Callable[[], str]]] = [
            (self.md, lambda: matrix.markdown(found, only_differences=only_differences, whole=not only_differences)),
            (self.html, lambda: matrix_html.html(found, only_differences=only_differences)),
            (self.junit, lambda: junit.junit(found)),
        ]
        for path, made in makers:
            if path is not None:
                write_atomic(path, made().encode())


def outputs(function: _Command) -> Callable[..., Any]:
    """The options that name files for a matrix; the command gets them together as ``outputs``."""

    @functools.wraps(function)
    def wrapped(*given: Any, md: Path | None, html: Path | None, junit_file: Path | None, **rest: Any) -> Any:
        return function(*given, outputs=Outputs(md, html, junit_file), **rest)

    for option in (
        click.option("--junit", "junit_file", type=_FILE, default=None, help="Also write it as JUnit XML."),
        click.option("--html", type=_FILE, default=None, help="Also write it as one HTML file."),
        click.option("--md", type=_FILE, default=None, help="Also write it as Markdown."),
    ):
        wrapped = option(wrapped)
    return wrapped


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[RUN] PROBE")
@click.option("--endpoint", "-e", default=None, metavar="PROVIDER/MODEL", help="Only of this endpoint.")
@options.results
@options.providers
@options.as_json
def show(
    names: tuple[str, ...], endpoint: str | None, results: Path, providers_file: Path | None, as_json: bool
) -> None:
    """Show what a PROBE asks for; with a RUN before it, the evidence of its verdict: request, response, a curl line.

    \b
    Examples:
      harness probe show tools.required
      harness probe show latest tools.required -e groq/gpt-oss-120b
    """
    if len(names) > 2:
        raise UsageError("show takes a PROBE, or a RUN and a PROBE", hint="See harness probe show --help")
    catalogue = catalog.discover()
    if len(names) == 1:
        probe_list.show(catalogue.probe(names[0]), as_json=as_json)
        return
    found = conformance.conformance(results, names[0])
    folder = open_run(results, found["run"]["id"])
    by_id = {row["probe"]: row for row in found["probes"]}
    if names[1] not in by_id:
        raise UnknownName(f"probe of run {folder.id}", names[1], by_id)
    cells = {name: cell for name, cell in by_id[names[1]]["cells"].items() if endpoint in (None, name)}
    if not cells:
        raise UnknownName(f"endpoint of run {folder.id}", endpoint or "", by_id[names[1]]["cells"])
    if as_json:
        click.echo(json.dumps({**by_id[names[1]], "cells": cells}, indent=2, default=str))
        return
    known = catalogue.probes.get(names[1])
    for line in evidence.requirement(known) if known else [names[1]]:
        click.echo(line)
    providers = config.load_providers(providers_file)
    for about in found["endpoints"]:
        if about["endpoint"] in cells:
            provider = providers.get(about["endpoint"].partition("/")[0])
            _show_evidence(folder, about, cells[about["endpoint"]], provider)


def _show_evidence(folder: RunFolder, about: JsonObject, cell: JsonObject, provider: Provider | None) -> None:
    """Print what was found about one endpoint, with the exchanges that it rests on."""
    click.echo(f"\n== {plain(about['endpoint'])}")
    for line in (*evidence.verdict_lines(cell), *evidence.engine_lines(about)):
        click.echo(line)
    for one in evidence.exhibits(folder, about, cell, provider):
        click.echo(f"\n-- {one.title}")
        for line in (*one.exchange, *one.official):
            click.echo(line)
        click.echo(f"\n{one.curl}")


@click.command("matrix")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--only-differences", is_flag=True, help="Only the probes on which endpoints differ.")
@click.option("--all", "whole", is_flag=True, help="Every probe, supported ones too.")
@outputs
@options.results
@options.as_json
def matrix_of(
    runs: tuple[str, ...], only_differences: bool, whole: bool, outputs: Outputs, results: Path, as_json: bool
) -> None:
    """Print the matrix of RUN (default: the latest): endpoints as columns, probes as rows.

    Several runs stand beside one another. Also as Markdown, HTML and JUnit.

    \b
    Examples:
      harness probe matrix
      harness probe matrix latest --only-differences --md matrix.md --html matrix.html --junit matrix.xml
    """
    found = conformance.beside([conformance.conformance(results, run) for run in runs or ("latest",)])
    outputs.write(found, only_differences=only_differences)
    if as_json:
        if only_differences:
            found["probes"] = [row for row in found["probes"] if conformance.differs(row)]
        click.echo(json.dumps(found, indent=2, default=str))
        return
    matrix.show(found, terminal.console(), only_differences=only_differences, whole=whole)


@click.command()
@click.argument("before")
@click.argument("after", default="latest")
@options.results
@options.as_json
def diff(before: str, after: str, results: Path, as_json: bool) -> None:
    """Print what run AFTER says otherwise than run BEFORE, of the endpoints that both probed.

    Where the two have no endpoint in common and one each, those two are compared.

    \b
    Example:
      harness probe diff 20261121t1103 latest
    """
    old, new = (conformance.conformance(results, run) for run in (before, after))
    names = [[row["endpoint"] for row in each["endpoints"]] for each in (old, new)]
    pairs = {name: name for name in names[0] if name in names[1]}
    if not pairs and len(names[0]) == len(names[1]) == 1:
        pairs = {names[0][0]: names[1][0]}
    if not pairs:
        raise UsageError(f"the runs have no endpoint in common: {', '.join(names[0])} and {', '.join(names[1])}")
    found = conformance.changes(old, new, pairs)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    for row in found:
        said = f"{row['before'] or 'not asked'} -> {row['after'] or 'not asked'}"
        click.echo(plain(f"{row['endpoint']}  {row['probe']}: {said}  ({row['reason']})"))
    click.echo(f"{len(found)} verdicts differ" if found else "no verdict differs", err=True)


@click.command()
@click.argument("run", default="latest")
@click.option("--profile", default=None, help="Judge by the probes of this profile. Default: that of the run.")
@options.results
@options.providers
@options.as_json
def rejudge(run: str, profile: str | None, results: Path, providers_file: Path | None, as_json: bool) -> None:
    """Judge the recorded exchanges of RUN again with today's probes; nothing is sent and nothing is paid.

    \b
    Example:
      harness probe rejudge latest
    """
    old = conformance.conformance(results, run)
    folder = open_run(results, old["run"]["id"])
    known = catalog.discover(only=("PROBES",))
    known.add_plugins("probes")
    probes = select(known.probes.values(), profile or old["run"]["profile"])
    again.rejudge(folder, probes, config.load_providers(providers_file))
    new = conformance.conformance(results, folder.id)
    found = conformance.changes(old, new, {row["endpoint"]: row["endpoint"] for row in new["endpoints"]})
    if as_json:
        click.echo(json.dumps({"changes": found, **new}, indent=2, default=str))
        return
    matrix.show(new, terminal.console())
    for row in found:
        said = f"{row['before'] or 'not judged'} -> {row['after'] or 'not judged'}"
        click.echo(plain(f"{row['endpoint']}  {row['probe']}: {said}  ({row['reason']})"), err=True)
    click.echo(f"{len(found)} verdicts changed" if found else "no verdict changed", err=True)
