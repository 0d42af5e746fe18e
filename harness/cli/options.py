"""Options that several commands share, so that one name means one thing."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from harness import config
from harness.prompts.filed import MAX_TOKENS
from harness.record.folder import DEFAULT_RESULTS
from harness.run.tally import Budget
from harness.run.workers.executor import read
from harness.scorers import permission

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Option = Callable[[Callable[..., Any]], Callable[..., Any]]


class Amount(click.FloatRange):
    """A number above zero; "nan" and "inf" are none: a bound that compares with nothing is never reached."""

    def __init__(self, *, or_zero: bool = False) -> None:
        super().__init__(min=0, min_open=not or_zero)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number as click does, and refuse what is not finite."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class NewFile(click.Path):
    """A file that will be written: its folder has to be there, which is found out before anything is spent."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; a usage error where its folder is missing."""
        path = cast("Path", super().convert(value, param, ctx))
        if not path.parent.is_dir():
            self.fail(f"there is no folder {path.parent}. Make it first, or name another file", param, ctx)
        return path


def _allow_code(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's signature
    if value:
        ctx.with_resource(permission.code_allowed())


allow_code_exec = click.option(
    "--allow-code-exec",
    is_flag=True,
    expose_value=False,
    callback=_allow_code,
    help="Run programs that models wrote, in a sandbox (docs/code-execution.md); asked for each time.",
)
results = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_RESULTS,
    envvar="HARNESS_RESULTS",
    show_default=True,
    help="Folder of the results.",
)
providers = click.option(
    "--providers",
    "providers_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Your providers file. Default: ./providers.yaml over the shipped one.",
)
_named_endpoints = click.option(
    "--endpoint",
    "-e",
    "endpoint_names",
    multiple=True,
    metavar="PROVIDER/MODEL",
    help="What to test; repeat it to compare. The first one is the baseline.",
)
_logical_models = click.option(
    "--model",
    "logical_models",
    multiple=True,
    metavar="NAME",
    help="This model at every provider that maps it and can be asked (docs/providers-setup.md); repeat it.",
)
judges = click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="PROVIDER/MODEL",
    help="Who judges the answers of judged tasks; repeat it for several judges.",
)
pairwise = click.option(
    "--pairwise", is_flag=True, help="Judges also compare each endpoint's answers with the first one's, in both orders."
)
api = click.option(
    "--api",
    type=click.Choice(["chat", "responses"]),
    default="chat",
    show_default=True,
    help="Which API asks the same questions: chat completions, or the Responses API.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Draws the order and the load prompts.",
)
max_cost = click.option(
    "--max-cost",
    type=Amount(),
    default=None,
    metavar="USD",
    help="Never spend more than this (exit code 130): what a request may cost is set aside first.",
)
max_total_tokens = click.option(
    "--max-total-tokens",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Never use more tokens than this, prompts and answers, in the same way.",
)
max_requests = click.option(
    "--max-requests",
    type=click.IntRange(min=1),
    default=None,
    help="Refuse a plan with more requests than this, and send no more, retries included.",
)
cache = click.option(
    "--cache", is_flag=True, help="Take answers that earlier runs got to the very same requests; they have no times."
)
max_duration = click.option(
    "--max-duration",
    type=Amount(),
    default=None,
    metavar="SECONDS",
    help="Stop asking after this time (exit code 130).",
)
store_text = click.option(
    "--store-text",
    type=click.Choice(["none", "hash", "sample", "all"]),
    default="all",
    show_default=True,
    help="What is kept of requests and answers once the run is finished (docs/secrets.md).",
)
workers = click.option(
    "--workers", type=click.IntRange(1, 4096), metavar="N", help="Processes that ask. [default: by load, else 1]"
)
executor = click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="WHERE",
    help="Where they are: local, ray, ray:ADDRESS, or hand: started by you (docs/scale.md).",
)
out = click.option(
    "--out", metavar="PLACE", help="Where workers on other machines write: a shared folder or s3://, gs://, az://."
)
dry_run = click.option("--dry-run", is_flag=True, help="Print requests, tokens, cost and time, send nothing.")

scorer = click.option(
    "--scorer", default=None, metavar="NAME[:OPTIONS]", help="How a data file is scored. See harness tasks scorers."
)
prompt = click.option(
    "--prompt", default=None, metavar="TEMPLATE", help="What a data file asks, with its columns as in '{question}'."
)
system = click.option("--system", default=None, metavar="TEXT", help="System message for rows without one.")
target = click.option("--target", default=None, metavar="COLUMN", help="Column of a data file that holds the target.")
max_tokens = click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=None,
    help=f"Output tokens for a row without params. Default: {MAX_TOKENS}.",
)
temperature = click.option(
    "--temperature", type=Amount(or_zero=True), default=None, help="For a row without params. Default: 0."
)


def _with_budget(function: _Command) -> _Command:
    """The command that takes the bounds of what it may spend as one ``Budget``."""

    @functools.wraps(function)
    def wrap(*context: Any, **given: Any) -> Any:
        bounds = [given.pop(f"max_{name}") for name in ("cost", "duration", "requests", "total_tokens")]
        return function(*context, **given, budget=Budget(*bounds))

    return cast("_Command", wrap)


def _with_where(function: _Command) -> _Command:
    """The command that takes how many processes carry out a plan, and where, as one ``Where``."""

    @functools.wraps(function)
    def wrap(*context: Any, **given: Any) -> Any:
        where = read(given.pop("executor"))._replace(workers=given.pop("workers"), out=given.pop("out"))
        return function(*context, **given, where=where)

    return cast("_Command", wrap)


def endpoints(function: _Command) -> _Command:
    """``--endpoint`` and ``--model``; the command gets the names of both as ``endpoint_names``, one or more.

    Who maps a model and is left out is told on stderr.
    """

    @functools.wraps(function)
    def wrap(*context: Any, **given: Any) -> Any:
        if not given["endpoint_names"]:
            raise click.UsageError("Missing option '--endpoint' / '-e', or '--model'", click.get_current_context())
        return function(*context, **given)

    return endpoints_if_any(cast("_Command", wrap))


def endpoints_if_any(function: _Command) -> _Command:
    """The same where the command itself says what it is if there are none."""

    @functools.wraps(function)
    def wrap(*context: Any, **given: Any) -> Any:
        models = given.pop("logical_models")
        if models:
            # Imported only now: who names endpoints alone does not wait for what looks for others.
            found = importlib.import_module("harness.preflight.everywhere").chosen(
                config.load_providers(given["providers_file"]), given["endpoint_names"], models
            )
            given["endpoint_names"] = found.endpoints
            for line in found.left_out:
                click.echo(f"left out: {line}", err=True)
        return function(*context, **given)

    return cast("_Command", _named_endpoints(_logical_models(wrap)))


def several(*groups: Sequence[_Option]) -> Callable[[_Command], _Command]:
    """All options of some groups, in their order."""

    def wrap(function: _Command) -> _Command:
        for one in reversed([option for group in groups for option in group]):
            function = cast("_Command", one(function))
        return function

    return wrap


of_files: Sequence[_Option] = (scorer, prompt, system, target, max_tokens, temperature)
"""What can be said about a data file of the user's own prompts."""
dealt: Sequence[_Option] = (workers, executor, out, _with_where)
"""How many processes carry out a plan, and where; the command gets them as one ``where``."""
judging: Sequence[_Option] = (judges, pairwise)
"""Who judges, and how."""
sending: Sequence[_Option] = (
    *(results, providers, seed),
    *(max_cost, max_total_tokens, max_requests, max_duration),
    *(dry_run, as_json, _with_budget),
)
"""What every command that sends something lets the user say; the command gets the bounds as one ``budget``."""
