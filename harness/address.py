"""Base URLs: what may be one, and where it may hold a variable."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""``${NAME}``: filled in from the environment."""
_OPERATIONS = ("/completions", "/models")
"""What is asked of a server; the client adds it to the base URL."""


def url_problem(url: str) -> str | None:
    """Why this cannot be a base URL, without repeating it (it may hold a password); None: it can.

    ``${NAME}`` may stand in for host and port only.
    """
    plain = PLACEHOLDER.sub("1", url)  # a digit is a legal host and a legal port
    if not plain.isascii() or not plain.isprintable() or " " in plain:
        return "must be plain ASCII without spaces"
    try:
        parts, path = urlsplit(plain), urlsplit(url).path
        no_host = not parts.hostname or parts.port == 0
    except ValueError:
        return "is not a valid URL: check host and port"
    problems = {
        "holds a broken ${NAME}; names are letters, digits and _": "${" in plain,
        "must begin with http:// or https://": parts.scheme not in ("http", "https"),
        "must not hold credentials; name an environment variable in auth.env instead": "@" in parts.netloc,
        "is not a valid URL: check host and port": no_host,
        "must not hold ? or #": "?" in plain or "#" in plain,
        "must end before /chat/completions, /completions or /models": path.rstrip("/").endswith(_OPERATIONS),
        "may hold ${NAME} in host and port only": PLACEHOLDER.search(path) is not None,
    }
    return next((words for words, is_so in problems.items() if is_so), None)
