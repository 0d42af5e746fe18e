"""Tokens that follow each other: who waits for one, when it is asked for, and that none is ever stored."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, sized
from made import environment, harness, told
from test_transport import BEARER, headers_of, request

from harness.errors import CannotMeasure, ConfigError, HarnessError
from harness.provider import Auth, Deadlines, Provider
from harness.record.folder import create
from harness.record.journal import Journal
from harness.secrets import credentials
from harness.secrets.credentials import Credentials, Source, Token
from harness.types import WRONG_KEY, Attempt, Job, Request
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

KINDS = [
    request(),
    request(stream=True, body=b"x" * 1000),
    request(auth="wrong"),
    request(auth="none"),
    request(auth="lower"),
    request(headers={"x-note": "n"}),
    request(path="/models", method="GET", body=None),
]
TOKEN_AUTHS = [Auth("google_adc"), Auth("entra"), Auth("aws", "X"), BEARER]


def tokens(left_s: float = 3600.0) -> Iterator[Token]:
    """One token after the other, each of another length."""
    number = 0
    while True:
        number += 1
        yield Token(f"tok-{'x' * number}-{number}-of-a-cloud", left_s)


def source(left_s: float = 3600.0) -> Source:
    """Gives one after the other."""
    made = tokens(left_s)
    return lambda: next(made)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time of the credentials, which the test sets."""
    at = [1_000_000_000_000]

    class _Clock:
        perf_counter_ns = staticmethod(lambda: at[0])

    monkeypatch.setattr(credentials, "time", _Clock)
    return at


def sent(auth: Auth, found: Credentials, *turns: tuple[Request, bool], **provider: Any) -> list[bytes]:
    """The bytes of requests by one client, each prepared or not; before each a token is due if it says so."""
    with Loopback([sized(b"{}")]) as server:

        async def main() -> None:
            pool = Pool()
            url = f"http://127.0.0.1:{server.port}/v1"
            block = Provider("p", "local", url, auth, deadlines=Deadlines(total_s=5), **provider)
            client = Client(block, pool, key=found)
            for what, prepared in turns:
                exchange = await client.send(what, prepared=prepared)
                assert exchange.failure is None
                if found.changing:
                    found._ends_ns = found._due_ns = 0
            await client.aclose()
            await pool.aclose()

        run(main())
    return [raw.replace(b":%d\r\n" % server.port, b":PORT\r\n") for raw in server.requests]


@pytest.mark.parametrize("auth", TOKEN_AUTHS, ids=lambda auth: auth.scheme)
def test_a_prepared_head_carries_the_token_of_the_moment(auth: Auth) -> None:
    """With a new token before every request, prepared ones are byte for byte what the SDK makes with that token."""
    turns = [*KINDS, *KINDS]
    prepared = sent(auth, Credentials(source=source()), *((one, True) for one in turns))
    built = sent(auth, Credentials(source=source()), *((one, False) for one in turns))
    assert prepared == built
    carried = [headers_of(raw).get("authorization") for raw in prepared]
    expected = [next(made).text for made in [tokens()] for _ in turns]
    for one, raw, said, token in zip(turns, prepared, carried, expected, strict=True):
        assert raw.count(token.encode()) == (one.auth not in ("wrong", "none"))
        assert one.auth != "provider" or said == f"Bearer {token}"
        assert b"unused" not in raw


def test_the_sdk_is_asked_once_for_a_head(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A token that follows is put in the place of the one before it: the SDK builds nothing again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = []
    original = Client._built

    async def counted(self: Client, what: Request) -> Any:
        built.append(what)
        return await original(self, what)

    monkeypatch.setattr(Client, "_built", counted)
    raw = sent(Auth("entra"), Credentials(source=source()), *((request(), True) for _ in range(20)))
    assert len(set(raw)) == 20
    assert len(built) == 1


def test_no_token_is_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither tokens nor the values of secret headers are in what is remembered of heads, nor in its files' names."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = Credentials(headers={"x-route": "route-of-the-test"}, source=source())
    turns = [(one, True) for one in KINDS]
    sent(Auth("google_adc"), found, *turns, headers={"X-Title": "title"}, env_headers={"x-route": "ROUTE"})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= len(KINDS)
    for path in files:
        assert not [one for one in found.secrets if one in path.read_text() or one in path.name]
    assert len(found.secrets) == len(KINDS) + 1
    again = Credentials(headers={"x-route": "another-route"}, source=source())
    raw = sent(Auth("google_adc"), again, *turns, headers={"X-Title": "title"}, env_headers={"x-route": "ROUTE"})
    assert all(headers_of(one)["x-route"] == "another-route" for one in raw), "its value is no part of the head"


def test_secret_headers_are_on_every_request_and_win() -> None:
    """A header from the environment is sent whatever the kind of auth, and takes the place of the block's own."""
    for auth in (BEARER, Auth("header", "X", "api-key"), Auth("none")):
        found = Credentials("sk-of-the-test", {"X-Config": "from-the-environment"})
        turns = [(request(), False), (request(), True), (request(headers={"x-config": "the request's"}), True)]
        raw = sent(auth, found, *turns, headers={"x-config": "of the block", "x-a": "1"})
        assert raw[0] == raw[1]
        assert headers_of(raw[1])["x-config"] == "from-the-environment"
        assert headers_of(raw[2])["x-config"] == "the request's"
        assert "from-the-environment" in found.secrets


def test_an_authorization_of_the_users_own_stays() -> None:
    """Where the key goes in a header of its own, Authorization is the user's, as what a gateway hands on."""
    found = Credentials("sk-of-the-test", {"Authorization": "Bearer of-the-upstream"})
    kinds = [request(), request(auth="none"), request(auth="wrong")]
    for prepared in (False, True):
        raw = sent(Auth("header", "X", "x-gateway-key"), found, *((one, prepared) for one in kinds))
        assert [headers_of(one)["authorization"] for one in raw] == ["Bearer of-the-upstream"] * 3
        assert [headers_of(one).get("x-gateway-key") for one in raw] == ["sk-of-the-test", None, WRONG_KEY]


@pytest.mark.parametrize("key", ["'sk-secret-word'", 'sk-secret-word"', "sk-secret\nword", "sk-secret-wörd"])
def test_an_unsound_key_is_not_repeated(key: str, tmp_path: Path) -> None:
    """A key or a secret header with quotes or a line break ends each command in one line without it."""
    block = {"kind": "local", "base_url": "http://127.0.0.1:9/v1", "models": {"m": "m"}}
    blocks = {"a": block | {"api_key_env": "BAD"}, "b": block | {"env_headers": {"x-a": "BAD"}}}
    (tmp_path / "providers.yaml").write_text(json.dumps({"providers": blocks}))
    for argv in (("eval", "arithmetic:1"), ("load", "chat", "-n", "1")):
        for name in ("a/m", "b/m"):
            done = harness(tmp_path, *argv, "-e", name, env=environment(BAD=key))
            told(done, 2, "BAD")
            assert "secret" not in done.stdout + done.stderr
    done = harness(tmp_path, "providers", "check", "a/m", "b/m", env=environment(BAD=key))
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert done.stdout.count("BAD") >= 2


def test_queries_are_on_every_request() -> None:
    """The provider's query is part of every URL, after what the path brings itself, and of what a head is known by."""
    turns = [
        (request(), False),
        (request(), True),
        (request(path="/models?limit=2", method="GET", body=None), True),
    ]
    first = sent(BEARER, Credentials("sk-of-the-test"), *turns, query={"api-version": "2024-10-21", "x": "a:b,c"})
    assert first[0] == first[1]
    assert first[0].startswith(b"POST /v1/chat/completions?api-version=2024-10-21&x=a%3Ab%2Cc HTTP/1.1\r\n")
    assert first[2].startswith(b"GET /v1/models?limit=2&api-version=2024-10-21&x=a%3Ab%2Cc HTTP/1.1\r\n")
    other = sent(BEARER, Credentials("sk-of-the-test"), *turns, query={"api-version": "preview"})
    assert other[1].startswith(b"POST /v1/chat/completions?api-version=preview HTTP/1.1\r\n")
    assert sent(BEARER, Credentials("sk-of-the-test"), *turns)[1].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")


def test_nobody_waits_while_the_token_lives(now: list[int]) -> None:
    """Minutes before its end another token is asked for, by one call at a time, while requests use the one at hand."""
    asked, may = threading.Semaphore(0), threading.Event()
    made = tokens()

    def slow() -> Token:
        asked.release()
        may.wait(10)
        return next(made)

    async def main() -> None:
        may.set()
        found = Credentials(source=slow)
        found.begin()
        first = found.key
        may.clear()
        assert not found.due
        now[0] += 3_374_000_000_000
        assert not found.due
        now[0] += 2_000_000_000
        assert found.due
        for _ in range(5):
            await found.renew()
            assert found.key is first
        await asyncio.to_thread(asked.acquire, timeout=10)
        may.set()
        assert found._renewing is not None
        await found._renewing
        assert found.key not in (first, None)
        assert not found.due
        assert asked.acquire(blocking=False)
        assert not asked.acquire(blocking=False), "it was asked once for the beginning and once more"
        assert len(found.renewals) == 1

    run(main())


def test_whoever_needs_a_token_waits_for_it(now: list[int]) -> None:
    """Where the token has ended, all who come wait for one and the same new one."""
    calls = []
    made = tokens()

    def counted() -> Token:
        calls.append(1)
        return next(made)

    async def main() -> None:
        found = Credentials(source=counted)
        found.begin()
        now[0] += 3_598_000_000_000
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(found.renew())
        assert (found.key, len(calls)) == ("tok-xx-2-of-a-cloud", 2)

    run(main())


def test_a_failure_counts_only_once_the_token_has_ended(now: list[int]) -> None:
    """While the token at hand lives a failure is passed over and tried again; after its end it is told."""
    made: list[Token | HarnessError] = [
        Token("a-token-of-the-test", 100.0),
        CannotMeasure("no network"),
        CannotMeasure("no network at all"),
        Token("another-token-of-the-test", 100.0),
    ]

    def failing() -> Token:
        one = made.pop(0)
        if isinstance(one, HarnessError):
            raise one
        return one

    async def main() -> None:
        found = Credentials(source=failing)
        found.begin()
        now[0] += 60_000_000_000
        await found.renew()
        assert found._renewing is not None
        await found._renewing
        assert (found.key, found.due) == ("a-token-of-the-test", False)
        now[0] += 10_000_000_000
        assert found.due
        now[0] += 40_000_000_000
        with pytest.raises(CannotMeasure, match="no network at all"):
            await found.renew()
        await found.renew()
        assert found.key == "another-token-of-the-test"

    run(main())


@pytest.mark.parametrize("token", [Token("", 9.0), Token("a\r\nb", 9.0), Token("tökön", 9.0), Token("secret", 0.0)])
def test_a_token_that_cannot_be_sent_is_refused(token: Token) -> None:
    """What cannot be a header, or has ended before it came, ends in one line that does not repeat it."""
    with pytest.raises(CannotMeasure) as caught:
        Credentials(source=lambda: token).begin()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_signature_of_one_who_brings_a_line_break_is_refused() -> None:
    """A secret header with a line break is refused without its value."""
    with pytest.raises(ConfigError) as caught:
        Client(Provider("p", "local", "http://h/v1"), Pool(), key=Credentials("k", {"x-a": "secret\r\nx: y"}))
    assert "secret" not in str(caught.value)


def test_tokens_of_later_are_kept_out_of_the_journal(tmp_path: Path) -> None:
    """A server that echoes its token is recorded without it, be it a token of long after the journal was opened."""
    noted: list[str] = []
    found = Credentials(headers={"x-a": "header-of-the-test"}, source=source(), secrets=noted)
    folder = create(tmp_path, "made")
    with Journal(folder, secrets=noted) as journal, Loopback([sized(b"{}")]) as server:

        async def main() -> None:
            pool = Pool()
            client = Client(Provider("p", "local", f"http://127.0.0.1:{server.port}/v1", BEARER), pool, key=found)
            for number in range(3):
                exchange = await client.send(request(), prepared=True)
                said = f"bad token {found.key} of header-of-the-test"
                made = Request("/chat/completions", said.encode(), False, "")
                journal.append(Attempt(Job(f"j{number}", "s", "p/m", "load", "t", "0", 0), 0, made, exchange, 0, 0, 0))
                found._ends_ns = found._due_ns = 0
            await client.aclose()
            await pool.aclose()

        run(main())
    text = journal.path.read_text()
    assert len(noted) == 4
    assert not [one for one in noted if one in text or json.dumps(one)[1:-1] in text]
    assert text.count("[redacted]") == 6
