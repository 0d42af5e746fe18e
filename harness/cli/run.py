"""``harness run``: a suite on endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness import catalog, config
from harness.cli import options
from harness.cli.carry import Terms, carry_out, new_nonce
from harness.run.plan import Plan
from harness.run.selection import Selection
from harness.run.stored import replanner
from harness.run.tally import Budget


@click.command()
@click.argument("suite")
@options.endpoints
@options.allow_code_exec
@options.cache
@options.store_text
@options.several(options.judging, options.sending)
def command(
    suite: str,
    endpoint_names: tuple[str, ...],
    judges: tuple[str, ...],
    pairwise: bool,
    results: Path,
    providers_file: Path | None,
    seed: int,
    cache: bool,
    store_text: str,
    dry_run: bool,
    as_json: bool,
    budget: Budget,
) -> None:
    """Run a SUITE of tasks, probes and loads on one or more endpoints, and compare them.

    \b
    Examples:
      harness run demo --endpoint groq/gpt-oss-120b --endpoint openrouter/meta-llama/llama-3.3-70b-instruct
      harness run demo -e local/smollm2 --dry-run
    """
    judging = {"judges": tuple(dict.fromkeys(judges)), "pairwise": pairwise, "store_text": store_text}
    plan = plan_suite(suite, endpoint_names, providers_file, seed=seed, max_requests=budget.max_requests, **judging)
    carry_out(plan, Terms(results, providers_file, budget, dry_run=dry_run, as_json=as_json, cache=cache))


def plan_suite(
    name: str,
    endpoint_names: tuple[str, ...],
    providers_file: Path | None,
    *,
    seed: int,
    **wanted: Any,
) -> Plan:
    """The plan of a suite on endpoints; ``wanted`` are further fields of its ``Selection``."""
    catalogue = catalog.discover()
    found = catalogue.suite(name)
    selection = Selection(
        suite=found.name,
        endpoints=endpoint_names,
        tasks=found.tasks,
        probes=found.probes,
        loads=found.loads,
        seed=seed,
        nonce=new_nonce(),
        **wanted,
    )
    return replanner(catalogue, config.load_providers(providers_file))(selection)
