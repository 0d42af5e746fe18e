"""What a client asked for: the body read, checked as strictly as the documented API checks it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.simulator.model import sounds, thinking, vocabulary
from harness.simulator.refusal import SYNTAX, TYPE, Refusal, bad_type, bad_value, missing
from harness.simulator.requests.messages import check_messages, text_of
from harness.simulator.requests.prompts import check_legacy, read_prompts
from harness.simulator.requests.tools import (
    Choice,
    Tool,
    read_choice,
    read_function_call,
    read_functions,
    read_tools,
    schema_problem,
)
from harness.types import JsonObject

MOST_CHOICES = 4
_Form = Literal["text", "json_object", "json_schema"]
_NUMBERS: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_INTEGERS: dict[str, tuple[float, float]] = {
    "n": (1, MOST_CHOICES),
    "max_tokens": (1, math.inf),
    "max_completion_tokens": (1, math.inf),
    "top_logprobs": (0, 20),
    "min_tokens": (0, math.inf),
    "seed": (-math.inf, math.inf),
}
_TYPES: dict[str, tuple[type, str]] = {
    "stream": (bool, "a boolean"),
    "parallel_tool_calls": (bool, "a boolean"),
    "store": (bool, "a boolean"),
    "ignore_eos": (bool, "a boolean"),
    "user": (str, "a string"),
    "safety_identifier": (str, "a string"),
    "prompt_cache_key": (str, "a string"),
    "metadata": (dict, "an object"),
    "logit_bias": (dict, "an object"),
    "stream_options": (dict, "an object"),
    "prediction": (dict, "an object"),
    "response_format": (dict, "an object"),
}
_WORDS: dict[str, tuple[str, ...]] = {
    "verbosity": ("low", "medium", "high"),
    "service_tier": ("auto", "default", "flex", "scale", "priority"),
}
_HUGE_CAP = 1_000_000
_LONG_STOP = 1_000
_ID_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that makes sense."""

    surface: Literal["chat", "text"]
    model: str
    messages: tuple[JsonObject, ...]
    """What the model reads; for a legacy completion one user message a prompt."""
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    stop: tuple[str, ...] = ()
    cap: int | None = None
    """Output tokens allowed; None: as many as there are."""
    floor: int = 0
    """Output tokens asked for at least (``min_tokens``, or the cap with ``ignore_eos``)."""
    hot: bool = False
    """Sampled: a repeat may differ."""
    heat: float = 0
    """Temperature that it is sampled at; 0 where it is not."""
    top_p: float = 1
    seed: int | None = None
    bias: Mapping[int, float] = field(default_factory=dict)
    """By token id."""
    frequency_penalty: float = 0
    presence_penalty: float = 0
    tools: tuple[Tool, ...] = ()
    choice: Choice = field(default_factory=Choice)
    parallel: bool = True
    legacy: bool = False
    """Whether a call is told in the older form, ``function_call``."""
    form: _Form = "text"
    schema: Any = None
    logprobs: int | None = None
    """Alternatives to tell for each token; None: no logprobs."""
    echo: bool = False
    prediction: str = ""
    """What the output is expected to be; empty: nothing is."""
    verbosity: str = "medium"
    mutants: frozenset[str] = frozenset()
    """The deviations that hold for its answer."""
    suffix: str = ""
    """What is to stand behind the text; it counts as a part of the prompt."""
    effort: str = "none"
    """How much is thought before it speaks."""
    aloud: bool = False
    """Whether the answer is wanted as a sound."""


def parse_json(body: bytes, mutants: frozenset[str] = frozenset()) -> JsonObject:
    """The body as an object; Refusal 400 when it is none."""
    if "raw_escapes" in mutants:
        body = body.replace(b"\\u", b"\\\\u")
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body could not be parsed as JSON.", code=SYNTAX) from None
    if not isinstance(value, dict):
        raise Refusal(400, f"The body must be a JSON object, not {_called(value)}.", code=TYPE)
    return value


def fields_of(body: JsonObject) -> JsonObject:
    """What a body asks for: a field that is null counts as one that is not there."""
    return {key: value for key, value in body.items() if value is not None}


def check_model(given: JsonObject) -> None:
    """Refusal 400 where no model is named."""
    if not isinstance(given.get("model", ""), str):
        raise bad_type("model", "a string", given["model"])
    if not given.get("model"):
        raise missing("model")


def read(body: JsonObject, surface: Literal["chat", "text"], mutants: frozenset[str]) -> Asked:
    """The request of a body, with the deviations of ``mutants``; Refusal 400 names the field that is wrong."""
    if "reject_null" in mutants and (nulls := [key for key, value in body.items() if value is None]):
        raise bad_type(nulls[0], "a value", None)
    given = fields_of(body)
    check_model(given)
    _refuse_fields(given, mutants)
    _check_fields(given, surface, ranges="ignore_ranges" not in mutants)
    _check_mutants(given, mutants)
    biases = {} if "ignore_logit_bias" in mutants else _biases(given.get("logit_bias", {}))
    penalties = {} if "ignore_penalties" in mutants else given
    messages = check_messages(given, mutants) if surface == "chat" else read_prompts(given, mutants, MOST_CHOICES)
    tools, choice, legacy = _callable(given, mutants)
    form, schema = _formed(given, mutants)
    caps = [given[name] for name in _caps(surface, mutants) if name in given]
    cap = min(caps, default=16 if surface == "text" else None)
    effort = thinking.effort(given, mutants)
    thinking.check_room(effort, cap, mutants)
    return Asked(
        surface=surface,
        model=given["model"],
        messages=messages,
        stream=given.get("stream", False) or ("options_start_stream" in mutants and "stream_options" in given),
        include_usage=_include_usage(given, mutants),
        n=_choices(given, mutants),
        stop=_stop(given.get("stop"), mutants),
        cap=None if cap is None or "ignore_max_tokens" in mutants else max(0, cap) + ("cap_plus_one" in mutants),
        floor=(cap or 0) if given.get("ignore_eos") else given.get("min_tokens", 0),
        hot=(hot := _hot(given, mutants)),
        heat=_heat(given, mutants) if hot else 0,
        top_p=1 if "ignore_top_p" in mutants else given.get("top_p", 1),
        seed=_seed(given, mutants),
        bias=biases,
        frequency_penalty=penalties.get("frequency_penalty", 0),
        presence_penalty=penalties.get("presence_penalty", 0),
        tools=tools,
        choice=choice,
        parallel=not legacy and ("ignore_parallel_off" in mutants or given.get("parallel_tool_calls", True)),
        legacy=legacy,
        form=form,
        schema=schema,
        logprobs=_logprobs(given, surface, mutants),
        echo=bool(given.get("echo")) and "cpl_ignore_echo" not in mutants,
        suffix="" if surface == "chat" or "cpl_ignore_suffix" in mutants else given.get("suffix", ""),
        prediction="" if "ignore_prediction" in mutants else _prediction(given.get("prediction")),
        verbosity="medium" if "ignore_verbosity" in mutants else given.get("verbosity", "medium"),
        mutants=mutants,
        effort=effort,
        aloud=surface == "chat" and sounds.wanted(given, mutants),
    )


def _refuse_fields(given: JsonObject, mutants: frozenset[str]) -> None:
    """What mutants do to fields that a lenient server takes."""
    if "reject_store" in mutants and "store" in given:
        raise Refusal(400, "Unsupported parameter: 'store'.", param="store", code="unsupported_parameter")
    if "crash_unknown" in mutants and any(name.startswith("x_") for name in given):
        raise Refusal(500, "The server had an error.", kind="server_error")


def _check_fields(given: JsonObject, surface: str, *, ranges: bool) -> None:
    for table, kind in ((_NUMBERS, "a number"), (_INTEGERS, "an integer")):
        for name, (low, high) in table.items():
            if name not in given:
                continue
            value = given[name]
            if isinstance(value, bool) or not isinstance(value, int if table is _INTEGERS else int | float):
                raise bad_type(name, kind, value)
            if ranges and not low <= value <= high:
                bound = f"at least {low:g}" if value < low else f"at most {high:g}"
                raise bad_value(name, f"{value}. It must be {bound}", "above_max" if value > high else "below_min")
    for name, (kind_of, words) in _TYPES.items():
        if name in given and not isinstance(given[name], kind_of):
            raise bad_type(name, words, given[name])
    for name, allowed in _WORDS.items():
        if name in given and given[name] not in allowed:
            raise bad_value(name, f"{given[name]!r}. Supported: {', '.join(allowed)}")
    if surface == "text":
        check_legacy(given, MOST_CHOICES)
    elif not isinstance(given.get("logprobs", False), bool):
        raise bad_type("logprobs", "a boolean", given["logprobs"])


def _biases(given: JsonObject) -> dict[int, float]:
    """The biases by token id."""
    for token, bias in given.items():
        if not token.isascii() or not token.isdigit() or len(token) > _ID_DIGITS or int(token) >= vocabulary.SIZE:
            raise bad_value("logit_bias", f"the key {token[:20]!r} is no token id")
        if not isinstance(bias, int | float) or isinstance(bias, bool) or not -100 <= bias <= 100:
            raise bad_value("logit_bias", f"{bias!r} is no number from -100 to 100")
    return {int(token): bias for token, bias in given.items()}


def _check_mutants(given: JsonObject, mutants: frozenset[str]) -> None:
    """What a deviating server cannot bear, though it makes sense."""
    if "reject_hot" in mutants and given.get("temperature", 0) > 1:
        raise bad_value("temperature", f"{given['temperature']}. It must be at most 1", "above_max")
    if "crash_huge_cap" in mutants and any(given.get(name, 0) > _HUGE_CAP for name in _caps("chat", mutants)):
        raise Refusal(500, "The server had an error.", kind="server_error")


def _hot(given: JsonObject, mutants: frozenset[str]) -> bool:
    """Whether the answer is sampled: neither temperature nor top_p leaves the likeliest token alone."""
    if "always_greedy" in mutants:
        return False
    top_p = 1 if "ignore_top_p" in mutants else given.get("top_p", 1)
    return "ignore_temperature" in mutants or (given.get("temperature", 0) > 0.3 and top_p > 0.1)


def _heat(given: JsonObject, mutants: frozenset[str]) -> float:
    """The temperature of a sampled request; where it has no effect, that of a plain one."""
    return 1 if "ignore_temperature" in mutants else float(given.get("temperature", 1))


def _seed(given: JsonObject, mutants: frozenset[str]) -> int | None:
    seed: int | None = None if "ignore_seed" in mutants else given.get("seed")
    return 1 if seed is not None and "one_seed" in mutants else seed


def _caps(surface: str, mutants: frozenset[str]) -> tuple[str, ...]:
    if surface == "text" or "ignore_max_completion_tokens" in mutants:
        return ("max_tokens",)
    return ("max_tokens", "max_completion_tokens")


def _choices(given: JsonObject, mutants: frozenset[str]) -> int:
    if "cpl_all_candidates" in mutants and given.get("best_of"):
        return int(given["best_of"])
    return 1 if "ignore_n" in mutants else max(1, given.get("n", 1))


def _include_usage(given: JsonObject, mutants: frozenset[str]) -> bool:
    options = given.get("stream_options")
    if options is None:
        return False
    if not given.get("stream") and "options_start_stream" not in mutants:
        raise bad_value("stream_options", "it is only allowed when 'stream' is true")
    for name in ("include_usage", "include_obfuscation"):
        if not isinstance(options.get(name, False), bool | None):
            raise bad_type(f"stream_options.{name}", "a boolean", options[name])
    return bool(options.get("include_usage"))


def _stop(value: Any, mutants: frozenset[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise bad_type("stop", "a string or a list of strings", value)
    if "crash_long_stop" in mutants and any(len(stop) > _LONG_STOP for stop in stops):
        raise Refusal(500, "The server had an error.", kind="server_error")
    if "stop_first_four" in mutants:
        stops = stops[:4]
    if len(stops) > 4:
        raise bad_value("stop", f"{len(stops)} sequences. At most 4 are allowed", "array_above_max_length")
    return tuple(stop for stop in stops if stop)


def _prediction(value: JsonObject | None) -> str:
    if value is None:
        return ""
    if value.get("type") != "content":
        raise bad_value("prediction.type", f"{value.get('type')!r}. Supported: content")
    if not isinstance(value.get("content"), str | list):
        raise bad_type("prediction.content", "a string or an array of parts", value.get("content"))
    return text_of(value)


def _callable(given: JsonObject, mutants: frozenset[str]) -> tuple[tuple[Tool, ...], Choice, bool]:
    """What may be called, what must be, and whether in the older form."""
    if "ignore_tools" in mutants:
        return (), Choice(), False
    tools = read_tools(given.get("tools"), mutants)
    choice = read_choice(given.get("tool_choice"), tools, mutants)
    if "ignore_tool_choice" in mutants:
        choice = Choice()
    if choice.only and _unread(given["tool_choice"]["type"], mutants):
        choice = Choice(choice.mode)
    if tools or "ignore_functions" in mutants:
        return tools, choice, False
    functions = read_functions(given.get("functions"), mutants)
    if not functions:
        return (), choice, False
    return functions, read_function_call(given.get("function_call"), functions), True


def _unread(kind: str, mutants: frozenset[str]) -> bool:
    """Whether the names in a tool_choice are not looked at."""
    return ("ignore_allowed_tools" if kind == "allowed_tools" else "ignore_named_tool") in mutants


def _formed(given: JsonObject, mutants: frozenset[str]) -> tuple[_Form, Any]:
    """The form of the answer and its schema, with deviations."""
    value = given.get("response_format")
    if value is not None and given.get("tools") and "reject_format_with_tools" in mutants:
        raise bad_value("response_format", "it is not allowed beside 'tools'")
    try:
        form, schema = _form(value, mutants)
    except Refusal:
        if "ignore_bad_format" not in mutants:
            raise
        return "text", None
    if "ignore_response_format" in mutants or ("ignore_format_in_stream" in mutants and given.get("stream")):
        return "text", schema
    return form, schema


def _form(value: JsonObject | None, mutants: frozenset[str]) -> tuple[_Form, Any]:
    if value is None or value.get("type") == "text":
        return "text", None
    if value.get("type") == "json_object":
        return "json_object", None
    if value.get("type") != "json_schema":
        raise bad_value("response_format.type", f"{value.get('type')!r}. Supported: text, json_object, json_schema")
    inner = value.get("json_schema")
    if not isinstance(inner, dict):
        raise missing("response_format.json_schema")
    for name, check in _SCHEMA_PARTS.items():
        if name not in inner:
            raise missing(f"response_format.json_schema.{name}")
        if not check(inner[name]):
            raise bad_type(f"response_format.json_schema.{name}", "of another type", inner[name])
    if problem := schema_problem(inner["schema"], mutants):
        raise bad_value("response_format.json_schema.schema", problem)
    return "json_schema", inner["schema"]


_SCHEMA_PARTS: dict[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str) and bool(value),
    "schema": lambda value: isinstance(value, dict),
}


def _logprobs(given: JsonObject, surface: Literal["chat", "text"], mutants: frozenset[str]) -> int | None:
    wanted: int | None = given.get("logprobs")
    if surface == "chat":
        alternatives: int = given.get("top_logprobs", 0)
        if "top_logprobs_alone" in mutants and alternatives:
            return alternatives
        if "top_logprobs" in given and not wanted:
            raise bad_value("top_logprobs", "it is only allowed when 'logprobs' is true")
        wanted = alternatives if wanted or "logprobs_unasked" in mutants else None
    return None if "ignore_logprobs" in mutants else wanted


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _called(value: Any) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
