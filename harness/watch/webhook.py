"""One message to a chat: JSON ``{"text": ...}``, as Slack's incoming webhooks take it, and others after them.

The address is a secret, for who knows it can write there: it comes from the environment and is shown nowhere. What
goes wrong is told and never ends a watch.
"""

from __future__ import annotations

import http.client
import json
import os
from urllib.parse import urlsplit

from harness.config.address import in_the_open
from harness.errors import UsageError
from harness.secrets import hidden

TIMEOUT_S = 10.0
MOST_CHARACTERS = 3000
"""Source: docs.slack.dev, ``chat.postMessage``: text should be no longer than 4,000 characters."""


def address(variable: str) -> str:
    """The address that an environment variable holds.

    UsageError when there is none, or it is no address, or one where others could read what is sent.
    """
    url = os.environ.get(variable, "").strip()
    if not url:
        raise UsageError(
            f"the environment variable {variable} of --webhook-env is not set", hint=f"export {variable}=https://..."
        )
    hidden.note(url)
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"the environment variable {variable} of --webhook-env must hold an address, https://...")
    if in_the_open(url):
        raise UsageError(f"the address in {variable} is plain HTTP, and would be read on its way", hint="Use https://")
    return url


def post(url: str, text: str) -> str | None:
    """Send a message; gives what went wrong, in words without the address, or None. Redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    assert parts.hostname is not None
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
    body = json.dumps({"text": escaped(text)}).encode()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"the webhook could not be reached: {type(error).__name__}"
    finally:
        connection.close()
    if 300 <= status < 400:
        return f"the webhook answered {status}, and is not followed elsewhere"
    return None if status < 300 else f"the webhook answered {status}"


def escaped(text: str) -> str:
    """The text as text: nothing in it mentions anybody or is a link.

    Source: docs.slack.dev, formatting message text: ``&``, ``<`` and ``>`` are control characters.
    """
    short = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
