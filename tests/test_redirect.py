"""Redirects are not followed by the wire, so that no key reaches another host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from echoing import echoing
from loopback import Loopback, sized
from test_canary import called
from test_transport import KEY, provider, request

from harness.exchange import Exchange
from harness.types import Request
from harness.wire.assemble import assemble
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("asked", [request(), request(path="/models", method="GET", body=None)], ids=["chat", "models"])
def test_a_redirect_is_an_answer(status: str, asked: Request) -> None:
    """Its status is recorded, where it points to is said in words, and there nobody is asked."""
    with Loopback([sized(b"{}")]) as other:
        where = f"location: http://127.0.0.1:{other.port}/v1/chat/completions"
        with Loopback([sized(b"", status, where)]) as server:

            async def go() -> Exchange:
                pool = Pool()
                client = Client(provider(server.port), pool, key=KEY)
                exchange = await client.send(asked)
                await client.aclose()
                await pool.aclose()
                return exchange

            exchange = run(go())
        assert KEY.encode() in server.requests[0]
        assert len(server.requests) == 1
    failure = assemble(exchange, stream=asked.stream).failure
    assert exchange.status == int(status[:3])
    assert other.accepted == 0
    assert failure is not None
    assert "which is not followed" in failure.detail


def test_no_command_follows_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking, probing and checking: the other host hears of none of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("FIRST_KEY", KEY)
    (tmp_path / "printed").mkdir()
    (tmp_path / "ask.jsonl").write_text(json.dumps({"question": "?", "target": "x"}) + "\n")
    with Loopback([sized(b"{}")]) as other, echoing(elsewhere=f"http://127.0.0.1:{other.port}/v1") as url:
        (tmp_path / "providers.yaml").write_text(
            f"providers:\n  p:\n    kind: hosted\n    base_url: {url}/redirect/v1\n    any_model: true\n"
            "    models: {m: m}\n    api_key_env: FIRST_KEY\n"
        )
        called(tmp_path, ["eval", "ask.jsonl", "--scorer", "includes", "-e", "p/m"], capfd)
        called(tmp_path, ["probe", "--profile", "smoke", "-e", "p/m"], capfd)
        called(tmp_path, ["providers", "check", "p"], capfd)
    assert other.accepted == 0
