"""``harness providers``: who can be tested, and whether it can be reached."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from harness import config, config_file, preflight
from harness.cli import options, tables
from harness.config_block import as_block
from harness.errors import CannotMeasure, ConfigError, UnknownName
from harness.prices import price_of
from harness.provider import Endpoint, Price, Provider
from harness.types import JsonObject
from harness.wire.loop import run


@click.group()
def command() -> None:
    """List, show and check providers.

    \b
    Examples:
      harness providers list
      harness providers show groq
      harness providers check groq/llama-3.3-70b --chat
    """


@command.command("list")
@options.providers
@options.as_json
def list_(providers_file: Path | None, as_json: bool) -> None:
    """List every provider: kind, address, key variable, models.

    \b
    Example:
      harness providers list --json
    """
    providers = config.load_providers(providers_file)
    if as_json:
        click.echo(json.dumps([_row(provider) for provider in providers.values()], indent=2))
        return
    rows = []
    for provider in providers.values():
        models = [*provider.models, *(["any"] if provider.any_model else [])]
        rows.append((provider.id, provider.kind, _address(provider), _key_state(provider), ", ".join(models)))
    tables.show(["provider", "kind", "address", "key", "models"], rows)


@command.command()
@click.argument("name", metavar="PROVIDER")
@options.providers
@options.as_json
def show(name: str, providers_file: Path | None, as_json: bool) -> None:
    """Show one provider's block as it is in force, with what its models cost; never a key.

    \b
    Example:
      harness providers show groq
    """
    providers = config.load_providers(providers_file)
    if name not in providers:
        raise UnknownName("provider", name, providers, where="See harness providers list")
    provider = providers[name]
    prices = {model: price_of(Endpoint(provider, model, id_)) for model, id_ in provider.models.items()}
    if as_json:
        priced = {model: asdict(price) if price else None for model, price in prices.items()}
        click.echo(json.dumps({**_row(provider), "block": as_block(provider), "prices": priced}, indent=2))
        return
    click.echo(config_file.as_yaml(provider), nl=False)
    click.echo(f"# key: {_key_state(provider)}")
    for model, price in prices.items():
        click.echo(f"# price of {model}: {_price_words(price)}")


@command.command()
@click.argument("names", metavar="[ENDPOINT]...", nargs=-1)
@click.option("--chat", is_flag=True, help="Also ask for one token: proves key and model, and costs next to nothing.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 600),
    default=preflight.TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each step.",
)
@options.providers
@options.as_json
@click.pass_context
def check(
    ctx: click.Context,
    names: tuple[str, ...],
    chat: bool,
    timeout_s: float,
    providers_file: Path | None,
    as_json: bool,
) -> None:
    """Check that endpoints can be reached: key, connection, list of models.

    ENDPOINT is provider/model, or a provider alone. Without any, every provider is checked that needs no key or whose
    key variable is set; a local server that is not running is then shown, and is no error.

    \b
    Examples:
      harness providers check
      harness providers check groq/llama-3.3-70b openrouter --chat

    Exit codes: 0 all are usable, 3 at least one is not.
    """
    providers = config.load_providers(providers_file)
    targets = [_target(providers, name) for name in dict.fromkeys(names)] if names else _checkable(providers)
    found = run(preflight.check(targets, chat=chat, timeout_s=timeout_s))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        _print_checks(found)
    if any(not one.usable and (names or one.state != "not running") for one in found):
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


def _checkable(providers: dict[str, Provider]) -> list[Provider | Endpoint]:
    return [one for one in providers.values() if one.auth.env is None or os.environ.get(one.auth.env)]


def _print_checks(found: list[preflight.Check]) -> None:
    rows = []
    for one in found:
        open_ = one.state in ("not running", preflight.ON_DEMAND)
        style = "yellow" if open_ else "green" if one.usable else "red"
        detail = one.detail + (f", {one.latency_ms:.0f} ms" if one.usable and one.latency_ms is not None else "")
        rows.append((one.endpoint, Text(one.state, style), detail, one.next_step))
    tables.show(["endpoint", "state", "detail", "what to do"], rows)


def _row(provider: Provider) -> JsonObject:
    variable = provider.auth.env
    return {
        "id": provider.id,
        "kind": provider.kind,
        "base_url": provider.base_url,
        "engine": provider.serve.engine if provider.serve else None,
        "key_env": variable,
        "key_set": None if variable is None else bool(os.environ.get(variable)),
        "models": dict(provider.models),
        "any_model": provider.any_model,
    }


def _address(provider: Provider) -> str:
    return provider.base_url or f"started on demand ({provider.serve.engine if provider.serve else '?'})"


def _key_state(provider: Provider) -> str:
    variable = provider.auth.env
    if variable is None:
        return "none needed"
    return f"{variable} ({'set' if os.environ.get(variable) else 'missing'})"


def _price_words(price: Price | None) -> str:
    if price is None:
        return "unknown"
    columns = (price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.output_usd_per_mtok)
    shown = ["unknown" if usd is None else f"{usd:g}" for usd in columns]
    return "input {}, cached input {}, output {} USD per million tokens ({})".format(*shown, price.source)
