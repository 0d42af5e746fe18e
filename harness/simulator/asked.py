"""What a client asked for: the body read, checked as strictly as the documented API checks it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.simulator import sounds, thinking
from harness.simulator.messages import check_messages, text_of
from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.simulator.tools import Choice, Tool, read_choice, read_tools, schema_problem
from harness.types import JsonObject

MOST_CHOICES = 4
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
_UNSUPPORTED = {"chat": ("functions", "function_call"), "text": ("suffix", "best_of", "logprobs")}


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
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    choice: Choice = field(default_factory=Choice)
    parallel: bool = True
    form: Literal["text", "json_object", "json_schema"] = "text"
    schema: Any = None
    logprobs: int | None = None
    """Alternatives to tell for each token; None: no logprobs."""
    echo: bool = False
    prediction: str = ""
    """What the output is expected to be; empty: nothing is."""
    verbosity: str = "medium"
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
        raise Refusal(400, "The body could not be parsed as JSON.") from None
    if not isinstance(value, dict):
        raise Refusal(400, f"The body must be a JSON object, not {_called(value)}.")
    return value


def read(body: JsonObject, surface: Literal["chat", "text"], mutants: frozenset[str]) -> Asked:
    """The request of a body, with the deviations of ``mutants``; Refusal 400 names the field that is wrong."""
    if "reject_null" in mutants and (nulls := [key for key, value in body.items() if value is None]):
        raise bad_type(nulls[0], "a value", None)
    given = {key: value for key, value in body.items() if value is not None}
    if not isinstance(given.get("model", ""), str):
        raise bad_type("model", "a string", given["model"])
    if not given.get("model"):
        raise missing("model")
    _refuse_fields(given, mutants)
    for name in _UNSUPPORTED[surface]:
        if name in given:
            raise Refusal(400, f"Unsupported parameter: {name!r}.", param=name, code="unsupported_parameter")
    _check_fields(given, surface, ranges="ignore_ranges" not in mutants)
    messages = check_messages(given, mutants) if surface == "chat" else _prompts(given)
    tools = () if "ignore_tools" in mutants else read_tools(given.get("tools"))
    choice = Choice() if "ignore_tools" in mutants else read_choice(given.get("tool_choice"), tools)
    form, schema = _form(given.get("response_format"))
    caps = [given[name] for name in _caps(surface, mutants) if name in given]
    cap = min(caps, default=16 if surface == "text" else None)
    temperature = given.get("temperature", 0)
    effort = thinking.effort(given, mutants)
    thinking.check_room(effort, cap, mutants)
    return Asked(
        surface=surface,
        model=given["model"],
        messages=messages,
        stream=given.get("stream", False),
        include_usage=_include_usage(given),
        n=1 if "ignore_n" in mutants else max(1, given.get("n", 1)),
        stop=_stop(given.get("stop")),
        cap=None if cap is None or "ignore_max_tokens" in mutants else max(0, cap),
        floor=(cap or 0) if given.get("ignore_eos") else given.get("min_tokens", 0),
        hot="ignore_temperature" in mutants or (temperature > 0.3 and given.get("top_p", 1) > 0.1),
        seed=None if "ignore_seed" in mutants else given.get("seed"),
        tools=tools,
        choice=Choice() if "ignore_tool_choice" in mutants else choice,
        parallel="ignore_parallel_off" in mutants or given.get("parallel_tool_calls", True),
        form="text" if "ignore_response_format" in mutants else form,
        schema=schema,
        logprobs=_logprobs(given, mutants),
        echo=bool(given.get("echo")),
        prediction="" if "ignore_prediction" in mutants else _prediction(given.get("prediction")),
        verbosity="medium" if "ignore_verbosity" in mutants else given.get("verbosity", "medium"),
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
    if surface == "chat" and not isinstance(given.get("logprobs", False), bool):
        raise bad_type("logprobs", "a boolean", given["logprobs"])
    _check_bias(given.get("logit_bias", {}))


def _check_bias(biases: JsonObject) -> None:
    for token, bias in biases.items():
        if not token.isascii() or not token.isdigit():
            raise bad_value("logit_bias", f"the key {token!r} is no token id")
        if not isinstance(bias, int | float) or isinstance(bias, bool) or not -100 <= bias <= 100:
            raise bad_value("logit_bias", f"{bias!r} is no number from -100 to 100")


def _caps(surface: str, mutants: frozenset[str]) -> tuple[str, ...]:
    if surface == "text" or "ignore_max_completion_tokens" in mutants:
        return ("max_tokens",)
    return ("max_tokens", "max_completion_tokens")


def _prompts(given: JsonObject) -> tuple[JsonObject, ...]:
    if "prompt" not in given:
        raise missing("prompt")
    prompts = [given["prompt"]] if isinstance(given["prompt"], str) else given["prompt"]
    if not isinstance(prompts, list) or not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise bad_type("prompt", "a string or a list of strings", given["prompt"])
    if len(prompts) * given.get("n", 1) > MOST_CHOICES:
        raise bad_value("prompt", f"{len(prompts)} prompts. At most {MOST_CHOICES} choices are served at once")
    return tuple({"role": "user", "content": prompt} for prompt in prompts)


def _include_usage(given: JsonObject) -> bool:
    options = given.get("stream_options")
    if options is None:
        return False
    if not given.get("stream"):
        raise bad_value("stream_options", "it is only allowed when 'stream' is true")
    wanted = options.get("include_usage", False)
    if not isinstance(wanted, bool | None):
        raise bad_type("stream_options.include_usage", "a boolean", wanted)
    return bool(wanted)


def _stop(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise bad_type("stop", "a string or a list of strings", value)
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


def _form(value: JsonObject | None) -> tuple[Literal["text", "json_object", "json_schema"], Any]:
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
    if problem := schema_problem(inner["schema"]):
        raise bad_value("response_format.json_schema.schema", problem)
    return "json_schema", inner["schema"]


_SCHEMA_PARTS: dict[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str) and bool(value),
    "schema": lambda value: isinstance(value, dict),
}


def _logprobs(given: JsonObject, mutants: frozenset[str]) -> int | None:
    if "top_logprobs" in given and not given.get("logprobs"):
        raise bad_value("top_logprobs", "it is only allowed when 'logprobs' is true")
    if not given.get("logprobs") or "ignore_logprobs" in mutants:
        return None
    alternatives: int = given.get("top_logprobs", 0)
    return alternatives


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _called(value: Any) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
