"""Proxies between us and an endpoint, as the environment names them for every program.

``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in either case, are read by the standard library;
networks as in ``10.0.0.0/8`` are understood in ``NO_PROXY`` besides. A server on this machine is never asked through
a proxy.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from harness.errors import ConfigError
from harness.wire.fault import Fault
from harness.wire.origin import Origin

_MAX_ANSWER = 65536
_LOCAL_NAMES = ("localhost", "localhost.")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that is spoken to in plain HTTP."""

    origin: Origin
    credentials: bytes = field(default=b"", repr=False)
    """The ``proxy-authorization`` line, with its end; empty: none is sent."""


def environment() -> Mapping[str, str]:
    """Proxies of the environment: scheme, ``all`` or ``no`` -> value."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    import urllib.request  # noqa: PLC0415 - costs tens of milliseconds, which only those with a proxy should pay

    return urllib.request.getproxies_environment()


def proxy_for(origin: Origin, proxies: Mapping[str, str]) -> Proxy | None:
    """Give the proxy on the way to ``origin``; None: there is none. ConfigError for one that we do not speak to."""
    url = proxies.get(origin.scheme) or proxies.get("all")
    if not url or is_local(origin.host) or _excepted(origin, proxies):
        return None
    name = f"{origin.scheme.upper()}_PROXY" if proxies.get(origin.scheme) else "ALL_PROXY"
    hint = "Give it as http://host:port, or name the endpoint's host in NO_PROXY"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        raise ConfigError(f"the environment variable {name} does not hold a valid URL", hint=hint) from None
    if parts.scheme != "http":
        raise ConfigError(f"{name} names a proxy of type {parts.scheme}://, which is not supported", hint=hint)
    if not host:
        raise ConfigError(f"the environment variable {name} names no host", hint=hint)
    credentials = b""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        credentials = b"proxy-authorization: Basic %b\r\n" % base64.b64encode(pair.encode())
    return Proxy(Origin("http", host, port), credentials)


def absolute(head: bytes, origin: Origin, proxy: Proxy) -> bytes:
    """Turn a head made for the server itself into one for the proxy: RFC 9112 section 3.2.2."""
    method, _, rest = head.partition(b" ")
    line, _, headers = rest.partition(b"\r\n")
    return b"%b http://%b%b\r\n%b%b" % (method, origin.authority.encode("ascii"), line, proxy.credentials, headers)


async def tunnel(sock: socket.socket, origin: Origin, proxy: Proxy) -> None:
    """Have the proxy connect us through to ``origin``; raises Fault with what it answered instead."""
    loop = asyncio.get_running_loop()
    target = origin.address.encode("ascii")
    await loop.sock_sendall(sock, b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, target, proxy.credentials))
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _MAX_ANSWER:
        piece = await loop.sock_recv(sock, 4096)
        if not piece:
            break
        data += piece
    head, end, rest = data.partition(b"\r\n\r\n")
    words = head.partition(b"\r\n")[0].split(b" ", 2)
    if not end or not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise Fault("connect", f"proxy {proxy.origin.address} gave no answer to CONNECT {origin.address}")
    if not words[1].startswith(b"2"):
        said = b" ".join(words[1:])[:80].decode("latin-1")
        raise Fault("connect", f"proxy {proxy.origin.address} answered {said} to CONNECT {origin.address}")
    if rest:
        raise Fault("connect", f"proxy {proxy.origin.address} sent bytes of its own into the tunnel")


def is_local(host: str) -> bool:
    """Whether a host's name or address is that of this machine, whichever it is said on."""
    if host.lower() in _LOCAL_NAMES or host.lower().endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _excepted(origin: Origin, proxies: Mapping[str, str]) -> bool:
    if not proxies.get("no"):
        return False
    import urllib.request  # noqa: PLC0415 - as above

    bypass = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined] # typeshed does not know it
    # An IPv6 address is named without brackets.
    if bypass(origin.address, dict(proxies)) or bypass(origin.host, dict(proxies)):
        return True
    address = _address(origin.host)
    return address is not None and any(_within(address, entry.strip()) for entry in proxies["no"].split(","))


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    if "/" not in entry:
        return False
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
