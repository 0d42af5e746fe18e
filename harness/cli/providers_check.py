"""``harness providers check``: can these endpoints be measured from here, and if not, what is to be done?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from harness import config
from harness.cli import options, tables
from harness.errors import CannotMeasure, ConfigError
from harness.preflight.check import ON_DEMAND, TIMEOUT_S, check
from harness.preflight.found import STEPS, Check, Step
from harness.preflight.local import Running, running
from harness.preflight.readiness import missing, set_up
from harness.provider import Endpoint, Provider
from harness.wire.loop import run

_STYLES = {"ok": "green", "wrong": "red", "not asked": "dim"}


@click.command("check")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--free", is_flag=True, help="Ask only what costs nothing: no chat, no stream.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 600),
    default=TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each step.",
)
@options.providers
@options.as_json
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    free: bool,
    timeout_s: float,
    providers_file: Path | None,
    as_json: bool,
) -> None:
    """Check that endpoints can be measured: name, connection, TLS, key, model, one token of chat, one streamed, clock.

    NAME is provider/model, or a provider alone. Without any: every provider whose key is set, every local engine that
    answers on its default port, and those of your own file. All are asked at the same time.

    Chat and stream take one output token each, which costs next to nothing (a few more where a model thinks first, or
    where a host refuses so low a limit); --free leaves them out. The times of the steps are in --json. A clock that
    differs, and a local engine that does not run and was not named, are told and are no error.

    \b
    Examples:
      harness providers check
      harness providers check groq/gpt-oss-120b openrouter
      harness providers check --free --json

    Exit codes: 0 all are usable, 2 an unknown name or a mistake in the providers file, 3 at least one is not usable.
    """
    providers = config.load_providers(providers_file)
    targets: Sequence[Provider | Endpoint] = [_target(providers, name) for name in dict.fromkeys(names)]
    local: list[Running] = []
    if not names:
        mine = {one.base_url for one in providers.values() if one.yours}
        local = [
            one for one in run(running(providers)) if one.provider.base_url not in mine and not set_up(one.provider)
        ]
        targets = [one for one in providers.values() if set_up(one)] + [
            one.provider for one in local if not missing(one.provider)
        ]
    found = run(check(targets, free=free, timeout_s=timeout_s)) if targets else []
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        _print(found)
        if not names:
            _print_others(providers, local)
    idle = ("not running",) if not names else ()
    if any(not one.usable and one.state not in idle for one in found):
        ctx.exit(CannotMeasure.exit_code)


def _target(providers: dict[str, Provider], name: str) -> Provider | Endpoint:
    """The endpoint; a missing variable of its address is a row of the table, not the end of the command."""
    if "/" not in name and name in providers:
        return providers[name]
    try:
        return config.endpoint(providers, name)
    except ConfigError:
        provider_id, _, model = name.partition("/")
        provider = providers[provider_id]
        return Endpoint(provider, model, provider.models.get(model, model))


def _print(found: Sequence[Check]) -> None:
    if not found:
        click.echo("nothing to check: no key is set, and no local engine answers on its default port")
        return
    short = {"connect": "conn"}
    tables.show(
        ["endpoint", *(short.get(name, name) for name in STEPS)],
        [(_named(one), *(_mark(one.steps[name]) for name in STEPS)) for one in found],
    )
    for one in found:
        for line in _lines(one):
            click.echo(line)


def _named(one: Check) -> Text:
    open_ = one.state in ("not running", ON_DEMAND)
    return Text(one.endpoint, "yellow" if open_ else "green" if one.usable else "red")


def _mark(step: Step) -> Text:
    return Text("-" if step.state == "not asked" else step.state, _STYLES[step.state])


def _lines(one: Check) -> list[str]:
    """What is to be said of an endpoint besides its steps, each on a line of its own."""
    ended = "" if one.detail.endswith(".") else "."
    lines = [f"{one.endpoint}: {one.state}{': ' if one.detail else ''}{one.detail}"]
    if one.next_step:
        lines[0] += ended
        lines.append(f"  {one.next_step}")
    if one.limits:
        lines.append(f"  limits: {'; '.join(one.limits)}")
    if (clock := one.steps["clock"]).state == "wrong":
        lines.append(f"  {clock.detail}. Set the clock of this machine; measured durations do not rest on it")
    if one.clock is not None and one.clock.receive_times != "kernel":
        lines.append(f"  receive times come from {one.clock.receive_times} space: a busy client is part of them")
    return lines


def _print_others(providers: dict[str, Provider], local: Sequence[Running]) -> None:
    """Who was not checked, in a line each kind."""
    unset = [one for one in providers.values() if not set_up(one) and not one.serve and missing(one)]
    for one in local:
        if missing(one.provider):
            variables = " and ".join(missing(one.provider))
            click.echo(f"{one.provider.id} answers at {one.provider.base_url}, and {variables} is not set")
        elif not one.known:
            click.echo(f"{one.provider.id}: which program answers at {one.provider.base_url} cannot be told")
    if unset:
        verb = "has no key" if len(unset) == 1 else "have no key"
        click.echo(f"{len(unset)} more {verb} set: harness providers list")
