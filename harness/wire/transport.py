"""The official SDK builds and signs each request; our own sockets send it and record what comes back.

The SDK's ``AsyncOpenAI`` works on top of a transport that serialises the request it is given, lets the pool send it and
answers the SDK with an empty success: the SDK neither parses nor raises anything, and its work lies before the first
mark and after the last one. Prepared requests reuse the head that the SDK built for the first of their kind.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import NamedTuple

import httpx2
from openai import AsyncOpenAI, Omit, RequestOptions

from harness.errors import CannotMeasure, ConfigError, UsageError
from harness.types import Deadlines, Exchange, Provider, Request
from harness.wire.pool import Origin, Pool

WRONG_KEY = "sk-this-key-is-made-up-and-must-be-refused"
_UNUSED_KEY = "unused"
"""The SDK insists on a key even where none is sent."""
_PORTS = {"http": 80, "https": 443}

_Cell = tuple[str, str, frozenset[tuple[str, str]], str, bool, bool]


class Head(NamedTuple):
    """A serialised request head, open at the place of the content length."""

    origin: Origin
    before: bytes
    after: bytes | None
    """None: the request has no content-length header, so ``before`` is the whole head."""

    def render(self, length: int) -> bytes:
        """The head for a body of ``length`` bytes, with its empty line."""
        return self.before if self.after is None else b"%b%d%b" % (self.before, length, self.after)


class _Call:
    """One request on its way through the SDK; the transport leaves its findings here."""

    __slots__ = ("exchange", "head", "send")

    def __init__(self, *, send: bool) -> None:
        self.send = send
        self.head: Head | None = None
        self.exchange: Exchange | None = None


_CALL: ContextVar[_Call] = ContextVar("_CALL")


def serialise(request: httpx2.Request) -> Head:
    """Head of a request as the SDK made it: its headers in its order, one host, ``accept-encoding: identity``."""
    url = request.url
    origin = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
    lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), url.raw_path)]
    after: list[bytes] | None = None
    seen_host = False
    for name, value in request.headers.raw:
        lower = name.lower()
        if lower == b"host":
            if seen_host:
                continue
            seen_host = True
        if lower == b"content-length":
            lines.append(name + b": ")
            after = [b"\r\n"]
            continue
        text = b"identity" if lower == b"accept-encoding" else value
        (lines if after is None else after).append(b"%b: %b\r\n" % (name, text))
    if after is None:
        return Head(origin, b"".join([*lines, b"\r\n"]), None)
    return Head(origin, b"".join(lines), b"".join([*after, b"\r\n"]))


class WireTransport(httpx2.AsyncBaseTransport):
    """Sends by the pool what the SDK built; the real answer goes past the SDK."""

    def __init__(self, pool: Pool, deadlines: Deadlines) -> None:
        self._pool = pool
        self._deadlines = deadlines

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Serialise, send unless only the head is wanted, and answer with an empty success."""
        call = _CALL.get()
        body = await request.aread()
        call.head = serialise(request)
        if call.send:
            head = call.head.render(len(body))
            call.exchange = await self._pool.send(call.head.origin, head, body, self._deadlines)
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=b"{}")


class Client:
    """Sends requests to one provider as the official SDK would.

    ``key`` is the provider's key, None: no key is sent. Raises CannotMeasure if the provider has no base URL yet,
    ConfigError if its URL, headers or key cannot be sent; no message holds the key. The pool stays the caller's.
    """

    def __init__(self, provider: Provider, pool: Pool, *, key: str | None) -> None:
        where = f"provider {provider.id!r}"
        self._base_url = _checked_url(provider, where)
        self._provider = provider
        self._pool = pool
        self._key = key
        self._heads: dict[_Cell, Head] = {}
        if key is not None and not _sendable(key):
            raise ConfigError(f"{where}: the key has a line break or a character outside ASCII", hint="Set it anew")
        if provider.auth.scheme == "header" and not provider.auth.header:
            raise ConfigError(f"{where}: auth.scheme is 'header' but auth.header names none")
        _check_headers(provider.headers, where, ConfigError)
        self._ambient = _ambient_headers() - {name.lower() for name in provider.headers}
        self._sdk = AsyncOpenAI(
            api_key=key if key and provider.auth.scheme == "bearer" else _UNUSED_KEY,
            base_url=self._base_url,
            default_headers=dict(provider.headers),
            http_client=httpx2.AsyncClient(transport=WireTransport(pool, provider.deadlines), trust_env=False),
            max_retries=0,
        )
        # The SDK takes these from OPENAI_* variables: they belong to one vendor's account, not to every endpoint.
        self._sdk.organization = None
        self._sdk.project = None

    async def send(self, request: Request, *, prepared: bool = False) -> Exchange:
        """Send one request; what the peer does wrong is in ``Exchange.failure``.

        ``prepared`` has the SDK build one head per method, path, headers, auth and kind, and reuses it with another
        content length. Raises UsageError if a header of the request cannot be sent.
        """
        if prepared:
            cell: _Cell = (
                request.method,
                request.path,
                frozenset(request.headers.items()),
                request.auth,
                request.stream,
                bool(request.body),  # the SDK puts the length of an empty body in another place
            )
            head = self._heads.get(cell)
            if head is None:
                head = self._heads[cell] = await self._built(request)
            body = request.body or b""
            return await self._pool.send(head.origin, head.render(len(body)), body, self._provider.deadlines)
        call = _Call(send=True)
        await self._through_sdk(request, call)
        assert call.exchange is not None
        return call.exchange

    async def aclose(self) -> None:
        """Release the SDK; connections stay in the pool."""
        await self._sdk.close()

    async def _built(self, request: Request) -> Head:
        call = _Call(send=False)
        await self._through_sdk(request, call)
        assert call.head is not None
        return call.head

    async def _through_sdk(self, request: Request, call: _Call) -> None:
        _check_headers(request.headers, f"request to {request.path}", UsageError)
        options: RequestOptions = {"headers": self._headers(request), "security": {"bearer_auth": True}}
        token = _CALL.set(call)
        try:
            if request.method == "GET":
                await self._sdk.get(request.path, cast_to=httpx2.Response, options=options)
            else:
                await self._sdk.post(
                    request.path, content=request.body or b"", cast_to=httpx2.Response, options=options
                )
        finally:
            _CALL.reset(token)

    def _headers(self, request: Request) -> dict[str, str | Omit]:
        """What is added to, or taken from, the SDK's own headers for this request."""
        headers: dict[str, str | Omit] = {name: Omit() for name in self._ambient}
        headers |= self._auth_headers(request)
        for name, value in request.headers.items():
            for key in [key for key in headers if key.lower() == name.lower()]:
                del headers[key]
            headers[name] = value
        return headers

    def _auth_headers(self, request: Request) -> dict[str, str | Omit]:
        """The key in its place; a wrong key for a provider without authentication goes where the SDK puts keys."""
        auth = self._provider.auth
        key = {"provider": self._key, "wrong": WRONG_KEY, "none": None}[request.auth]
        if auth.scheme == "none" and request.auth == "provider":
            key = None
        if auth.scheme == "header":
            assert auth.header is not None
            return {auth.header: key} | {"Authorization": Omit()} if key else {"Authorization": Omit()}
        if key is None:
            return {"Authorization": Omit()}
        if request.auth == "provider" and "authorization" not in self._ambient:
            return {}  # the SDK's own
        return {"Authorization": f"Bearer {key}"}


def _checked_url(provider: Provider, where: str) -> str:
    if provider.base_url is None:
        raise CannotMeasure(f"{where} has no base_url", hint="Its server has not been started")
    try:
        url = httpx2.URL(provider.base_url)
    except httpx2.InvalidURL as error:
        raise ConfigError(f"{where}: base_url {provider.base_url!r} is not a URL: {error}") from error
    if url.scheme not in _PORTS or not url.host:
        raise ConfigError(f"{where}: base_url {provider.base_url!r} must begin with http:// or https:// and a host")
    return provider.base_url


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
