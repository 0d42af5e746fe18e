"""A scripted server on a loopback socket, in threads of its own: it sends given bytes at given times."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

Step = bytes | float | Literal["fin", "rst", "wait"]
"""Bytes are sent, a float is slept (seconds), ``fin`` closes, ``rst`` resets, ``wait`` waits for the client to go."""


class Loopback:
    """Answers the n-th request with the n-th script, the last one again and again; a context manager.

    ``sent_ns`` holds ``perf_counter_ns`` just before each send, ``requests`` the raw bytes of each request.
    With ``tls`` the same over TLS; a client that refuses the handshake leaves its error in ``tls_errors``.
    With ``deaf`` seconds pass before a request is read at all.
    With ``tunnel`` each connection begins with a CONNECT, kept in ``connects`` and answered with these bytes: proxy and
    target in one.
    """

    def __init__(
        self,
        *scripts: Sequence[Step],
        tls: ssl.SSLContext | None = None,
        deaf: float = 0.0,
        tunnel: bytes | None = None,
    ) -> None:
        self.connects: list[bytes] = []
        self.requests: list[bytes] = []
        self.sent_ns: list[int] = []
        self.tls_errors: list[str] = []
        self.accepted = 0
        self.asked = threading.Event()
        """A request has been read."""
        self.gone = threading.Event()
        """A client closed or reset its connection."""
        self._scripts = scripts
        self._tls = tls
        self._deaf = deaf
        self._tunnel = tunnel
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in self._sockets:
            sock.close()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
            self.accepted += 1
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tunnel is not None:
                self.connects.append(_read_request(sock) or b"")
                sock.sendall(self._tunnel)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            while self._answer(sock):
                pass
        except ssl.SSLError as error:
            self.tls_errors.append(str(error))
        except OSError:
            self.gone.set()

    def _answer(self, sock: socket.socket) -> bool:
        """Serve one request; False: the connection is over."""
        time.sleep(self._deaf)
        request = _read_request(sock)
        if request is None:
            self.gone.set()
            return False
        with self._lock:
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
            self.requests.append(request)
        self.asked.set()
        for step in script:
            if isinstance(step, bytes):
                self.sent_ns.append(time.perf_counter_ns())
                sock.sendall(step)
            elif isinstance(step, float):
                time.sleep(step)
            elif step == "wait":
                while sock.recv(65536):
                    pass
                self.gone.set()
                return False
            else:
                if step == "rst":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
                return False
        return True


def _read_request(sock: socket.socket) -> bytes | None:
    """Head and body of one request; None: the client went away before it was whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < (lengths[0] if lengths else 0):
        piece = sock.recv(1 << 20)
        if not piece:
            return None
        body += piece
    return head + b"\r\n\r\n" + body


def sized(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole response with a content length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def certificate(folder: Path, names: str = "DNS:localhost,IP:127.0.0.1") -> tuple[Path, Path]:
    """Certificate and key of a self-signed localhost, made with the ``openssl`` command."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    extensions = (f"subjectAltName={names}", "keyUsage=critical,digitalSignature,keyCertSign")
    added = [word for extension in extensions for word in ("-addext", extension)]
    subprocess.run([*command.split(), *added, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key
