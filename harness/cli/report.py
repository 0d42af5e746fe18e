"""``harness report``: what runs found, in the terminal, as one HTML file, as Markdown or as JUnit XML."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import click

from harness.cli import options
from harness.errors import UsageError
from harness.folder import RunFolder, open_run, results_option, write_atomic
from harness.report import terminal
from harness.report.document import Document
from harness.report.fitting import fitted
from harness.report.junit_run import junit_of_runs
from harness.report.markdown import markdown
from harness.report.onefile.bundle import bundle
from harness.report.onefile.collected import All, collect
from harness.report.onefile.contents import document
from harness.report.onefile.page import Page
from harness.report.summary import summarise
from harness.store.query import held

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_MOST_BYTES = 2_000_000
_MOST_CHARACTERS = 65_000
"""A comment may have 65,536. Source: docs.github.com, REST API, issue comments."""
_SAID_EACH = 20
"""Answers of each task and endpoint that --include-text shows."""


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@options.results
@click.option("--html", "html_file", type=_FILE, default=None, help="Write one HTML file with charts; - for stdout.")
@click.option("--md", "md_file", type=_FILE, default=None, help="Write Markdown for a pull request; - for stdout.")
@click.option("--junit", "junit_file", type=_FILE, default=None, help="Write JUnit XML; - for stdout.")
@click.option("--include-text", is_flag=True, help="Also show requests and answers, in the HTML and the Markdown.")
@click.option(
    "--margin",
    type=options.Amount(),
    default=None,
    metavar="POINTS",
    help="Loss of quality that would matter, in points: verdicts are then worse, not worse, inconclusive.",
)
@options.as_json
def command(
    runs: tuple[str, ...],
    results: Path,
    html_file: Path | None,
    md_file: Path | None,
    junit_file: Path | None,
    include_text: bool,
    margin: float | None,
    as_json: bool,
) -> None:
    """Report what RUNs found: ids, beginnings of ids, or "latest", which is also what no RUN means.

    Without a file to write it prints the tables. The HTML file holds everything it needs: it opens without a network,
    fetches nothing, and can be sent. Of several runs each has its part, and those that asked the same are compared with
    the first one. No request and no answer is in a report without --include-text.

    \b
    Examples:
      harness report
      harness report 20261121t1103 --json
      harness report --margin 2
      harness report latest --html report.html
      harness report 20261120t0900 20261121t1103 --html week.html --md comment.md
      harness report --junit tests.xml
    """
    folders = list({run.id: run for run in (open_run(results, name) for name in runs or ("latest",))}.values())
    share = None if margin is None else margin / 100
    wanted = {"--html": html_file, "--md": md_file, "--junit": junit_file}
    files = {name: path for name, path in wanted.items() if path is not None}
    _writable(files, include_text=include_text, as_json=as_json)
    if not files:
        _print(results, folders, share, as_json=as_json)
        return
    found = collect(results, folders, margin=share, said_each=_SAID_EACH if include_text else 0)
    _write(found, files, _again(folders, results, margin, files, include_text=include_text), texts=include_text)
    if as_json:
        click.echo(_json([one.summary for one in found.runs]))


def _writable(files: dict[str, Path], *, include_text: bool, as_json: bool) -> None:
    """Refuse, before anything is asked, what cannot be written."""
    if sum(path == Path("-") for path in files.values()) + as_json > 1:
        raise UsageError("only one of --html -, --md -, --junit - and --json can go to stdout")
    if include_text and not files.keys() & {"--html", "--md"}:
        raise UsageError("--include-text is for --html and --md", hint="Name a file with one of them")
    for name, path in files.items():
        if not path.parent.is_dir():
            raise UsageError(f"{name}: there is no folder {path.parent}", hint="Make it first, or name another file")
        # A device would be replaced by a file.
        if path.exists() and not path.is_file():
            raise UsageError(f"{name}: {path} is no file", hint="Use - for stdout")
    if len({path.resolve() for path in files.values()}) < len(files):
        raise UsageError(f"{' and '.join(files)} name the same file")


def _print(results: Path, folders: Sequence[RunFolder], margin: float | None, *, as_json: bool) -> None:
    with held(results):
        found = [summarise(results, folder.id, margin=margin) for folder in folders]
    if as_json:
        click.echo(_json(found))
        return
    screen = terminal.console()
    for summary in found:
        terminal.show(summary, screen)


def _json(summaries: Sequence[object]) -> str:
    """Of one run its summary, of several a list of them."""
    return json.dumps(summaries[0] if len(summaries) == 1 else summaries, indent=2, default=str)


def _write(found: All, files: dict[str, Path], again: str, *, texts: bool) -> None:
    content = cache(lambda: document(found, again, texts=texts))
    makers: dict[str, Callable[[], str]] = {
        "--html": lambda: _html(content(), found),
        "--md": lambda: fitted(content(), markdown, _MOST_CHARACTERS, "characters"),
        "--junit": lambda: junit_of_runs(found.runs),
    }
    for name, path in files.items():
        text = makers[name]()
        if path == Path("-"):
            click.echo(text, nl=False)
            continue
        data = text.encode()
        write_atomic(path, data)
        count = f"{len(found.runs)} runs" if len(found.runs) > 1 else "1 run"
        click.echo(f"{path}: {count}, {len(data) / 1e6:.2f} MB" if len(data) > 1e5 else f"{path}: {count}", err=True)


def _html(content: Document, found: All) -> str:
    script = bundle()
    # All of plotly.js is as much again.
    most = 2 * _MOST_BYTES if script.whole else _MOST_BYTES
    return fitted(content, Page(found.marks, script).html, most, "bytes")


def _again(
    folders: Sequence[RunFolder], results: Path, margin: float | None, files: dict[str, Path], *, include_text: bool
) -> str:
    """The command that makes the same again."""
    parts = ["harness report", *(folder.id for folder in folders)]
    parts += [f"--margin {margin:g}"] if margin is not None else []
    parts += [f"{name} {shlex.quote(path.name or '-')}" for name, path in files.items()]
    parts += ["--include-text"] if include_text else []
    return " ".join(parts) + results_option(results)
