"""Every probe under answers of any shape: none makes a judge fail, and nothing on the way accuses anybody."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import GRAVE, ROOT, sent, simulator

from harness.catalog import discover
from harness.conformance import Capture, Probe, judge_all, scenarios_of, select
from harness.exchange import Exchange, Failure, Read
from harness.provider import Endpoint
from harness.wire.assemble import assemble

PROBES: tuple[Probe, ...] = select(tuple(discover([ROOT / "tasks" / "probes"]).probes.values()), "full")
Captures = dict[str, list[Capture]]


@pytest.fixture(scope="module")
def clean() -> Iterator[tuple[Endpoint, Captures]]:
    """What a clean server answers to everything."""
    with simulator() as endpoint:
        yield endpoint, asyncio.run(sent(endpoint, scenarios_of(PROBES)))


def answered(capture: Capture, body: bytes, **changes: Any) -> Capture:
    """The capture, as if the server had sent these bytes; in pieces, as a socket gives them."""
    reads = tuple(Read(10**9 + at, body[at : at + 50]) for at in range(0, len(body), 50))
    exchange: Exchange = replace(capture.attempt.exchange, reads=reads, **changes)
    return Capture(
        replace(capture.attempt, exchange=exchange), assemble(exchange, stream=capture.attempt.request.stream)
    )


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "id", "choices", "usage", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path inside a JSON value."""
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from places(inner, (*path, step))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with something else at one place."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return changed


def body_of(values: list[Any], *, stream: bool) -> bytes:
    """The bytes of an answer, or of a stream of these events."""
    if not stream:
        return json.dumps(values[0]).encode()
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values) + b"data: [DONE]\n\n"


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_answer_makes_a_judge_fail(clean: tuple[Endpoint, Captures], data: st.DataObject) -> None:
    """Whatever JSON stands anywhere in an answer or an event, with any status, every probe comes to a verdict."""
    endpoint, captures = clean
    name = data.draw(st.sampled_from(sorted(captures)))
    if not captures[name]:
        return
    capture = captures[name][0]
    stream = capture.streamed
    values = list(capture.chunks) if stream else [capture.json]
    place = data.draw(st.sampled_from([path for path in places(values) if path]))
    body = body_of(put(values, place, data.draw(ANY)), stream=stream)
    status = data.draw(st.sampled_from([capture.status, 200, 400, 404, 500]))
    changed = captures | {name: [answered(capture, body, status=status), *captures[name][1:]]}
    touched = [probe for probe in PROBES if probe.over == "run" or name in {one.name for one in probe.sees}]
    for verdict in judge_all(touched, changed, endpoint):
        assert not verdict.reason.startswith("probe:"), verdict


@pytest.mark.parametrize(
    "body", [b"", b"<html>Sign in</html>", b"null", b"[]", b'"x"', b"data: [DONE]\n\n", b"\xff\xfe"]
)
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_an_odd_server_makes_no_judge_fail(clean: tuple[Endpoint, Captures], status: int, body: bytes) -> None:
    """A server that answers everything alike, with HTML, nothing or no JSON, gets verdicts and no exceptions."""
    endpoint, captures = clean
    odd = {name: [answered(one, body, status=status) for one in taken] for name, taken in captures.items()}
    for probe in PROBES:  # each by itself, so that none is skipped for what it needs
        (verdict,) = judge_all([probe], odd, endpoint)
        assert not verdict.reason.startswith("probe:"), verdict


@pytest.mark.parametrize(
    "obstacle",
    [
        {"status": 429},
        {"status": 503},
        {"status": None, "failure": Failure("connect", "refused")},
        {"status": 200, "failure": Failure("timeout_idle", "nothing came")},
    ],
    ids=str,
)
def test_an_obstacle_accuses_nobody(clean: tuple[Endpoint, Captures], obstacle: dict[str, Any]) -> None:
    """Where everything is throttled, overloaded, unreachable or silent, no probe says that a feature is absent."""
    endpoint, captures = clean
    body = b'{"error": {"message": "not now", "type": "x", "param": null, "code": null}}'
    hindered = {name: [answered(one, body, **obstacle) for one in taken] for name, taken in captures.items()}
    found = [judge_all([probe], hindered, endpoint)[0] for probe in PROBES]
    # That a 429 itself is well formed is about errors, and may be told.
    assert [one for one in found if one.verdict in GRAVE and not one.probe.startswith(("error.", "http."))] == []
