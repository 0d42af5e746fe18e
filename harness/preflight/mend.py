"""What a failed step means, and what the user can do about it."""

from __future__ import annotations

from typing import NamedTuple

from harness.exchange import Failure, WireMarks
from harness.preflight.found import StepName
from harness.provider import Provider


class Wrong(NamedTuple):
    """The step that failed, a word or three for it, and what to do."""

    step: StepName | None
    """None: no step of the connection; the one that was being taken."""
    state: str
    next_step: str


_HOST = "Check the host name in base_url, and this machine's network"
_PORT = "Check host and port in base_url, and this machine's network"
_SLOW = "allow more time with --timeout"
_CERTIFICATES = (
    ("has expired", "The server's certificate has ended: it has to be renewed there (or this machine's date is wrong)"),
    ("not yet valid", "The server's certificate begins later: check this machine's date, and the server's"),
    ("mismatch", "The certificate is made out for another name: put that name into base_url"),
    ("self-signed", "Nobody vouches for it: if it is yours, name its file in the environment variable SSL_CERT_FILE"),
    ("local issuer", "Its authority is not known here: name the authority's file in SSL_CERT_FILE"),
)
"""A part of what OpenSSL says of a certificate -> what to do. Source: its X509_verify_cert_error_string(3)."""
WRITE = {
    "http": "The server speaks plain HTTP on this port: write http:// in base_url",
    "https": "The server speaks TLS on this port: write https:// in base_url",
}
_OF_KIND = {
    "throttled": Wrong(None, "throttled", "Wait, then lower limits in providers.yaml"),
    "overloaded": Wrong(None, "overloaded", "Try again later"),
    "http_5xx": Wrong(None, "server error", "Look into the server's log, or try again later"),
}


def mend(failure: Failure, marks: WireMarks, provider: Provider) -> Wrong:
    """What to make of a failure; ``marks`` tell how far the connection came."""
    kind = failure.kind
    if found := _of_connection(failure, marks, provider):
        return found
    if kind == "auth":
        return refused_key(provider)
    if kind in ("reset", "truncated", "bad_http") and failure.status is None:
        return Wrong(None, "no answer", "Check base_url: is it http where it should be https, or the reverse?")
    if kind.startswith("timeout"):
        return Wrong(None, "no answer", _SLOW[0].upper() + _SLOW[1:])
    return _OF_KIND.get(kind, Wrong(None, "", ""))


def _of_connection(failure: Failure, marks: WireMarks, provider: Provider) -> Wrong | None:
    """What kept a connection from being made; None: one was."""
    kind, detail = failure.kind, failure.detail
    late = kind == "timeout_connect"
    if detail.startswith("proxy "):
        return Wrong("connect", "no connection", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment")
    if kind == "dns" or (late and marks.dns_ns is None):
        return Wrong("dns", "name not found", _HOST)
    if late and marks.conn_ns is None:
        return Wrong("connect", "no connection", f"{_PORT}; or {_SLOW}")
    if late:
        return Wrong("tls", "no TLS", f"Check whether base_url should be http, or {_SLOW}")
    if kind == "connect":
        return _refused(provider)
    if kind == "tls" or (kind == "reset" and marks.send0_ns is None):
        return Wrong("tls", "no TLS", _certificate(detail))
    return None


def refused_key(provider: Provider) -> Wrong:
    """The key was refused, or none was sent and one is wanted."""
    auth = provider.auth
    where = f" ({provider.about.key_url})" if provider.about.key_url else ""
    if auth.env is not None:
        return Wrong("auth", "key refused", f"Check the value of {' or '.join((auth.env, *auth.env_alt))}{where}")
    if auth.kept:
        return Wrong("auth", "key refused", f"Check the key in {auth.file or f'the keyring, {auth.keyring}'}{where}")
    if auth.scheme == "none":
        return Wrong("auth", "wants a key", "Add api_key_env to this provider's block")
    return Wrong("auth", "key refused", f"Check the cloud's credentials on this machine{where}")


def _refused(provider: Provider) -> Wrong:
    if provider.kind != "local":
        return Wrong("connect", "no connection", _PORT)
    command = f": {provider.about.start}" if provider.about.start else ""
    return Wrong("connect", "not running", f"Start the server at {provider.base_url}{command}")


def _certificate(detail: str) -> str:
    if "does the server speak TLS" in detail:
        return WRITE["http"]
    usual = "Check the server's TLS settings and certificate"
    return next((step for words, step in _CERTIFICATES if words in detail), usual)
