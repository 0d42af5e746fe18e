"""Through a proxy: which targets, in which form, and what is said when it refuses."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
from pathlib import Path

import pytest
from loopback import Loopback, certificate, sized

from harness.errors import ConfigError
from harness.exchange import Exchange
from harness.provider import Auth, Deadlines, Provider
from harness.wire.loop import run
from harness.wire.origin import Origin
from harness.wire.pool import PROOF_NS, Pool
from harness.wire.proxy import environment, proxy_for
from harness.wire.transport import Client

HEAD = b"POST /v1/x HTTP/1.1\r\nhost: api.example\r\ncontent-length: %d\r\n\r\n"
QUICK = Deadlines(connect_s=5, first_byte_s=5, idle_s=5, total_s=5)
SECRET = "p%40ss:word"


def origin(url: str) -> Origin:
    """Origin of ``scheme://host:port``."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    return Origin(scheme, host, int(port))


def send(
    target: Origin, proxies: dict[str, str], times: int = 1, context: ssl.SSLContext | None = None
) -> list[Exchange]:
    """Requests one after another."""

    async def main() -> list[Exchange]:
        pool = Pool(proxies=proxies, ssl_context=context)
        found = []
        for _ in range(times):
            found.append(await pool.send(target, HEAD % 2, b"{}", QUICK))
            await asyncio.sleep(1.5 * PROOF_NS / 1e9)
        await pool.aclose()
        return found

    return run(main())


@pytest.mark.parametrize(
    ("url", "no", "used"),
    [
        ("http://api.example:80", "", "plain"),
        ("https://api.example:443", "", "secure"),
        ("http://127.0.0.1:80", "", None),
        ("https://127.8.8.8:443", "", None),
        ("http://::1:80", "", None),
        ("http://localhost:80", "", None),
        ("http://sim.localhost:80", "", None),
        ("http://api.example:80", "*", None),
        ("http://api.example:80", "api.example", None),
        ("http://api.example:80", "other, .example", None),
        ("http://api.example:80", "example", None),
        ("http://api.example:80", "notexample,ample,api.example.org", "plain"),
        ("http://api.example:8080", "api.example:8080", None),
        ("http://api.example:8081", "api.example:8080", "plain"),
        ("http://10.1.2.3:80", "10.0.0.0/8", None),
        ("http://11.1.2.3:80", "10.0.0.0/8, nonsense/99", "plain"),
        ("https://fd00::1:443", "fd00::/8", None),
        ("https://fd00::1:443", "fd00::1", None),
    ],
)
def test_who_goes_through_a_proxy(url: str, no: str, used: str | None) -> None:
    """NO_PROXY takes hosts, suffixes, ports, networks and a star; what runs on this machine is reached directly."""
    proxies = {"http": "http://plain:1", "https": "secure:2", "no": no}
    proxy = proxy_for(origin(url), proxies)
    assert (proxy.origin.host if proxy else None) == used


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables in either case are read, the one for every scheme too."""
    for name in ("HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert environment() == {}
    monkeypatch.setenv("HTTPS_PROXY", "http://one:1")
    monkeypatch.setenv("all_proxy", "http://two:2")
    monkeypatch.setenv("NO_PROXY", "direct.example")
    found = [
        proxy_for(origin(url), environment()) for url in ("https://a:443", "http://a:80", "http://direct.example:80")
    ]
    assert [proxy and proxy.origin for proxy in found] == [Origin("http", "one", 1), Origin("http", "two", 2), None]


@pytest.mark.parametrize("url", ["socks5://user:pass@h:1", "https://h:1", "http://[broken", "http://"])
def test_a_proxy_that_we_do_not_speak_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a proxy is refused before anything is sent, in one line without its password, unless nothing goes there."""
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.delenv("https_proxy", raising=False)
    Client(Provider("p", "local", "http://127.0.0.1:1/v1", Auth("none")), Pool(), key=None)
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        Client(Provider("p", "hosted", "https://api.example/v1", Auth("none")), Pool(), key=None)
    assert "pass" not in str(caught.value)
    assert "NO_PROXY" in str(caught.value)


def test_plain_target() -> None:
    """A proxy is asked for the whole URL with our credentials, over a kept connection; the marks are those to it."""
    with Loopback([sized(b"ok")]) as server:
        proxies = {"http": f"http://user:{SECRET}@127.0.0.1:{server.port}"}
        first, second = send(Origin("http", "api.example", 80), proxies, 2)
    for request in server.requests:
        assert request.startswith(b"POST http://api.example/v1/x HTTP/1.1\r\nproxy-authorization: Basic ")
        assert request.endswith(b"\r\nhost: api.example\r\ncontent-length: 2\r\n\r\n{}")
    assert (first.body, first.failure, second.reused) == (b"ok", None, True)
    assert first.remote == f"127.0.0.1:{server.port}"
    assert first.marks.conn_ns is not None


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command for a certificate")
def test_secure_target(tmp_path: Path) -> None:
    """In the tunnel the target's own name is checked, and the proxy is told nothing but where it leads."""
    cert, key = certificate(tmp_path, "DNS:api.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    trust = ssl.create_default_context(cafile=str(cert))
    with Loopback(
        [sized(b"ok")], tls=context, tunnel=b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n"
    ) as server:
        proxies = {"all": f"http://user:{SECRET}@127.0.0.1:{server.port}"}
        first, second = send(Origin("https", "api.example", 443), proxies, 2, trust)
        [refused] = send(Origin("https", "other.example", 8443), proxies, 1, trust)
    assert (first.body, first.failure, second.body, second.reused) == (b"ok", None, b"ok", True)
    assert (first.remote, first.tls_version) == (f"127.0.0.1:{server.port}", "TLSv1.3")
    assert (first.marks.dns_ns or 0) < (first.marks.conn_ns or 0) < (first.marks.tls_ns or 0)
    assert server.requests == [HEAD % 2 + b"{}"] * 2
    credentials = base64.b64encode(b"user:p@ss:word")
    lines = b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic %b\r\n\r\n"
    names = (b"api.example:443", b"other.example:8443")
    assert server.connects == [lines % (name, name, credentials) for name in names]
    assert refused.failure is not None
    assert refused.failure.kind == "tls"
    assert "other.example" in refused.failure.detail


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (sized(b"no", "407 Proxy Authentication Required"), "answered 407 Proxy Authentication Required to CONNECT"),
        (sized(b"no", "503 Down"), "answered 503 Down"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "gave no answer to CONNECT"),
        (b"HTTP/1.1 200 OK\r\n\r\nextra", "bytes of its own"),
    ],
)
def test_a_proxy_that_refuses(answer: bytes, said: str) -> None:
    """The failure is one of connecting, says that it was the proxy and what it answered, and holds no credentials."""
    with Loopback([answer, "fin"]) as server:
        [exchange] = send(
            Origin("https", "api.example", 443), {"https": f"http://user:{SECRET}@127.0.0.1:{server.port}"}
        )
    assert exchange.failure is not None
    assert exchange.failure.kind == "connect"
    assert exchange.failure.detail.startswith(f"proxy 127.0.0.1:{server.port} ")
    assert said in exchange.failure.detail
    assert "word" not in exchange.failure.detail
    assert exchange.marks.conn_ns is None


def test_a_plain_target_behind_a_proxy_that_refuses() -> None:
    """A 407 can only be the proxy's; a proxy that is not there is named as the one that is missing."""
    with Loopback([sized(b"no", "407 Who are you")]) as server:
        proxies = {"http": f"http://127.0.0.1:{server.port}"}
        [refused] = send(Origin("http", "api.example", 80), proxies)
    [gone] = send(Origin("http", "api.example", 80), proxies)
    [unknown] = send(Origin("http", "api.example", 80), {"http": "http://proxy.invalid:3128"})
    details = [exchange.failure.detail for exchange in (refused, gone, unknown) if exchange.failure]
    assert {exchange.failure.kind for exchange in (refused, gone, unknown) if exchange.failure} == {"connect"}
    assert f"proxy 127.0.0.1:{server.port} answered 407" in details[0]
    assert f"proxy 127.0.0.1:{server.port} cannot be reached" in details[1]
    assert "proxy proxy.invalid:3128 cannot be reached" in details[2]


def test_a_proxy_that_says_nothing() -> None:
    """The connect deadline holds for proxy and tunnel together."""
    with Loopback(["wait"]) as server:

        async def main() -> Exchange:
            pool = Pool(proxies={"all": f"http://127.0.0.1:{server.port}"})
            try:
                return await pool.send(Origin("https", "api.example", 443), HEAD % 0, b"", Deadlines(connect_s=0.2))
            finally:
                await pool.aclose()

        exchange = run(main())
        assert server.gone.wait(3)
    assert exchange.failure is not None
    assert exchange.failure.kind == "timeout_connect"
    assert "through the proxy" in exchange.failure.detail
