"""The official SDK builds and signs each request head; our own sockets send it and record what comes back.

Prepared requests reuse the head that the SDK built for the first of their kind, in this run or, with its key, host and
values filled in anew, in an earlier one.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from harness.errors import CannotMeasure, ConfigError, UsageError
from harness.exchange import Exchange
from harness.provider import Deadlines, Provider
from harness.secrets.credentials import Credentials
from harness.types import WRONG_KEY, Request
from harness.wire.heads import Gaps, Head, fingerprint, recall, refilled, remember
from harness.wire.origin import Origin, origin_of
from harness.wire.pool import Pool

if TYPE_CHECKING:
    from harness.wire.sdk import Sdk

_Cell = tuple[str, str, frozenset[tuple[str, str]], str, bool, bool]


class _Prepared(NamedTuple):
    """A head that is used again."""

    head: Head
    gaps: Gaps
    key: str | None
    """The credentials' key when it was made."""


def load_sdk() -> type[Sdk]:
    """Load the SDK, once; a run that will need it may do so before anything is measured."""
    # It takes about a second, ten times what a short load takes as a whole: only a head that no earlier run left behind
    # is worth it.
    return cast("type[Sdk]", importlib.import_module("harness.wire.sdk").Sdk)


class Client:
    """Sends requests to one provider as the official SDK would.

    ``key`` is the provider's key or its credentials, None: no key is sent. Raises CannotMeasure if the provider has no
    base URL yet, ConfigError if its URL, headers, key or proxy cannot be used; no message holds the key. The pool stays
    the caller's.
    """

    def __init__(self, provider: Provider, pool: Pool, *, key: str | Credentials | None) -> None:
        where = f"provider {provider.id!r}"
        self._base_url, self._origin = _checked_url(provider, where)
        self._provider = provider
        self._pool = pool
        self._credentials = key if isinstance(key, Credentials) else Credentials(key)
        secret = self._credentials.headers
        taken = {name.lower() for name in secret}
        self._own = {name: text for name, text in provider.headers.items() if name.lower() not in taken}
        self._own |= secret
        """Headers of every request."""
        self._heads: dict[_Cell, _Prepared] = {}
        self._patience: dict[float | None, Deadlines] = {None: provider.deadlines}
        self._decode = provider.accept_encoding != "identity"
        self._sdk: Sdk | None = None
        self._signing: Sdk | None = None
        if self._credentials.key is not None and not _sendable(self._credentials.key):
            raise ConfigError(f"{where}: the key has a line break or a character outside ASCII", hint="Set it anew")
        if provider.auth.scheme == "header" and not provider.auth.header:
            raise ConfigError(f"{where}: auth.scheme is 'header' but auth.header names none")
        if not _sendable(provider.accept_encoding):
            raise ConfigError(f"{where}: accept_encoding cannot be sent")
        _check_headers(self._own, where, ConfigError)
        pool.check(self._origin)
        self._ambient = _ambient_headers() - {name.lower() for name in self._own}

    async def send(self, request: Request, *, prepared: bool = False, give_up_s: float | None = None) -> Exchange:
        """Send one request; what the peer does wrong is in ``Exchange.failure``.

        ``prepared`` has the SDK build one head per method, path, headers, auth and kind, and reuses it with another
        content length and the key of the moment; where requests are signed, each has a head of its own. ``give_up_s``
        ends the exchange as ``abandoned`` so many seconds after its sending, None: the provider's deadlines alone
        count. A token or a signature is waited for before the exchange and its marks. Raises UsageError if a header of
        the request cannot be sent, CannotMeasure if there is no token or signature to be had.
        """
        if self._credentials.due:
            await self._credentials.renew()
        head = await (self._prepared(request) if prepared else self._built(request))
        deadlines = self._patience.get(give_up_s)
        if deadlines is None:
            deadlines = self._patience[give_up_s] = replace(self._provider.deadlines, give_up_s=give_up_s)
        body = request.body or b""
        return await self._pool.send(head.origin, head.render(len(body)), body, deadlines, decode=self._decode)

    async def prewarm(self, n: int, request: Request) -> int:
        """Prepare the head of ``request`` and connect ``n`` times to where it goes; how many connections stand."""
        if self._credentials.due:
            await self._credentials.renew()
        head = await self._prepared(request)
        return await self._pool.prewarm(head.origin, n, self._provider.deadlines)

    @property
    def renewals(self) -> Sequence[tuple[int, int]]:
        """Beginning and end of each asking for another token, in ``perf_counter_ns``."""
        return self._credentials.renewals

    async def aclose(self) -> None:
        """Release the SDK; connections stay in the pool."""
        for sdk in (self._sdk, self._signing):
            if sdk is not None:
                await sdk.aclose()

    async def _prepared(self, request: Request) -> Head:
        if self._signs(request):
            return await self._built(request)
        cell: _Cell = (
            request.method,
            request.path,
            frozenset(request.headers.items()),
            request.auth,
            request.stream,
            bool(request.body),  # the SDK puts the length of an empty body in another place
        )
        known = self._heads.get(cell)
        if known is None or known.key is not self._credentials.key:
            known = self._heads[cell] = await self._fresh(request, known)
        return known.head

    async def _fresh(self, request: Request, old: _Prepared | None) -> _Prepared:
        """The head with the key of now: that of before with another key in its place, or one made from nothing."""
        key = self._credentials.key
        _, sent_key = self._headers(request)
        own = {name.lower(): text for each in (self._own, request.headers) for name, text in each.items()}
        gaps = Gaps(self._origin, sent_key, own)
        head = refilled(old.head, old.gaps, gaps) if old is not None else None
        return _Prepared(head or await self._recalled(request, gaps), gaps, key)

    async def _recalled(self, request: Request, gaps: Gaps) -> Head:
        """The head as an earlier run's SDK built it, else as ours does."""
        name = fingerprint(
            self._base_url.partition("//")[2].partition("/")[2],
            self._origin.scheme,
            [self._provider.auth.scheme, self._provider.auth.header, self._provider.accept_encoding],
            [list(self._provider.headers.items()), list(request.headers.items())],
            [list(self._credentials.headers), list(self._provider.query.items()), self._credentials.changing],
            [sorted(self._ambient), sorted(name.lower() for name in os.environ if name.startswith("OPENAI_"))],
            [request.method, request.path, request.auth, request.stream, bool(request.body), gaps.key is not None],
        )
        head = recall(name, gaps)
        if head is None:
            head = await self._built(request)
            remember(name, head, gaps)
        return head

    def _signs(self, request: Request) -> bool:
        """Whether it is signed; a probe may bring what lets it in itself."""
        if self._credentials.signer is None or request.auth != "provider":
            return False
        return not any(name.lower() == "authorization" for name in request.headers)

    async def _built(self, request: Request) -> Head:
        added, _ = self._headers(request)
        provider, credentials = self._provider, self._credentials
        if self._signs(request):
            if self._signing is None:
                self._signing = load_sdk()(
                    self._base_url,
                    None,
                    self._own,
                    provider.accept_encoding,
                    provider.query,
                    signer=credentials.signer,
                )
            return await self._signing.head(request.method, request.path, request.body, added)
        if self._sdk is None:
            bearer = None if provider.auth.scheme in ("header", "none") else credentials.key
            self._sdk = load_sdk()(
                self._base_url,
                self._token if credentials.changing else bearer,
                self._own,
                provider.accept_encoding,
                provider.query,
            )
        return await self._sdk.head(request.method, request.path, request.body, added)

    async def _token(self) -> str:
        """The key of now, which the SDK asks for."""
        return self._credentials.key or ""

    def _headers(self, request: Request) -> tuple[dict[str, str | None], str | None]:
        """What is added to, or taken from, the SDK's own headers for this request; and the key that it sends."""
        _check_headers(request.headers, f"request to {request.path}", UsageError)
        headers: dict[str, str | None] = dict.fromkeys(self._ambient)
        auth, key = self._auth_headers(request)
        if any(name.lower() == "authorization" for name in self._own):
            # Of the user's own, such as what a gateway passes on: it is left in its place.
            auth = {name: text for name, text in auth.items() if name != "Authorization" or text is not None}
        headers |= {} if self._signs(request) else auth
        carrier = (self._provider.auth.header or "authorization").lower()
        for name, value in request.headers.items():
            if name.lower() == carrier:
                key = None
            for there in [there for there in headers if there.lower() == name.lower()]:
                del headers[there]
            headers[name] = value
        return headers, key

    def _auth_headers(self, request: Request) -> tuple[dict[str, str | None], str | None]:
        """The key in its place; a wrong key for a provider without authentication goes where the SDK puts keys."""
        auth = self._provider.auth
        key = {"wrong": WRONG_KEY, "none": None}.get(request.auth, self._credentials.key)
        if auth.scheme == "none" and request.auth != "wrong":
            key = None
        if auth.scheme == "header":
            assert auth.header is not None
            return ({auth.header: key} if key else {}) | {"Authorization": None}, key
        if key is None:
            return {"Authorization": None}, None
        if request.auth == "lower":
            return {"Authorization": f"bearer {key}"}, key
        if request.auth == "api_key":
            return {"Authorization": None, "api-key": key, "x-api-key": key}, key
        if request.auth == "provider" and "authorization" not in self._ambient:
            return {}, key  # the SDK's own
        return {"Authorization": f"Bearer {key}"}, key


def _checked_url(provider: Provider, where: str) -> tuple[str, Origin]:
    if provider.base_url is None:
        raise CannotMeasure(f"{where} has no base_url", hint="Its server has not been started")
    try:
        if not provider.base_url.isprintable() or " " in provider.base_url:
            raise ValueError("holds a space or a line break")
        return provider.base_url, origin_of(provider.base_url)
    except ValueError as error:
        raise ConfigError(f"{where}: base_url {provider.base_url!r} cannot be used: {error}") from error


def _sendable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _check_headers(headers: Mapping[str, str], where: str, error: type[UsageError]) -> None:
    """A line break in a header would end it and begin another one."""
    for name, value in headers.items():
        if not name or not _sendable(name) or set(name) & set(' ":()[]{}<>@,;\\/?='):
            raise error(f"{where}: {name!r} is not a header name")
        if not _sendable(value):
            raise error(f"{where}: header {name!r} has a line break or a character outside ASCII")


def _ambient_headers() -> set[str]:
    """Lower-case names of headers that the SDK would add from the environment."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    return {line.partition(":")[0].strip().lower() for line in lines if ":" in line}
