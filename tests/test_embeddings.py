"""Answers with embeddings: what is a vector for every input, and what is a failure by name."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import GARBAGE
from streams.case import CUT, exchange

from harness.exchange import Outcome, StreamMarks, Usage
from harness.types import Request
from harness.wire.embeddings import assemble

TWO = json.dumps({"model": "m", "input": ["a", "b"]}).encode()
ONE = json.dumps({"model": "m", "input": "a"}).encode()
USAGE = {"prompt_tokens": 4, "total_tokens": 4}


def item(index: Any, embedding: Any) -> dict[str, Any]:
    """One embedding."""
    return {"object": "embedding", "index": index, "embedding": embedding}


def got(*items: Any, asked: bytes = TWO, **fields: Any) -> Outcome:
    """What is made of an answer with these embeddings."""
    body = {"object": "list", "data": list(items), "model": "m", "usage": USAGE, **fields}
    return assemble(
        Request("/embeddings", asked, stream=False, workload_sha256=""), exchange([(7, json.dumps(body).encode())])
    )


def test_an_answer_has_a_vector_for_each_input() -> None:
    """Vectors, model and prompt tokens are read; nothing is streamed, so there is no mark of a token."""
    found = got(item(0, [1, 0.5]), item(1, [0.5, -1])).completion
    assert found is not None
    assert [list(vector) for vector in found.vectors] == [[1.0, 0.5], [0.5, -1.0]]
    assert (found.model, found.usage, found.text) == ("m", Usage(prompt_tokens=4), "")
    assert (found.marks, found.deviations) == (StreamMarks(ev1_ns=7), ())


@pytest.mark.parametrize(
    ("items", "detail"),
    [
        ((), "no list of vectors"),
        ((item(0, [1.0]),), "1 vectors for 2 inputs"),
        ((item(0, [1.0]), item(1, [1.0]), item(2, [1.0])), "3 vectors for 2 inputs"),
        ((item(0, [1.0]), item(1, [])), "vector 1 is missing"),
        ((item(0, None), item(1, [1.0])), "vector 0 is missing"),
        ((item(0, [1.0, 2.0]), item(1, [1.0])), "vectors of 1 and of 2 numbers"),
        ((item(0, [0.0, 0.0]), item(1, [1.0, 0.0])), "vector 0 is all 0"),
        ((item(0, [1.0]), item(1, [float("nan")])), "vector 1 holds a number that is not finite"),
        ((item(0, [1.0]), item(1, [float("inf")])), "vector 1 holds a number that is not finite"),
        ((item(0, [1.0]), item(1, ["x"])), "vector 1 holds what is no number"),
        ((item(0, [1.0]), item(1, [True])), "vector 1 holds what is no number"),
        ((item(0, [1.0]), item(1, [10**400])), "vector 1 holds what is no number"),
        ((item(0, [1.0]), item(0, [1.0])), "index fields do not say"),
        ((item(0, "?"), item(1, [1.0])), "vector 0 is a text that is no packed vector"),
        ((7, item(1, [1.0])), "data holds what is no object"),
    ],
)
def test_what_holds_no_vectors_is_a_failure(items: tuple[Any, ...], detail: str) -> None:
    """A 200 without a usable vector for each input fails as bad_vectors, says why, and gives no vector at all."""
    outcome = got(*items)
    assert outcome.failure is not None
    assert outcome.failure.kind == "bad_vectors"
    assert detail in outcome.failure.detail
    assert outcome.completion is None


@pytest.mark.parametrize(
    ("items", "name"),
    [
        ((item(1, [0.0, 1.0]), item(0, [1.0, 0.0])), "vector_order"),
        ((item(None, [1.0, 0.0]), item(None, [0.0, 1.0])), "vector_index_missing"),
        ((item(0, [[1.0, 0.0]]), item(1, [0.0, 1.0])), "vector_nested"),
        ((item(0, base64.b64encode(struct.pack("<2f", 1, 0)).decode()), item(1, [0.0, 1.0])), "vector_base64"),
    ],
)
def test_deviations_are_mended_and_named(items: tuple[Any, ...], name: str) -> None:
    """What is oddly sent is read, in the order of the inputs, and named."""
    found = got(*items).completion
    assert found is not None
    assert [list(vector) for vector in found.vectors] == [[1.0, 0.0], [0.0, 1.0]]
    assert found.deviations == (name,)


def test_one_input_may_be_a_text() -> None:
    """A request with one text wants one vector."""
    assert got(item(0, [1.0]), asked=ONE).ok
    assert not got(item(0, [1.0]), item(1, [1.0]), asked=ONE).ok


def test_errors_and_cuts_keep_their_kinds() -> None:
    """An error in the body, a refusal and a broken connection are what they are for a chat."""
    request = Request("/embeddings", TWO, stream=False, workload_sha256="")
    error = b'{"error":{"message":"rate limit","code":"rate_limit_exceeded"}}'
    kinds = [
        assemble(request, exchange([(1, error)])).failure,
        assemble(request, exchange([(1, error)], status=404)).failure,
        assemble(request, exchange([(1, b'{"data":[')], fault=CUT)).failure,
        assemble(request, exchange([])).failure,
    ]
    assert [one and one.kind for one in kinds] == ["throttled", "http_4xx", "truncated", "empty"]


@given(
    body=st.one_of(st.binary(max_size=200), st.sampled_from([reply.body for reply in GARBAGE.values()])),
    asked=st.sampled_from([TWO, ONE, b"", b"[]"]),
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the machine may be busy
def test_nothing_that_a_server_sends_raises(body: Any, asked: bytes) -> None:
    """Whatever comes is a completion or a failure."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    outcome = assemble(Request("/embeddings", asked, stream=False, workload_sha256=""), exchange([(1, sent)]))
    assert (outcome.completion is None) == (outcome.failure is not None)
