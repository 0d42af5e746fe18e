"""HTTP framing without a socket."""

from __future__ import annotations

import pytest
from loopback import CHUNKED, LAST_CHUNK, chunk, sized

from harness.wire.fault import Fault
from harness.wire.response import MAX_HEAD, Response


def _fed(*parts: bytes) -> tuple[Response, bytes]:
    response = Response()
    return response, b"".join(response.feed(part) for part in parts)


def test_content_length() -> None:
    """A sized body ends at its size and the connection may be kept."""
    response, body = _fed(sized(b"hello", "200 OK", "X-Empty:", "X-Two: a b"))
    assert (body, response.status, response.complete, response.keep_alive) == (b"hello", 200, True, True)
    assert response.headers == [("x-empty", ""), ("x-two", "a b"), ("content-length", "5")]


def test_chunked_in_any_pieces() -> None:
    """A chunked body is the same wherever the reads cut it; trailers are not headers."""
    whole = CHUNKED + chunk(b"one") + chunk(b"two") + b"0\r\nx-trailer: 1\r\n\r\n"
    for cut in range(1, len(whole)):
        response, body = _fed(whole[:cut], whole[cut:])
        assert (body, response.complete, response.keep_alive) == (b"onetwo", True, True)
        assert len(response.headers) == 2


def test_chunks_of_one_read_are_counted() -> None:
    """The last, empty chunk does not count; a part of a chunk does."""
    response = Response()
    response.feed(CHUNKED)
    assert response.chunks == 0
    response.feed(chunk(b"abc") + chunk(b"def"))
    assert response.chunks == 2
    response.feed(b"6\r\nabc")
    assert response.chunks == 1
    response.feed(b"def\r\n" + chunk(b"x"))
    assert response.chunks == 2
    response.feed(chunk(b"y") + LAST_CHUNK)
    assert response.chunks == 1


def test_interim_answers_are_skipped() -> None:
    """100 and 103 before the answer leave no trace in it."""
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    response, body = _fed(early + sized(b"ok"))
    assert (response.status, body, response.headers) == (200, b"ok", [("content-length", "2")])


def test_no_content() -> None:
    """204 and 304 are complete without a body."""
    for status in ("204 No Content", "304 Not Modified"):
        assert _fed(f"HTTP/1.1 {status}\r\n\r\n".encode())[0].complete


def test_close_delimited() -> None:
    """Without any framing the end of the connection ends the body."""
    response, body = _fed(b"HTTP/1.0 200 OK\r\n\r\nab", b"cd")
    assert not response.complete
    response.end()
    assert (body, response.complete, response.keep_alive) == (b"abcd", True, False)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "before any response byte"),
        (b"HTTP/1.1 200 OK\r\nconte", "inside the response headers"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "after 3 body bytes, content-length said 10"),
        (CHUNKED + chunk(b"abcd"), "after 4 body bytes, before the last chunk"),
    ],
)
def test_truncated(sent: bytes, said: str) -> None:
    """An end before the framing end is a fault that says how far the response came."""
    response = Response()
    if sent:
        response.feed(sent)
    with pytest.raises(Fault, match=said) as caught:
        response.end()
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not an HTTP/1.1 response"),
        (b"\x15\x03\x01\x00\x02\x02P", "not an HTTP/1.1 response"),
        (b"HTTP/1.1 200 OK\ncontent-length: 0\n\n", "not an HTTP/1.1 response"),
        (CHUNKED + b"zz\r\n", "broken HTTP framing"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "switched protocols"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * MAX_HEAD, "headers did not end"),
    ],
)
def test_bad_http(sent: bytes, said: str) -> None:
    """Bytes that are not an HTTP/1.1 response are a fault of one line."""
    with pytest.raises(Fault, match=said) as caught:
        Response().feed(sent)
    assert caught.value.kind == "bad_http"
    assert "\n" not in caught.value.detail


def test_body_before_a_fault_is_kept() -> None:
    """The good chunks of a read that ends in nonsense can still be taken."""
    response = Response()
    with pytest.raises(Fault):
        response.feed(CHUNKED + chunk(b"good") + b"nonsense\r\n")
    assert response.take() == b"good"


def test_leftover_bytes_spoil_the_connection() -> None:
    """Bytes after the end of a response leave it whole but its connection unfit."""
    for extra in (b"junk", b"HTTP/1.1 200 OK\r\n"):
        response, body = _fed(sized(b"ok") + extra)
        assert (body, response.complete, response.keep_alive) == (b"ok", True, False)


def test_connection_close() -> None:
    """Connection: close is obeyed, with and without bytes after it."""
    for extra in (b"", b"junk"):
        response, _ = _fed(sized(b"ok", "200 OK", "connection: close") + extra)
        assert (response.complete, response.keep_alive) == (True, False)


def test_too_large() -> None:
    """A body beyond the cap is given up."""
    with pytest.raises(Fault, match="larger than 10 bytes") as caught:
        Response(max_body=10).feed(sized(b"x" * 11))
    assert caught.value.kind == "too_large"


def test_compressed_success_is_a_fault() -> None:
    """A compressed success is bad_http, a compressed error keeps its status as the finding."""
    response, _ = _fed(sized(b"\x1f\x8b", "200 OK", "content-encoding: gzip"))
    with pytest.raises(Fault, match="gzip"):
        response.check_encoding()
    response, _ = _fed(sized(b"\x1f\x8b", "403 Forbidden", "content-encoding: gzip"))
    response.check_encoding()
