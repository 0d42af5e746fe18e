"""``harness verify border``: prompts whose answer flips, found once and looked at night by night."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from harness.cli import options
from harness.fidelity.border import KEPT
from harness.record.folder import open_run, write_atomic
from harness.report.fidelity import kept_borders
from harness.store.query import held

_endpoint = click.option(
    "-e", "--endpoint", metavar="PROVIDER/MODEL", default=None, help="Whose answers. Default: the first of the run."
)
_file = click.Path(path_type=Path, dir_okay=False)


@click.group("border")
def command() -> None:
    """Find prompts whose one-token answer flips, and see night by night whether they still flip alike.

    The least change of a model, its weights or its software moves them, at the cost of a few hundred tokens. A server
    that always gives the same answer has none.

    \b
    Examples, the last two every night:
      harness eval fidelity_border -e cheap/llama --repeats 4
      harness verify border find latest --out border.jsonl
      harness eval fidelity_border --data border.jsonl -e cheap/llama --repeats 20
      harness verify border find latest --out border.jsonl
      harness eval fidelity_border --data border.jsonl -e cheap/llama --repeats 10
      harness verify border check latest --against border.jsonl
    """


@command.command("find")
@click.argument("run", default="latest")
@_endpoint
@click.option(
    "--out", type=_file, required=True, metavar="FILE", help="Where the prompts and answers are kept (JSONL)."
)
@click.option(
    "--keep", type=click.IntRange(min=1), default=KEPT, show_default=True, help="Most prompts, the most even."
)
@options.results
def find(run: str, endpoint: str | None, out: Path, keep: int, results: Path) -> None:
    """Keep the prompts of RUN that got more than one answer, with how often each came.

    RUN asked fidelity_border several times: a verification, or `harness eval fidelity_border --repeats 4`. Then ask
    those again with --data FILE --repeats 20 and keep what came: prompts that were chosen for their answers flip less
    often the next time, and the night would seem to differ from them.

    \b
    Example:
      harness verify border find latest --out border.jsonl
    """
    folder = open_run(results, run)
    whose = kept_borders.endpoint_of(folder, endpoint)
    with held(results):
        firsts = kept_borders.asked(results, folder, whose)
    found = kept_borders.found_in(firsts, keep)
    if not found:
        click.echo(f"{whose} gave one answer to each of {len(firsts)} prompts: nothing to keep, nothing written")
        return
    write_atomic(out, kept_borders.written(found))
    click.echo(f"{out}: {len(found)} of {len(firsts)} prompts, with the answers of {whose}. Ask them again with:")
    click.echo(f"harness eval fidelity_border --data {out} -e {whose} --repeats 20")


@command.command("check")
@click.argument("run", default="latest")
@click.option("--against", type=_file, required=True, metavar="FILE", help="What `find` kept.")
@_endpoint
@options.results
@options.as_json
@click.pass_context
def check(ctx: click.Context, run: str, against: Path, endpoint: str | None, results: Path, *, as_json: bool) -> None:
    """Whether the answers of RUN to the kept prompts still are of the same distribution.

    \b
    Example:
      harness verify border check latest --against border.jsonl

    Exit codes: 0 the same, or not applicable; 1 changed; 2 usage.
    """
    folder = open_run(results, run)
    whose = kept_borders.endpoint_of(folder, endpoint)
    reference = kept_borders.kept(against)
    with held(results):
        today = kept_borders.asked(results, folder, whose)
    found = kept_borders.compared(reference, today)
    if as_json:
        click.echo(json.dumps({"run": folder.id, "endpoint": whose} | dataclasses.asdict(found), indent=2))
    elif found.variation is None:
        click.echo(f"{whose}: {found.word}: no kept prompt has two answers, in the file and in run {folder.id}")
    else:
        click.echo(
            f"{whose}: {found.word}: total variation {found.variation:.2f} over {found.prompts} prompts, "
            f"{found.own:.2f} by luck alone, p {found.p_value:.3f}"
        )
    ctx.exit(1 if found.word == "changed" else 0)
