"""``harness verify under-load``: whether quality falls when the server is busy."""

from __future__ import annotations

from pathlib import Path

import click

from harness import catalog, config
from harness.cli import options, verified
from harness.cli.carry import Terms, carry_out
from harness.errors import UsageError
from harness.provider import Endpoint
from harness.report.fidelity.planned import RIGHT
from harness.run.arrivals import Closed, Law, law_json
from harness.run.selecting import load_words
from harness.run.selecting.selection import Busy, Selection
from harness.run.stored import replanner
from harness.run.tally import Budget


@click.command("under-load")
@options.endpoints
@click.option("--concurrency", metavar="N", default=None, help="Requests under way when it is busy, at least 2.")
@click.option("--rate", metavar="R", default=None, help="Or requests per second, however long the answers take.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME[:N]",
    help="A task with right answers; repeat it. Default: eight short ones, 184 questions.",
)
@click.option(
    "--blocks", type=click.IntRange(1, 20), default=2, show_default=True, help="Times that both are gone through."
)
@verified.forms
@options.several(options.sending)
def command(
    endpoint_names: tuple[str, ...],
    concurrency: str | None,
    rate: str | None,
    tasks: tuple[str, ...],
    blocks: int,
    results: Path,
    providers_file: Path | None,
    seed: int,
    dry_run: bool,
    as_json: bool,
    budget: Budget,
    to: verified.Forms,
) -> None:
    """Measure whether answers get worse when the server is busy: the same questions, alone and under load.

    The questions themselves are the load: all of them one at a time, then all at --concurrency or --rate, in turn from
    block to block. Take the rate of your objectives (`harness load --search rate`). Failures are counted apart from
    wrong answers, and the time to the first token stands beside.

    \b
    Examples:
      harness verify under-load -e vendor/llama --concurrency 16
      harness verify under-load -e vendor/llama --rate 5 --task gsm8k:200 --blocks 3 --margin 2

    Exit codes: 0 measured, whatever was found; 2 usage; 3 nothing could be measured; 130 interrupted.
    """
    law = _law(concurrency, rate)
    catalogue, providers = catalog.discover(only=("TASK", "TASKS")), config.load_providers(providers_file)
    if isinstance(law, Closed):
        for name in endpoint_names:
            _refuse_held_back(config.endpoint(providers, name), law)
    selection = Selection(
        suite="under-load",
        endpoints=tuple(dict.fromkeys(endpoint_names)),
        tasks=tasks or RIGHT,
        repeats=2 * blocks,
        busy=Busy(law_json(law)),
        seed=seed,
        max_requests=budget.max_requests,
    )
    plan = replanner(catalogue, providers)(selection)
    terms = Terms(results, providers_file, budget, dry_run=dry_run, as_json=as_json)
    carry_out(plan, terms, tell=lambda sat: verified.tell(sat, results, providers_file, to, as_json=as_json))


def _law(concurrency: str | None, rate: str | None) -> Law:
    found = load_words.laws({"concurrency": concurrency, "rate": rate})
    if len(found) != 1:
        raise UsageError(
            "give either one --concurrency or one --rate: how busy the server is to be", hint="As in --concurrency 16"
        )
    if isinstance(found[0], Closed) and found[0].concurrency < 2:
        raise UsageError("--concurrency 1 is what it is compared with", hint="Give 2 or more")
    return found[0]


def _refuse_held_back(endpoint: Endpoint, law: Closed) -> None:
    """UsageError where the configured limits of an endpoint keep it from ever being so busy."""
    limit = endpoint.provider.limits.concurrency
    if limit is not None and limit < law.concurrency:
        raise UsageError(
            f"{endpoint.id} is configured for {limit} requests at once at most (limits.concurrency)",
            hint=f"Give --concurrency {limit}, or raise the limit",
        )
