"""Local engines are found on their default ports, on loopback, and told apart by what they answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from loopback import Loopback, sized

from harness import config
from harness.preflight.local import Running, running
from harness.provider import About, Provider
from harness.wire.loop import run
from harness.wire.origin import Origin
from harness.wire.spoken import listens

LIST = sized(json.dumps({"data": [{"id": "m-1"}, {"id": "m-2"}]}).encode())
NONE = sized(b"{}", "404 Not Found")


def engine(name: str, port: int, identify: dict[str, str] | None = None) -> Provider:
    """A preset as it ships."""
    about = About(title=name.upper(), port=port, identify=identify or {})
    url = f"http://127.0.0.1:{port}/v1"
    return Provider(name, "local", url, any_model=True, about=about, preset=name)


def found(*engines: Provider) -> list[Running]:
    """Those that run."""
    return run(running({one.id: one for one in engines}, 2.0))


@pytest.fixture
def closed() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def asked(server: Loopback) -> list[bytes]:
    """The first line of every request."""
    return [request.partition(b"\r\n")[0] for request in server.requests]


def test_an_engine_that_answers_is_found_with_its_models(closed: int) -> None:
    """Who answers its marks is it; a port where nobody listens gives nothing."""
    with Loopback([LIST], [sized(b'{"version": "0.9"}')]) as server:
        (one,) = found(engine("a", server.port, {"/version": '"version"'}), engine("b", closed, {"/": "x"}))
    assert (one.provider.id, one.known, one.models) == ("a", True, ("m-1", "m-2"))


def test_only_the_paths_of_presets_are_asked_and_only_with_get() -> None:
    """The list of models and the paths that presets name, each once, without a body or a key."""
    marks = {"/version": "v", "/health": "h"}
    with Loopback([LIST], [NONE]) as server:
        found(engine("a", server.port, marks), engine("b", server.port, {"/health": "ok"}))
        lines = asked(server)
    assert sorted(lines) == [b"GET /health HTTP/1.1", b"GET /v1/models HTTP/1.1", b"GET /version HTTP/1.1"]
    assert not any(b"uthorization" in request for request in server.requests)


def test_two_engines_of_one_port_are_told_apart() -> None:
    """Of presets that share a port the one whose marks are answered is taken."""
    with Loopback([LIST], [sized(b"I am b")]) as server:
        (one,) = found(engine("a", server.port, {"/who": "I am a"}), engine("b", server.port, {"/who": "I am b"}))
    assert (one.provider.id, one.known) == ("b", True)


def test_a_stranger_that_lists_models_is_said_to_be_one() -> None:
    """A server that no preset knows is offered under the first preset of its port, and as not known."""
    with Loopback([LIST], [NONE]) as server:
        (one,) = found(engine("a", server.port, {"/who": "a"}), engine("b", server.port, {"/who": "b"}))
    assert (one.provider.id, one.known, one.models) == ("a", False, ("m-1", "m-2"))


def test_a_web_page_is_no_engine() -> None:
    """A server that neither lists models nor answers a mark is none."""
    with Loopback([sized(b"<html>hello</html>")]) as server:
        assert found(engine("a", server.port, {"/who": "I am a"})) == []


def test_an_engine_on_the_port_of_another_is_asked_there(closed: int) -> None:
    """What is known at a port that is not its default one gets that port's address."""
    with Loopback([LIST], [sized(b"I am b")]) as server:
        (one,) = found(engine("a", server.port, {"/who": "I am a"}), engine("b", closed, {"/who": "I am b"}))
    assert (one.provider.id, one.provider.base_url) == ("b", f"http://127.0.0.1:{server.port}/v1")


def test_a_port_may_stand_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address with a variable in it is asked where the variable says."""
    with Loopback([LIST], [sized(b"I am a")]) as server:
        monkeypatch.setenv("A_PORT", str(server.port))
        moved = replace(engine("a", 1, {"/who": "I am a"}), base_url="http://127.0.0.1:${A_PORT:-1}/v1")
        (one,) = found(moved)
    assert one.provider.base_url == f"http://127.0.0.1:{server.port}/v1"


def test_only_presets_on_this_machine_are_asked() -> None:
    """A user's block, a remote address and a hosted vendor are left alone."""
    with Loopback([LIST]) as server:
        preset = engine("a", server.port)
        others = [
            replace(preset, yours=True),
            replace(preset, id="gpu"),
            replace(preset, base_url=f"http://localhost.example:{server.port}/v1"),
            replace(preset, about=About()),
        ]
        assert all(found(one) == [] for one in others)
        assert server.accepted == 0


def test_a_silent_port_ends_the_looking() -> None:
    """A server that accepts and says nothing is nobody, after the time that each step has."""
    with Loopback(["wait"]) as server:
        assert run(running({"a": engine("a", server.port, {"/who": "a", "/x": "y"})}, 0.2)) == []
        assert server.accepted == 1


def test_listening_is_seen_without_a_word(closed: int) -> None:
    """Whether somebody listens is found by a connection alone."""
    with Loopback([LIST]) as server:
        assert run(listens(Origin("http", "127.0.0.1", server.port), 1.0))
        assert server.requests == []
    assert not run(listens(Origin("http", "127.0.0.1", closed), 1.0))


def test_all_default_ports_are_looked_at_together() -> None:
    """With the presets as they ship, nothing but loopback is asked, and the looking ends."""
    addresses = [one.provider.base_url or "" for one in run(running(config.shipped_providers()))]
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)
