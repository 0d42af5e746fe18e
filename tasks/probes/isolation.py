"""Probes of whether an answer holds anything of somebody else's request."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from harness.conformance import Capture, Check, Seen, Untestable, accepted, chat, check, dig, probe
from harness.conformance.plain import FORCED, HELLO
from harness.provider import Endpoint
from harness.types import JsonObject, Request

AT_ONCE = 8
SHARED = (
    "You keep the cloakroom of a theatre. Every guest hands in a coat and is given a code, and nobody may ever learn "
    "the code of somebody else. When a guest tells you a code, you say the very same code back and nothing else, so "
    "that the guest knows that it was heard. Never add a word, never change a letter, never mix up two guests."
)
"""What all of them begin with, so that what a server keeps of one prompt is used for the others too."""


def code(number: int) -> str:
    """The guest's own code, of 12 hexadecimal digits; the same in every run, for a plan is a pure function."""
    return hashlib.sha256(f"cloakroom {number}".encode()).hexdigest()[:12]


def asked(number: int, how: str = "exactly") -> tuple[JsonObject, ...]:
    """A conversation whose only right answer is the guest's own code."""
    line = f"{code(number)} is my code. Repeat my code {how}: {code(number)}"
    return ({"role": "system", "content": SHARED}, {"role": "user", "content": line})


CODES = chat(
    "isolation_codes",
    f"{AT_ONCE} chats at once, each with a code of its own to say back",
    asked,
    cap=32,
    surface="isolation",
    visible=True,
    temperature=0,
    send={"repeats": AT_ONCE, "together": True},
)
THEN = chat("isolation_then", "a plain request after them", HELLO, cap=32, surface="isolation", visible=True)
STREAMED = chat(
    "isolation_streams",
    f"{AT_ONCE} more, as streams",
    lambda number: asked(AT_ONCE + number, "twenty times"),
    cap=128,
    surface="isolation",
    stream=True,
    visible=True,
    temperature=0,
    send={"repeats": AT_ONCE, "together": True},
)
DROPPED = chat(
    "isolation_dropped",
    f"{AT_ONCE} such streams at once, which are hung up in their middle",
    lambda number: asked(2 * AT_ONCE + number, "twenty times"),
    cap=128,
    surface="isolation",
    stream=True,
    visible=True,
    temperature=0,
    send={"repeats": AT_ONCE, "together": True, "hang_up_s": 0.4},
)
_PLAIN = chat("isolation_tools", "the same without tools", HELLO, cap=32, surface="isolation", visible=True)


def _every_other(endpoint: Endpoint, repeat: int) -> Request:
    return (_PLAIN if repeat % 2 else FORCED).build(endpoint, repeat)


MIXED = replace(
    _PLAIN,
    title="four chats at once, two of which must call a tool and two have none",
    build=_every_other,
    repeats=4,
    together=True,
)


@probe(
    "isolation.canary",
    title="Keeps requests at once apart",
    sees=(CODES,),
    severity="core",
    basis="eco",
    over="all",
    needs=("chat.basic",),
    spec="Privacy: an answer is made of its own request alone",
    threads=(
        "vllm-project/vllm#13408",
        "vllm-project/vllm#9910",
        "ml-explore/mlx-lm#965",
        "sgl-project/sglang#4593",
        "ollama/ollama#17475",
    ),
    faults={"leak_neighbour": "broken"},
)
def canary(seen: Seen) -> Iterator[Check]:
    """Of eight chats at once, each with a code of its own to say back, none says the code of another."""
    captures = seen.all(CODES)
    if len(captures) < 2:
        raise Untestable("evidence", "fewer than two of them were answered")
    yield from apart(captures)


@probe(
    "isolation.canary_stream",
    title="Keeps streams apart when clients hang up",
    sees=(DROPPED, STREAMED),
    severity="core",
    basis="eco",
    ability="X",
    over="all",
    needs=("chat.basic",),
    spec="Privacy: an answer is made of its own request alone",
    threads=("ollama/ollama#17475",),
    faults={"leak_neighbour": "broken"},
)
def canary_stream(seen: Seen) -> Iterator[Check]:
    """Of eight streams that are hung up and eight right behind them, none says the code of another."""
    captures = (*seen.all(DROPPED), *seen.all(STREAMED))
    if len(captures) < 2:
        raise Untestable("evidence", "fewer than two of them were answered")
    yield from apart(captures)


@probe(
    "isolation.sequential",
    title="Keeps requests after another apart",
    sees=(CODES, THEN),
    severity="core",
    basis="eco",
    over="all",
    needs=("chat.basic",),
    spec="Privacy: an answer is made of its own request alone",
    threads=("ggml-org/llama.cpp#28056",),
    faults={"leak_neighbour": "broken"},
)
def sequential(seen: Seen) -> Iterator[Check]:
    """A plain request after those with codes is answered without any of their codes."""
    capture = seen[THEN]
    yield from accepted(capture)
    foreign = [one for one in map(code, range(AT_ONCE)) if one in said(capture)]
    yield check("no code of another request", not foreign, "none", _quoted(capture, foreign), of=capture)


@probe(
    "isolation.ids",
    title="Gives every answer an id of its own",
    sees=(CODES,),
    severity="core",
    over="run",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionResponse.id, ChatCompletionMessageToolCall.id",
    faults={"same_id": "broken", "tool_same_id": "partial"},
)
def ids(seen: Seen) -> Iterator[Check]:
    """No two chats that ask different things have one id, whole or in a chunk; nor have two tool calls."""
    owners: dict[str, Capture] = {}
    callers: dict[str, Capture] = {}
    for capture in seen.everything():
        if not capture.is_chat:
            continue
        for name in _ids(capture):
            owner = owners.setdefault(name, capture)
            # A cache may rightly give the same request the same answer.
            same = owner is capture or owner.sent == capture.sent
            yield check("response ids are distinct", same, "an id of its own", f"{name} twice", of=capture)
        for name in _call_ids(capture):
            caller = callers.setdefault(name, capture)
            same = caller is capture or not _ids(caller).isdisjoint(_ids(capture))
            yield check("tool call ids are distinct", same, "an id of its own", name, must=False, of=capture)
    if not owners:
        raise Untestable("evidence", "no chat has an id")


@probe(
    "isolation.tools",
    title="Keeps tools of requests at once apart",
    sees=(MIXED,),
    severity="common",
    basis="eco",
    over="all",
    needs=("chat.basic",),
    spec="Privacy: an answer is made of its own request alone",
    threads=("ml-explore/mlx-lm#965",),
    faults={"leak_calls": "broken"},
)
def tools(seen: Seen) -> Iterator[Check]:
    """Of four chats at once, two of which must call a tool and two have none, no other calls a tool than those two."""
    captures = seen.all(MIXED)
    calling = [capture for capture in captures if capture.message.get("tool_calls")]
    for capture in calling:
        offered = bool(capture.sent.get("tools"))
        yield check("calls only where there are tools", offered, "no call", capture.message, of=capture)
    without = [capture for capture in captures if not capture.sent.get("tools") and capture.status == 200]
    if not calling:
        raise Untestable("model", "nobody called a tool")
    if not without:
        raise Untestable("evidence", "no request without tools was answered")


def apart(captures: tuple[Capture, ...]) -> Iterator[Check]:
    """Checks that no answer to a guest holds the code of another one.

    Raises:
        Untestable: none of them says even its own, so that nothing can be told.
    """
    codes = {capture.job_id: _own(capture) for capture in captures}
    own = 0
    for capture in captures:
        mine, text = codes[capture.job_id], said(capture)
        foreign = [other for other in codes.values() if other != mine and other in text]
        yield check("no code of another request", not foreign, mine, _quoted(capture, foreign), of=capture)
        own += mine in text
    if not own:
        raise Untestable("model", "no answer says even its own code")


def said(capture: Capture) -> str:
    """All that came: what was said, what was thought, what was called."""
    return capture.body.decode(errors="replace") + capture.text + capture.thinking


def _quoted(capture: Capture, foreign: list[str]) -> str:
    return f"{', '.join(foreign)} in: {capture.text or capture.thinking or capture.status}"


def _own(capture: Capture) -> str:
    """The code that a request told."""
    return str(dig(capture.sent, "messages", 1, "content")).partition(" ")[0]


def _ids(capture: Capture) -> set[str]:
    """The ids that an answer bears: one, or those of its chunks."""
    found = [chunk.get("id") for chunk in capture.chunks] if capture.streamed else [capture.at("id")]
    return {one for one in found if isinstance(one, str) and one}


def _call_ids(capture: Capture) -> set[str]:
    if capture.streamed:
        parts = [part for delta in capture.deltas() for part in _list(delta.get("tool_calls"))]
    else:
        parts = _list(capture.message.get("tool_calls"))
    found = [dig(part, "id") for part in parts]
    return {one for one in found if isinstance(one, str) and one}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


PROBES = (canary, sequential, ids, tools, canary_stream)
