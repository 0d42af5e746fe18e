"""A provider as a block of ``providers.yaml``, for people and for a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.provider import About, Auth, Deadlines, Declared, Limits, Price, Provider, Quirks
from harness.types import JsonObject

_RECORDS: JsonObject = {
    "limits": Limits(),
    "deadlines": Deadlines(),
    "quirks": Quirks(),
    "declared": Declared(),
    "about": About(),
}
_PLAIN: JsonObject = {
    "headers": {},
    "env_headers": {},
    "query": {},
    "models": {},
    "any_model": False,
    "discovery": True,
    "price_provider": None,
    "metrics_url": None,
    "allow_http": False,
    "accept_encoding": "identity",
}
"""Fields that are written as they are, with what they are where a block does not say them."""
_NO_PRICE = Price(None, None)


def as_block(provider: Provider) -> JsonObject:
    """Give the provider as a block of ``providers.yaml``, without the fields that are at their default."""
    block: JsonObject = {"kind": provider.kind}
    if provider.base_url is not None:
        block["base_url"] = provider.base_url
    block |= _auth(provider.auth)
    if provider.serve is not None:
        block["serve"] = {"engine": provider.serve.engine, **provider.serve.options}
    for name, usual in _PLAIN.items():
        if (value := getattr(provider, name)) != usual:
            block[name] = _listed(value)
    for name, default in _RECORDS.items():
        if changed := _changed(asdict(getattr(provider, name)), asdict(default)):
            block[name] = changed
    if provider.prices:
        block["prices"] = {
            model: {name: value for name, value in asdict(price).items() if value != getattr(_NO_PRICE, name)}
            | {name: getattr(price, name) for name in ("input_usd_per_mtok", "output_usd_per_mtok")}
            for model, price in provider.prices.items()
        }
    if provider.usd_per_hour is not None:
        block["cost"] = {"usd_per_hour": provider.usd_per_hour}
    return block


def _auth(auth: Auth) -> JsonObject:
    if auth == Auth("none"):
        return {}
    if auth == Auth("bearer", auth.env):
        return {"api_key_env": auth.env}
    return {"auth": {key: _listed(value) for key, value in asdict(auth).items() if value}}


def _changed(actual: JsonObject, usual: JsonObject) -> JsonObject:
    """What differs, record within record."""
    changed: JsonObject = {}
    for name, value in actual.items():
        if value != usual[name]:
            inner = isinstance(usual[name], dict) and usual[name]
            changed[name] = _changed(value, inner) if inner else _listed(value)
    return changed


def _listed(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, Mapping):
        return {key: _listed(inner) for key, inner in value.items()}
    return [_listed(inner) for inner in value] if isinstance(value, list | tuple) else value
