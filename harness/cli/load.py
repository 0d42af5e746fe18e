"""``harness load``: streaming load on endpoints, and what other tools would say of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from harness import catalog, config
from harness.catalog import Catalog
from harness.cli import options
from harness.cli.carry import Terms, carry_out, new_nonce
from harness.errors import CannotMeasure, TaskError, UsageError
from harness.folder import open_run
from harness.provider import Endpoint
from harness.report import dialects, terminal, whole
from harness.run import crew, load_words, stored
from harness.run.arrivals import Closed
from harness.run.budget import most
from harness.run.forecast import forecasts
from harness.run.plan import Plan
from harness.run.selection import Changes, Search, Selection
from harness.run.tally import Budget
from harness.stats.slo import parse
from harness.workload import trace

_OPEN_ENDED = 65_536.0
"""Where a search ends that never misses its objectives."""


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
    name, changes = _changes(profile, found, given)
    providers = config.load_providers(given["providers_file"])
    endpoints = [config.endpoint(providers, one) for one in dict.fromkeys(endpoint_names)]
    selection = Selection(
        suite=Path(profile).stem if profile != name else name,
        endpoints=endpoint_names,
        loads=(name,),
        seed=given["seed"],
        max_requests=budget.max_requests,
        nonce=new_nonce(),
        blocks=given["repeats"],
        paired=load_words.paired(endpoints, asked=given["paired"], blocks=given["repeats"]),
        owned=given["owned"],
        api=given["api"],
        store_text=given["store_text"],
    )
    selection = _with_search(selection, changes, given)
    again = stored.replanner(found, providers)
    plan = again(selection)
    _refuse_what_has_no_tokens(plan)
    _refuse_beyond_limits(plan)
    _refuse_beyond_budget(plan, budget)
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


# --- from options to a selection -------------------------------------------------------------------------


def _changes(profile: str, found: Catalog, given: dict[str, Any]) -> tuple[str, Changes]:
    """The load's name, and what the options change of it."""
    path = Path(profile)
    files = {name: given[name] for name in ("prompts", "trace")}
    if profile not in found.loads and path.suffix in (".jsonl", ".csv", ".json") and path.exists():
        kind = "trace" if _is_trace(path) else "prompts"
        if any(files.values()):
            raise UsageError(f"{profile} is a file of its own: it does not go with --prompts or --trace")
        files[kind] = path
        profile = "chat"
    found.load(profile)
    files["tokenizer"] = given["tokenizer"]
    return profile, load_words.changes({**given, "duration_s": given["duration"]}, files)


def _is_trace(path: Path) -> bool:
    try:
        trace.read(path, limit=1)
    except TaskError:
        return False
    return True


def _with_search(selection: Selection, changes: Changes, given: dict[str, Any]) -> Selection:
    """The selection with its changes; levels that depend on what is measured become a search or a sweep."""
    if given["search"]:
        if not changes.slo:
            raise UsageError("--search needs --slo", hint='As in --slo "ttft_p95<800ms and errors<1%"')
        if selection.blocks > 1:
            raise UsageError("--repeats goes with stated levels", hint="Give --concurrency or --rate, not --search")
        low, high = given["low"] or 1.0, given["high"] or _OPEN_ENDED
        if low > high:
            raise UsageError(f"--from {low:g} is above --to {high:g}")
        even = given["arrival"] == "constant"
        search = Search(given["search"], low, high, even=even)
        return dataclasses.replace(selection, changes=changes, search=search)
    if given["low"] or given["high"]:
        raise UsageError("--from and --to go with --search", hint="Give --search concurrency or --search rate")
    axis = "concurrency" if given["concurrency"] else "rate"
    at = [float(part) for part in (given["concurrency"] or given["rate"] or "").split(",") if part]
    plain = given["arrival"] in (None, "poisson", "constant") and changes.duration_s is None
    if len(at) < 2 or given["all_levels"] or selection.paired or selection.blocks > 1 or at != sorted(at) or not plain:
        return dataclasses.replace(selection, changes=changes)
    search = Search(axis, at[0], at[-1], even=given["arrival"] == "constant", sweep=tuple(at))  # type: ignore[arg-type]
    return dataclasses.replace(selection, changes=changes, search=search)


def _refuse_what_has_no_tokens(plan: Plan) -> None:
    """An objective on times that embeddings do not have would be met by nothing, and missed by nothing."""
    told = plan.selection.changes.slo
    objectives = [one for one in parse(told) if not one.metric.startswith(("e2e", "errors"))] if told else []
    for load in plan.loads.values() if objectives else ():
        if load.sample(plan.selection.seed, 0).inputs:
            raise UsageError(
                f"--slo {objectives[0].text}: embeddings are not streamed and have no {objectives[0].metric}",
                hint='Use e2e, as in --slo "e2e_p95<200ms"',
            )


def _refuse_beyond_limits(plan: Plan) -> None:
    """A load above what the user configured for a provider is asked about before anything is sent."""
    if plan.selection.owned:
        return
    for endpoint in plan.endpoints.values():
        limits = endpoint.provider.limits
        for asked, words, name in _most(plan, endpoint.id):
            limit = getattr(limits, name)
            if limit and asked > limit:
                raise _beyond(endpoint, f"{asked:g} {words}", f"{name}: {limit}")


def _most(plan: Plan, endpoint: str) -> Iterator[tuple[float, str, str]]:
    """What a plan or the bounds of its search ask of an endpoint at most: how much, of what, and the limit's name."""
    search = plan.selection.search
    bounded = search.high if search is not None and search.high < _OPEN_ENDED else 0
    rising = search.axis if search is not None and bounded else None
    lanes = [
        (stage, [job for lane in stage.lanes for job in lane if job.endpoint == endpoint]) for stage in plan.stages
    ]
    at_once = [stage.law.concurrency for stage, _ in lanes if isinstance(stage.law, Closed)]
    yield max(bounded if rising == "concurrency" else 0, *at_once, 0), "requests at once", "concurrency"
    due = [[job.due_ns for job in jobs if job.due_ns is not None] for _, jobs in lanes]
    rate = bounded if rising == "rate" else 0
    for seconds, unit in ((1, "second"), (60, "minute")):
        busiest = max((_busiest(times, seconds) for times in due), default=0)
        yield max(rate * seconds, busiest), f"requests in a {unit}", f"requests_per_{unit}"
    yield sum(len(jobs) for _, jobs in lanes), "requests", "requests_per_day"


def _busiest(due_ns: Sequence[int], seconds: int) -> int:
    """Most arrivals within any so many seconds."""
    first = most = 0
    for last, at_ns in enumerate(due_ns):
        while at_ns - due_ns[first] >= seconds * 1_000_000_000:
            first += 1
        most = max(most, last - first + 1)
    return most


def _beyond(endpoint: Endpoint, asked: str, limit: str) -> UsageError:
    return UsageError(
        f"{asked} are more than {endpoint.provider.id} is configured for ({limit} in its limits)",
        hint="Stay below it, or give --i-own-this-endpoint",
    )


def _refuse_beyond_budget(plan: Plan, budget: Budget) -> None:
    """A load asks for whole answers and waits for no money, so what it may take at most has to be there."""
    usd, tokens = budget.max_cost_usd, budget.max_tokens
    if usd is not None and (total := sum(one.cost_max_usd or 0.0 for one in forecasts(plan, {}))) > usd:
        raise _too_much(f"cost {total:.2f} USD", f"--max-cost {usd:g}")
    if tokens is not None and (most_tokens := sum(most(plan.request(job), None).tokens for job in plan.jobs)) > tokens:
        raise _too_much(f"use {most_tokens} tokens", f"--max-total-tokens {tokens}")


def _too_much(may: str, bound: str) -> UsageError:
    return UsageError(
        f"this load may {may}, more than {bound}",
        hint="Give fewer --requests or shorter --output-tokens, or raise it",
    )
