"""Whether the environment holds what a provider needs before it can be asked; nothing is sent to find out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from harness.config.address import PLACEHOLDER
from harness.provider import Provider

KeyState = Literal["set", "missing", "none"]


def key_state(provider: Provider) -> KeyState:
    """Whether its key is where it says; ``none``: it names no place. A keyring, which may ask its user, is trusted."""
    auth = provider.auth
    if auth.kept:
        return "set" if auth.file is None or Path(auth.file).expanduser().is_file() else "missing"
    if auth.env is None:
        return "none"
    return "set" if any(map(_is_set, (auth.env, *auth.env_alt))) else "missing"


def missing(provider: Provider) -> tuple[str, ...]:
    """Environment variables without which it cannot be asked, in the order in which they would be missed.

    A cloud's own credentials are not looked for: where they may take the place of a key, none is missing.
    """
    auth = provider.auth
    needed = [auth.env] if auth.env and not auth.from_cloud and key_state(provider) == "missing" else []
    return tuple(dict.fromkeys([*needed, *(name for name in of_address(provider) if not _is_set(name))]))


def set_up(provider: Provider) -> bool:
    """Whether the user seems to mean it: a block of theirs, or its key or a cloud's own variables are set.

    A server that listens on this machine by default and wants no key is not among them: whether it runs has to be seen.
    """
    if provider.yours:
        return True
    if provider.serve is not None or missing(provider):
        return False
    if provider.about.port is not None:
        return key_state(provider) == "set"
    if not provider.auth.from_cloud:
        return provider.kind != "local"
    return key_state(provider) == "set" or bool(of_address(provider))


def of_address(provider: Provider) -> list[str]:
    """Variables that base URL and query want and that have no default."""
    texts = [provider.base_url or "", *provider.query.values()]
    return [name for text in texts for name, default in PLACEHOLDER.findall(text) if not default]


def _is_set(variable: str) -> bool:
    return bool(os.environ.get(variable, "").strip())
