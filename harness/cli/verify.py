"""``harness verify``: whether vendors of one model serve the same thing as a reference."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from harness import catalog, config
from harness.cli import border, options, under_load, verified
from harness.cli.carry import Terms, carry_out
from harness.cli.dry_run import show as show_plan
from harness.errors import UsageError
from harness.record.folder import open_run
from harness.report.fidelity.earlier import luck_of
from harness.report.fidelity.planned import SIZES, expected, thousands, verify_selection
from harness.run.planning.plan import Plan
from harness.run.stored import replanner
from harness.run.tally import Budget


@click.group(invoke_without_command=True)
@click.option("--reference", metavar="PROVIDER/MODEL", default=None, help="Whom all others are measured against.")
@click.option(
    "--candidate",
    "candidates",
    multiple=True,
    metavar="PROVIDER/MODEL",
    help="Who is measured; repeat it for several.",
)
@click.option(
    "--budget",
    "size",
    type=click.Choice(list(SIZES)),
    default="usual",
    show_default=True,
    help="How much is asked; --prompts and --samples change it.",
)
@click.option("--prompts", type=click.IntRange(2, 30), default=None, help="Open prompts for the test of answers.")
@click.option("--samples", type=click.IntRange(2), default=None, help="Answers to each of them from each candidate.")
@click.option("--calls", type=click.IntRange(2, 24), default=None, help="Requests with tools, asked both ways.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME[:N]",
    help="A task with right answers that is scored too; repeat it. Default: those of the budget.",
)
@click.option(
    "--context",
    type=click.Choice(["1k", "2k", "4k", "8k", "16k", "32k", "64k", "128k"]),
    multiple=True,
    help="Length of long prompts with facts hidden in them, in tokens; name two or more. Default: those of the budget.",
)
@click.option(
    "--data",
    "files",
    multiple=True,
    metavar="TASK=PATH",
    help="File or folder that a task reads, for those without a source of their own; repeat it.",
)
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=4, show_default=True, help="Requests under way per endpoint."
)
@click.option("--plan", "plan_only", is_flag=True, help="As --dry-run, which also says what can be found.")
@verified.forms
@options.several(options.sending)
@click.pass_context
def command(
    ctx: click.Context,
    reference: str | None,
    candidates: tuple[str, ...],
    size: str,
    prompts: int | None,
    samples: int | None,
    calls: int | None,
    tasks: tuple[str, ...],
    context: tuple[str, ...],
    files: tuple[str, ...],
    concurrency: int,
    plan_only: bool,
    results: Path,
    providers_file: Path | None,
    seed: int,
    dry_run: bool,
    as_json: bool,
    budget: Budget,
    to: verified.Forms,
) -> None:
    """Measure whether candidates serve the same model as a reference, with error bars.

    The reference is asked everything twice, so that each gap is seen beside what the reference differs from itself. All
    are asked in the same hours, in one order. It is an ordinary run: `harness resume` finishes one that was broken off,
    and `harness verify report` judges it again without a request. Different is not worse: the scores of tasks with
    right answers stand beside every verdict. See docs/verify.md.

    \b
    Examples:
      harness verify --reference official/llama --candidate cheap/llama --plan
      harness verify --reference official/llama --candidate cheap/llama --candidate fast/llama --max-cost 2
      harness verify --reference mine/llama --candidate cheap/llama --budget small --task gsm8k:100 --md verify.md
      harness verify --reference mine/llama --candidate cheap/llama --task fidelity_walle:50 --data fidelity_walle=walle
      harness verify report latest --json
      harness verify under-load -e cheap/llama --concurrency 16

    Exit codes: 0 measured, whatever was found; 2 usage; 3 nothing could be measured; 130 interrupted.
    """
    if ctx.invoked_subcommand is not None:
        return
    if reference is None or not candidates:
        raise UsageError("a verification takes --reference and at least one --candidate", hint="harness verify --help")
    selection = verify_selection(
        reference,
        candidates,
        SIZES[size].changed(prompts, samples, calls, tasks, thousands(context)),
        data=_data(files),
        concurrency=concurrency,
        seed=seed,
        max_requests=budget.max_requests,
    )
    plan = replanner(catalog.discover(only=("TASK", "TASKS")), config.load_providers(providers_file))(selection)
    if plan_only or dry_run:
        _show_plan(plan, results, as_json=as_json)
        return
    terms = Terms(results, providers_file, budget, dry_run=False, as_json=as_json)
    carry_out(plan, terms, tell=lambda sat: verified.tell(sat, results, providers_file, to, as_json=as_json))


@command.command("report")
@click.argument("run", default="latest")
@options.results
@options.providers
@verified.forms
@options.as_json
def report(run: str, results: Path, providers_file: Path | None, as_json: bool, to: verified.Forms) -> None:
    """Judge the verification RUN again, from what is stored: an id, the beginning of one, or "latest".

    \b
    Example:
      harness verify report latest --margin 2 --html verify.html
    """
    verified.report(open_run(results, run), results, providers_file, to, as_json=as_json)


command.add_command(under_load.command)


command.add_command(border.command)


def _show_plan(plan: Plan, results: Path, *, as_json: bool) -> None:
    """What a verification of this size takes, and what it would find."""
    found = expected(plan, luck_of(results, plan.selection.endpoints[0]))
    for one in () if as_json else found:
        click.echo(f"{one.test}: {one.says}")
    show_plan(plan, results, as_json=as_json, more={"expected": [asdict(one) for one in found]})


def _data(files: tuple[str, ...]) -> dict[str, Path]:
    """Paths by task."""
    found = {}
    for given in files:
        task, equals, path = given.partition("=")
        if not equals or not path:
            raise UsageError(f"--data {given!r} is no TASK=PATH", hint="As in --data fidelity_walle=walle/testdata")
        found[task] = Path(path)
    return found
