"""One logical model at every provider that maps it and can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness import config
from harness.errors import HarnessError, UsageError
from harness.preflight.local import TIMEOUT_S
from harness.preflight.names import nearest
from harness.preflight.readiness import missing, set_up
from harness.provider import Provider
from harness.wire.loop import run
from harness.wire.origin import origin_of
from harness.wire.spoken import listens


class Everywhere(NamedTuple):
    """Where a logical model can be asked."""

    endpoints: tuple[str, ...]
    """``provider/model``, in the order of the providers; those of the user's own file first."""
    left_out: tuple[str, ...]
    """Who maps it and cannot be asked, with the reason: ``groq (GROQ_API_KEY is not set)``; of ``chosen`` one text for
    each model."""


def logical_models(providers: Mapping[str, Provider]) -> list[str]:
    """All logical names, each once."""
    return list(dict.fromkeys(name for one in providers.values() for name in one.models))


def everywhere(providers: Mapping[str, Provider], model: str) -> Everywhere:
    """Find who can be asked for a logical model.

    A key must be set where one is wanted; a server that is neither the user's own nor started for the run must be
    listening.

    Raises:
        UsageError: nobody maps it, told with the nearest names; or nobody who does can be asked.
    """
    mapping = [one for one in providers.values() if model in one.models]
    if not mapping:
        raise _unknown(model, logical_models(providers))
    mapping.sort(key=lambda one: not one.yours)
    reasons = run(_reasons(mapping))
    left_out = tuple(f"{one.id} ({why})" for one, why in zip(mapping, reasons, strict=True) if why)
    names = tuple(f"{one.id}/{model}" for one, why in zip(mapping, reasons, strict=True) if not why)
    if not names:
        raise UsageError(
            f"nobody can be asked for the model {model!r}: {', '.join(left_out)}",
            hint="Set a key, or map it in your providers.yaml",
        )
    return Everywhere(names, left_out)


def chosen(providers: Mapping[str, Provider], endpoints: Sequence[str], models: Sequence[str]) -> Everywhere:
    """The endpoints that were named and those of logical models, each once; one and the same model is not asked twice.

    Errors as for ``everywhere``.
    """
    found = list(dict.fromkeys(endpoints))
    left_out: list[str] = []
    asked = {_what_is_asked(providers, name) for name in found}
    for model in dict.fromkeys(models):
        more = everywhere(providers, model)
        left_out += [f"{model} at {', '.join(more.left_out)}"] if more.left_out else []
        for name in more.endpoints:
            if (what := _what_is_asked(providers, name)) not in asked:
                asked.add(what)
                found.append(name)
    return Everywhere(tuple(found), tuple(left_out))


def _what_is_asked(providers: Mapping[str, Provider], name: str) -> tuple[str, str]:
    """Provider and id; of a name that is none of ours, the name: the plan will say what is wrong with it."""
    provider, _, model = name.partition("/")
    return provider, providers[provider].models.get(model, model) if provider in providers else model


async def _reasons(providers: Sequence[Provider]) -> list[str]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_why_not(one)) for one in providers]
    return [task.result() for task in tasks]


async def _why_not(provider: Provider) -> str:
    """Why a provider cannot be asked; empty: it can."""
    if provider.serve is not None:
        return ""
    if lacking := missing(provider):
        return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not set"
    if set_up(provider):
        return ""
    try:
        address = config.with_address(provider).base_url or ""
    except HarnessError as error:
        return error.what
    if provider.about.port is None and provider.kind != "local":
        return "no key or credentials are set"
    return "" if await listens(origin_of(address), TIMEOUT_S) else f"not running at {address}"


def _unknown(model: str, known: Sequence[str]) -> UsageError:
    near = nearest(model, known)
    listed = f"Known: {', '.join(sorted(known)[:24])}." if known else "Map it under models: in your providers.yaml."
    hint = f"Did you mean {' or '.join(near)}?" if near else listed
    return UsageError(f"no provider maps the model {model!r}", hint=f"{hint} An id of one provider goes with -e")
