"""What the simulator puts on the wire where it is odd or broken, its metrics, and its death in the middle of a run."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.engines import child
from harness.simulator.engine.stream import Send
from harness.simulator.model.book import Book
from harness.simulator.profile import PROFILES
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming
from harness.simulator.settings import with_settings

ODD_TEXT = "Repeat exactly: 漢字 é 1 2 3"
SIGNS = {"nul": "\0", "ansi": "\x1b[31m", "bidi": "\u202e", "line_separators": "\u2028"}


def sends(mutant: str, text: str = ODD_TEXT, **fields: Any) -> list[Send]:
    """The writes of one answer with a deviation."""
    service = Service(with_settings(PROFILES["null"], [f"mutants={mutant}"] if mutant else []), Book({}))
    body = {"model": "sim-small", "messages": [{"role": "user", "content": text}], "stream": True, **fields}
    return list(service.reply(Incoming("POST", "/v1/chat/completions", {}, json.dumps(body).encode(), 1)).sends)


def unchunked(data: bytes) -> bytes:
    """The content of a body in HTTP chunks, which must end as it should."""
    content = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not int(size, 16):
            assert data == b"\r\n"
            return content
        content, data = content + data[: int(size, 16)], data[int(size, 16) + 2 :]


def body_of(written: list[Send]) -> bytes:
    """The body of a stream, out of its HTTP chunks."""
    return unchunked(b"".join(send.data for send in written).partition(b"\r\n\r\n")[2])


def read(stream: bytes) -> str:
    """The text of a stream, read as the specification of event streams says: lines end with CR, LF or CR LF."""
    text = ""
    for block in re.split(rb"(?:\r\n|\r|\n){2}", stream):
        lines = re.split(rb"\r\n|\r|\n", block)
        data = b"\n".join(line[6:] for line in lines if line.startswith(b"data: "))
        if data and data != b"[DONE]":
            choices = json.loads(data)["choices"]
            text += "".join(choice["delta"].get("content") or "" for choice in choices)
    return text


# --- odd streams -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mutant", ["sse_cr", "sse_crlf", "sse_crlf_split", "sse_comments", "sse_event_fields", "sliced", *SIGNS]
)
def test_an_odd_stream_still_says_the_same(mutant: str) -> None:
    """Framing that the specification allows, and odd signs in the text, lose nothing for a client that follows it."""
    plain, odd = read(body_of(sends(""))), read(body_of(sends(mutant)))
    assert odd.endswith(plain)
    assert (SIGNS[mutant] in odd) if mutant in SIGNS else (odd == plain)


def test_lines_end_as_the_mutant_says() -> None:
    """CR alone, CR LF, and CR LF with a write between the two."""
    assert b"\n" not in body_of(sends("sse_cr"))
    assert not re.search(rb"[^\r]\n|\r[^\n]", body_of(sends("sse_crlf")))
    written = [send.data for send in sends("sse_crlf_split") if send.kind == "token"]
    chunks = [re.sub(rb"^[0-9a-f]+\r\n|\r\n$", b"", data) for data in written]
    assert chunks[0].endswith(b"\r\n\r")
    assert chunks[1] == b"\n"
    assert b"data: : keep-alive" not in body_of(sends("sse_comments"))
    assert body_of(sends("sse_comments")).count(b": keep-alive\n\n") > 5


def test_a_sliced_stream_is_cut_inside_characters() -> None:
    """Some write ends inside a character of several bytes, and the next one goes on there."""
    chunks = [re.sub(rb"^[0-9a-f]+\r\n|\r\n$", b"", send.data) for send in sends("sliced") if send.kind == "token"]
    halves = [chunk for chunk in chunks if chunk[-1] >= 0xC0]
    assert halves
    with pytest.raises(UnicodeDecodeError):
        halves[0].decode()


@pytest.mark.parametrize("stream", [True, False])
def test_a_compressed_answer_is_the_answer(stream: bool) -> None:
    """With gzip_unasked the header says so and the bytes are gzip, each event readable when it comes."""
    written = sends("gzip_unasked", stream=stream)
    head, _, body = b"".join(send.data for send in written).partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head
    whole = zlib.decompress(unchunked(body) if stream else body, wbits=31)
    said = read(whole) if stream else json.loads(whole)["choices"][0]["message"]["content"]
    assert said == read(body_of(sends("")))
    lie = b"".join(send.data for send in sends("lying_encoding", stream=stream))
    assert b"content-encoding: gzip" in lie
    assert b"chat.completion" in lie


@pytest.mark.parametrize("stream", [True, False])
def test_broken_text_is_broken_where_it_says(stream: bool) -> None:
    """bad_utf8 is no UTF-8, lone_surrogate is JSON whose text no UTF-8 can hold; blank lines stand before the JSON."""
    bad = b"".join(send.data for send in sends("bad_utf8", stream=stream))
    with pytest.raises(UnicodeDecodeError):
        bad.decode()
    half = b"".join(send.data for send in sends("lone_surrogate", stream=stream))
    assert b"\\ud83d" in half
    if stream:
        assert "\ud83d" in read(unchunked(half.partition(b"\r\n\r\n")[2]))
    else:
        assert sends("blank_lines", stream=False)[-1].data.partition(b"\r\n\r\n")[2].startswith(b"\n\n{")


# --- over sockets ----------------------------------------------------------------------------------------


@contextmanager
def simulating(folder: Path, profile: str, *settings: str) -> Iterator[tuple[int, int]]:
    """Port and process id of a simulator."""
    argv = [sys.executable, "-m", "harness", "simulate", profile, "--log", str(folder / "log.jsonl"), "--log-chunks"]
    for setting in settings:
        argv += ["--set", setting]
    process, ready = child.spawn(argv, log=folder / "out.txt", ready_timeout_s=30)
    try:
        yield int(ready["base_url"].rsplit(":", 1)[1].split("/")[0]), process.pid
    finally:
        child.stop(process)
    assert (folder / "out.txt").read_text() == ""


def posted(text: str, **fields: Any) -> bytes:
    """A chat that asks for a stream and for the end of its connection."""
    body = {"model": "sim-small", "messages": [{"role": "user", "content": text}], "stream": True, **fields}
    data = json.dumps(body).encode()
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n"
    ).encode() + data


async def ask(port: int, text: str, **fields: Any) -> bytes:
    """All that came back on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(text, **fields))
    got = await reader.read()
    writer.close()
    return got


def scraped(port: int) -> dict[str, float]:
    """The samples of /metrics by name, buckets apart."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = list(text_string_to_metric_families(page.read().decode()))
    samples = [sample for family in families for sample in family.samples if "le" not in sample.labels]
    assert all(sample.labels == {"model_name": "sim-small", "engine": "0"} for sample in samples)
    return {sample.name: sample.value for sample in samples}


def test_metrics_are_those_of_the_requests(tmp_path: Path) -> None:
    """During a run /metrics tells batch and queue; after it, counts, tokens and sums are those of the log."""

    async def run(port: int) -> dict[str, float]:
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(ask(port, f"{number}: a story", stream=bool(number % 3)))
            await asyncio.sleep(0.12)
            return await asyncio.to_thread(scraped, port)

    settings = ("batch=2", "tokens=12", "tokens_sd=0", "itl_ms=10", "ttft_ms=20", "early_role=yes", "jitter=0")
    with simulating(tmp_path, "vllm-like", *settings) as (port, _):
        assert scraped(port)["vllm:num_requests_running"] == 0
        during, after = asyncio.run(run(port)), scraped(port)
    assert during["vllm:num_requests_running"] == 2
    assert during["vllm:num_requests_waiting"] == 4 - during["vllm:e2e_request_latency_seconds_count"]
    assert 0 < during["vllm:kv_cache_usage_perc"] < 0.01
    assert (after["vllm:num_requests_running"], after["vllm:num_requests_waiting"]) == (0, 0)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    mine = [line for line in lines if line["type"] == "request" and line["id"]]
    assert after["vllm:generation_tokens_total"] == sum(line["tokens"] for line in mine) == 72
    assert after["vllm:prompt_tokens_total"] == sum(line["prompt_tokens"] for line in mine)
    assert after["vllm:prefix_cache_queries_total"] == after["vllm:prompt_tokens_total"]
    assert after["vllm:prefix_cache_hits_total"] == sum(line["cached_tokens"] for line in mine)
    for name in ("time_to_first_token", "request_queue_time", "e2e_request_latency", "request_time_per_output_token"):
        assert after[f"vllm:{name}_seconds_count"] == 6
    assert after["vllm:inter_token_latency_seconds_count"] == 66
    queued = sum(line["granted_ns"] - line["read_ns"] for line in mine) * 1e-9
    assert after["vllm:request_queue_time_seconds_sum"] == pytest.approx(queued)
    assert queued > 0.3
    assert after["vllm:num_preemptions_total"] == 0


def test_metrics_can_be_switched_off() -> None:
    """With metrics=no there is no such path, and it is never under /v1."""
    for settings, path, status in ((["metrics=no"], "/metrics", 404), ([], "/v1/metrics", 404), ([], "/metrics", 200)):
        service = Service(with_settings(PROFILES["null"], settings), Book({}))
        assert service.reply(Incoming("GET", path, {}, b"", 1)).status == status


def test_who_leaves_the_queue_makes_room(tmp_path: Path) -> None:
    """A client that goes away while it waits, or in the middle of its answer, holds no place."""

    async def run(port: int) -> bytes:
        gone = []
        for number in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(posted(f"{number}: a story"))
            await writer.drain()
            gone.append(writer)
        last = asyncio.create_task(ask(port, "last", sim={"tokens": 1}))
        await asyncio.sleep(0.2)
        for writer in reversed(gone):
            writer.close()
        return await asyncio.wait_for(last, 10)

    with simulating(tmp_path, "null", "batch=1", "itl_ms=1000", "tokens=60") as (port, _):
        assert b"[DONE]" in asyncio.run(run(port))
        assert scraped(port)["vllm:num_requests_running"] == 0


def drained(sock: socket.socket) -> None:
    """Read to the end."""
    while sock.recv(65536):
        pass


def test_an_endpoint_dies_and_comes_back(tmp_path: Path) -> None:
    """At down_after_s what is open is reset and what is new refused; down_for_s later the same port answers again."""
    with simulating(tmp_path, "null", "down_after_s=0.5", "down_for_s=0.5", "itl_ms=100") as (port, _):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(posted("a story"))
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
            with pytest.raises(ConnectionResetError):
                drained(sock)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        until = time.perf_counter() + 10
        while time.perf_counter() < until:
            try:
                got = asyncio.run(ask(port, "again", max_tokens=1))
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        assert b"[DONE]" in got
    kinds = [json.loads(line)["type"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [kind for kind in kinds if kind != "request"] == ["start", "down", "up", "end"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the size of a process from /proc")
def test_a_stream_without_end_costs_no_memory(tmp_path: Path) -> None:
    """A client that does not read an endless answer of giant lines is waited for; other clients are served."""

    def megabytes(pid: int) -> float:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    with simulating(tmp_path, "null", "per_request=yes") as (port, pid):
        before = megabytes(pid)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            many = {"fault": "endless", "tokens": 100_000}
            sock.sendall(posted("a story", sim=many))
            time.sleep(1.0)
            assert b"[DONE]" in asyncio.run(ask(port, "another", max_tokens=3))
            assert megabytes(pid) - before < 150
            got = 0
            while got < 30_000_000:
                got += len(sock.recv(1 << 20))
        assert b"[DONE]" in asyncio.run(ask(port, "another", max_tokens=3))
