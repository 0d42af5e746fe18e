"""Which providers and endpoints there are, and their keys: the questions that the rest of the harness asks.

What ``providers.yaml`` says is remembered between runs under the hash of its bytes: reading YAML and checking every
field of it takes longer than a short run. Keys are no part of it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import __version__, memory
from harness.address import PLACEHOLDER, url_problem
from harness.errors import CannotMeasure, ConfigError, UnknownName, UsageError
from harness.provider import Auth, Deadlines, Declared, Endpoint, Limits, Price, Provider, Quirks, Serve
from harness.types import JsonObject

FILE_NAME = "providers.yaml"
_ROOT = Path(__file__).resolve().parent
_MEMORY_BYTES = 4_000_000


# --- what the rest of the harness asks -------------------------------------------------------------------


def shipped(name: str) -> Path:
    """Path of what ships with the tool: ``tasks``, ``dashboard`` or ``providers.yaml``.

    In a wheel it lies in ``harness/shipped``; in a checkout beside the package. ConfigError when it is in neither.
    """
    for folder in (_ROOT / "shipped", _ROOT.parent):
        if (folder / name).exists():
            return folder / name
    raise ConfigError(f"{name} is missing from this installation", hint="Install endpoint-harness again")


def load_providers(path: Path | None = None) -> dict[str, Provider]:
    """Give every known provider by its id: the shipped ones, and over them those of the user's file.

    ``path`` is the user's file; None: ``./providers.yaml`` if there is one. A block of the user's replaces the shipped
    block of that name whole. ConfigError names file, line, field and how to mend it.
    """
    ours = shipped(FILE_NAME)
    providers = _providers_of(ours)
    users = path or Path(FILE_NAME)
    if (path is not None or users.exists()) and users.resolve() != ours.resolve():
        providers.update(_providers_of(users))
    return providers


def endpoint(providers: Mapping[str, Provider], name: str) -> Endpoint:
    """Find ``provider/model``; the model may itself hold slashes.

    ``${NAME}`` in the provider's base URL is filled in here, so a variable is needed only by those who use it.
    UnknownName with the nearest names; UsageError for a name without a model; CannotMeasure for a missing variable.
    """
    provider_id, slash, model = name.partition("/")
    if provider_id not in providers:
        raise UnknownName("provider", provider_id, providers, where="See harness providers list")
    provider = providers[provider_id]
    if not slash or not model:
        example = next(iter(provider.models), "MODEL")
        raise UsageError(f"endpoint {name!r} names no model", hint=f"Write {provider_id}/{example}")
    model_id = provider.models.get(model)
    if model_id is None:
        if not provider.any_model:
            raise UnknownName(f"model of {provider_id}", model, provider.models)
        model_id = model
    return Endpoint(provider=_before_upstream(with_address(provider), providers), model=model, model_id=model_id)


def _before_upstream(provider: Provider, providers: Mapping[str, Provider], *, of: tuple[str, ...] = ()) -> Provider:
    """The provider with the one that its gateway asks, and that one's in turn.

    UnknownName when there is no such provider or model; ConfigError for a circle, or an upstream that wants a key.
    """
    serve, of = provider.serve, (*of, provider.id)
    name = serve.options.get("upstream") if serve is not None else None
    if serve is None or not isinstance(name, str):
        return provider
    if name in of:
        raise ConfigError(f"the upstreams of provider {of[0]} go round in a circle: {' -> '.join((*of, name))}")
    if name not in providers:
        raise UnknownName("provider", name, providers, where=f"It is the upstream of {provider.id}")
    upstream, model = providers[name], serve.options.get("upstream_model")
    if upstream.auth.env is not None:
        raise ConfigError(
            f"{name} wants a key, and the gateway that is started for {provider.id} is given none",
            hint="Start that gateway yourself, and write its base_url",
        )
    if model is not None and not upstream.any_model and model not in {*upstream.models, *upstream.models.values()}:
        raise UnknownName(f"model of {name}", str(model), upstream.models)
    upstream = _before_upstream(with_address(upstream), providers, of=of)
    return replace(provider, serve=replace(serve, upstream=upstream))


def with_address(provider: Provider) -> Provider:
    """Fill in ``${NAME}`` in the provider's base URL; CannotMeasure names the variable that is not set."""
    url = provider.base_url
    if url is None or "${" not in url:
        return provider
    for variable in PLACEHOLDER.findall(url):
        value = os.environ.get(variable)
        if not value:
            raise CannotMeasure(
                f"provider {provider.id} needs the environment variable {variable} for its base_url",
                hint=f"export {variable}=...",
            )
        # Host, port or host:port; anything more could send the key to another path or another machine.
        if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", value):
            raise ConfigError(
                f"the environment variable {variable} must hold a host or a port (provider {provider.id})"
            )
        url = url.replace(f"${{{variable}}}", value)
    if problem := url_problem(url):
        raise ConfigError(f"base_url of provider {provider.id}, with its variables filled in, {problem}")
    return replace(provider, base_url=url)


def api_key(provider: Provider) -> str | None:
    """Read the provider's key from the environment; None: it wants none. CannotMeasure names the missing variable."""
    variable = provider.auth.env
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise CannotMeasure(
            f"no key for provider {provider.id}: the environment variable {variable} is not set",
            hint=f"export {variable}=...",
        )
    if not key.isascii() or not key.isprintable():
        raise CannotMeasure(
            f"the key in {variable} holds characters that no HTTP header can carry", hint="Copy it again"
        )
    return key


# --- remembered between runs -----------------------------------------------------------------------------


def _providers_of(path: Path) -> dict[str, Provider]:
    """The providers of one file, from memory where its bytes have been understood before."""
    try:
        name = f"{hashlib.sha256(path.read_bytes() + __version__.encode()).hexdigest()}.json"
    except OSError:
        name = None
    known = memory.recall("providers", name, _MEMORY_BYTES) if name else None
    if known is not None:
        try:
            return {one["id"]: _provider(one) for one in json.loads(known)}
        except (ValueError, TypeError, KeyError, AttributeError):
            pass  # written by something else: the file itself is what counts
    # Imported only now: YAML and the checks take a quarter of a second, and mostly nothing has changed.
    read: dict[str, Provider] = importlib.import_module("harness.config_file").read_file(path)
    if name:
        memory.remember("providers", name, json.dumps([asdict(one) for one in read.values()]).encode())
    return read


def _provider(stored: JsonObject) -> Provider:
    """The provider that ``asdict`` took apart."""
    quirks: dict[str, Any] = {**stored["quirks"], "drop": tuple(stored["quirks"]["drop"])}
    told: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored["declared"].items()
    }
    return Provider(
        **{
            **stored,
            "declared": Declared(**told),
            "auth": Auth(**stored["auth"]),
            "limits": Limits(**stored["limits"]),
            "deadlines": Deadlines(**stored["deadlines"]),
            "quirks": Quirks(**quirks),
            "prices": {model: Price(**price) for model, price in stored["prices"].items()},
            "serve": Serve(**stored["serve"]) if stored["serve"] else None,
        }
    )
