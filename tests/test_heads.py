"""Heads remembered between runs: the same bytes as the SDK's, without the SDK, and without a secret on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, sized
from test_transport import BEARER, HEADER, KEY, NONE, request

from harness.memory import MAX_FILES
from harness.provider import Auth, Deadlines, Provider
from harness.types import WRONG_KEY, Request
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

OTHER_KEY = "sk-another-key-of-another-length"
HEADERS = {"X-Title": "not-for-the-disk", "User-Agent": "ours"}

KINDS = [
    request(),
    request(stream=True),
    request(auth="wrong"),
    request(auth="none"),
    request(headers={"x-note": "private-note", "X-Title": "changed-title"}),
    request(headers={"Authorization": "Basic c2VjcmV0LXBhaXI="}),
    request(path="/models", method="GET", body=None),
    request(body=None),
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test alone; where the heads would be in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_NO_CACHE", raising=False)
    return tmp_path / "cache" / "endpoint-harness" / "heads"


class Found:
    """What reached the server, and whether the SDK had to be asked."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.sdk = False


def sent(*kinds: Request, auth: Auth, key: str | None = KEY, prepared: bool = True, **provider: Any) -> Found:
    """Requests of a client of their own, to a server on a port of its own."""
    found = Found()
    with Loopback([sized(b"{}")]) as server:

        async def main() -> None:
            pool = Pool()
            url = f"http://127.0.0.1:{server.port}/v1"
            client = Client(
                Provider("p", "local", url, auth, deadlines=Deadlines(total_s=5), **provider), pool, key=key
            )
            for kind in kinds:
                exchange = await client.send(kind, prepared=prepared)
                assert exchange.failure is None
            found.sdk = client._sdk is not None
            await client.aclose()
            await pool.aclose()

        run(main())
        found.raw = [raw.replace(b":%d\r\n" % server.port, b":PORT\r\n") for raw in server.requests]
    return found


@pytest.mark.parametrize("auth", [BEARER, HEADER, NONE], ids=["bearer", "header", "none"])
@pytest.mark.parametrize("headers", [{}, HEADERS], ids=["plain", "headers"])
def test_a_remembered_head_is_the_sdks(cache: Path, auth: Auth, headers: Mapping[str, str]) -> None:
    """With an empty memory, a full one and none at all the same bytes are sent, for every way of authentication."""
    plain = sent(*KINDS, auth=auth, prepared=False, headers=headers)
    assert not cache.exists(), "only prepared heads are remembered"
    first = sent(*KINDS, auth=auth, headers=headers)
    second = sent(*KINDS, auth=auth, headers=headers)
    assert plain.raw == first.raw == second.raw
    assert (first.sdk, second.sdk) == (True, False)
    other_plain = sent(*KINDS, auth=auth, key=OTHER_KEY, prepared=False, headers=headers)
    other = sent(*KINDS, auth=auth, key=OTHER_KEY, headers=headers)
    assert other_plain.raw == other.raw
    assert not other.sdk, "the key is no part of what is remembered"
    keyless = sent(*KINDS, auth=auth, key=None, headers=headers)
    assert keyless.raw == sent(*KINDS, auth=auth, key=None, prepared=False, headers=headers).raw


def test_no_secret_is_on_disk(cache: Path) -> None:
    """Neither a key, nor the value of a header, nor a host is in any remembered file or its name."""
    for auth in (BEARER, HEADER, NONE):
        sent(*KINDS, auth=auth, headers=HEADERS)
    files = list(cache.iterdir())
    assert len(files) >= 3 * len(KINDS) - 1
    secrets = [KEY, WRONG_KEY, "127.0.0.1", "not-for-the-disk", "private-note", "changed-title", "c2VjcmV0LXBhaXI="]
    for file in files:
        text = file.read_text()
        assert not [secret for secret in secrets if secret in text or secret in file.name]
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("change", ["base", "headers", "auth", "encoding", "ambient", "request"])
def test_what_a_head_depends_on(cache: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of anything that could change the head has the SDK asked anew."""
    sent(request(), auth=BEARER)
    if change == "ambient":
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Ambient: 1")
    changed = request(headers={"x": "1"}) if change == "request" else request()
    more: dict[str, Any] = {"headers": {"headers": {"x": "1"}}, "encoding": {"accept_encoding": "gzip"}}.get(change, {})
    if change == "base":
        with Loopback([sized(b"{}")]) as server:

            async def main() -> bool:
                pool = Pool()
                client = Client(Provider("p", "local", f"http://127.0.0.1:{server.port}/v2", BEARER), pool, key=KEY)
                await client.send(changed, prepared=True)
                await client.aclose()
                await pool.aclose()
                return client._sdk is not None

            assert run(main())
        return
    assert sent(changed, auth=HEADER if change == "auth" else BEARER, **more).sdk


def damage(file: Path, how: str) -> None:
    """Spoil a remembered head."""
    good = json.loads(file.read_text())
    if how == "key":
        good["headers"] = [row for row in good["headers"] if row[1] != "key"]
    elif how == "header":
        good["headers"].append(["x\r\ny", "text", "z"])
    elif how == "value":
        good["headers"].append(["x", "text", "z\r\nauthorization: stolen"])
    elif how == "kind":
        good["headers"].append(["x", "surprise", "z"])
    elif how == "target":
        good["target"] = "/v1/other HTTP/1.1\r\nx: y"
    elif how == "format":
        good["format"] = 0
    bad = {"empty": "", "cut": file.read_text()[:40], "list": "[]", "deep": "[" * 60_000, "binary": "\x00" * 99}
    file.write_text(bad[how] if how in bad else json.dumps(good))


DAMAGES = ["empty", "cut", "list", "deep", "binary", "key", "header", "value", "kind", "target", "format"]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_memory_is_not_believed(cache: Path, how: str) -> None:
    """A file that is not what we wrote is ignored, and the SDK's head takes its place."""
    before = sent(request(), auth=BEARER)
    [file] = cache.iterdir()
    whole = file.read_text()
    damage(file, how)
    after = sent(request(), auth=BEARER)
    assert (after.raw, after.sdk) == (before.raw, True)
    assert file.read_text() == whole
    assert not sent(request(), auth=BEARER).sdk


def test_no_memory(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place to write, or when it is switched off, everything works and nothing is written."""
    monkeypatch.setenv("HARNESS_NO_CACHE", "1")
    assert [sent(request(), auth=BEARER).sdk for _ in range(2)] == [True, True]
    assert not cache.exists()
    monkeypatch.setenv("HARNESS_NO_CACHE", "0")
    cache.parent.parent.parent.joinpath("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent.parent / "file"))
    assert [sent(request(), auth=BEARER).sdk for _ in range(2)] == [True, True]


def test_the_memory_does_not_grow_for_ever(cache: Path) -> None:
    """Old heads make room for new ones."""
    cache.mkdir(parents=True)
    for number in range(MAX_FILES + 20):
        (cache / f"{number}.json").write_text("{}")
    sent(request(), auth=BEARER)
    assert len(list(cache.iterdir())) <= MAX_FILES
    assert not sent(request(), auth=BEARER).sdk


def test_the_sdk_is_not_loaded(cache: Path) -> None:
    """A process that finds its head remembered sends its request without ever loading the SDK."""
    sent(request(), auth=BEARER)
    script = """
import sys
from harness.provider import Auth, Provider
from harness.types import Request
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

async def main():
    pool = Pool()
    client = Client(Provider("p", "local", sys.argv[1], Auth("bearer", "X")), pool, key="sk-a-third-key")
    request = Request("/chat/completions", b'{"a":1}', False, "")
    assert await client.prewarm(2, request) == 2
    exchange = await client.send(request, prepared=True)
    await client.aclose()
    await pool.aclose()
    heavy = {"openai", "httpx2", "pydantic", "pandas", "duckdb"} & set(sys.modules)
    print(exchange.status, exchange.reused, sorted(heavy))

run(main())
"""
    with Loopback([sized(b"{}")]) as server:
        url = f"http://127.0.0.1:{server.port}/v1"
        done = subprocess.run([sys.executable, "-c", script, url], check=True, capture_output=True, text=True)
    assert done.stdout == "200 True []\n"
