"""The paths beside those that serve chats: what lists, counts or ranks; of the others only that they are there.

Health, the four lists (nothing is ever stored, so they are empty), tokenize and rerank answer in full. The others
check the one field that they cannot do without, and then say with 501 that they are not simulated.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from harness.simulator.model import tokens
from harness.simulator.refusal import Refusal, bad_type, missing
from harness.types import JsonObject

_VOCABULARY = 50_000
_WORD = re.compile(r"\w+")
_CALLED = {str: "a string", list: "an array", int: "an integer"}


class Path(NamedTuple):
    """One path: how it is asked, and what it answers."""

    method: Literal["GET", "POST"]
    needs: Mapping[str, type]
    """Fields of the body without which nothing can be done, with their types."""
    answer: Callable[[JsonObject], JsonObject] | None
    """None: it is not simulated any further."""


def _listed(_: JsonObject) -> JsonObject:
    return {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def _tokenized(body: JsonObject) -> JsonObject:
    ids = [zlib.crc32(token.encode("utf-8", "replace")) % _VOCABULARY for token in tokens.split(body["prompt"])]
    return {"count": len(ids), "tokens": ids}


def _ranked(body: JsonObject) -> JsonObject:
    """Documents by the share of the query's words that they hold."""
    wanted = _words(body["query"])
    shares = [len(wanted & _words(str(document))) / max(1, len(wanted)) for document in body["documents"]]
    order = sorted(range(len(shares)), key=lambda place: -shares[place])
    return {"results": [{"index": place, "relevance_score": shares[place]} for place in order]}


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


_LIST = Path("GET", {}, _listed)
PATHS: Mapping[str, Path] = MappingProxyType(
    {
        "/health": Path("GET", {}, lambda _: {"status": "ok"}),
        "/tokenize": Path("POST", {"prompt": str}, _tokenized),
        "/v1/rerank": Path("POST", {"query": str, "documents": list}, _ranked),
        **dict.fromkeys(("/v1/files", "/v1/batches", "/v1/fine_tuning/jobs", "/v1/vector_stores"), _LIST),
        "/v1/moderations": Path("POST", {"input": str}, None),
        "/v1/audio/speech": Path("POST", {"input": str}, None),
        "/v1/audio/transcriptions": Path("POST", {"file": str}, None),
        "/v1/audio/translations": Path("POST", {"file": str}, None),
        "/v1/images/generations": Path("POST", {"prompt": str}, None),
        "/v1/images/edits": Path("POST", {"image": str}, None),
        "/v1/responses/compact": Path("POST", {"model": str}, None),
        "/v1/conversations": Path("POST", {"items": list}, None),
        "/v1/messages": Path("POST", {"max_tokens": int}, None),
        "/v1/realtime": Path("GET", {}, None),
    }
)


def answer(path: str, body: Callable[[], JsonObject]) -> JsonObject:
    """What one of the ``PATHS`` answers to a body, which is read only where it needs one; Refusal where it does not."""
    known = PATHS[path]
    if path == "/v1/realtime":
        raise Refusal(426, "This path speaks WebSocket.", code="upgrade_required", headers={"upgrade": "websocket"})
    given: Any = body() if known.needs else {}
    for name, kind in known.needs.items():
        if given.get(name) is None:
            raise missing(name)
        if not isinstance(given[name], kind):
            raise bad_type(name, _CALLED[kind], given[name])
    if known.answer is None:
        raise Refusal(501, f"{path} is not simulated.", kind="server_error", code="not_simulated")
    return known.answer(given)
