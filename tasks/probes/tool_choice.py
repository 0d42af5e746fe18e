"""Probes of what may be called: tool_choice, and lists of tools that are long, short or odd."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    UNCLEAN,
    Check,
    Ignored,
    Probe,
    Scenario,
    Seen,
    Untestable,
    accepted,
    answered_or_refused,
    called,
    calls_of,
    chat,
    check,
    leaks,
    probe,
    refuses,
)
from harness.conformance.plain import OFF_TOPIC, PAINT, PAINT_TOOL
from harness.types import JsonObject

BELL = "ring_bell"
LONG_NAME = "open_the_north-gate_of_the_old_harbour_and_wake_the_two_keepers_"
MANY = 64


def tool(name: str, description: str, parameters: JsonObject | None = None) -> JsonObject:
    """The declaration of a function."""
    given = {"name": name, "description": description}
    return {"type": "function", "function": given if parameters is None else {**given, "parameters": parameters}}


def chosen(name: str) -> JsonObject:
    """The value of tool_choice that names a function."""
    return {"type": "function", "function": {"name": name}}


def ask(name: str, title: str, line: str = OFF_TOPIC, cap: int = 16, **fields: Any) -> Scenario:
    """One line of a user with tools."""
    return chat(f"tools_{name}", title, line, cap=cap, surface="tools", visible=True, temperature=0, **fields)


BELL_TOOL = tool(BELL, "Ring the bell of the house.")
PAINT_PLEASE = "Paint the wall red. Call paint_wall now, do not answer in words."
NONE = ask("none", "a plea for a call, with tool_choice none", PAINT_PLEASE, tools=[PAINT_TOOL], tool_choice="none")
NAMED = ask(
    "named",
    "a plea for the first of two tools, with tool_choice naming the second",
    PAINT_PLEASE,
    cap=64,
    tools=[PAINT_TOOL, BELL_TOOL],
    tool_choice=chosen(BELL),
)
ALLOWED = ask(
    "allowed",
    "a plea for one of two tools, with allowed_tools holding only the other",
    PAINT_PLEASE,
    cap=64,
    tools=[PAINT_TOOL, BELL_TOOL],
    tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [chosen(BELL)]}},
)
EMPTY = ask("empty_list", "an empty list of tools", tools=[])
TWICE = ask("dup_names", "two tools of one name", tools=[BELL_TOOL, BELL_TOOL])
LONG = ask(
    "name_64",
    "a demanded call of a tool whose name has 64 signs",
    cap=64,
    tools=[tool(LONG_NAME, "Open a gate.")],
    tool_choice="required",
)
UNICODE = ask("name_unicode", "a tool whose name is not of the documented letters", tools=[tool("查天气", "Weather.")])
CROWD = ask(
    "many",
    f"{MANY} tools, the last of them demanded by name",
    cap=64,
    tools=[tool(f"bell_{number}", f"Ring bell number {number}.") for number in range(1, MANY + 1)],
    tool_choice=chosen(f"bell_{MANY}"),
)


@probe(
    "tools.none",
    title="Calls no tool when it must not",
    sees=(NONE,),
    severity="core",
    ability="F",
    needs=("tools.accept",),
    spec="OpenAPI: ChatCompletionToolChoiceOption",
    threads=("ollama/ollama#17921",),
    faults={"ignore_tool_choice": "ignored"},
)
def none(seen: Seen) -> Iterator[Check]:
    """With tool_choice none even a plea for a call gets none, neither as a call nor as markup in the text."""
    capture = seen[NONE]
    yield from accepted(capture)
    if calls := calls_of(capture):
        raise Ignored("called a tool all the same", "no call", calls[0].name)
    # A model may write what it would have called all the same: clients show it as the text that it is.
    yield check("no markup of calls", not leaks(capture), "no markup", capture.text, must=False)


@probe(
    "tools.named",
    title="Calls the tool that is named",
    sees=(NAMED,),
    severity="core",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: ChatCompletionNamedToolChoice",
    threads=("ollama/ollama#17921",),
    faults={"ignore_named_tool": "ignored"},
)
def named(seen: Seen) -> Iterator[Check]:
    """Where tool_choice names one of two tools, only that one is called, though the prompt begs for the other."""
    yield from only(seen, NAMED, BELL)


@probe(
    "tools.allowed_tools",
    title="Keeps to allowed_tools",
    sees=(ALLOWED,),
    severity="ext",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: ChatCompletionAllowedToolsChoice",
    faults={"ignore_allowed_tools": "ignored"},
)
def allowed_tools(seen: Seen) -> Iterator[Check]:
    """Where allowed_tools holds one of two tools, only that one is called, though the prompt begs for the other."""
    yield from only(seen, ALLOWED, BELL)


def only(seen: Seen, scenario: Scenario, name: str) -> Iterator[Check]:
    """Checks that nothing but one tool was called."""
    capture = seen[scenario]
    yield from called(capture)
    names = [call.name for call in calls_of(capture)]
    yield check("the tools were given", set(map(str, names)) <= {PAINT, BELL}, f"{PAINT} or {BELL}", names)
    if set(names) != {name}:
        raise Ignored("another tool was called", name, names)
    yield check("function.name", True, name, names)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "tools.finish_named",
    title="Ends a named call in a known way",
    sees=(NAMED,),
    ability="F",
    basis="observed",
    needs=("tools.named",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    threads=("vllm-project/vllm#49496",),
    faults={"finish_null": "broken", "finish_odd": "broken"},
)
def finish_named(seen: Seen) -> Iterator[Check]:
    """The finish_reason of a call that tool_choice named is stop, as the original service has it, or tool_calls."""
    capture = seen[NAMED]
    yield from called(capture)
    finish = capture.at("choices", 0, "finish_reason")
    if finish == "length":
        raise Untestable("headroom", "the output was cut inside a call")
    yield check("finish_reason", finish in ("tool_calls", "stop"), "stop or tool_calls", finish)


@probe(
    "tools.name_64",
    title="Takes long names",
    sees=(LONG,),
    severity="ext",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: FunctionObject.name",
    faults={"tool_short_name": "broken"},
)
def name_64(seen: Seen) -> Iterator[Check]:
    """A tool whose name has 64 letters, dashes and underscores is called by exactly that name."""
    yield from exactly(seen, LONG, LONG_NAME)


@probe(
    "tools.many",
    title=f"Takes {MANY} tools",
    sees=(CROWD,),
    severity="ext",
    ability="F",
    needs=("tools.named",),
    spec="OpenAPI: CreateChatCompletionRequest.tools",
    faults={"reject_many_tools": "rejected"},
)
def many(seen: Seen) -> Iterator[Check]:
    """Of 64 tools the last one is called when tool_choice names it."""
    yield from exactly(seen, CROWD, f"bell_{MANY}")


def exactly(seen: Seen, scenario: Scenario, name: str) -> Iterator[Check]:
    """Checks that every call is of one name."""
    capture = seen[scenario]
    yield from called(capture)
    for call in calls_of(capture):
        yield check("function.name", call.name == name, name, call.name)


NONSENSE = (
    (
        "named_unknown",
        "a tool that is not given",
        ask("named_unknown", "tool_choice names a tool that is not given", tools=[BELL_TOOL], tool_choice=chosen("zq")),
    ),
    (
        "choice_without_tools",
        "required without tools",
        ask("choice_without_tools", "tool_choice required without tools", tool_choice="required"),
    ),
    (
        "choice_bogus",
        "a word that is none of its own",
        ask("choice_bogus", "tool_choice is an unknown word", tools=[BELL_TOOL], tool_choice="zzz"),
    ),
)


def senseless(id: str, what: str, scenario: Scenario) -> Probe:  # noqa: A002 - the field's name
    """The probe of a tool_choice that makes no sense."""

    def judge(seen: Seen) -> Iterator[Check]:
        yield from refuses(seen[scenario], param="tool_choice")

    judge.__doc__ = f"A tool_choice of {what} is refused with 400 and the documented error body."
    return probe(
        f"tools.{id}",
        title=f"Refuses a tool_choice of {what}",
        sees=(scenario,),
        basis="observed",
        needs=("tools.required",),
        spec="OpenAPI: ChatCompletionToolChoiceOption",
        faults={**BAD_REFUSALS, "ignore_bad_choice": "ignored"},
    )(judge)


ODD = (
    ("empty_list", "An empty list of tools", "OpenAPI: CreateChatCompletionRequest.tools", EMPTY),
    ("dup_names", "A list with two tools of one name", "OpenAPI: CreateChatCompletionRequest.tools", TWICE),
    ("name_unicode", "A tool with a name beyond ASCII", "OpenAPI: FunctionObject.name", UNICODE),
)


def either(id: str, what: str, spec: str, scenario: Scenario) -> Probe:  # noqa: A002 - the field's name
    """The probe of an odd list of tools, which may be taken or refused, but must not hurt the server."""

    def judge(seen: Seen) -> Iterator[Check]:
        yield from answered_or_refused(seen[scenario])

    judge.__doc__ = f"{what} is answered, or cleanly refused with a 4xx."
    return probe(
        f"tools.{id}",
        title=f"Survives {what[0].lower()}{what[1:]}",
        sees=(scenario,),
        severity="ext",
        needs=("tools.accept",),
        spec=spec,
        faults=UNCLEAN,
    )(judge)


PROBES = (
    none,
    named,
    allowed_tools,
    finish_named,
    name_64,
    many,
    *(senseless(*one) for one in NONSENSE),
    *(either(*one) for one in ODD),
)
