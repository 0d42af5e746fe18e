"""``harness report``: what runs found, in the terminal, as one HTML file, as Markdown or as JUnit XML."""

from __future__ import annotations

import importlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli import options
from harness.errors import UsageError
from harness.record.folder import RunFolder, open_run, results_option, write_atomic
from harness.report.formats import form
from harness.report.summary import terminal
from harness.report.summary.figures import summarise
from harness.store.query import held

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@options.results
@click.option("--html", "html_file", type=_FILE, default=None, help="Write one HTML file with charts; - for stdout.")
@click.option("--md", "md_file", type=_FILE, default=None, help="Write Markdown for a pull request; - for stdout.")
@click.option("--junit", "junit_file", type=_FILE, default=None, help="Write JUnit XML; - for stdout.")
@click.option(
    "--as",
    "others",
    type=(str, _FILE),
    multiple=True,
    metavar="FORM FILE",
    help="Write a form that an installed package adds (harness plugins); - for stdout.",
)
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
    others: tuple[tuple[str, Path], ...],
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
    for name, path in others:
        form(name)  # refused before anything is asked
        files[f"--as {name}"] = path
    _writable(files, include_text=include_text, as_json=as_json)
    if not files:
        _print(results, folders, share, as_json=as_json)
        return
    again = _again(folders, results, margin, files, include_text=include_text)
    # Charts take their time to load: the tables do without.
    written = importlib.import_module("harness.report.onefile.written").written
    found, texts = written(results, folders, list(files), again, margin=share, texts=include_text)
    count = f"{len(folders)} runs" if len(folders) > 1 else "1 run"
    for name, path in files.items():
        if path == Path("-"):
            click.echo(texts[name], nl=False)
            continue
        data = texts[name].encode()
        write_atomic(path, data)
        click.echo(f"{path}: {count}, {len(data) / 1e6:.2f} MB" if len(data) > 1e5 else f"{path}: {count}", err=True)
    if as_json:
        click.echo(_json(found))


def _writable(files: dict[str, Path], *, include_text: bool, as_json: bool) -> None:
    """Refuse, before anything is asked, what cannot be written."""
    if sum(path == Path("-") for path in files.values()) + as_json > 1:
        raise UsageError("only one of --html -, --md -, --junit -, --as FORM - and --json can go to stdout")
    if include_text and not files.keys() - {"--junit"}:
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


def _again(
    folders: Sequence[RunFolder], results: Path, margin: float | None, files: dict[str, Path], *, include_text: bool
) -> str:
    """The command that makes the same again."""
    parts = ["harness report", *(folder.id for folder in folders)]
    parts += [f"--margin {margin:g}"] if margin is not None else []
    parts += [f"{name} {shlex.quote(path.name or '-')}" for name, path in files.items()]
    parts += ["--include-text"] if include_text else []
    return " ".join(parts) + results_option(results)
