"""One HTTP/1.1 response as it comes in: framing and, where it was asked for, compression are taken off. No socket.

A successful answer that is compressed although ``identity`` was asked for is the fault ``bad_http`` (its bytes are
kept); an error answer keeps its status as the finding, so it is left as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import httptools

from harness.wire.fault import Fault

MAX_BODY = 64 * 1024 * 1024
"""Bytes of body, as it came and once decoded, after which a response is given up as ``too_large``."""
MAX_HEAD = 1024 * 1024
"""Bytes after which headers that do not end are given up."""

_GZIP = ("gzip", "x-gzip")


class _Inflater:
    """Takes ``gzip`` or ``deflate`` off, piece by piece; what is wrong is in ``fault``."""

    __slots__ = ("_encoding", "_left", "_limit", "_stream", "fault")

    def __init__(self, encoding: str, limit: int) -> None:
        self.fault: Fault | None = None
        self._encoding = encoding
        self._limit = self._left = limit
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes) -> bytes:
        """What these bytes stand for."""
        out = b""
        while data and self.fault is None:
            if self._stream is None:
                self._stream = zlib.decompressobj(self._window(data[0]))
            try:
                piece = self._stream.decompress(data, self._left + 1)
            except zlib.error as error:
                self.fault = Fault("bad_http", f"broken {self._encoding} body: {error}")
                break
            out = out + piece if out else piece
            self._left -= len(piece)
            if self._left < 0:
                self.fault = Fault("too_large", f"decoded body is larger than {self._limit} bytes")
            if not self._stream.eof:
                break
            # Source: RFC 1952 section 2.2: further members may follow.
            data, self._stream = self._stream.unused_data, None
        return out

    def end(self) -> None:
        """No more bytes come."""
        if self._stream is not None and self.fault is None:
            self.fault = Fault("bad_http", f"{self._encoding} body ends in its middle")

    def _window(self, first: int) -> int:
        if self._encoding in _GZIP:
            return 16 + zlib.MAX_WBITS
        # "deflate" is zlib's format by RFC 9110 section 8.4.1.2, and bare deflate from some servers.
        return zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS


class Response:
    """Parser state of one response; interim (1xx) answers before it are skipped.

    ``decode`` is for a request that asked for gzip. What is wrong with the response is in ``fault`` after each call.
    """

    __slots__ = (
        "_decode",
        "_feed",
        "_inflater",
        "_max_body",
        "_parser",
        "_pieces",
        "_upgraded",
        "body_bytes",
        "chunks",
        "complete",
        "fault",
        "headers",
        "headers_done",
        "keep_alive",
        "on_body",
        "received",
        "status",
    )

    def __init__(self, max_body: int = MAX_BODY, *, decode: bool = False) -> None:
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.headers_done = False
        self.complete = False
        self.fault: Fault | None = None
        self.keep_alive = False
        """Whether the connection may carry another exchange; meaningful once complete."""
        self.received = 0
        """Bytes fed, framing included."""
        self.body_bytes = 0
        """Bytes of body as they came."""
        self.chunks = 0
        """HTTP chunks that gave body bytes in the latest feed."""
        self._max_body = max_body
        self._decode = decode
        self._inflater: _Inflater | None = None
        self._upgraded = False
        self._pieces: list[bytes] = []
        # The parser calls the list's own append for each piece of body, which costs a tenth of a method here. It gives
        # one piece for each chunk, so that their number is the number of chunks.
        self.on_body: Callable[[bytes], None] = self._pieces.append
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._feed: Callable[[bytes], None] = self._parser.feed_data

    def feed(self, data: bytes) -> bytes:
        """Body bytes of one read, those before a fault included."""
        self.received += len(data)
        parse = self._feed  # calling an attribute that is no method is slow in Python
        try:
            parse(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete or self._upgraded:
                self.fault = Fault("bad_http", self._describe(error, data))
            self.keep_alive = False  # bytes after the end of a complete response: the response itself stands
        if not self.headers_done and self.received > MAX_HEAD:
            self.fault = self.fault or Fault("bad_http", f"headers did not end within {MAX_HEAD} bytes")
        pieces = self._pieces
        self.chunks = len(pieces)
        body = b""
        if pieces:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self.body_bytes += len(body)
            if self.body_bytes > self._max_body:
                self.fault = self.fault or Fault("too_large", f"body is larger than {self._max_body} bytes")
            if self._inflater is not None:
                body = self._inflated(body)
        if self.complete and self.fault is None:
            self._check_encoding()
        return body

    def end(self) -> None:
        """The peer closed the connection; the fault says if that is before the framing end."""
        if self.complete or self.fault is not None:
            return
        if not self.received:
            self.fault = Fault("truncated", "server closed the connection before any response byte")
        elif not self.headers_done:
            self.fault = Fault("truncated", "server closed the connection inside the response headers")
        elif not self._close_delimited():
            said = f"server closed the connection after {self.body_bytes} body bytes, {self._rest()}"
            self.fault = Fault("truncated", said)
        else:
            self.complete = True
            self._check_encoding()

    def release(self) -> None:
        """Let go of the parser: the two hold each other, and would wait for the garbage collector."""
        self._parser = None
        self._feed = self._pieces.append

    def _inflated(self, body: bytes) -> bytes:
        assert self._inflater is not None
        decoded = self._inflater.feed(body)
        self._note(self._inflater.fault)
        return decoded

    def _check_encoding(self) -> None:
        """A successful answer must be encoded as it was asked for, and whole."""
        if self._inflater is not None:
            self._inflater.end()
            self._note(self._inflater.fault)
            return
        encoding = self._encoding()
        if encoding not in ("", "identity") and self.body_bytes:
            asked = "gzip" if self._decode else "identity"
            self._note(
                Fault("bad_http", f"body came with content-encoding {encoding!r} although {asked} was asked for")
            )

    def _note(self, fault: Fault | None) -> None:
        """A fault of the encoding; the status of an error answer says more than that."""
        if self.fault is None and (self.status or 0) < 400:
            self.fault = fault

    def _encoding(self) -> str:
        return self._header("content-encoding").strip().lower()

    def _header(self, name: str) -> str:
        return next((value for key, value in reversed(self.headers) if key == name), "")

    def _close_delimited(self) -> bool:
        """Source: RFC 9112 section 6.3."""
        coding = self._header("transfer-encoding")
        if coding:
            return coding.lower().split(",")[-1].strip() != "chunked"
        return not self._header("content-length")

    def _rest(self) -> str:
        length = self._header("content-length")
        return f"content-length said {length}" if length else "before the last chunk"

    def _describe(self, error: Exception, data: bytes) -> str:
        if self._upgraded:
            return "server switched protocols (status 101)"
        if self.headers_done or self.received > len(data):
            return f"broken HTTP framing: {error}"
        return f"not an HTTP/1.1 response ({error}): {data[:48]!r}"

    # --- callbacks of httptools ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A second message after a complete one means leftover bytes; an error stops the parser."""
        if self.complete:
            raise ValueError("a second response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers, which come after the headers' end, are not recorded."""
        if not self.headers_done:
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Interim answers are told apart by their status."""
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        self._upgraded = self.status == 101
        self.headers_done = not 100 <= self.status < 200 or self._upgraded
        if self.status < 100:
            self.fault = Fault("bad_http", f"not an HTTP status: {self.status}")
        if self._decode and (encoding := self._encoding()) in (*_GZIP, "deflate"):
            self._inflater = _Inflater(encoding, self._max_body)

    def on_message_complete(self) -> None:
        """End of the response, or of an interim answer."""
        if self.headers_done:
            assert self._parser is not None
            self.complete = True
            self.keep_alive = not self._upgraded and self._parser.should_keep_alive()
        else:
            self.status = None
            self.headers.clear()
