"""``harness doctor``: whether this machine can measure, on one screen."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.text import Text

from harness.cli import options, tables
from harness.doctor import machine, packages, surroundings
from harness.doctor.finding import Finding
from harness.report.plugged import Plugged, plugged

_STYLES = {"ok": "green", "note": "yellow", "wrong": "red"}


@click.command()
@options.results
@options.providers
@options.as_json
@click.pass_context
def command(ctx: click.Context, results: Path, providers_file: Path | None, as_json: bool) -> None:
    """Say whether this machine can measure, and how to mend what it lacks; nothing is sent anywhere.

    Looked at are Python, packages and plug-ins, cores, memory and open files as a container bounds them, the clock,
    keys (by the names of their variables), engines and models, the results folder with its database, and the sandbox. A
    note is something that some commands do without. Whether endpoints answer is asked by harness providers check.

    \b
    Examples:
      harness doctor
      harness doctor --json

    Exit codes: 0 nothing has to be mended, 1 something has.
    """
    found = list(_examined(results, providers_file))
    if as_json:
        click.echo(json.dumps([one._asdict() for one in found], indent=2))
    else:
        tables.show(["", "", ""], [(Text(one.state, _STYLES[one.state]), one.what, _said(one)) for one in found])
    if any(one.state == "wrong" for one in found):
        ctx.exit(1)


def _examined(results: Path, providers_file: Path | None) -> Iterator[Finding]:
    yield packages.python()
    yield from packages.packages()
    yield plug_ins(plugged())
    yield machine.cores()
    yield machine.files()
    yield machine.clock()
    yield machine.stamps()
    yield surroundings.keys(providers_file)
    yield surroundings.engines()
    yield from surroundings.results(results)
    yield surroundings.sandbox_()
    yield surroundings.browser()
    if (proxy := surroundings.proxies(os.environ)) is not None:
        yield proxy


def plug_ins(found: Sequence[Plugged]) -> Finding:
    """What installed packages add, and which of it cannot be used; the rest of the tool does without that."""
    packages_n = len({one.package for one in found})
    told = f"{len(found)}, from {packages_n} package{'s' * (packages_n != 1)}" if found else "none installed"
    problems = [one.problem for one in found if one.problem]
    if not problems:
        return Finding("plug-ins", "ok", told)
    return Finding("plug-ins", "note", "; ".join([told, *problems]), "Mend or uninstall the package (harness plugins)")


def _said(one: Finding) -> str:
    return f"{one.told}\n  {one.mend}" if one.mend else one.told
