"""One HTTP/1.1 response as it comes in: framing is taken off, nothing else is touched. No clock, no socket.

No decompression: the request asks for ``identity``. A successful answer that is compressed all the same is the fault
``bad_http`` (its bytes are kept); an error answer keeps its status as the finding, so it is left as it is.
"""

from __future__ import annotations

import httptools

from harness.wire.fault import Fault

MAX_BODY = 64 * 1024 * 1024
"""Bytes of body after which a response is given up as ``too_large``."""
MAX_HEAD = 1024 * 1024
"""Bytes after which headers that do not end are given up."""


class Response:
    """Parser state of one response; interim (1xx) answers before it are skipped."""

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.headers_done = False
        self.complete = False
        self.keep_alive = False
        """Whether the connection may carry another exchange; meaningful once complete."""
        self.received = 0
        """Bytes fed, framing included."""
        self.body_bytes = 0
        self.chunks = 0
        """HTTP chunks that gave body bytes in the latest feed."""
        self._max_body = max_body
        self._pieces: list[bytes] = []
        self._new_chunk = False
        self._upgraded = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bytes:
        """Body bytes of one read; raises Fault, after which ``take`` still has the body bytes before the fault."""
        self.chunks = 0
        self._new_chunk = True
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete or self._upgraded:
                raise Fault("bad_http", self._describe(error, data)) from error
            self.keep_alive = False  # bytes after the end of a complete response: the response itself stands
        if self.headers_done and self.status is not None and self.status < 100:
            raise Fault("bad_http", f"not an HTTP status: {self.status}")
        if not self.headers_done and self.received > MAX_HEAD:
            raise Fault("bad_http", f"headers did not end within {MAX_HEAD} bytes")
        if self.body_bytes > self._max_body:
            raise Fault("too_large", f"body is larger than {self._max_body} bytes")
        return self.take()

    def take(self) -> bytes:
        """Body bytes not yet handed out."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> None:
        """The peer closed the connection; raises Fault if that is before the framing end."""
        if self.complete:
            return
        if not self.received:
            raise Fault("truncated", "server closed the connection before any response byte")
        if not self.headers_done:
            raise Fault("truncated", "server closed the connection inside the response headers")
        if not self._close_delimited():
            raise Fault("truncated", f"server closed the connection after {self.body_bytes} body bytes, {self._rest()}")
        self.complete = True

    def check_encoding(self) -> None:
        """Raises Fault if a successful answer came compressed although ``identity`` was asked for."""
        encoding = self._header("content-encoding").strip().lower()
        if encoding not in ("", "identity") and self.body_bytes and (self.status or 0) < 400:
            raise Fault("bad_http", f"body came with content-encoding {encoding!r} although identity was asked for")

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
        """A second message after a complete one means leftover bytes."""
        if self.complete:
            self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers, which come after the headers' end, are not recorded."""
        if not self.headers_done:
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Interim answers are told apart by their status."""
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        self._upgraded = self.status == 101
        self.headers_done = not 100 <= self.status < 200 or self._upgraded

    def on_chunk_header(self) -> None:
        """The next body bytes belong to another chunk."""
        self._new_chunk = True

    def on_body(self, data: bytes) -> None:
        """Body bytes, a whole chunk or a part of one."""
        if self.complete:
            return
        if self._new_chunk:
            self.chunks += 1
            self._new_chunk = False
        self.body_bytes += len(data)
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """End of the response, or of an interim answer."""
        if self.complete:
            return
        if self.headers_done:
            self.complete = True
            self.keep_alive = not self._upgraded and self._parser.should_keep_alive()
        else:
            self.status = None
            self.headers.clear()
