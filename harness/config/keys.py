"""The credentials of providers, read from where each has them: the environment, or a cloud."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness import config
from harness.errors import ConfigError
from harness.provider import Provider
from harness.secrets import clouds
from harness.secrets.credentials import Credentials


def credentials_of(provider: Provider, secrets: list[str] | None = None) -> Credentials:
    """The credentials of one provider; a cloud's first token is not asked for yet.

    ``secrets``: where its secrets are to be noted. Raises ConfigError where a variable, a library or a login is missing
    or unsound.
    """
    scheme = provider.auth.scheme
    if scheme == "aws" and provider.auth.env is None:
        provider = replace(provider, auth=replace(provider.auth, env=clouds.AWS_BEARER))
    key, headers = config.api_key(provider), config.env_headers(provider)
    plain: dict[str, str] = {}
    source = None
    if key is None and scheme == "google_adc":
        source, plain = clouds.google_adc(provider)
    elif key is None and scheme == "entra":
        source = clouds.entra(provider)
    found = Credentials(key, headers, plain=plain, source=source, secrets=secrets)
    if key is None and scheme == "aws":
        found.signer = clouds.aws(provider, found.hide)
    return found


def keys_of(providers: Iterable[Provider], secrets: list[str]) -> dict[str, Credentials]:
    """The credentials of every provider, by provider id, each with its first token; ``secrets`` takes in all of them.

    Raises:
        ConfigError: a variable that should hold a key is not set, or what it holds is none, or a cloud's credentials
            are not set up; all of them are named at once.
        CannotMeasure: a cloud gave no token.
    """
    keys: dict[str, Credentials] = {}
    missing: list[ConfigError] = []
    for provider in providers:
        try:
            keys[provider.id] = credentials_of(provider, secrets)
            keys[provider.id].begin()
        except ConfigError as error:
            missing.append(error)
    if len(missing) == 1:
        raise missing[0]
    if missing:
        raise ConfigError("; ".join(error.what for error in missing), hint=missing[0].hint)
    return keys
