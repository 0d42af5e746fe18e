"""Probes of the chunks of a stream: what each of them must hold and keep."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from harness.conformance import Capture, Check, Ignored, Seen, chat, check, probe, streamed, streams
from harness.conformance.plain import HELLO, STREAMS

ONE = ("stream.status_type",)
OBJECT = "chat.completion.chunk"
ENVELOPE = frozenset({"id", "object", "created", "model", "choices", "system_fingerprint", "service_tier", "usage"})
"""Fields of a chunk that say nothing when its choices are empty; usage is looked at by itself."""
TWO = chat(
    "stream_two_choices",
    "the same line, two choices streamed",
    HELLO,
    cap=16,
    surface="stream",
    stream=True,
    n=2,
)


def stated(capture: Capture, field: str) -> list[Any]:
    """What the chunks that have choices say in a field; None where it is missing."""
    return [chunk.get(field) for chunk in capture.chunks if chunk.get("choices")]


def named(values: Sequence[Any]) -> bool:
    """Whether all of them are text with something in it."""
    return all(isinstance(value, str) and value for value in values)


def different(values: Sequence[Any]) -> list[Any]:
    """Each value once, in order; of ones that were not stated nothing is kept."""
    found: list[Any] = []
    for value in values:
        if value not in (None, "") and value not in found:
            found.append(value)
    return found


@probe(
    "stream.object_const",
    title="Calls every chunk chat.completion.chunk",
    sees=STREAMS,
    over="all",
    severity="core",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.object",
    faults={"wrong_object": "broken"},
)
def object_const(seen: Seen) -> Iterator[Check]:
    """The object of every chunk is chat.completion.chunk: official helpers pass over any other."""
    for capture in streams(seen):
        odd = [kind for kind in stated(capture, "object") if kind != OBJECT]
        yield check("object of chunks with choices", not odd, OBJECT, odd[0] if odd else "", of=capture)
        rest = [chunk.get("object") for chunk in capture.chunks if chunk.get("object") != OBJECT]
        yield check("object", not rest, OBJECT, rest[0] if rest else "", must=False, of=capture)


@probe(
    "stream.id_const",
    title="Keeps the id of a stream",
    sees=STREAMS,
    over="all",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.id",
    threads=("microsoft/Foundry-Local#144", "open-webui/open-webui#23922"),
    faults={"changing_id": "broken", "no_id": "partial"},
)
def id_const(seen: Seen) -> Iterator[Check]:
    """All chunks with choices have the same id, which is not empty."""
    for capture in streams(seen):
        ids = stated(capture, "id")
        yield check("one id", len(different(ids)) <= 1, "the same id", different(ids)[:2], of=capture)
        yield check("an id", named(ids), "a non-empty string", ids[0] if ids else "", must=False, of=capture)


@probe(
    "stream.model_const",
    title="Keeps the model of a stream",
    sees=STREAMS,
    over="all",
    severity="ext",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.model",
    faults={"changing_model": "partial"},
)
def model_const(seen: Seen) -> Iterator[Check]:
    """All chunks with choices name the same model."""
    for capture in streams(seen):
        models = stated(capture, "model")
        one = len(different(models)) <= 1 and named(models)
        yield check("one model", one, "the same model", different(models)[:2], must=False, of=capture)


@probe(
    "stream.created_const",
    title="Keeps the time of a stream",
    sees=STREAMS,
    over="all",
    severity="ext",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.created",
    faults={"changing_created": "partial", "no_created": "partial"},
)
def created_const(seen: Seen) -> Iterator[Check]:
    """All chunks with choices have the same created, in seconds."""
    for capture in streams(seen):
        times = stated(capture, "created")
        numbers = all(isinstance(time, int | float) and not isinstance(time, bool) for time in times)
        yield check("created", numbers, "seconds", times[:1], must=False, of=capture)
        one = len(different(times)) <= 1
        yield check("one time", one, "the same time", different(times)[:2], must=False, of=capture)


@probe(
    "stream.role_first",
    title="Names the role in the first chunk",
    sees=STREAMS,
    over="all",
    needs=("stream.delta_only",),
    spec="OpenAPI: ChatCompletionStreamResponseDelta.role",
    threads=("open-webui/open-webui#23922",),
    faults={"no_role": "partial"},
)
def role_first(seen: Seen) -> Iterator[Check]:
    """The first delta of a stream has the role assistant."""
    for capture in streams(seen):
        roles = [delta.get("role") for delta in capture.deltas()]
        other = [role for role in roles if role not in (None, "", "assistant")]
        yield check("no other role", not other, "assistant", other[0] if other else "", of=capture)
        first = roles[0] if roles else None
        yield check("role of the first delta", first == "assistant", "assistant", first, must=False, of=capture)


@probe(
    "stream.role_once",
    title="Names the role once",
    sees=STREAMS,
    over="all",
    basis="eco",
    needs=("stream.delta_only",),
    spec="OpenAPI: ChatCompletionStreamResponseDelta.role; official SDK",
    threads=("ollama/ollama#17166", "BerriAI/litellm#9986"),
    faults={"role_every_chunk": "broken"},
)
def role_once(seen: Seen) -> Iterator[Check]:
    """No second delta of a stream has a role: the official client would read assistantassistant."""
    for capture in streams(seen):
        number = sum(bool(delta.get("role")) for delta in capture.deltas())
        yield check("the role comes once", number <= 1, "one delta", f"{number} deltas", of=capture)


@probe(
    "stream.delta_only",
    title="Sends what is new in delta",
    sees=STREAMS,
    over="all",
    severity="core",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices[].delta",
    threads=("ppl-ai/api-discussion#209", "microsoft/autogen#6465"),
    faults={"message_not_delta": "broken", "no_delta": "broken", "cumulative": "broken"},
)
def delta_only(seen: Seen) -> Iterator[Check]:
    """Every choice of a chunk has an object delta with new text alone, and no message."""
    for capture in streams(seen):
        listed = [chunk.get("choices") for chunk in capture.chunks if chunk.get("object") == OBJECT]
        odd = [choices for choices in listed if not isinstance(choices, list)]
        yield check("choices", not odd, "an array", odd[:1], of=capture)
        parts = tuple(capture.parts(None))
        bare = [part for part in parts if not isinstance(part.get("delta"), dict)]
        yield check("delta", not bare, "an object", bare[0] if bare else "", of=capture)
        said = [delta["content"] for delta in capture.deltas() if isinstance(delta.get("content"), str)]
        told = " | ".join(said[:4])
        yield check("new text alone", not cumulative([text for text in said if text]), "new text", told, of=capture)
        beside = [part["message"] for part in parts if part.get("message") is not None]
        yield check("no message", not beside, "delta alone", beside[:1], must=False, of=capture)


def cumulative(pieces: Sequence[str]) -> bool:
    """Whether each piece holds the one before it and more; a few short ones may do so by chance."""
    grows = all(len(later) > len(before) and later.startswith(before) for before, later in pairwise(pieces))
    return len(pieces) >= 3 and len(pieces[-1]) >= 8 and grows


@probe(
    "stream.index",
    title="Numbers the choices of a stream",
    sees=STREAMS,
    over="all",
    severity="core",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices[].index",
    threads=("microsoft/Foundry-Local#144",),
    faults={"counting_index": "broken", "no_choice_index": "broken"},
)
def index(seen: Seen) -> Iterator[Check]:
    """Where one choice was asked for, the index of every choice of every chunk is 0."""
    for capture in streams(seen):
        found = [part.get("index") for part in capture.parts(None)]
        odd = [one for one in found if isinstance(one, bool) or one != 0]
        yield check("index", not odd, "0", odd[0] if odd else "", of=capture)


@probe(
    "stream.empty_choices",
    title="Sends chunks without choices for metadata alone",
    sees=STREAMS,
    over="all",
    basis="eco",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices",
    threads=("simonw/llm#294",),
    faults={"empty_choices": "partial"},
)
def empty_choices(seen: Seen) -> Iterator[Check]:
    """A chunk whose choices are empty holds usage or other metadata: many clients read choices[0] of all others."""
    for capture in streams(seen):
        empty = [chunk for chunk in capture.chunks if not chunk.get("choices") and not chunk.get("usage")]
        bare = [each for each in empty if not any(each.get(key) for key in each.keys() - ENVELOPE)]
        yield check("choices", not bare, "choices, usage or metadata", bare[:1], must=False, of=capture)


@probe(
    "stream.n_interleave",
    title="Streams two choices at once",
    sees=(TWO,),
    severity="ext",
    ability="F",
    needs=("stream.delta_only", "stream.index"),
    spec="OpenAPI: CreateChatCompletionRequest.n",
    faults={
        "choice_index_zero": "broken",
        "ignore_n": "ignored",
        "choices_same_index": "broken",
        "finish_twice": "partial",
        "finish_never": "broken",
        "finish_null": "broken",
    },
)
def n_interleave(seen: Seen) -> Iterator[Check]:
    """With n: 2 the chunks of a stream have indices 0 and 1, and each of the two ends once."""
    capture = seen[TWO]
    yield from streamed(capture)
    ends: dict[object, int] = {0: 0, 1: 0}
    found = set[int]()
    for part in capture.parts(None):
        number = part.get("index")
        known = isinstance(number, int) and not isinstance(number, bool) and number in ends
        yield check("index", known, "0 or 1", number, of=capture)
        found.add(part["index"])
        ends[number] += bool(part.get("finish_reason"))
    if found == {0} and ends[0] <= 1:
        raise Ignored("one choice came", "two choices", "one", of=capture)
    yield check("both choices", found == {0, 1}, "0 and 1", sorted(found), of=capture)
    for number, times in ends.items():
        yield check(f"choice {number} ends", times > 0, "a finish reason", "none", of=capture)
        yield check(f"choice {number} ends once", times == 1, "one", times, must=False, of=capture)


PROBES = (
    *(object_const, id_const, model_const, created_const),
    *(role_first, role_once, delta_only, index, empty_choices, n_interleave),
)
