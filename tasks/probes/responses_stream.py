"""Probes of the Responses API: answers as streams."""

from collections.abc import Iterator

from harness.conformance import Capture, Check, Seen, Untestable, check, dig, parse, probe, respond, streamed
from harness.conformance.response import ENDS, joined, texts, told

TEXT = "response.output_text."
ORDER = (
    *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
    *(f"{TEXT}delta", f"{TEXT}done", "response.content_part.done", "response.output_item.done"),
)
"""What comes before the event that ends a stream with one message."""
VITAL = frozenset({"response.created", "response.output_item.added", "response.content_part.added"})
"""Without these the helpers of official clients have nowhere to put a delta."""

STREAM = respond("resp_stream", "a list of numbers as a stream", "Count from 1 to 8 in digits.", cap=48, stream=True)


@probe(
    "resp.stream_order",
    title="Streams events in their order",
    sees=(STREAM,),
    needs=("resp.basic",),
    spec="OpenAPI: ResponseStreamEvent",
    threads=("BerriAI/litellm#24445",),
    faults={
        "empty": "broken",
        "resp_no_stream": "ignored",
        "resp_no_begin": "broken",
        "resp_unannounced": "broken",
        "resp_no_done": "partial",
    },
)
def stream_order(seen: Seen) -> Iterator[Check]:
    """created, in_progress, item added, part added, text deltas, text done, part done and item done, in this order."""
    capture = seen[STREAM]
    yield from spoke(capture)
    message = places_of_message(capture)
    first = {kind: places[0] for kind in ORDER if (places := message.get(kind))}
    for kind in ORDER:
        yield check(kind, kind in first, "an event of its own", sorted(first), must=kind in VITAL)
    came = sorted(first, key=lambda kind: first[kind])
    yield check("order", came == [kind for kind in ORDER if kind in first], ORDER, came)
    deltas, done = message[f"{TEXT}delta"], first.get(f"{TEXT}done")
    yield check("no delta after its end", done is None or deltas[-1] < done, "deltas first", f"{deltas[-1]} > {done}")


@probe(
    "resp.stream_seq",
    title="Numbers the events of a stream",
    sees=(STREAM,),
    needs=("resp.stream_order",),
    spec="OpenAPI: ResponseStreamEvent.sequence_number",
    threads=("BerriAI/litellm#28899", "ggml-org/llama.cpp#24957"),
    faults={"resp_seq_zero": "broken", "resp_seq_gap": "broken", "resp_no_seq": "partial"},
)
def stream_seq(seen: Seen) -> Iterator[Check]:
    """Every event has a sequence_number that is one more than that of the event before it."""
    capture = seen[STREAM]
    yield from streamed(capture)
    given = [chunk.get("sequence_number") for chunk in capture.chunks]
    numbers = [number for number in given if isinstance(number, int) and not isinstance(number, bool)]
    if any(number is not None for number in given):
        yield check("integers", len(numbers) == len(given), "an integer in each event", given)
        rising = numbers == [*range(numbers[0], numbers[0] + len(numbers))]
        yield check("one more each time", rising, "0, 1, 2, …", given)
    yield check("sequence_number", given[0] is not None, "an integer in each event", "absent", must=False)


@probe(
    "resp.stream_ids",
    title="Names the item of every delta",
    sees=(STREAM,),
    needs=("resp.stream_order",),
    spec="OpenAPI: ResponseTextDeltaEvent",
    threads=("vllm-project/vllm#24788",),
    faults={"resp_item_ids": "broken", "resp_output_index": "broken"},
)
def stream_ids(seen: Seen) -> Iterator[Check]:
    """item_id, output_index and content_index of the text events are those of the item and part that were added."""
    capture = seen[STREAM]
    yield from spoke(capture)
    added = told(capture, "response.output_item.added")
    known = {str(event.get("output_index")): dig(event, "item", "id") for event in added}
    parts = told(capture, "response.content_part.added")
    places = {(str(part.get("output_index")), str(part.get("content_index"))) for part in parts}
    for event in told(capture, f"{TEXT}delta", f"{TEXT}done"):
        place = str(event.get("output_index")), str(event.get("content_index"))
        yield check("output_index and content_index", place in places, sorted(places), place)
        name = event.get("item_id")
        yield check("item_id", isinstance(name, str) and known.get(place[0]) == name, known.get(place[0]), name)


@probe(
    "resp.stream_event_name",
    title="Names events as their data does",
    sees=(STREAM,),
    needs=("resp.stream_order",),
    spec="WHATWG HTML, 9.2; OpenAPI: ResponseStreamEvent.type",
    faults={"resp_event_other": "broken", "resp_no_event": "partial"},
)
def stream_event_name(seen: Seen) -> Iterator[Check]:
    """The field event of every event is the type in its data."""
    capture = seen[STREAM]
    yield from streamed(capture)
    data = [(event.event, parse(event.data)) for event in capture.events]
    # An event without a name of its own is one of the default name.
    pairs = [("" if name == "message" else name, dig(one, "type")) for name, one in data if isinstance(one, dict)]
    odd = [(name, kind) for name, kind in pairs if name and name != kind]
    yield check("event", not odd, "the type of the data", odd[:2])
    unnamed = sum(not name for name, _ in pairs)
    yield check("every event has one", not unnamed, "event in each", f"{unnamed} without", must=False)


@probe(
    "resp.stream_concat",
    title="Streams the whole text",
    sees=(STREAM,),
    severity="core",
    needs=("resp.basic",),
    spec="OpenAPI: ResponseTextDeltaEvent, ResponseTextDoneEvent, ResponseCompletedEvent",
    faults={
        "empty": "broken",
        "resp_no_stream": "ignored",
        "resp_drop_delta": "broken",
        "resp_done_differs": "broken",
        "resp_lost_output": "broken",
    },
)
def stream_concat(seen: Seen) -> Iterator[Check]:
    """The deltas joined are the text of the done events, and of the response that the last event holds."""
    capture = seen[STREAM]
    yield from spoke(capture)
    grown = joined(told(capture, f"{TEXT}delta"))
    done, ends = told(capture, f"{TEXT}done"), told(capture, *ENDS)
    if not done and not ends:
        raise Untestable("evidence", "neither a done event nor a last response tells the text")
    if done:
        yield check("the done text", joined(done, "text") == grown, grown, joined(done, "text"))
    if ends:
        whole = "".join(texts(ends[-1].get("response")))
        yield check("the text of the last response", whole == grown, grown, whole)


@probe(
    "resp.stream_terminal",
    title="Ends a stream once",
    sees=(STREAM,),
    severity="core",
    needs=("resp.basic",),
    spec="OpenAPI: ResponseCompletedEvent, ResponseIncompleteEvent, ResponseFailedEvent",
    faults={"resp_no_stream": "ignored", "resp_no_end": "broken", "resp_ends_twice": "broken"},
)
def stream_terminal(seen: Seen) -> Iterator[Check]:
    """Exactly one event says that the response is completed, incomplete or failed, and nothing follows it."""
    capture = seen[STREAM]
    yield from streamed(capture)
    ends = [str(chunk["type"]) for chunk in told(capture, *ENDS)]
    yield check("one end", len(ends) == 1, f"one of {', '.join(ENDS)}", ends)
    last = capture.chunks[-1].get("type")
    yield check("it is the last event", last == ends[0], ends[0], last, must=False)


def spoke(capture: Capture) -> Iterator[Check]:
    """Checks that a stream came with text in it.

    Raises:
        Untestable: the output was cut before it said anything.
    """
    yield from streamed(capture)
    deltas = told(capture, f"{TEXT}delta")
    if not deltas and told(capture, "response.incomplete"):
        raise Untestable("headroom", "the output was cut before it said anything")
    kinds = list(dict.fromkeys(str(chunk.get("type")) for chunk in capture.chunks))
    yield check("text deltas", bool(deltas), f"{TEXT}delta", kinds)


def places_of_message(capture: Capture) -> dict[str, list[int]]:
    """Where each kind of event stands, without those of other items than the message (it may reason before)."""
    found: dict[str, list[int]] = {}
    for place, event in enumerate(capture.chunks):
        kind = str(event.get("type"))
        if dig(event, "item", "type") in (None, "message"):
            found.setdefault(kind, []).append(place)
    return found


PROBES = (stream_order, stream_seq, stream_ids, stream_event_name, stream_concat, stream_terminal)
