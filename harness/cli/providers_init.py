"""``harness providers init``: a few questions, and a providers.yaml with comments."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from harness import config
from harness.config.address import url_problem
from harness.errors import UnknownName, UsageError
from harness.preflight.check import listed
from harness.preflight.everywhere import logical_models
from harness.preflight.local import Running, running
from harness.preflight.names import nearest
from harness.preflight.portrait import key_of
from harness.preflight.providers_text import Choice, name_of, text_of
from harness.preflight.readiness import missing, set_up
from harness.provider import Provider
from harness.record.folder import write_atomic
from harness.wire.loop import run

_LISTED_S = 3.0
"""How long a list of models is waited for: it only makes a question easier."""
_FEW = 4
"""Models of a server on this machine that are all mapped."""


@click.command("init")
@click.option(
    "--use", "names", multiple=True, metavar="PRESET", help="Take this one; repeat it. Nothing else is offered."
)
@click.option("--yes", is_flag=True, help="Ask nothing: what was named with --use, else whatever was found here.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(config.FILE_NAME),
    show_default=True,
    help="Where to write.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(names: tuple[str, ...], yes: bool, path: Path, force: bool) -> None:
    """Write a providers.yaml with comments after a few questions; never a key.

    Offered are the engines that answer on this machine, and whoever's key variable is set; others go by their names.
    Nothing is written before the last answer.

    \b
    Examples:
      harness providers init
      harness providers init --use groq --use vllm --yes

    Exit codes: 0 written, 2 a file is there already, an unknown name, or the answers ended too soon, 130 broken off.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", hint="Give --force to replace it, or --file NAME")
    known = {name: one for name, one in config.shipped_providers().items() if one.preset is not None}
    for name in names:
        if name not in known:
            raise UnknownName("preset", name, known, where="See harness providers list")
    here = {one.provider.id: one for one in run(running(known))}
    taken = dict.fromkeys(names) if names else _offered(known, here, yes=yes)
    if not names and not yes:
        taken |= _named(known, taken)
    if not taken:
        raise UsageError(
            "nothing to write: no engine answers on this machine and no key is set",
            hint="Name one with --use; see harness providers list",
        )
    choices = [_choice(known[name], here.get(name), logical_models(known), yes=yes) for name in taken]
    _write(path, text_of(choices))
    shown = "" if path == Path(config.FILE_NAME) else f" --providers {path}"
    click.echo(f"Wrote {path}: {', '.join(taken)}. Next: harness providers check{shown}", err=True)


def _write(path: Path, text: str) -> None:
    """Write it once it is known to load."""
    with tempfile.TemporaryDirectory(prefix="harness-init-") as folder:
        tried = Path(folder) / path.name
        tried.write_text(text)
        config.load_providers(tried)
    write_atomic(path, text.encode())


# --- who -------------------------------------------------------------------------------------------------


def _offered(known: Mapping[str, Provider], here: Mapping[str, Running], *, yes: bool) -> dict[str, None]:
    """What was found on this machine and in the environment, as far as it is wanted."""
    taken: dict[str, None] = {}
    for name, found in here.items():
        title, at = found.provider.about.title or name, found.provider.base_url
        who = title if found.known else f"A program that may be {title}"
        models = f"{len(found.models)} model{'' if len(found.models) == 1 else 's'}"
        if yes or _agreed(f"{who} answers at {at} with {models}. Use it?"):
            taken[name] = None
    for name, one in known.items():
        if set_up(one) and (yes or _agreed(f"{one.about.title or name}: {key_of(one)}. Use it?")):
            taken[name] = None
    return taken


def _named(known: Mapping[str, Provider], taken: Mapping[str, None]) -> dict[str, None]:
    """Others, by their names, until an empty answer."""
    more: dict[str, None] = {}
    while name := _asked("Another provider by its name (empty: no more)", "").lower():
        if name in taken or name in more:
            _say(f"{name} is taken already")
        elif name in known:
            more[name] = None
            _say_what_is_missing(known[name])
        else:
            near = nearest(name, known, cutoff=0.5)
            _say(
                f"no preset {name!r}. "
                + (f"Did you mean {' or '.join(near)}?" if near else "See harness providers list")
            )
    return more


def _say_what_is_missing(provider: Provider) -> None:
    url = provider.about.key_url
    for variable in missing(provider):
        where = f" (keys: {url})" if url and variable == provider.auth.env else ""
        _say(f"set {variable} before you ask it: export {variable}=...{where}")


# --- how -------------------------------------------------------------------------------------------------


def _choice(preset: Provider, here: Running | None, logical: Sequence[str], *, yes: bool) -> Choice:
    """Address, models and limits of one provider."""
    at = here.provider.base_url if here is not None and here.provider.base_url != preset.base_url else None
    if yes:
        few = here.models if here is not None and len(here.models) <= _FEW else ()
        return Choice(preset, at, _mapped(preset, few, logical))
    if here is None and preset.about.port is not None:
        given = _address(preset)
        at = given if given != preset.base_url else None
    models = _models(preset if at is None else replace(preset, base_url=at), here, logical)
    limits = {
        field: number
        for field, words in (("concurrency", "requests at once"), ("requests_per_minute", "requests a minute"))
        if (number := _number(f"{preset.id}: at most how many {words} (empty: no limit)")) is not None
    }
    return Choice(preset, at, models, limits)


def _address(preset: Provider) -> str:
    while True:
        url = _asked(f"{preset.id}: where does it listen", preset.base_url or "")
        problem = url_problem(url)
        if problem is None:
            return url.rstrip("/")
        _say(f"base_url {problem}")


def _models(provider: Provider, here: Running | None, logical: Sequence[str]) -> dict[str, str]:
    """Which models, besides those that are mapped: ids as they are, checked against its list where there is one."""
    ids = list(here.models) if here is not None else _ids(provider)
    default = ", ".join(provider.models) or ", ".join(ids[:1])
    of = f" ({len(ids)} listed; harness providers models {provider.id} shows them)" if ids else ""
    while True:
        answer = _asked(f"{provider.id}: which models, with commas between{of}", default)
        wanted = [word.strip() for word in answer.split(",") if word.strip()]
        strange = [one for one in wanted if ids and one not in ids and one not in provider.models]
        broken = [one for one in wanted if any(char.isspace() or not char.isprintable() for char in one)]
        if not strange and not broken:
            return _mapped(provider, wanted, logical)
        wrong = (broken or strange)[0]
        near = nearest(wrong, [*provider.models, *ids])
        told = f"Did you mean {' or '.join(near)}?" if near else "Leave it out, or load it into the server first"
        _say(f"{provider.id} lists no model {wrong!r}. {told}")


def _ids(provider: Provider) -> list[str]:
    """What it lists; empty where it cannot be asked, or not soon."""
    if missing(provider) or not provider.discovery or provider.serve is not None:
        return []
    if provider.about.port is None and not set_up(provider):
        return []
    return run(listed(provider, _LISTED_S))[1] or []


def _mapped(preset: Provider, wanted: Sequence[str], logical: Sequence[str]) -> dict[str, str]:
    """Our names for ids that the preset does not map itself."""
    new = [one for one in wanted if one not in preset.models and one not in preset.models.values()]
    found: dict[str, str] = {}
    for model_id in new:
        name = name_of(model_id, logical)
        found[name if name not in found and name not in preset.models else model_id] = model_id
    return found


# --- asking ----------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    click.echo("".join(char if char.isprintable() else " " for char in text), err=True)


def _asked(question: str, default: str) -> str:
    """One answer; empty: the default. UsageError when there are no more."""
    shown = f" [{default}]" if default else ""
    click.echo("".join(char if char.isprintable() else " " for char in f"{question}{shown}: "), nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise UsageError("the answers ended before the questions did; nothing was written", hint="Or give --yes")
    return line.strip() or default


def _agreed(question: str) -> bool:
    while True:
        answer = _asked(question, "Y/n").lower()
        if answer in ("y/n", "y", "yes"):
            return True
        if answer in ("n", "no"):
            return False
        _say("answer y or n")


def _number(question: str) -> int | None:
    while answer := _asked(question, ""):
        if answer.isascii() and answer.isdecimal() and len(answer) <= 9 and int(answer) > 0:
            return int(answer)
        _say("a whole number above 0, please")
    return None
