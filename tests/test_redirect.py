"""Redirects are not followed by the wire, so that no key reaches another host."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from echoing import echoing
from loopback import Loopback, sized
from test_canary import called
from test_transport import request

from harness.provider import Auth, Provider
from harness.types import Request
from harness.wire.assemble import assemble
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

KEY = "key-of-the-first-host"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("asked", [request(), request(path="/models", method="GET", body=None)])
def test_a_redirect_is_an_answer(status: str, asked: Request) -> None:
    """Its status is recorded, where it points to is said in words, and there nobody is asked."""

    async def go() -> tuple[int | None, str, int]:
        async with Loopback([[sized(b"{}")]]) as other:
            where = f"location: http://127.0.0.1:{other.port}/v1/chat/completions"
            async with Loopback([[sized(b"", status, where)]]) as server:
                pool = Pool()
                provider = Provider("p", "hosted", f"http://127.0.0.1:{server.port}/v1", Auth(env="X"))
                exchange = await Client(provider, pool, key=KEY).send(asked)
                await pool.aclose()
                assert KEY.encode() in server.requests[0]
                failure = assemble(exchange, stream=asked.stream).failure
                return exchange.status, "" if failure is None else failure.detail, len(other.requests)

    code, said, others = run(go())
    assert code == int(status[:3])
    assert others == 0
    assert asked.method == "GET" or "not followed" in said


def test_no_command_follows_one(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking, checking, probing and listing models: the other host hears of none of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("FIRST_KEY", KEY)
    (tmp_path / "printed").mkdir()
    (tmp_path / "ask.jsonl").write_text(json.dumps({"question": "?", "target": "x"}) + "\n")

    async def go() -> int:
        async with Loopback([]) as other:
            with echoing(elsewhere=f"http://127.0.0.1:{other.port}/v1") as url:
                (tmp_path / "providers.yaml").write_text(
                    f"providers:\n  p:\n    kind: hosted\n    base_url: {url}/redirect/v1\n    any_model: true\n"
                    "    api_key_env: FIRST_KEY\n"
                )
                for argv in (
                    ["eval", "ask.jsonl", "--scorer", "includes", "-e", "p/m"],
                    ["probe", "--profile", "smoke", "-e", "p/m"],
                    ["providers", "check", "p", "--deep"],
                ):
                    await asyncio.to_thread(called, tmp_path, argv, capfd)
            return len(other.requests)

    assert asyncio.run(go()) == 0
