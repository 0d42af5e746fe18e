"""Ports of servers on loopback."""

from __future__ import annotations

import secrets
import socket

from harness.errors import EngineError

HOST = "127.0.0.1"
_BELOW_CONNECTIONS = range(20_000, 32_768)
"""Systems give out ports from 32768, or higher, to outgoing connections."""
_TRIES = 64


def must_be_free(port: int) -> None:
    """Find a taken port out before a model is loaded, and say so better than a server does; 0 is always free."""
    if port == 0:
        return
    with socket.socket() as trial:
        # As servers do: a port whose last connections are still closing is free.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            raise EngineError(
                f"cannot listen on {HOST}:{port}: {error.strerror}", hint="Leave serve.port out, and a free one is used"
            ) from None


def free_port() -> int:
    """A port that nobody has, and that no connection is given while a server that takes its time comes to listen."""
    for _ in range(_TRIES):
        port = secrets.choice(_BELOW_CONNECTIONS)
        try:
            must_be_free(port)
        except EngineError:
            continue
        return port
    raise EngineError(f"found no free port on {HOST} in {_TRIES} tries")
