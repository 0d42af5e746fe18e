"""The short way through a stream: quicker than taking every event apart, and never another outcome."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.case import CUT, DONE, HI, ROLE, STOP, Case, chunk, data, exchange, say
from streams.nasty import CASES

from harness.exchange import Failure, Outcome
from harness.wire.assemble import assemble
from harness.wire.objects import Objects, Run, decoded, reads_of
from harness.wire.ordinary import ordinary
from harness.wire.sse import plain
from harness.wire.template import Frame, Template, texts

BARE = Frame(b"", b"")


def both(parts: list[tuple[int, bytes]], **options: Any) -> Outcome:
    """The outcome of an exchange, which must be the same by either way."""
    stream = options.pop("stream", True)
    made = exchange(parts, **options)
    short, long = (assemble(made, stream=stream, shortcuts=shortcuts) for shortcuts in (True, False))
    assert short == long
    return short


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_nasty_answer(case: Case) -> None:
    """The table of nasty answers, cut in two at any byte, is understood alike by either way."""
    options: dict[str, Any] = {
        "stream": case.stream,
        "status": case.status,
        "headers": case.headers,
        "fault": case.fault,
    }
    both(list(enumerate(case.reads, start=1)), **options)
    body = b"".join(case.reads)
    for cut in range(1, len(body), 1 + len(body) // 400):
        both([(1, body[:cut]), (2, body[cut:])], **options)


def test_an_ordinary_short_answer_is_understood_at_one_go() -> None:
    """A role, texts, a finish reason and usage, in one read or in many: one look gives the completion."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    counted = data({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": usage})
    parts = [ROLE, say("Hi"), say(" you"), STOP, counted, DONE]
    for reads in (list(enumerate(parts)), [(7, b"".join(parts))]):
        outcome = both(reads)
        times = [at for at, _ in reads]
        at = range(len(parts)) if len(reads) > 1 else [0] * len(parts)
        assert outcome.completion == ordinary([part[6:-2] for part in parts], at, times)
        assert outcome.completion is not None
        assert outcome.completion.text == "Hi you"


@pytest.mark.parametrize(
    "odd",
    [
        chunk({"content": "x", "reasoning": "y"}),
        say("x", id="c2"),
        say("x", usage={"prompt_tokens": 3, "completion_tokens": 2}),
        say("x", created=10**19),
        chunk({"content": "x"}, "tool_calls"),
        chunk({"content": ["x"]}),
        data({"error": {"message": "no"}}),
        ROLE,
    ],
)
def test_what_may_be_out_of_the_ordinary_is_left_to_the_long_way(odd: bytes) -> None:
    """Another field, identity, type or order than usual, and there is no quick answer."""
    parts = [ROLE, say("Hi"), odd, STOP, DONE]
    assert ordinary([part[6:-2] for part in parts], range(5), range(5)) is None
    both(list(enumerate(parts)))


# --- properties ------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ('"', "\\", '","x":"', "\n\n", "data: ", "}]", "\x00", "[DONE]", "\u2028", "😀", "one two three", " ")
)
LITERAL = st.one_of(
    st.builds(json.dumps, TEXT, ensure_ascii=st.booleans()),
    st.builds(json.dumps, TEXT, ensure_ascii=st.booleans()),
    st.sampled_from(
        (
            *(
                '"\\ud83d"',
                '"\\ude00"',
                '"a\\"',
                '"',
                "a",
                "",
                '"a","b"',
                '["a"]',
                "null",
                "3",
                '"a" ',
                ' "a"',
                '"a"\t',
            ),
            *(
                '"\\u0041"',
                '"\\x"',
                '"\t"',
                "NaN",
                '"a","role":"assistant"',
                '{"text":"q"}',
                '"a"}, "x":{"content":"b"',
            ),
            "12345678901234567890123",
        )
    ),
)
HEADS = (
    '{"id":"c1","object":"chat.completion.chunk","created":%d,"model":"m","choices":[{"index":0,"delta":{"%s":',
    '{"id":"c1","choices": [{"delta": {"role": "assistant", "%.0s%s": ',
    '{"choices":[{"index":%d,"delta":{"reasoning_content":null,"tool_calls":[],"%s":',
)
TAILS = (
    '},"logprobs":null,"finish_reason":null}],"usage":null}',
    '}, "finish_reason": ""}]}',
    '},"finish_reason":null}],"obfuscation":"%s"}',
    '}}],"usage":{"completion_tokens":3},"n":123456789012345678901}',
)
OTHERS = st.sampled_from(
    (
        *(ROLE, STOP, DONE, *HI, b": ping\n\n", b"event: x\ndata: {}\n\n", b"data:{}\n\n", b"data: {}\r\n\r\n", b"\n"),
        *(b'data: {"error":{"message":"no"}}\n\n', b'data: {"choices":[]}\n\n', b"data: 3\n\n", b"data: \xff\n\n"),
        *(b"\xef\xbb\xbf", b"id: 1\n", b'data: "[DONE]"\n\n', b"data: \n\n", b'data: {"choices":"x"}\n\n'),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}),
        say("x", choices=[{"index": 1, "delta": {"content": "y"}}]),
    )
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """A stream as its events: mostly alike, some of them odd, seldom two of one kind after another."""
    head, tail, key = draw(
        st.tuples(st.sampled_from(HEADS), st.sampled_from(TAILS), st.sampled_from(("content", "reasoning")))
    )
    moving = draw(st.booleans())
    found: list[bytes] = []
    for number, literal in enumerate(draw(st.lists(LITERAL, max_size=9))):
        value = number if moving else 0
        data = head % (value, key) + literal + (tail % ("a" * value) if "%" in tail else tail)
        found.append(b"data: " + data.encode("utf-8", "surrogatepass") + b"\n\n")
        if draw(st.integers(0, 9)) == 0:
            found.append(draw(OTHERS))
    return found + draw(st.sampled_from(([STOP, DONE], [STOP], [DONE], [], [STOP, DONE, STOP])))


@settings(deadline=None, max_examples=300)
@given(
    events=streams(),
    crlf=st.booleans(),
    cuts=st.none() | st.lists(st.integers(0, 4_000), max_size=8),
    stream=st.booleans(),
    fault=st.sampled_from((None, None, CUT)),
)
def test_any_stream(
    events: list[bytes], crlf: bool, cuts: list[int] | None, stream: bool, fault: Failure | None
) -> None:
    """Regular or not, read event by event or cut anywhere, with CRLF or without: either way gives the same."""
    if crlf and cuts:
        events = [event.replace(b"\n", b"\r\n") for event in events]
    parts = events
    if cuts is not None:
        body = b"".join(events)
        edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
        parts = [body[low:high] for low, high in itertools.pairwise(edges)]
    both([(3 * at, part) for at, part in enumerate(parts)], stream=stream, fault=fault)


@settings(deadline=None)
@given(literals=st.lists(LITERAL.map(lambda text: text.encode("utf-8", "surrogatepass")), min_size=1, max_size=4))
def test_literals_are_one_string_each(literals: list[bytes]) -> None:
    """Together they are decoded only if each alone is one JSON string; and then to what each alone says."""
    alone = []
    for literal in literals:
        try:
            alone.append(json.loads(literal.strip()))
        except ValueError:
            alone.append(None)
    found = texts(literals)
    if found is not None:
        assert found == alone
    elif all(isinstance(one, str) for one in alone):
        assert any("\ud800" <= letter <= "\udfff" for one in alone for letter in one)


@pytest.mark.parametrize(
    "text",
    [
        *("1", "-0", "1e400", "NaN", "[-Infinity]", "123456789012345678901", '{"a": -9999999999999999999}', "[1.5, 2]"),
        *('"\\ud800"', '"123456789012345678901"', '{"id": "c-00000000000000000000"}', "nul", "", " [1] ", "1" * 5_000),
        *(
            "0.1234567890123456789012",
            "[" * 100_000,
            '"a\nb"',
            '{"a":1,"a":2}',
            '"\ufeff"',
            "\ufeff1",
            "18446744073709551616",
        ),
    ],
    ids=lambda text: text[:24],
)
def test_decoded_as_json_does(text: str) -> None:
    """The faster parser gives what the standard one gives, numbers beyond 64 bits and halves of pairs included."""
    try:
        expected = json.loads(text)
    except (ValueError, RecursionError):
        expected = None
    assert repr(decoded(text)) == repr(expected)


# --- that it is taken at all -----------------------------------------------------------------------------


def found_in(events: list[bytes]) -> Objects:
    """What the short way finds."""
    body = b"".join(events)
    bare = plain(body)
    assert bare is not None
    objects = Objects(200)
    assert objects.read_regular(bare, reads_of(bare, [len(event) for event in events]), range(len(events)), BARE)
    return objects


@pytest.mark.parametrize("key", ["content", "reasoning_content", "reasoning"])
def test_a_regular_stream_is_one_run(key: str) -> None:
    """All texts but the first are taken together, whichever channel they are in, with the reads that ended them."""
    events = [ROLE, *(chunk({key: text}) for text in ("a", "b", '"', "é", "")), STOP, DONE]
    kinds = [one for one in found_in(events).found if isinstance(one, Run)]
    assert [(run.template.key, run.texts, [*run.reads]) for run in kinds] == [(key, ["b", '"', "é", ""], [2, 3, 4, 5])]


def test_a_clock_that_moves_on_begins_another_run() -> None:
    """A field that changes now and then costs one event taken apart each time."""
    events = [say(text, created=number // 4) for number, text in enumerate("abcdefgh")]
    runs = [one for one in found_in([*events, STOP, DONE]).found if isinstance(one, Run)]
    assert [run.texts for run in runs] == [["b", "c", "d"], ["f", "g", "h"]]


def test_a_field_that_always_changes_is_not_chased() -> None:
    """Where no two events fit one template, every event is taken apart, and the answer is the same."""
    events = [say(text, obfuscation="x" * number) for number, text in enumerate("abcdefgh")]
    found = found_in([*events, STOP, DONE]).found
    assert len(found) == len(events) + 1
    assert not any(isinstance(one, Run) for one in found)


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a", "reasoning": "b"},
        {"content": "a", "tool_calls": [{"index": 0}]},
        {"refusal": "a"},
        {"content": ["a"]},
        {"content": ""},
        {},
    ],
)
def test_what_makes_no_template(delta: dict[str, Any]) -> None:
    """An event that says more than one text, or none, is no template for others."""
    data = chunk(delta)[6:-2]
    assert Template.learned(data, json.loads(data)) is None
    for more in ({"usage": {"completion_tokens": 1}}, {"x_groq": {}}):
        data = say("a", **more)[6:-2]
        assert Template.learned(data, json.loads(data)) is None
    data = chunk({"content": "a"}, "stop")[6:-2]
    assert Template.learned(data, json.loads(data)) is None


def test_the_place_of_the_text_is_proved() -> None:
    """Where another field looks like the text, the event makes no template, or one for the right place."""
    data = b'{"x":{"content":"a"},"choices":[{"index":0,"delta":{"content":"a"}}]}'
    assert Template.learned(data, json.loads(data)) is None
    twice = b'{"choices":[{"index":0,"delta":{"content":"a","content":"a"}}]}'
    assert Template.learned(twice, json.loads(twice)) is None
    last = b'{"choices":[{"index":0,"delta":{"content":"a"}}],"x":{"content":"a"}}'
    template = Template.learned(last, json.loads(last))
    assert template is not None
    assert template.literals([last.replace(b"a", b"b", 1), last[:-1]], 0, BARE) == []


def test_reads_that_hold_many_events_or_half_ones() -> None:
    """Each event belongs to the read that ended its line, however the bytes were read."""
    events = [ROLE, say("a"), say("b"), say("c"), STOP, DONE]
    body = b"".join(events)
    outcome = both([(10, body[: len(ROLE) + 20]), (20, body[len(ROLE) + 20 : -70]), (30, b""), (40, body[-70:])])
    assert outcome.completion is not None
    assert outcome.completion.text == "abc"
    assert (outcome.completion.output_ns, outcome.completion.output_events) == ((20,), (3,))
