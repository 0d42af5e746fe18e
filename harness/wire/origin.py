"""Where a request goes: the part of a URL that one connection can serve."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """What one connection can serve."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """Name or address as in the URL, IPv6 without brackets."""
    port: int

    @property
    def address(self) -> str:
        """``host:port``, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """What the ``host`` header says: no port where it is the scheme's own."""
        return self.address if self.port != PORTS[self.scheme] else self.address.rpartition(":")[0]


def origin_of(url: str) -> Origin:
    """Origin of a URL; ValueError says in a few words why it has none."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and a host")
    return Origin(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])
