"""Made-up prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness import request
from harness.errors import UsageError
from harness.provider import Endpoint, Provider
from harness.workload import words
from harness.workload.lengths import Fixed, Uniform
from harness.workload.synthetic import SCHEMA, TOOLS, Kind, Synthetic, parse_prefix

CHAT = Synthetic(Uniform(20, 400), Fixed(64))


@given(st.integers(0, 2**31), st.integers(0, 10**6), st.sampled_from(["chat", "tools", "schema"]))
@settings(deadline=None)
def test_a_prompt_is_a_function_of_seed_and_index(seed: int, index: int, kind: Kind) -> None:
    """Asked again it is the same, it has the length its metadata says, and it can be sent."""
    workload = replace(CHAT, kind=kind, turns=Uniform(1, 3), prefix_tokens=30, prefix_share=0.5)
    sample = workload(seed, index)
    assert sample == replace(workload)(seed, index)
    assert sum(words.count(message["content"]) for message in sample.messages) == sample.metadata["input_tokens"]
    assert sample.params["max_tokens"] == sample.metadata["output_tokens"] == 64
    assert 0 <= len(sample.turns) <= 2
    assert request.build(sample, Endpoint(Provider("p", "hosted", None), "m", "m"), stream=True).body


def test_prompts_differ_from_their_first_words_on() -> None:
    """No two of a seed share a beginning that a prompt cache could answer, and no two seeds share a prompt."""
    beginnings = {
        " ".join(CHAT(seed, index).messages[0]["content"].split()[:6]) for seed in (0, 1) for index in range(500)
    }
    assert len(beginnings) == 1000


def test_another_answer_length_leaves_the_prompts_alone() -> None:
    """Each draw has its own stream of random numbers."""
    longer = replace(CHAT, output=Uniform(500, 900), ignore_eos=True)
    for index in range(20):
        assert longer(3, index).messages == CHAT(3, index).messages
        assert 500 <= longer(3, index).params["max_tokens"] <= 900
        assert longer(3, index).params["ignore_eos"] is True
        assert "ignore_eos" not in CHAT(3, index).params


def test_prefixes_are_shared_as_often_as_asked() -> None:
    """Half the requests begin with one of four texts of a thousand tokens, the rest with their own."""
    workload = replace(CHAT, prefix_tokens=1000, prefixes=4, prefix_share=0.5)
    samples = [workload(0, index) for index in range(1000)]
    systems = Counter(sample.messages[0]["content"] for sample in samples if sample.messages[0]["role"] == "system")
    assert len(systems) == 4
    assert 440 < sum(systems.values()) < 560
    assert all(words.count(text) == 1000 and 80 < times < 180 for text, times in systems.items())
    assert {len(sample.messages) for sample in samples} == {1, 2}
    assert all(len(replace(workload, prefix_share=1.0)(0, index).messages) == 2 for index in range(50))
    assert all(len(replace(workload, prefix_share=0.0)(0, index).messages) == 1 for index in range(50))


def test_a_session_has_its_turns() -> None:
    """Three messages of a user are one now and two later, each of the input's length and each another."""
    sample = Synthetic(Fixed(50), Fixed(10), turns=Fixed(3))(0, 0)
    said = [sample.messages[0]["content"], *sample.turns]
    assert [words.count(text) for text in said] == [50, 50, 50]
    assert len(set(said)) == 3


def test_tools_are_offered_and_sometimes_demanded() -> None:
    """Three tools with valid schemas; every second request must call one, a session never must."""
    for tool in TOOLS:
        Draft202012Validator.check_schema(tool["function"]["parameters"])
    workload = Synthetic(Fixed(50), Fixed(10), kind="tools")
    samples = [workload(0, index) for index in range(6)]
    assert all(sample.tools == TOOLS for sample in samples)
    assert [sample.params["tool_choice"] for sample in samples] == ["auto", "required"] * 3
    assert {replace(workload, turns=Fixed(2))(0, index).params["tool_choice"] for index in range(6)} == {"auto"}


def test_structured_output_is_asked_for_strictly() -> None:
    """The schema is valid, closed and names every property as required, as strict mode wants."""
    asked = Synthetic(Fixed(50), Fixed(10), kind="schema")(0, 0).params["response_format"]
    assert (asked["type"], asked["json_schema"]["strict"]) == ("json_schema", True)
    Draft202012Validator.check_schema(SCHEMA)
    for part in (SCHEMA, SCHEMA["properties"]["items"]["items"]):
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])


def test_a_prefix_is_written_short() -> None:
    """Tokens, then how many there are, then the share of requests; the last two can be left out."""
    assert parse_prefix("1000:4:0.5") == (1000, 4, 0.5)
    assert parse_prefix("1000:4") == (1000, 4, 1.0)
    assert parse_prefix("1000") == (1000, 1, 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parse_prefix("x"), "'x' is no whole number"),
        (lambda: parse_prefix("0"), "tokens of the prefix must be"),
        (lambda: parse_prefix("10:0"), "pool of prefixes must be"),
        (lambda: parse_prefix("10:1:1.5"), "must be from 0 to 1, not 1.5"),
        (lambda: parse_prefix("10:1:1:1"), "Give TOKENS:POOL:SHARE"),
        (lambda: replace(CHAT, prefix_tokens=-1), "prefix_tokens must be a whole number from 0 on"),
        (lambda: replace(CHAT, prefixes=0), "prefixes must be"),
        (lambda: replace(CHAT, prefix_share=2), "prefix_share must be from 0 to 1"),
        (lambda: replace(CHAT, kind="jsn"), "kind must be one of chat, tools, schema"),  # type: ignore[arg-type]
        (lambda: replace(CHAT, tokenizer=Path("gone.json"))(0, 0), "no such tokenizer file|needs the package"),
    ],
)
def test_a_wrong_workload_is_told_in_one_line(make: Callable[[], object], message: str) -> None:
    """The line names the field and the value."""
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
