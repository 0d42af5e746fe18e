"""The official SDK as the builder of request heads: it makes and signs each one, and sends none.

``AsyncOpenAI`` works on top of a transport that keeps the head of the request it is given and answers with an empty
success: the SDK neither parses nor raises anything, and its work lies outside every measured time. Loading it costs
about a second, so ``harness.wire.transport`` does that only when a head is wanted that no earlier run left behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Literal

import httpx2
from openai import AsyncOpenAI, Omit, OpenAIError, RequestOptions

from harness.errors import CannotMeasure, ConfigError
from harness.secrets.credentials import Signer
from harness.wire.complaint import one_line
from harness.wire.heads import Head
from harness.wire.origin import PORTS, Origin

_UNUSED_KEY = "unused"
"""The SDK insists on a key even where none is sent."""

_HEADS: ContextVar[list[Head]] = ContextVar("_HEADS")
"""Where the transport leaves the head of the call under way."""


def serialise(request: httpx2.Request, accept_encoding: str) -> Head:
    """Head of a request as the SDK made it: its headers in its order, one host, and the encoding we accept."""
    url = request.url
    origin = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or PORTS[url.scheme])
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
        text = accept_encoding.encode("ascii") if lower == b"accept-encoding" else value
        (lines if after is None else after).append(b"%b: %b\r\n" % (name, text))
    if after is None:
        return Head(origin, b"".join([*lines, b"\r\n"]), None)
    return Head(origin, b"".join(lines), b"".join([*after, b"\r\n"]))


class _Catcher(httpx2.AsyncBaseTransport):
    """Keeps the head of what the SDK built; nothing is sent."""

    def __init__(self, accept_encoding: str) -> None:
        self._accept_encoding = accept_encoding

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Serialise, and answer with an empty success."""
        await request.aread()
        _HEADS.get().append(serialise(request, self._accept_encoding))
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=b"{}")


Key = str | Callable[[], Awaitable[str]]
"""A key, or what gives that of the moment."""


class Sdk:
    """The SDK's client for one base URL; ``key`` is what it sends as a bearer token, None: it is never asked to.

    ``query`` is added to every URL. With a ``signer`` the SDK signs each request by AWS Signature Version 4 instead.
    Raises ConfigError for a base URL that the SDK does not take.
    """

    def __init__(
        self,
        base_url: str,
        key: Key | None,
        headers: Mapping[str, str],
        accept_encoding: str,
        query: Mapping[str, str],
        *,
        signer: Signer | None = None,
    ) -> None:
        # What is signed must be what is sent.
        self._signed = {} if signer is None else {"Accept-Encoding": accept_encoding}
        http_client = httpx2.AsyncClient(transport=_Catcher(accept_encoding), trust_env=False)
        more: dict[str, Any] = {
            "default_headers": dict(headers),
            "default_query": dict(query),
            "http_client": http_client,
            "max_retries": 0,
        }
        try:
            if signer is None:
                self._client = AsyncOpenAI(api_key=key or _UNUSED_KEY, base_url=base_url, **more)
            else:
                self._client = AsyncOpenAI(provider=_signing(base_url, signer), **more)
        except httpx2.InvalidURL as error:
            raise ConfigError(f"base_url {base_url!r} is not a URL: {error}") from error
        except OpenAIError as error:
            raise ConfigError(f"base_url {base_url!r} cannot be signed for: {one_line(str(error))}") from error
        # The SDK takes these from OPENAI_* variables: they belong to one vendor's account, not to every endpoint.
        self._client.organization = None
        self._client.project = None

    async def head(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str | None]) -> Head:
        """Head of one request; ``headers`` are added to the SDK's own, None takes one away.

        Raises CannotMeasure where the request cannot be signed any more.
        """
        added: dict[str, str | Omit] = {name: Omit() if text is None else text for name, text in headers.items()}
        options: RequestOptions = {"headers": {**added, **self._signed}, "security": {"bearer_auth": True}}
        heads: list[Head] = []
        token = _HEADS.set(heads)
        try:
            if method == "POST" or body is not None:
                await self._client.post(path, content=body or b"", cast_to=httpx2.Response, options=options)
            else:
                await self._client.get(path, cast_to=httpx2.Response, options=options)
        except OpenAIError as error:
            raise CannotMeasure(f"the request cannot be signed: {one_line(str(error))}") from error
        finally:
            _HEADS.reset(token)
        made = heads[0]
        # The SDK has no call for every method that a probe may want; the head differs in its first word alone.
        return made._replace(before=method.encode("ascii") + made.before[made.before.index(b" ") :])

    async def aclose(self) -> None:
        """Release the SDK's client."""
        await self._client.close()


def _signing(base_url: str, signer: Signer) -> Any:
    """The SDK's own provider for it."""
    from openai.providers import bedrock  # noqa: PLC0415 - only those who sign need it

    service: Literal["runtime"] | None = "runtime" if signer.service == "bedrock" else None
    return bedrock(
        base_url=base_url,
        region=signer.region,
        api_key=None,
        endpoint=service,
        credential_provider=signer.credentials,
    )
