"""Whether a request shows the key that is accepted: as a bearer token, or in ``api-key`` or ``x-api-key``."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from harness.simulator.refusal import Refusal


def check_key(headers: Mapping[str, str], key: str | None, mutants: frozenset[str]) -> None:
    """Do nothing for the right key; Refusal 401 otherwise. ``key`` None: any is accepted, and none."""
    if key is None or "ignore_auth" in mutants:
        return
    given = _given(headers, mutants)
    if not given:
        raise Refusal(401, "You did not provide an API key: Authorization: Bearer KEY.")
    if not hmac.compare_digest(given.encode(), key.encode()):
        told = f": {given}" if "echo_key" in mutants else ""
        status = 403 if "auth_403" in mutants else 401
        raise Refusal(status, f"The API key provided is not correct{told}.", code="invalid_api_key")


def _given(headers: Mapping[str, str], mutants: frozenset[str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme == "Bearer" or (scheme.lower() == "bearer" and "auth_case" not in mutants):
        return token.strip()
    if "bearer_only" in mutants:
        return ""
    return headers.get("api-key", "") or headers.get("x-api-key", "")
