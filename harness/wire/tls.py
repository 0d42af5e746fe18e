"""TLS between two memory buffers, so that the socket stays ours and its reads keep the kernel's stamps."""

from __future__ import annotations

import contextlib
import ssl

from harness.wire.fault import Fault

_READ_SIZE = 65536


def default_context() -> ssl.SSLContext:
    """Verifying context of the platform's trust store that offers HTTP/1.1."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Tls:
    """One TLS session; every method that can fail raises Fault of kind ``tls``.

    ``host`` is the name of the server that a client talks to; None: this is the server's side.
    """

    def __init__(self, context: ssl.SSLContext, host: str | None) -> None:
        self._host = host
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        try:
            self._session = context.wrap_bio(
                self._incoming, self._outgoing, server_side=host is None, server_hostname=host
            )
        except ValueError as error:
            raise Fault("tls", f"host name {host!r} cannot be used for TLS: {error}") from error

    @property
    def version(self) -> str | None:
        """For example ``TLSv1.3``; None before the handshake."""
        return self._session.version()

    def handshake(self, data: bytes) -> bool:
        """Go on with what the other side sent (a client: nothing at first); True when done.

        Send ``pending`` after each call.
        """
        self._incoming.write(data)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as error:
            raise Fault("tls", f"certificate of {self._host} is not trusted: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise self._fault("handshake failed", error) from error
        return True

    def pending(self) -> bytes:
        """Bytes that must go to the other side, possibly none."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def encrypt(self, data: bytes) -> bytes:
        """Records for ``data``."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._session.write(rest) :]
        except ssl.SSLError as error:
            raise self._fault("sending failed", error) from error
        return self._outgoing.read()

    def farewell(self) -> bytes:
        """The record that ends our side of the session."""
        with contextlib.suppress(ssl.SSLError):  # it asks for the other side's, which is not waited for
            self._session.unwrap()
        return self.pending()

    def decrypt(self, data: bytes) -> tuple[bytes, bool]:
        """Plain bytes that are complete now, and whether the other side has ended the session."""
        self._incoming.write(data)
        pieces = []
        closed = False
        try:
            while True:
                piece = self._session.read(_READ_SIZE)
                if not piece:
                    closed = True
                    break
                pieces.append(piece)
                if not self._incoming.pending and not self._session.pending():
                    break  # all is read; asking once more would cost an exception
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            closed = True
        except ssl.SSLError as error:
            if not pieces:
                raise self._fault("broken record", error) from error
            closed = True  # what was decrypted before the break is kept; the framing tells whether it was all
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), closed

    def _fault(self, what: str, error: ssl.SSLError) -> Fault:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        hint = " (does the server speak TLS on this port?)" if "wrong version number" in reason else ""
        return Fault("tls", f"{what}: {reason}{hint}")
