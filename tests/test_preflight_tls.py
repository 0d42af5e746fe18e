"""A check where TLS is wrong: each way is told apart, over real sockets and with openssl's certificates."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, certificate, sized

from harness.preflight.check import check
from harness.preflight.found import Check
from harness.provider import Endpoint, Provider
from harness.wire.loop import run
from harness.wire.origin import Origin
from harness.wire.spoken import spoken

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
LIST = sized(json.dumps({"data": [{"id": "m"}]}).encode())


def _expired(folder: Path) -> tuple[Path, Path]:
    """A certificate that ended before it began, which no `openssl req` makes."""
    key, request, cert, names = (folder / name for name in ("key.pem", "request.pem", "cert.pem", "names"))
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    made = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
    signed = f"openssl x509 -req -in {request} -signkey {key} -days -1 -extfile {names} -out {cert}"
    subprocess.run([*made.split(), "-keyout", key, "-out", request], check=True, capture_output=True)
    subprocess.run(signed.split(), check=True, capture_output=True)
    return cert, key


def _server(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that nobody vouches for."""
    return certificate(tmp_path_factory.mktemp("good"), "DNS:localhost")


@pytest.fixture
def trusted(good: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process trusts it, as its user says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(good[0]))


def checked(url: str) -> Check:
    """The model ``m`` there, without chat."""
    provider = Provider("p", "hosted", url, models={"m": "m"})
    (found,) = run(check([Endpoint(provider, "m", "m")], free=True, timeout_s=2.0))
    return found


def states(found: Check) -> dict[str, str]:
    """The steps of the connection."""
    return {name: found.steps[name].state for name in ("dns", "connect", "tls")}  # type: ignore[index]


def test_a_trusted_server_is_usable(good: tuple[Path, Path], trusted: None) -> None:
    """With its authority's file named in SSL_CERT_FILE all three steps of the connection are ok and timed."""
    with Loopback([LIST], tls=_server(good)) as server:
        found = checked(f"https://localhost:{server.port}/v1")
    assert found.usable
    assert set(states(found).values()) == {"ok"}
    assert (found.steps["tls"].ms or 0) > 0
    assert found.steps["tls"].detail == "TLSv1.3"


def test_self_signed(good: tuple[Path, Path]) -> None:
    """A certificate that nobody vouches for: the remedy is to name its file."""
    with Loopback([LIST], tls=_server(good)) as server:
        found = checked(f"https://localhost:{server.port}/v1")
    assert states(found) == {"dns": "ok", "connect": "ok", "tls": "wrong"}
    assert "self-signed" in found.detail
    assert "SSL_CERT_FILE" in found.next_step
    assert server.requests == []


def test_another_name(good: tuple[Path, Path], trusted: None) -> None:
    """A trusted certificate for another name: the remedy is in base_url."""
    with Loopback([LIST], tls=_server(good)) as server:
        found = checked(f"https://127.0.0.1:{server.port}/v1")
    assert states(found)["tls"] == "wrong"
    assert "put that name into base_url" in found.next_step


def test_expired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that has ended: nothing here mends it but its renewal."""
    files = _expired(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with Loopback([LIST], tls=_server(files)) as server:
        found = checked(f"https://localhost:{server.port}/v1")
    assert "has expired" in found.detail
    assert "renewed" in found.next_step


def test_http_spoken_to_a_tls_port(good: tuple[Path, Path]) -> None:
    """Plain HTTP to a port that speaks TLS: write https, whether the server hangs up or answers 400."""
    with Loopback([LIST], tls=_server(good)) as server:
        found = checked(f"http://127.0.0.1:{server.port}/v1")
    assert (found.state, found.steps["tls"].state) == ("wrong protocol", "wrong")
    assert "write https://" in found.next_step


def test_a_polite_server_that_wants_tls(good: tuple[Path, Path]) -> None:
    """A server that tells plain HTTP from TLS and answers 400 is found out all the same."""
    listener = socket.create_server(("127.0.0.1", 0))
    answering = threading.Thread(target=_polite, args=(listener, _server(good)), daemon=True)
    answering.start()
    found = checked(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    answering.join(5)
    assert found.state == "wrong protocol"
    assert "write https://" in found.next_step


def _polite(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Answer plain requests with 400, and shake hands with whoever begins to."""
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock, contextlib.suppress(OSError):
            if sock.recv(1, socket.MSG_PEEK) == b"\x16":
                with context.wrap_socket(sock, server_side=True) as session:
                    session.recv(1)
            else:
                sock.recv(65536)
                sock.sendall(sized(b"The plain HTTP request was sent to HTTPS port", "400 Bad Request"))


def test_tls_spoken_to_a_plain_port() -> None:
    """A handshake with a server of plain HTTP: write http, whether it answers the handshake or waits for more."""
    with Loopback([LIST]) as server:
        found = checked(f"https://127.0.0.1:{server.port}/v1")
    assert (found.state, states(found)) == ("wrong protocol", {"dns": "ok", "connect": "ok", "tls": "wrong"})
    assert "write http://" in found.next_step


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and says nothing."""
    with Loopback(["wait"]) as server:
        yield server.port


def test_silence_is_no_protocol(silent: int) -> None:
    """A port that says nothing is not taken for either, and asking it what it speaks ends."""
    assert run(spoken(Origin("https", "127.0.0.1", silent), 0.2)) is None


def test_asking_what_a_port_speaks_sends_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to find out holds neither key nor host."""
    with Loopback([sized(b"")]) as server:
        assert run(spoken(Origin("https", "localhost", server.port), 0.5)) == "http"
    sent: Any = b"".join(server.requests)
    assert b"localhost" not in sent
    assert b"uthorization" not in sent
