"""Keys that are kept outside the environment: in a file of the user's alone, or in the system's keyring.

A configuration names the place. The key itself is read when a request needs it, and is written nowhere.
"""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path

from harness.errors import ConfigError

_MOST_BYTES = 65_536
_EXTRA = 'Install it with: pip install "endpoint-harness[keyring]"'


def from_file(name: str, provider: str) -> str:
    """The key in a file, without white space around it; ``~`` is the user's home.

    ``provider`` is named in errors. ConfigError: there is no such file, others may read it, or it is empty.
    """
    what = f"the key file of provider {provider}"
    try:
        path = Path(name).expanduser()
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would be waited for
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise ConfigError(f"{what} is no file: {name}")
            if state.st_mode & 0o077:
                raise ConfigError(
                    f"{what} may be read by others than its owner: {name} has mode {stat.S_IMODE(state.st_mode):03o}",
                    hint=f"chmod 600 {name}",
                )
            data = file.read(_MOST_BYTES + 1)
    except RuntimeError:
        raise ConfigError(f"{what} cannot be found: there is no home for {name}") from None
    except OSError as error:
        raise ConfigError(
            f"no key for provider {provider}: {name}: {error.strerror or error}",
            hint=f"Write the key into {name}, then chmod 600 {name}",
        ) from None
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{what} holds more than a key: {name} has over {_MOST_BYTES} bytes")
    key = data.decode("utf-8", "replace").strip()
    if not key:
        raise ConfigError(f"{what} is empty: {name}", hint="Write the key into it")
    return key


def from_keyring(entry: str, provider: str) -> str:
    """The key that the system's keyring holds under ``SERVICE/USER``.

    ``provider`` is named in errors. ConfigError: the library is missing, the keyring is locked, or has no such entry.
    """
    service, _, user = entry.rpartition("/")
    try:
        library = importlib.import_module("keyring")
    except ImportError:
        raise ConfigError(
            f"the key of provider {provider} is in the keyring, and the library that reads it is missing", hint=_EXTRA
        ) from None
    try:
        key = library.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - each system's keyring raises its own
        raise ConfigError(
            f"the keyring does not give the key of provider {provider}: {type(error).__name__}",
            hint=f"Try: keyring get {service} {user}",
        ) from None
    if not isinstance(key, str) or not key.strip():
        raise ConfigError(
            f"no key for provider {provider}: the keyring has no entry {entry}",
            hint=f"keyring set {service} {user}",
        )
    return key.strip()
