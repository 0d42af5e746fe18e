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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness import __version__, memory
from harness.config.address import MODEL, PLACEHOLDER, in_the_open, url_problem
from harness.errors import ConfigError, UnknownName, UsageError
from harness.provider import (
    About,
    Auth,
    Deadlines,
    Declared,
    Endpoint,
    Limits,
    Price,
    Provider,
    Quirks,
    RateLimit,
    Serve,
)
from harness.secrets import hidden
from harness.secrets import kept as kept_keys
from harness.types import JsonObject

FILE_NAME = "providers.yaml"
_ROOT = Path(__file__).resolve().parents[1]
PRESETS = _ROOT / "presets"
"""One file for each system: what is known of it."""
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
    """Give every known provider by its id: the presets, over them the shipped ones, over them those of the user's file.

    ``path`` is the user's file; None: ``./providers.yaml`` if there is one. A block of the user's replaces the block of
    that name whole, unless it says ``use``. ConfigError names file, line, field and how to mend it.
    """
    ours = shipped(FILE_NAME)
    users = path or Path(FILE_NAME)
    named = (path is not None or users.exists()) and users.resolve() != ours.resolve()
    return _providers_of([ours], users if named else None)


def shipped_providers() -> dict[str, Provider]:
    """Give every provider that ships with the tool by its id, whatever a user's file says."""
    return _providers_of([shipped(FILE_NAME)], None)


def presets() -> list[Path]:
    """Files of the presets, in the order of their names."""
    return sorted(PRESETS.glob("*.yaml"))


def endpoint(providers: Mapping[str, Provider], name: str) -> Endpoint:
    """Find ``provider/model``; the model may itself hold slashes.

    ``${NAME}`` in the provider's base URL is filled in here, so a variable is needed only by those who use it.
    UnknownName with the nearest names; UsageError for a name without a model; ConfigError for a missing variable.
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
    return with_model(_before_upstream(with_address(provider), providers), model, model_id)


def with_model(provider: Provider, model: str, model_id: str) -> Endpoint:
    """The endpoint of a provider whose address is filled in; ``{model}`` in it becomes the model's id."""
    if provider.base_url is not None and MODEL in provider.base_url:
        provider = replace(provider, base_url=provider.base_url.replace(MODEL, quote(model_id, safe="")))
    return Endpoint(provider=provider, model=model, model_id=model_id)


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
    if upstream.auth.holds_key or upstream.auth.from_cloud:
        raise ConfigError(
            f"{name} wants a key, and the gateway that is started for {provider.id} is given none",
            hint="Start that gateway yourself, and write its base_url",
        )
    if model is not None and not upstream.any_model and model not in {*upstream.models, *upstream.models.values()}:
        raise UnknownName(f"model of {name}", str(model), upstream.models)
    upstream = _before_upstream(with_address(upstream), providers, of=of)
    return replace(provider, serve=replace(serve, upstream=upstream))


def with_address(provider: Provider) -> Provider:
    """Fill in ``${NAME}`` in the provider's base URL and query; ConfigError names the variable that is not set."""
    url, query = provider.base_url, provider.query
    if (url is None or "${" not in url) and not any("${" in text for text in query.values()):
        return provider
    if url is not None:
        url = PLACEHOLDER.sub(lambda found: _filled_in(found, provider, "base_url"), url)
        if problem := url_problem(url):
            raise ConfigError(f"base_url of provider {provider.id}, with its variables filled in, {problem}")
        if provider.keyed and not provider.allow_http and in_the_open(url):
            raise ConfigError(
                f"base_url of provider {provider.id}, with its variables filled in, would send a key over plain HTTP",
                hint="Write https://, or allow_http: true in its block",
            )
    filled = {
        name: PLACEHOLDER.sub(lambda found: _filled_in(found, provider, f"query.{name}"), text)  # noqa: B023 - used at once
        for name, text in query.items()
    }
    return replace(provider, base_url=url, query=filled)


def _filled_in(found: re.Match[str], provider: Provider, field: str) -> str:
    """The value of one ``${NAME}``."""
    variable, default = found.groups()
    value = os.environ.get(variable, "").strip() or default
    if not value:
        raise ConfigError(
            f"provider {provider.id} needs the environment variable {variable} for its {field}",
            hint=f"export {variable}=...",
        )
    if field == "base_url" and found.start() == 0:
        if not value.startswith(("http://", "https://")) or url_problem(value.rstrip("/") + "/"):
            raise ConfigError(
                f"the environment variable {variable} must hold a URL (provider {provider.id})",
                hint=f"export {variable}=https://...",
            )
        return value.rstrip("/")
    # A host, a port or one part of a path; anything more could send the key to another path or another machine.
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", value):
        raise ConfigError(
            f"the environment variable {variable} must hold a name, a host or a port (provider {provider.id})"
        )
    return value


def api_key(provider: Provider) -> str | None:
    """Read the provider's key from its place; None: it wants none. ConfigError names the place that lacks it."""
    auth = provider.auth
    if auth.file is not None:
        return _sound_secret(kept_keys.from_file(auth.file, provider.id), auth.file)
    if auth.keyring is not None:
        return _sound_secret(kept_keys.from_keyring(auth.keyring, provider.id), f"the keyring's {auth.keyring}")
    if auth.env is None:
        return None
    names = (auth.env, *auth.env_alt)
    variable = next((name for name in names if os.environ.get(name, "").strip()), None)
    if variable is None:
        if auth.from_cloud:
            return None  # a cloud's own credentials take its place
        raise ConfigError(
            f"no key for provider {provider.id}: the environment variable {' or '.join(names)} is not set",
            hint=f"export {auth.env}=..." + (f" (keys: {provider.about.key_url})" if provider.about.key_url else ""),
        )
    return _sound_secret(os.environ[variable].strip(), variable)


def env_headers(provider: Provider) -> dict[str, str]:
    """Headers whose values the environment holds, as secret as a key; those of unset variables are left out."""
    return {
        name: _sound_secret(value, variable)
        for name, variable in provider.env_headers.items()
        if (value := os.environ.get(variable, "").strip())
    }


def _sound_secret(value: str, place: str) -> str:
    """The secret as it can be sent; from here on nothing shows or stores it."""
    hidden.note(value)
    if not value.isascii() or not value.isprintable():
        raise ConfigError(
            f"the key in {place} holds a line break or characters that no HTTP header can carry",
            hint="Copy it again",
        )
    if value[0] in "'\"" or value[-1] in "'\"":
        raise ConfigError(f"the key in {place} begins or ends with a quote", hint="Write it without")
    return value


# --- remembered between runs -----------------------------------------------------------------------------


def _providers_of(ours: Sequence[Path], users: Path | None) -> dict[str, Provider]:
    """The presets with the providers of some files over them, from memory where all their bytes are known."""
    found, files = presets(), [*ours, *([users] if users else [])]
    try:
        data = b"".join(path.read_bytes() + b"\0" for path in (*found, *files)) + bytes(users is not None)
        name = f"{hashlib.sha256(data + __version__.encode()).hexdigest()}.json"
    except OSError:
        name = None
    known = memory.recall("providers", name, _MEMORY_BYTES) if name else None
    if known is not None:
        try:
            return {one["id"]: _provider(one) for one in json.loads(known)}
        except (ValueError, TypeError, KeyError, AttributeError):
            pass  # written by something else: the files themselves are what counts
    # Imported only now: YAML and the checks take a quarter of a second, and mostly nothing has changed.
    reader = importlib.import_module("harness.config.file")
    read: dict[str, Provider] = reader.read_all(found, ours, users)
    if name:
        memory.remember("providers", name, json.dumps([asdict(one) for one in read.values()]).encode())
    return read


def _provider(stored: JsonObject) -> Provider:
    """The provider that ``asdict`` took apart."""
    quirks = {**stored["quirks"], "clamp": {name: tuple(ends) for name, ends in stored["quirks"]["clamp"].items()}}
    about = {**stored["about"], "rate_limit": RateLimit(**_tupled(stored["about"]["rate_limit"]))}
    return Provider(
        **{
            **stored,
            "declared": Declared(**_tupled(stored["declared"])),
            "auth": Auth(**_tupled(stored["auth"])),
            "limits": Limits(**stored["limits"]),
            "deadlines": Deadlines(**stored["deadlines"]),
            "quirks": Quirks(**_tupled(quirks)),
            "prices": {model: Price(**price) for model, price in stored["prices"].items()},
            "serve": Serve(**stored["serve"]) if stored["serve"] else None,
            "about": About(**_tupled(about)),
        }
    )


def _tupled(stored: JsonObject) -> dict[str, Any]:
    """Fields whose lists are tuples again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
