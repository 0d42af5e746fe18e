"""Probes of models that think before they speak: where the thinking stands, what it costs, how much of it is asked for.

That a model does not think, or does not show it, is no fault: then it cannot be told, or the parameter is refused.
"""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    Capture,
    Check,
    Ignored,
    Refused,
    Scenario,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    envelope,
    next_turn,
    probe,
    refuses,
    said_no,
    streamed,
)
from harness.conformance.plain import TWIN
from harness.contract import THINKING_MARKERS

RIDDLE = "How many prime numbers below 60 have digits that add up to an odd sum? Reply with the result alone."
ROOM, SHORT = 256, 20
"""Output tokens for thinking and an answer; and for thinking alone."""
FIELDS = ("reasoning_content", "reasoning")
ENOUGH = 1.3
"""How much more is thought at the highest effort than at the lowest, at least."""
OPENING = 12
"""Signs by which a cut answer is known for the beginning of a thought."""


def riddle(name: str, effort: str, *, cap: int = ROOM, **more: Any) -> Scenario:
    """The riddle with an effort; with all the room, the models that think are given more of it."""
    title = (
        f"a riddle with reasoning_effort {effort} and at most {cap} tokens{', streamed' if 'stream' in more else ''}"
    )
    fields = {"surface": "reason", "visible": cap == ROOM, "reasoning_effort": effort, **more}
    return chat(f"reason_{name}", title, RIDDLE, cap=cap, **fields)


LOW, HIGH = (riddle(effort, effort, send={"repeats": 2}) for effort in ("low", "high"))
MEDIUM, STREAM = riddle("medium", "medium"), riddle("medium_stream", "medium", stream=True)
CUT, BOGUS = riddle("cut", "medium", cap=SHORT), riddle("bogus", "zzz", cap=SHORT)
NONE, *RARE = (riddle(effort, effort, cap=SHORT) for effort in ("none", "minimal", "xhigh", "max"))


def replayed(capture: Capture) -> list[dict[str, object]] | None:
    """The turn that follows an answer with thinking in it."""
    if not any(capture.message.get(name) for name in FIELDS):
        return None
    return [capture.message, {"role": "user", "content": "Thank you. Say goodbye."}]


REPLAYED = next_turn(MEDIUM, "reason_replay", "the answer with its thinking, and another line", replayed)


@probe(
    "reason.channel",
    title="Keeps thinking apart from the answer",
    sees=(MEDIUM, TWIN),
    basis="eco",
    needs=("chat.basic",),
    spec="Convention: message.reasoning_content or message.reasoning",
    threads=("vllm-project/vllm#27755", "vllm-project/vllm#33402"),
    faults={
        "reject_effort": "rejected",
        "leak_think": "broken",
        "reason_in_text": "broken",
        "reason_object": "partial",
    },
)
def channel(seen: Seen) -> Iterator[Check]:
    """Thinking stands as text in reasoning_content or reasoning, and no mark of it is in the content."""
    for capture in _answered(seen[MEDIUM], seen[TWIN]):
        yield from _clean(capture)
        odd = [capture.message[name] for name in FIELDS if not isinstance(capture.message.get(name), str | None)]
        yield check("it is text", not odd, "a string", odd, must=False, of=capture)
        if capture.thinking or odd:
            return
    _nothing_shows(seen[MEDIUM], seen[TWIN])


@probe(
    "reason.stream_channel",
    title="Streams thinking before the answer",
    sees=(MEDIUM, STREAM),
    basis="eco",
    needs=("reason.channel",),
    spec="Convention: delta.reasoning_content or delta.reasoning",
    threads=("vllm-project/vllm#27755",),
    faults={
        "error_and_done": "broken",
        "reason_stream_name": "partial",
        "reason_late": "broken",
        "no_stream": "ignored",
        "message_not_delta": "partial",
    },
)
def stream_channel(seen: Seen) -> Iterator[Check]:
    """Deltas hold thinking under the name that whole answers use, and none of it follows the first text."""
    whole, capture = seen[MEDIUM], seen[STREAM]
    yield from streamed(capture)
    yield from _clean(capture)
    if not capture.thinking and not whole.thinking:
        _nothing_shows(capture, whole)
    if whole.thinking:
        name, other = _names(whole), _names(capture)
        yield check("the same name as in whole answers", name == other, name, other or "no thinking", must=False)
    spoken, late = False, ""
    for delta in capture.deltas():
        thought = next((delta[name] for name in FIELDS if isinstance(delta.get(name), str)), "")
        late = late or (thought if spoken and thought.strip() else "")
        content = delta.get("content")
        spoken = spoken or (isinstance(content, str) and bool(content.strip()))
    yield check("thinking ends before the text", not late, "text alone after the first text", late, of=capture)


@probe(
    "reason.both_names",
    title="Says the same under both names of thinking",
    sees=(MEDIUM, TWIN),
    severity="ext",
    basis="eco",
    needs=("reason.channel",),
    spec="Convention: message.reasoning_content and message.reasoning",
    threads=("vllm-project/vllm#33402",),
    faults={"reason_object": "partial", "reason_twice": "partial"},
)
def both_names(seen: Seen) -> Iterator[Check]:
    """Where both reasoning_content and reasoning are there, they hold the same text."""
    for capture in _answered(seen[MEDIUM], seen[TWIN]):
        held = [capture.message[name] for name in FIELDS if capture.message.get(name)]
        if held:
            yield check("text", all(isinstance(each, str) for each in held), "a string", held, must=False, of=capture)
            yield check("the same text", len(held) < 2 or held[0] == held[1], held[0], held[-1], must=False, of=capture)
            return
    _nothing_shows(seen[MEDIUM], seen[TWIN])


@probe(
    "reason.tokens",
    title="Counts the tokens of thinking",
    sees=(MEDIUM, TWIN),
    needs=("reason.channel",),
    spec="OpenAPI: CompletionUsage.completion_tokens_details.reasoning_tokens",
    faults={
        "usage_no_details": "partial",
        "usage_reasoning_over": "partial",
        "no_reasoning_tokens": "partial",
        "usage_zero": "ignored",
    },
)
def tokens(seen: Seen) -> Iterator[Check]:
    """Where an answer shows thinking, usage counts reasoning_tokens, and no more of them than of output."""
    for capture in _answered(seen[MEDIUM], seen[TWIN]):
        told = _told(capture)
        if not capture.thinking and not told:
            continue
        if not capture.usage:
            raise Untestable("evidence", "there is no usage")
        if told == 0:
            raise Ignored("thinking is shown and none is counted", "reasoning_tokens of 1 or more", 0, of=capture)
        yield check("reasoning_tokens", told is not None, "a number of tokens", capture.usage, must=False, of=capture)
        output = capture.tokens("completion_tokens")
        within = told is None or output is None or told <= output
        yield check("part of the output", within, f"at most {output}", told, must=False, of=capture)
        return
    _nothing_shows(seen[MEDIUM], seen[TWIN])


@probe(
    "reason.budget_cut",
    title="Ends thinking at the limit of tokens",
    sees=(MEDIUM, CUT),
    ability="F",
    basis="observed",
    needs=("reason.channel",),
    spec="API guide: reasoning, controlling costs",
    faults={
        "usage_no_details": "partial",
        "crash_cut": "broken",
        "finish_null": "broken",
        "finish_odd": "broken",
        "cut_in_text": "broken",
        "no_reasoning_tokens": "partial",
        "usage_zero": "partial",
    },
)
def budget_cut(seen: Seen) -> Iterator[Check]:
    """A limit that thinking uses up gives no error but empty content, finish_reason length and reasoning_tokens."""
    capture, whole = seen[CUT], seen[MEDIUM]
    if said_no(capture) and not said_no(whole):
        yield check("answered", False, "200 with finish_reason length", capture.status, of=capture)  # noqa: FBT003 - asked above
    yield from accepted(capture)
    yield from _clean(capture)
    text = capture.text.strip()
    opening = text[:OPENING]
    leaked = len(opening) == OPENING and not capture.thinking and whole.thinking.strip().startswith(opening)
    yield check("the text is no thinking", not leaked, "empty content", text, of=capture)
    if not capture.thinking and not _told(capture):
        _nothing_shows(capture)
    if text or capture.finish_reason == "stop":
        raise Untestable("model", f"it thought for less than {SHORT} tokens")
    yield check("finish_reason", capture.finish_reason == "length", "length", capture.finish_reason, of=capture)
    counted = bool(_told(capture)) or not capture.usage
    yield check("reasoning_tokens", counted, "1 or more", capture.usage, must=False, of=capture)


@probe(
    "reason.history",
    title="Takes its own thinking back",
    sees=(REPLAYED,),
    basis="eco",
    needs=("reason.channel",),
    spec="Convention: an answer's message is sent back as it came",
    threads=("vllm-project/vllm#42664",),
    faults={"reject_own_fields": "rejected", "crash_reasoning": "broken", "wrong_role": "rejected"},
)
def history(seen: Seen) -> Iterator[Check]:
    """A chat goes on after the endpoint's own message, thinking and all."""
    yield from accepted(seen[REPLAYED])


@probe(
    "reason.effort_accept",
    title="Takes reasoning_effort",
    sees=(LOW, MEDIUM, HIGH),
    needs=("chat.basic",),
    spec="OpenAPI: ReasoningEffort",
    faults={"reject_effort": "rejected"},
)
def effort_accept(seen: Seen) -> Iterator[Check]:
    """The efforts low, medium and high are each answered with 200."""
    for scenario in (LOW, MEDIUM, HIGH):
        yield from accepted(seen[scenario])


@probe(
    "reason.effort_bogus",
    title="Refuses an unknown effort",
    sees=(BOGUS,),
    needs=("chat.basic",),
    spec="OpenAPI: ReasoningEffort",
    faults={
        "any_effort": "ignored",
        **BAD_REFUSALS,
    },
)
def effort_bogus(seen: Seen) -> Iterator[Check]:
    """reasoning_effort "zzz" gets 400 with the documented error body."""
    yield from refuses(seen[BOGUS], 400)


@probe(
    "reason.effort_values",
    title="Knows the rarer efforts, or says no",
    sees=(NONE, *RARE),
    severity="ext",
    needs=("reason.effort_accept",),
    spec="OpenAPI: ReasoningEffort",
    faults={"crash_effort": "broken", "crash_cut": "broken"},
)
def effort_values(seen: Seen) -> Iterator[Check]:
    """Each of none, minimal, xhigh and max is answered with 200, or refused with the documented error body."""
    refused = [seen[scenario] for scenario in (NONE, *RARE) if said_no(seen[scenario])]
    for capture in refused:
        yield from envelope(capture)
    if len(refused) == 1 + len(RARE):
        raise Refused(refused[0])
    for scenario in (NONE, *RARE):
        if seen[scenario] not in refused:
            yield from accepted(seen[scenario])


@probe(
    "reason.effort_effect",
    title="Thinks more at a higher effort",
    sees=(LOW, HIGH),
    ability="C",
    needs=("reason.effort_accept",),
    spec="OpenAPI: ReasoningEffort",
    faults={"ignore_effort": "ignored"},
)
def effort_effect(seen: Seen) -> Iterator[Check]:
    """With effort high the median of thinking is 1.3 times that with low, or more."""
    low, high = seen.all(LOW), seen.all(HIGH)
    for capture in (*low, *high):
        yield from accepted(capture)
    little, much = _spent(low), _spent(high)
    if not much and not little:
        _nothing_shows(*low, *high)
    if much >= ENOUGH * little:
        yield check("thinking", True, f"{ENOUGH} times as much", f"{little:g} and {much:g}")  # noqa: FBT003 - asked above
        return
    if any(capture.finish_reason == "length" for capture in low):
        raise Untestable("headroom", "the thinking was cut before its length could differ")
    raise Ignored("it thinks as much either way", f"{ENOUGH} times as much", f"{little:g} and {much:g}", of=high[0])


@probe(
    "reason.off",
    title="Does not think when told not to",
    sees=(MEDIUM, NONE),
    severity="ext",
    ability="C",
    needs=("reason.effort_accept",),
    spec="OpenAPI: ReasoningEffort none",
    faults={"usage_reasoning_over": "ignored", "ignore_effort": "ignored", "leak_think": "ignored"},
)
def off(seen: Seen) -> Iterator[Check]:
    """With effort none there is neither thinking nor a token of it, where with medium there is."""
    capture, thoughtful = seen[NONE], seen[MEDIUM]
    yield from accepted(capture)
    shown = capture.thinking or next((mark for mark in THINKING_MARKERS if mark in capture.text), "")
    if shown or _told(capture):
        raise Ignored("it thinks all the same", "no reasoning", shown or f"{_told(capture)} tokens", of=capture)
    if not thoughtful.thinking and not _told(thoughtful):
        _nothing_shows(thoughtful)
    yield check("no thinking", True, "no reasoning", capture.text)  # noqa: FBT003 - every way to fail was taken above


def _answered(*captures: Capture) -> Iterator[Capture]:
    """Those that were answered; Refused where the first was refused and no other shows thinking."""
    if said_no(captures[0]) and not any(capture.thinking for capture in captures):
        raise Refused(captures[0])
    yield from (capture for capture in captures if capture.status == 200)


def _clean(capture: Capture) -> Iterator[Check]:
    """Checks that no mark of thinking stands in the content: a parser failed that should have taken it out."""
    marked = [mark for mark in THINKING_MARKERS if mark in capture.text]
    yield check("the content is clean", not marked, "no thinking in content", capture.text, of=capture)


def _names(capture: Capture) -> list[str]:
    """The fields in which thinking stands."""
    parts = tuple(capture.deltas()) if capture.streamed else (capture.message,)
    return [name for name in FIELDS if any(part.get(name) for part in parts)]


def _told(capture: Capture) -> int | None:
    return capture.tokens("completion_tokens_details", "reasoning_tokens")


def _spent(captures: Sequence[Capture]) -> float:
    """The median of what was thought: tokens where every usage counts them, or else signs."""
    told = [_told(capture) for capture in captures]
    if any(told) and None not in told:
        return median(count or 0 for count in told)
    return median(len(capture.thinking) for capture in captures)


def _nothing_shows(*captures: Capture) -> None:
    """Untestable: thinking is hidden, cut, or not done at all."""
    if any(_told(capture) for capture in captures):
        raise Untestable("evidence", "it thinks, and does not show what")
    raise Untestable("model", "nothing shows that it thinks")


PROBES = (
    channel,
    stream_channel,
    both_names,
    tokens,
    budget_cut,
    history,
    effort_accept,
    effort_bogus,
    effort_values,
    effort_effect,
    off,
)
