"""Base URLs: what may be one, and where it may hold a variable."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([A-Za-z0-9._-]+))?\}")
"""``${NAME}`` or ``${NAME:-default}``: filled in from the environment."""
MODEL = "{model}"
"""In the path of a base URL: the model's id."""
_LOCAL_ENDS = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc", ".test")
_OPERATIONS = ("/completions", "/models")
"""What is asked of a server; the client adds it to the base URL."""


def url_problem(url: str) -> str | None:
    """Why this cannot be a base URL, without repeating it (it may hold a password); None: it can.

    ``${NAME}`` may stand in for scheme and host at the beginning, for host and port, and for parts of the path.
    """
    whole = PLACEHOLDER.match(url)
    begun = f"https://1{url[whole.end() :]}" if whole else url
    plain = PLACEHOLDER.sub("1", begun).replace(MODEL, "1")  # a digit is a legal host, port and part of a path
    if not plain.isascii() or not plain.isprintable() or " " in plain:
        return "must be plain ASCII without spaces"
    try:
        parts = urlsplit(plain)
        no_host = not parts.hostname or parts.port == 0
    except ValueError:
        return "is not a valid URL: check host and port"
    problems = {
        "holds a broken ${NAME}; names are letters, digits and _": "${" in plain,
        "must begin with http:// or https://": parts.scheme not in ("http", "https"),
        "must not hold credentials; name an environment variable in auth.env instead": "@" in parts.netloc,
        "is not a valid URL: check host and port": no_host,
        "must not hold ? or #": "?" in plain or "#" in plain,
        "must end before /chat/completions, /completions or /models": parts.path.rstrip("/").endswith(_OPERATIONS),
        "ends with the host; write .../v1, or .../ where the API has no /v1": not parts.path and whole is None,
    }
    return next((words for words, is_so in problems.items() if is_so), None)


def in_the_open(url: str) -> bool:
    """Whether what is sent there could be read on its way: plain HTTP to a host that may be a public one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_LOCAL_ENDS)
