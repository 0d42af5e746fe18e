"""``harness providers``: who can be tested, and whether it can be reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from harness import config
from harness.cli import options, providers_check, providers_init, providers_models, tables
from harness.config import file as config_file
from harness.config.block import as_block
from harness.errors import UnknownName
from harness.preflight.local import running
from harness.preflight.portrait import address_of, differences, key_of, portrait, state_of, use_lines
from harness.preflight.readiness import key_state, set_up
from harness.prices import price_of
from harness.provider import About, Endpoint, Price, Provider
from harness.types import JsonObject
from harness.wire.loop import run

_WIDE = 120
"""Columns from which on a provider is one line."""
_GROUPS: Mapping[str, Callable[[Provider], bool]] = {
    "yours, or set up": lambda one: one.yours or set_up(one),
    "hosted": lambda one: one.kind == "hosted",
    "gateways": lambda one: one.kind == "gateway",
    "local engines": lambda one: one.kind == "local",
    "simulated": lambda one: True,  # noqa: ARG005 - what is left
}


@click.group()
def command() -> None:
    """List, show, check and set up providers.

    \b
    Examples:
      harness providers list --mine
      harness providers show groq
      harness providers models openrouter llama-3.3
      harness providers init
      harness providers check
    """


@command.command("list")
@click.option(
    "--mine", is_flag=True, help="Only those that can be asked now: set up, running here, or started on demand."
)
@options.providers
@options.as_json
def list_(mine: bool, providers_file: Path | None, as_json: bool) -> None:
    """List every provider: name, title, address, key variable, how far its facts were verified.

    Those of your own file and those whose key is set come first. "verified, 2 open": but for two facts, which were not
    found in writing. A narrow terminal takes two lines for each; whatever is cut there, `show` and a pipe have whole.

    \b
    Examples:
      harness providers list
      harness providers list --mine --json
    """
    providers = config.load_providers(providers_file)
    shown = list(providers.values())
    if mine:
        here = {one.provider.id: one.provider for one in run(running(providers))}
        shown = [here.get(one.id, one) for one in shown if one.id in here or one.serve or _can_be_asked(one)]
    if as_json:
        click.echo(json.dumps([_row(provider) for provider in shown], indent=2))
        return
    groups = [(title, group) for title, group in _grouped(shown).items() if group]
    console = Console()
    if not console.is_terminal:
        _show_whole(groups)
    else:
        _show_fitted(groups, console)


def _can_be_asked(provider: Provider) -> bool:
    return set_up(provider) and key_state(provider) != "missing"


def _grouped(providers: Iterable[Provider]) -> dict[str, list[Provider]]:
    groups: dict[str, list[Provider]] = {title: [] for title in _GROUPS}
    for one in providers:
        groups[next(title for title, belongs in _GROUPS.items() if belongs(one))].append(one)
    return groups


def _show_whole(groups: list[tuple[str, list[Provider]]]) -> None:
    rows: list[tuple[object, ...]] = []
    for title, group in groups:
        rows += [(Text(title, "bold"), "", "", "", "")]
        rows += [(f"  {one.id}", one.about.title, address_of(one), _key(one), state_of(one)) for one in group]
    tables.show(["provider", "title", "address", "key", "state"], rows)


def _show_fitted(groups: list[tuple[str, list[Provider]]], console: Console) -> None:
    """Lines that fit the terminal: what is too long is cut, and ``show`` has it whole."""
    wide = console.width >= _WIDE
    for title, group in groups:
        console.print(Text(title, "bold"))
        for one in group:
            if wide:
                _line(
                    console,
                    (one.id, 20),
                    (one.about.title, 30),
                    (address_of(one), 52),
                    (_key(one), 36),
                    (state_of(one), 0),
                )
            else:
                _line(console, (one.id, 20), (_key(one), 36), (state_of(one, short=True), 0))
                _line(console, ("", 20), (Text(address_of(one), "dim"), 0))


def _line(console: Console, *cells: tuple[str | Text, int]) -> None:
    """One line; a width of 0 is what is left of it."""
    line = Text("  ")
    for text, width in cells:
        cell = Text(text) if isinstance(text, str) else text.copy()
        cell.truncate(max(1, (width or console.width - len(line))), overflow="ellipsis", pad=bool(width))
        line.append(cell).append("  " if width else "")
    console.print(line, no_wrap=True, crop=True)


def _key(provider: Provider) -> Text:
    return Text(key_of(provider), {"set": "green", "missing": "yellow", "none": ""}[key_state(provider)])


@command.command()
@click.argument("name", metavar="PROVIDER")
@options.providers
@options.as_json
def show(name: str, providers_file: Path | None, as_json: bool) -> None:
    """Show one provider: its block as it is in force, and in words what is known of it; never a key.

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
        shown = {**_row(provider), "block": as_block(provider), "prices": priced}
        click.echo(json.dumps({**shown, "differences": differences(provider.quirks)}, indent=2))
        return
    click.echo(config_file.as_yaml(replace(provider, about=About())), nl=False)
    for label, text in portrait(provider):
        click.echo(f"# {label}: {text}")
    for model, price in prices.items():
        click.echo(f"# price of {model}: {_price_words(price)}")
    if lines := use_lines(provider):
        click.echo(
            "# It can be asked as it is. To change something, put this into providers.yaml, and say what differs:"
        )
        for line in lines:
            click.echo(f"#   {line}")


def _row(provider: Provider) -> JsonObject:
    state = key_state(provider)
    return {
        "id": provider.id,
        "kind": provider.kind,
        "base_url": provider.base_url,
        "engine": provider.serve.engine if provider.serve else None,
        "key_env": provider.auth.env,
        "key_set": None if state == "none" else state == "set",
        "models": dict(provider.models),
        "any_model": provider.any_model,
        "preset": provider.preset,
        "yours": provider.yours,
        "title": provider.about.title,
        "state": state_of(provider),
        "verified": provider.about.verified,
        "unverified": list(provider.about.unverified),
    }


def _price_words(price: Price | None) -> str:
    if price is None:
        return "unknown"
    columns = (price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.output_usd_per_mtok)
    shown = ["unknown" if usd is None else f"{usd:g}" for usd in columns]
    return "input {}, cached input {}, output {} USD per million tokens ({})".format(*shown, price.source)


for one in (providers_check.command, providers_models.command, providers_init.command):
    command.add_command(one)
