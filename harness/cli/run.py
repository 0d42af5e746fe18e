"""``harness run``: a suite on endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness import catalog, config
from harness.cli import options
from harness.cli.carry import Terms, carry_out
from harness.cli.gate import Files, outputs
from harness.cli.gated import Gating, carry_out_and_judge
from harness.errors import UsageError
from harness.gates.context import refuse_strangers
from harness.gates.file import read as read_gate
from harness.gates.of_suite import gate_of
from harness.run.planning.plan import Plan
from harness.run.selecting.suites import suite_selection
from harness.run.stored import replanner
from harness.run.tally import Budget
from harness.run.workers.executor import Where

_gating = [
    click.option(
        "--gate",
        "gate_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Judge the run by this gate. Default: the suite's own.",
    ),
    click.option("--no-gate", is_flag=True, help="Judge it by none."),
    click.option(
        "--confirm/--no-confirm",
        default=True,
        show_default=True,
        help="Run once more where something is worse than in earlier runs, which decides it.",
    ),
    click.option(
        "--strict/--lenient", default=True, show_default=True, help="Whether inconclusive ends with 4, or with 0."
    ),
]


@click.command()
@click.argument("suite")
@options.endpoints_if_any
@options.allow_code_exec
@options.cache
@options.store_text
@options.several(_gating, outputs, options.judging, options.dealt, options.sending)
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
    gate_file: Path | None,
    no_gate: bool,
    confirm: bool,
    strict: bool,
    where: Where,
    **to: Any,
) -> None:
    """Run a SUITE of tasks, probes and loads on one or more endpoints, and compare them.

    SUITE is a name of `harness suite list`, or the path of a YAML file (docs/nightly.md). Endpoints that are not named
    are those of its file. Where it has a gate, the run is judged by it, and the exit code is that of the verdict.

    \b
    Examples:
      harness run demo --endpoint groq/gpt-oss-120b --endpoint openrouter/meta-llama/llama-3.3-70b-instruct
      harness run demo -e local/smollm2 --dry-run
      harness run ci/nightly.yaml -e mine/llama --junit gate.xml
    """
    catalogue = catalog.discover()
    found = catalogue.suite(suite)
    gate = None if no_gate else gate_of(found) if gate_file is None else read_gate(gate_file)
    if gate is None and (asked_for := next((name for name, value in to.items() if value), None)):
        option = f"--{asked_for.removesuffix('_file')}"
        raise UsageError(f"{option} is of a gate's verdict, and {found.file} has no gate", hint="Give --gate FILE")
    wanted = {"pairwise": pairwise, "store_text": store_text, "max_requests": budget.max_requests}
    if judges:
        wanted["judges"] = tuple(dict.fromkeys(judges))
    providers = config.load_providers(providers_file)
    again = replanner(catalogue, providers)
    plan = again(suite_selection(found, catalogue, endpoint_names, providers, seed=seed, **wanted))
    for line in catalogue.broken:
        click.echo(f"harness: {line}", err=True)
    if gate is not None:
        refuse_strangers(gate, plan.selection.endpoints)
    terms = Terms(results, providers_file, budget, dry_run=dry_run, as_json=as_json, cache=cache, where=where)
    if gate is None or dry_run or where.kind == "hand":
        carry_out(plan, terms)
        return
    github = to.pop("github")
    files = Files(*(to[name] for name in ("verdict", "junit_file", "md", "comment_file", "badge_file")))
    carry_out_and_judge(plan, again, terms, Gating(gate, files, github=github, strict=strict, confirm=confirm))


def plan_suite(name: str, endpoint_names: tuple[str, ...], *, seed: int) -> Plan:
    """The plan of a suite on endpoints; errors as for ``suite_selection``."""
    catalogue, providers = catalog.discover(), config.load_providers()
    selection = suite_selection(catalogue.suite(name), catalogue, endpoint_names, providers, seed=seed)
    return replanner(catalogue, providers)(selection)
