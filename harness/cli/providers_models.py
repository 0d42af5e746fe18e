"""``harness providers models``: which models a provider lists."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness import config
from harness.cli import options, tables
from harness.errors import CannotMeasure, ConfigError, UnknownName
from harness.preflight.check import listed
from harness.preflight.names import nearest, words_of
from harness.provider import Provider
from harness.wire.loop import run


@click.command("models")
@click.argument("name", metavar="PROVIDER")
@click.argument("text", required=False)
@options.providers
@options.as_json
def command(name: str, text: str | None, providers_file: Path | None, as_json: bool) -> None:
    """List the ids of the models that PROVIDER says it serves, with our names for them where they are mapped.

    TEXT keeps those that hold it; vendor, case and punctuation do not count. Where a provider gives no list, its mapped
    models are shown.

    \b
    Examples:
      harness providers models openrouter llama-3.3-70b
      harness providers models ollama --json

    Exit codes: 0 listed, 2 an unknown provider or a missing key, 3 no list could be had.
    """
    providers = config.load_providers(providers_file)
    if name not in providers:
        raise UnknownName("provider", name, providers, where="See harness providers list")
    provider = providers[name]
    ids = _ids(provider)
    kept = ids if text is None else _filtered(ids, text)
    ours = {id_: [model for model, mapped in provider.models.items() if mapped == id_] for id_ in kept}
    if as_json:
        click.echo(json.dumps([{"id": id_, "names": ours[id_]} for id_ in kept], indent=2))
        return
    tables.show(["model id", "named here"], [(id_, ", ".join(ours[id_])) for id_ in kept])
    if text is not None and not kept and (near := nearest(text, ids)):
        click.echo(f"none holds {text!r}. Did you mean {' or '.join(near)}?", err=True)
    click.echo(f"{len(kept)} of {len(ids)} models", err=True)


def _ids(provider: Provider) -> list[str]:
    """What it lists, or what is mapped where it lists nothing.

    Raises:
        ConfigError: no key, or the address is not complete.
        CannotMeasure: no list came.
    """
    if provider.serve is not None or not provider.discovery:
        why = "is started on demand" if provider.serve else "gives no list of models"
        click.echo(f"{provider.id} {why}: these are mapped", err=True)
        return list(dict.fromkeys(provider.models.values()))
    found, ids = run(listed(provider))
    if ids is not None:
        return sorted(ids)
    kind = ConfigError if found.state in ("no key", "not set up") else CannotMeasure
    raise kind(
        f"{provider.id}: {found.detail}" if kind is ConfigError else f"{provider.id}: {found.state}: {found.detail}",
        hint=found.next_step,
    )


def _filtered(ids: list[str], text: str) -> list[str]:
    plain, words = text.lower(), set(words_of(text))
    return [id_ for id_ in ids if plain in id_.lower() or (words and words <= set(words_of(id_)))]
