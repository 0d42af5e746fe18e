"""HTTP framing without a socket."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from loopback import CHUNKED, LAST_CHUNK, chunk, sized

from harness.wire.fault import Fault
from harness.wire.response import MAX_HEAD, Response


def _fed(*parts: bytes) -> tuple[Response, bytes]:
    response = Response()
    return response, b"".join(response.feed(part) for part in parts)


def _fault(response: Response, kind: str) -> Fault:
    """The fault of a response, which is of this kind."""
    assert response.fault is not None
    assert response.fault.kind == kind
    return response.fault


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
    assert response.fault is None
    response.end()
    assert said in _fault(response, "truncated").detail
    assert not response.complete


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
    response, _ = _fed(sent)
    fault = _fault(response, "bad_http")
    assert said in fault.detail
    assert "\n" not in fault.detail


def test_body_before_a_fault_is_kept() -> None:
    """The good chunks of a read that ends in nonsense are handed out with the fault."""
    response, body = _fed(CHUNKED + chunk(b"good") + b"nonsense\r\n")
    assert body == b"good"
    _fault(response, "bad_http")


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
    response = Response(max_body=10)
    assert response.feed(sized(b"x" * 11)) == b"x" * 11
    assert "larger than 10 bytes" in _fault(response, "too_large").detail


def test_compressed_success_is_a_fault() -> None:
    """A compressed success is bad_http, a compressed error keeps its status as the finding."""
    response, _ = _fed(sized(b"\x1f\x8b", "200 OK", "content-encoding: gzip"))
    assert "'gzip' although identity" in _fault(response, "bad_http").detail
    response, body = _fed(sized(b"\x1f\x8b", "403 Forbidden", "content-encoding: gzip"))
    assert (response.fault, body) == (None, b"\x1f\x8b")


def _asked(
    encoding: str, *parts: bytes, status: str = "200 OK", max_body: int = 10_000
) -> tuple[Response, list[bytes]]:
    """A response to a request that asked for gzip, its body in these chunks."""
    response = Response(max_body, decode=True)
    head = f"HTTP/1.1 {status}\r\ncontent-encoding: {encoding}\r\ntransfer-encoding: chunked\r\n\r\n"
    response.feed(head.encode())
    found = [response.feed(chunk(part)) for part in parts]
    response.feed(LAST_CHUNK)
    return response, found


BODY = b"data: one\n\n" * 30
# A gzip header holds the time of packing, and a test is named by its bytes.
PACKED = gzip.compress(BODY, mtime=0)
PACKED_IN_TWO = gzip.compress(BODY[:90], mtime=0) + gzip.compress(BODY[90:], mtime=0)
BARE = zlib.compressobj(wbits=-15)
ENCODED = [
    ("gzip", PACKED),
    ("X-GZIP", PACKED),
    ("deflate", zlib.compress(BODY)),
    ("deflate", BARE.compress(BODY) + BARE.flush()),
    ("gzip", PACKED_IN_TWO),
]


@pytest.mark.parametrize(("encoding", "data"), ENCODED)
def test_compression_that_was_asked_for_is_taken_off(encoding: str, data: bytes) -> None:
    """Both gzip and the two kinds of deflate are decoded wherever the reads cut them."""
    for size in (1, 7, len(data)):
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        response, found = _asked(encoding, *parts)
        assert (b"".join(found), response.fault, response.complete) == (BODY, None, True)
        assert response.body_bytes == len(data)


def test_each_read_gives_what_it_holds() -> None:
    """A server that flushes after each event has each event in the read that brought it."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(b"data: %d\n\n" % n) + packer.flush(zlib.Z_SYNC_FLUSH) for n in range(3)]
    response, found = _asked("gzip", *parts, packer.flush())
    assert found == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n", b""]
    assert response.fault is None


@pytest.mark.parametrize(
    ("encoding", "data", "said"),
    [
        ("gzip", b"plain text", "broken gzip body"),
        ("gzip", PACKED + b"junk", "broken gzip body"),
        ("gzip", PACKED[:-4], "ends in its middle"),
        ("deflate", zlib.compress(BODY)[:-2], "ends in its middle"),
        ("br", b"whatever", "'br' although gzip"),
    ],
)
def test_broken_compression(encoding: str, data: bytes, said: str) -> None:
    """A compressed body that cannot be decoded to its end is bad_http; an error answer keeps its status instead."""
    response, _ = _asked(encoding, data)
    assert said in _fault(response, "bad_http").detail
    response, _ = _asked(encoding, data, status="429 Slow Down")
    assert (response.fault, response.status) == (None, 429)


def test_a_bomb_is_given_up_at_the_cap() -> None:
    """The cap counts decoded bytes, and no more than the cap is ever unpacked."""
    response, found = _asked("gzip", gzip.compress(bytes(5_000_000)))
    assert "decoded body" in _fault(response, "too_large").detail
    assert len(found[0]) == 10_001


def test_one_byte_at_a_time_costs_no_memory() -> None:
    """Framing that comes byte by byte is not hoarded: headers, chunk sizes and a compressed body are state only."""
    packed = gzip.compress(bytes(1_000_000))
    tracemalloc.start()
    try:
        response = Response(decode=True)
        response.feed(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\nx: ")
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20_000):
            response.feed(b"a")
        response.feed(b"\r\n\r\n")
        for byte in packed:
            response.feed(b"1\r\n%b\r\n" % bytes([byte]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.fault is None
    assert peak - before < 300_000
