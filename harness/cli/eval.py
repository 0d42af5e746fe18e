"""``harness eval``: quality and tool tasks on endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from harness import catalog, config
from harness.cli import options
from harness.cli.carry import Terms, carry_out
from harness.run.selecting.evals import eval_selection
from harness.run.stored import replanner
from harness.run.tally import Budget
from harness.run.workers.executor import Where


@click.command()
@click.argument("tasks", nargs=-1, required=True)
@options.endpoints
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Keep the first so many samples of each task.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    help="Local file, or folder of files, in place of the task's own source.",
)
@options.several(options.of_files)
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="Ask each sample so often.")
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=4, show_default=True, help="Requests under way per endpoint."
)
@options.api
@options.allow_code_exec
@options.cache
@options.store_text
@options.several(options.judging, options.dealt, options.sending)
def command(
    tasks: tuple[str, ...],
    endpoint_names: tuple[str, ...],
    limit: int | None,
    data: Path | None,
    repeats: int,
    concurrency: int,
    api: Literal["chat", "responses"],
    judges: tuple[str, ...],
    pairwise: bool,
    results: Path,
    providers_file: Path | None,
    seed: int,
    cache: bool,
    store_text: Literal["none", "hash", "sample", "all"],
    dry_run: bool,
    as_json: bool,
    budget: Budget,
    where: Where,
    **about: Any,
) -> None:
    """Run quality and tool TASKS on one or more endpoints.

    A task is a name, or a data file of your own prompts (docs/tasks.md has its columns); with :N behind it, its first N
    samples.

    \b
    Examples:
      harness eval arithmetic assistant --endpoint local/smollm2
      harness eval mt_bench -e local/smollm2 --judge groq/gpt-oss-120b
      harness eval gsm8k --limit 50 --data gsm8k/test.jsonl --endpoint local/smollm2
      harness eval humaneval --allow-code-exec --endpoint local/smollm2
      harness eval my.jsonl --scorer numeric --endpoint local/smollm2 --endpoint steady-vendor/sim-small
      harness eval promptfooconfig.yaml --endpoint local/smollm2
      harness eval arithmetic --api responses --endpoint local/smollm2
      harness eval embedding_agreement -e local/smollm2 -e steady-vendor/sim-small
    """
    found = catalog.discover(only=("TASK", "TASKS", "LOAD"))  # loads only to be told from tasks
    selection = eval_selection(
        tasks,
        endpoint_names,
        found,
        about,
        limit=limit,
        data=data,
        repeats=repeats,
        concurrency=concurrency,
        seed=seed,
        max_requests=budget.max_requests,
        judges=tuple(dict.fromkeys(judges)),
        pairwise=pairwise,
        api=api,
        store_text=store_text,
    )
    plan = replanner(found, config.load_providers(providers_file))(selection)
    carry_out(plan, Terms(results, providers_file, budget, dry_run=dry_run, as_json=as_json, cache=cache, where=where))
