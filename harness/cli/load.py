"""``harness load``: streaming load on endpoints, and what other tools would say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from harness import catalog, config
from harness.cli import options
from harness.cli.carry import Terms, carry_out
from harness.errors import CannotMeasure, UsageError
from harness.record.folder import open_run
from harness.report import whole
from harness.report.load import other_tools as dialects
from harness.report.summary import terminal
from harness.run import stored
from harness.run.planning.refused import refuse_load
from harness.run.selecting import load_words
from harness.run.selecting.loads import load_selection
from harness.run.tally import Budget
from harness.run.workers import crew


class _Duration(click.ParamType[float]):
    """Seconds, or a number with s, m or h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read ``90``, ``90s``, ``10m`` or ``2h``."""
        try:
            return load_words.duration(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class _Group(click.Group):
    """``harness load PROFILE ...`` is a command of its own, beside ``harness load report``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is no subcommand is a profile."""
        if not args or args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Group)
def command() -> None:
    """Streaming load."""


_levels = [
    click.option("--concurrency", metavar="N,...", help="Requests under way at any time: one level each."),
    click.option("--rate", metavar="R,...", help="Requests per second, whatever the server does: one level each."),
    click.option(
        "--arrival", default=None, metavar="LAW", help="With --rate: poisson (the default), constant, or gamma:SHAPE."
    ),
    click.option("--ramp", metavar="FROM:TO:SECONDS", help="A rate that rises, as in 1:50:60."),
    click.option("--steps", metavar="Ts@R,...", help="Rates one after the other, as in 10s@1,20s@5."),
    click.option("--burst", type=click.IntRange(min=1), metavar="N", help="N requests at the same moment."),
    click.option(
        "--trace", type=click.Path(path_type=Path, dir_okay=False), help="Recorded arrivals: Mooncake or Azure."
    ),
    click.option("--speed", type=options.Amount(), metavar="X", help="Play the trace X times as fast."),
    click.option(
        "--search", type=click.Choice(["concurrency", "rate"]), help="Find the highest load that meets --slo."
    ),
    click.option("--from", "low", type=options.Amount(), metavar="N", help="Where --search begins. [default: 1]"),
    click.option("--to", "high", type=options.Amount(), metavar="N", help="Where --search ends."),
]
_amounts = [
    click.option("--requests", "-n", type=click.IntRange(min=1), metavar="N", help="Measured requests per level."),
    click.option("--duration", type=_Duration(), metavar="TIME", help="Ask so long per level: 90s, 10m, 2h (a soak)."),
    click.option("--warmup", type=click.IntRange(min=0), metavar="N", help="Requests before, kept out of all metrics."),
    click.option("--cooldown", type=click.IntRange(min=0), metavar="N", help="Requests after, kept out as well."),
    click.option(
        "--repeats", type=click.IntRange(1, 100), default=1, metavar="N", help="Go through all levels N times: blocks."
    ),
    click.option("--all-levels", is_flag=True, help="Do not end a sweep where more load brings no more throughput."),
    click.option("--slo", metavar="TEXT", help='As in "ttft_p95<800ms and tpot_p95<50ms and errors<1%".'),
]
_prompts = [
    click.option("--input-tokens", metavar="LENGTH", help="512, uniform:100,900, normal:512,64, lognormal:512,0.5."),
    click.option("--output-tokens", metavar="LENGTH", help="The same for the answers (max_tokens)."),
    click.option("--prefix", metavar="TOKENS:POOL:SHARE", help="Shared beginnings of prompts, as in 1000:4:0.5."),
    click.option("--batch", type=click.IntRange(1, 2048), metavar="N", help="Inputs of each request, of embeddings."),
    click.option("--turns", metavar="LENGTH", help="User messages of a session; what was answered goes along."),
    click.option("--think", "think_s", type=options.Amount(), metavar="SECONDS", help="Mean pause between turns."),
    click.option("--kind", type=click.Choice(["chat", "tools", "schema"]), help="What is asked for."),
    click.option("--prompts", type=click.Path(path_type=Path, dir_okay=False), help="Your own prompts, JSONL."),
    click.option("--give-up", metavar="SHARE:SECONDS", help="Users who stop waiting, as in 0.1:5."),
    click.option(
        "--nonce", type=click.Choice(["request", "run", "none"]), help="What keeps earlier runs' caches cold."
    ),
    click.option("--tokenizer", type=click.Path(path_type=Path, dir_okay=False), help="tokenizer.json: exact lengths."),
]
_how = [
    options.api,
    options.store_text,
    click.option(
        "--paired/--one-by-one",
        default=None,
        help="Ask all endpoints at the same time. [default: paired, but for several servers on this machine]",
    ),
    click.option("--calibrate/--no-calibrate", default=None, help="Try this client on the simulator afterwards."),
    click.option("--scrape/--no-scrape", default=True, help="Ask your own servers for their /metrics meanwhile."),
    click.option("--i-own-this-endpoint", "owned", is_flag=True, help="Go beyond its configured limits."),
]


@command.command("run", short_help="Put load on endpoints.")
@click.argument("profile")
@options.endpoints
@options.several(_levels, _amounts, _prompts, _how, options.dealt, options.sending)
def run(profile: str, endpoint_names: tuple[str, ...], budget: Budget, **given: Any) -> None:
    """Put the streaming load PROFILE on one or more endpoints: a load of `harness tasks list`, or a file of prompts.

    The first line of the report says whether the figures can be believed. `harness load report` prints it again, in
    the terms of another tool with --dialect.

    \b
    Examples:
      harness load chat -e local/smollm2 --concurrency 1,2,4
      harness load chat -e mine/llama --rate 2,4,8 --duration 2m --slo "ttft_p95<800ms and errors<1%"
      harness load chat -e old/llama -e new/llama --concurrency 4 --repeats 5     # blocks by turns, for harness gate
      harness load chat -e mine/llama --search rate --slo "ttft_p95<800ms and tpot_p95<50ms"
      harness load questions.jsonl -e groq/gpt-oss-120b -e mine/llama --rate 1 -n 200
      harness load chat -e mine/llama --trace mooncake.jsonl --speed 2
      harness load chat -e mine/llama --api responses
      harness load embeddings -e mine/embedder --batch 16 --concurrency 1,4,16
    """
    found = catalog.discover(only=("LOAD",))
    providers = config.load_providers(given["providers_file"])
    endpoints = [config.endpoint(providers, one) for one in dict.fromkeys(endpoint_names)]
    wanted = {name: given[name] for name in ("seed", "owned", "api", "store_text")}
    selection = load_selection(profile, endpoints, found, given, max_requests=budget.max_requests, **wanted)
    again = stored.replanner(found, providers)
    plan = again(selection)
    refuse_load(plan, budget)
    terms = Terms(
        given["results"],
        given["providers_file"],
        budget,
        dry_run=given["dry_run"],
        as_json=given["as_json"],
        where=given["where"]._replace(workers=given["where"].workers or crew.default_workers(plan)),
        calibrate=given["calibrate"],
        scrape=given["scrape"],
    )
    carry_out(plan, terms, again)


@command.command("report")
@click.argument("run", default="latest")
@click.option(
    "--dialect", type=click.Choice(list(dialects.DIALECTS)), default=None, help="In the terms of another tool."
)
@options.results
@options.as_json
def report(run: str, dialect: str | None, results: Path, as_json: bool) -> None:
    """Print the load report of RUN again, or what another tool would have made of the same run, and why.

    \b
    Examples:
      harness load report
      harness load report latest --dialect vllm
    """
    if dialect is None:
        whole.show(results, open_run(results, run), terminal.console(), as_json=as_json)
        return
    recomputed = dialects.recompute(results, run, dialect)
    if not recomputed["rows"]:
        raise CannotMeasure(
            f"{recomputed['tool']} would have nothing to say of this run: no measured answer was streamed",
            hint="harness load report",
        )
    if as_json:
        click.echo(json.dumps(recomputed, indent=2))
    else:
        dialects.show(recomputed, terminal.console())
