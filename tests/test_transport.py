"""What the official SDK builds is what goes over the wire, for every way of authentication."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest
from loopback import CHUNKED, LAST_CHUNK, Loopback, chunk, sized

from harness.errors import CannotMeasure, ConfigError, UsageError
from harness.exchange import Exchange
from harness.provider import Auth, Deadlines, Provider
from harness.types import WRONG_KEY, Request
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

KEY = "sk-a-key-of-the-test"
BEARER, HEADER, NONE = Auth("bearer", "X"), Auth("header", "X", "api-key"), Auth("none")


def request(**changes: Any) -> Request:
    """A chat request."""
    fields: dict[str, Any] = {"path": "/chat/completions", "body": b'{"a":1}', "stream": False, "workload_sha256": ""}
    return Request(**(fields | changes))


def provider(port: int, auth: Auth = BEARER, headers: Mapping[str, str] | None = None) -> Provider:
    """A provider on loopback."""
    url = f"http://127.0.0.1:{port}/prefix/v1"
    return Provider("p", "local", url, auth, headers or {}, deadlines=Deadlines(first_byte_s=5, total_s=5))


def sent(
    *requests: Request, auth: Auth = BEARER, key: str | None = KEY, headers: Mapping[str, str] | None = None
) -> list[bytes]:
    """The bytes that reach the server."""
    with Loopback([sized(b"{}")]) as server:

        async def main() -> None:
            pool = Pool()
            client = Client(provider(server.port, auth, headers), pool, key=key)
            for each in requests:
                exchange = await client.send(each)
                assert exchange.failure is None
            await client.aclose()
            await pool.aclose()

        run(main())
    return [raw.replace(b":%d\r\n" % server.port, b":PORT\r\n") for raw in server.requests]


def headers_of(raw: bytes) -> dict[str, str]:
    """Headers by lower-case name; a name that comes twice is an error."""
    pairs = [line.split(": ", 1) for line in raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]]
    names = [name.lower() for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return {name.lower(): value for name, value in pairs}


def test_head_is_the_sdks() -> None:
    """Path, host, length, type and the SDK's own headers are there, each once; nothing is compressed."""
    [raw] = sent(request())
    assert raw.startswith(b"POST /prefix/v1/chat/completions HTTP/1.1\r\n")
    assert raw.endswith(b'\r\n\r\n{"a":1}')
    headers = headers_of(raw)
    assert headers["host"] == "127.0.0.1:PORT"
    assert headers["content-length"] == "7"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("AsyncOpenAI/Python")
    assert headers["x-stainless-retry-count"] == "0"


def test_get() -> None:
    """A GET has neither body nor length."""
    [raw] = sent(request(path="/models", method="GET", body=None))
    assert raw.startswith(b"GET /prefix/v1/models HTTP/1.1\r\n")
    assert raw.endswith(b"\r\n\r\n")
    assert not {"content-length", "content-type"} & set(headers_of(raw))


@pytest.mark.parametrize(
    ("auth", "which", "authorization", "api_key"),
    [
        (BEARER, "provider", f"Bearer {KEY}", None),
        (BEARER, "wrong", f"Bearer {WRONG_KEY}", None),
        (BEARER, "none", None, None),
        (BEARER, "lower", f"bearer {KEY}", None),
        (BEARER, "api_key", None, KEY),
        (HEADER, "provider", None, KEY),
        (HEADER, "wrong", None, WRONG_KEY),
        (HEADER, "none", None, None),
        (NONE, "provider", None, None),
        (NONE, "wrong", f"Bearer {WRONG_KEY}", None),
        (NONE, "none", None, None),
        (NONE, "lower", None, None),
        (NONE, "api_key", None, None),
    ],
)
def test_key_is_in_its_place(auth: Auth, which: str, authorization: str | None, api_key: str | None) -> None:
    """The key is where the provider wants it and nowhere else; a wrong one takes its place, none leaves it empty."""
    [raw] = sent(request(auth=which), auth=auth)
    headers = headers_of(raw)
    assert headers.get("authorization") == authorization
    assert headers.get("api-key") == api_key
    times = {"provider": 1, "lower": 1, "api_key": 2}.get(which, 0)
    assert raw.count(KEY.encode()) == (times if auth is not NONE else 0)
    assert b"unused" not in raw


def test_no_key_no_header() -> None:
    """A provider without a key gets no Authorization, whatever its scheme."""
    for auth in (BEARER, HEADER):
        headers = headers_of(sent(request(), auth=auth, key=None)[0])
        assert not {"authorization", "api-key"} & set(headers)


def test_added_headers() -> None:
    """The provider's headers are on every request, the request's own are added and win, an auth header too."""
    own = {"X-Two": "changed", "x-three": "3", "authorization": "Basic eA=="}
    first, second = sent(request(), request(headers=own), headers={"X-One": "1", "X-Two": "2"})
    assert {name: headers_of(first).get(name) for name in ("x-one", "x-two")} == {"x-one": "1", "x-two": "2"}
    headers = headers_of(second)
    assert [headers[name] for name in ("x-one", "x-two", "x-three")] == ["1", "changed", "3"]
    assert headers["authorization"] == "Basic eA=="


def test_environment_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Account settings and proxies in the environment, which are some other vendor's, reach no endpoint."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ambient")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-ambient")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ambient")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-ambient")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/ambient")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Ambient: ambient\nAuthorization: Bearer ambient\nX-Own: ambient")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    for auth in (BEARER, HEADER, NONE):
        [raw] = sent(request(), auth=auth, headers={"x-own": "mine"})
        assert b"ambient" not in raw
        headers = headers_of(raw)
        assert headers["x-own"] == "mine"
        assert headers.get("authorization") == (f"Bearer {KEY}" if auth is BEARER else None)


def test_prepared_equals_unprepared() -> None:
    """Prepared requests are byte for byte those of the SDK, with the length of their own body."""
    kinds = [
        request(),
        request(stream=True, auth="wrong"),
        request(headers={"x-a": "1"}, auth="none"),
        request(path="/models", method="GET", body=None),
        request(body=None),
    ]
    with Loopback([sized(b"{}")]) as server:

        async def main() -> None:
            pool = Pool()
            client = Client(provider(server.port), pool, key=KEY)
            for prepared in (False, True, True):
                for each in kinds:
                    exchange = await client.send(each, prepared=prepared)
                    assert (exchange.failure, exchange.body) == (None, b"{}")
            await client.send(request(body=b"x" * 1234), prepared=True)
            await client.aclose()
            await pool.aclose()

        run(main())
    plain, first, second = server.requests[:5], server.requests[5:10], server.requests[10:15]
    assert plain == first == second
    longer = plain[0].replace(b"ontent-Length: 7", b"ontent-Length: 1234").replace(b'{"a":1}', b"x" * 1234)
    assert longer == server.requests[15]


def _exchange(script: list[Any]) -> Exchange:
    with Loopback(script) as server:

        async def main() -> Exchange:
            pool = Pool()
            client = Client(provider(server.port), pool, key=KEY)
            try:
                return await client.send(request())
            finally:
                await client.aclose()
                await pool.aclose()

        return run(main())


@pytest.mark.parametrize("status", ["301 Moved", "401 Unauthorized", "404 Not Found", "429 Slow Down", "500 Oops"])
def test_the_sdk_never_interferes(status: str) -> None:
    """Whatever the status, one request is sent, its answer is recorded as it came, and nothing is raised."""
    exchange = _exchange([sized(b"<html>", status, "location: http://127.0.0.1:1/", "retry-after: 0")])
    assert (exchange.status, exchange.body, exchange.failure) == (int(status[:3]), b"<html>", None)
    assert ("retry-after", "0") in exchange.headers


def test_failures_and_streams_pass_through() -> None:
    """A fault of the transport and the reads of a stream reach the caller through the SDK."""
    exchange = _exchange([CHUNKED, chunk(b"one"), 0.05, chunk(b"two"), LAST_CHUNK])
    assert [read.data for read in exchange.reads] == [b"one", b"two"]
    exchange = _exchange(["fin"])
    assert exchange.failure is not None
    assert exchange.failure.kind == "truncated"


def _made(changed: Callable[[Pool], Client]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def main() -> None:
        pool = Pool()
        try:
            await changed(pool).aclose()
        finally:
            await pool.aclose()

    return main


@pytest.mark.parametrize(
    ("url", "auth", "headers", "key", "error", "said"),
    [
        (None, BEARER, {}, KEY, CannotMeasure, "no base_url"),
        ("api.example/v1", BEARER, {}, KEY, ConfigError, "must begin with http"),
        ("http://[::1/v1", BEARER, {}, KEY, ConfigError, "base_url"),
        ("http://h/v1", BEARER, {}, "sk-secret\n", ConfigError, "the key has a line break"),
        ("http://h/v1", BEARER, {"a": "b\r\nc: d"}, KEY, ConfigError, "'a' has a line break"),
        ("http://h/v1", BEARER, {"a b": "c"}, KEY, ConfigError, "not a header name"),
        ("http://h/v1", Auth("header", "X"), {}, KEY, ConfigError, "auth.header"),
    ],
)
def test_what_cannot_be_sent(url: Any, auth: Auth, headers: Any, key: str, error: Any, said: str) -> None:
    """A provider that cannot be talked to is told in one line that never holds the key."""
    with pytest.raises(error, match=said) as caught:
        run(_made(lambda pool: Client(Provider("p", "hosted", url, auth, headers), pool, key=key))())
    assert "provider 'p'" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_giving_up_is_the_requests_own() -> None:
    """A request may have its own patience, with and without a prepared head; the next one has the provider's again."""
    with Loopback(["wait"], ["wait"], [0.15, sized(b"{}")]) as server:

        async def main() -> list[Exchange]:
            pool = Pool()
            client = Client(provider(server.port), pool, key=KEY)
            found = [await client.send(request(), prepared=prepared, give_up_s=0.05) for prepared in (True, False)]
            found.append(await client.send(request(), prepared=True))
            await client.aclose()
            await pool.aclose()
            return found

        first, second, third = run(main())
    assert [each.failure and each.failure.kind for each in (first, second, third)] == ["abandoned", "abandoned", None]


def test_gzip_where_it_is_wanted() -> None:
    """A provider that asks for gzip says so in the head, and its answers come decoded, read by read."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH) for data in (b"one", b"two")]
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    with Loopback([head, chunk(parts[0]), 0.05, chunk(parts[1]), 0.05, chunk(packer.flush()) + LAST_CHUNK]) as server:

        async def main() -> Exchange:
            pool = Pool()
            client = Client(replace(provider(server.port), accept_encoding="gzip"), pool, key=KEY)
            exchange = await client.send(request(stream=True), prepared=True)
            await client.aclose()
            await pool.aclose()
            return exchange

        exchange = run(main())
    assert headers_of(server.requests[0])["accept-encoding"] == "gzip"
    assert [read.data for read in exchange.reads] == [b"one", b"two"]
    assert exchange.failure is None
    assert (exchange.marks.eof_ns or 0) > exchange.reads[1].at_ns


def test_request_header_with_a_line_break() -> None:
    """A request cannot smuggle in another header."""
    with pytest.raises(UsageError, match="/chat/completions"):
        sent(request(headers={"x": "a\r\nauthorization: b"}))
