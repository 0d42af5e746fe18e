"""Offsets of prompt tokens and what they come from, on planted templates, prompts and tokenizers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.fidelity.prompt_tokens import Case, Finding, explained

PROMPTS = (
    Case("plain", "plain", 20, None),
    Case("long", "plain", 900, None),
    Case("system", "system", 35, None, messages=2, system=True),
    Case("turns3", "multi-turn", 60, None, messages=3),
    Case("turns7", "multi-turn", 130, None, messages=7, system=True),
    Case("tools1", "tools", 150, None, tools=1),
    Case("tools4", "tools", 420, None, tools=4, system=True, messages=2),
    Case("results", "tool results", 210, None, tools=1, messages=4, tool_results=1),
    Case("results2", "tool results", 260, None, tools=1, messages=6, tool_results=2),
    Case("unicode", "unicode", 77, None),
    Case("image1", "images", 300, None, images=1),
    Case("image3", "images", 870, None, images=3),
)


def _asked(offset, cases=PROMPTS) -> Finding:
    return explained([replace(case, candidate=(case.reference or 0) + offset(case)) for case in cases])


@pytest.mark.parametrize(
    ("offset", "cause", "terms"),
    [
        (lambda case: 0, "same", {}),
        (lambda case: 47, "injected prompt", {"prompt": 47}),
        (lambda case: 1, "template difference", {"prompt": 1}),
        (lambda case: -1, "template difference", {"prompt": -1}),
        (lambda case: 0 if case.system else 24, "injected prompt", {"prompt without system message": 24}),
        (lambda case: 2 * case.messages, "template difference", {"message": 2}),
        (lambda case: 1 - case.messages, "template difference", {"prompt": 1, "message": -1}),
        (lambda case: 9 * case.tools, "template difference", {"tool": 9}),
        (lambda case: -60 * case.tools, "template difference", {"tool": -60}),
        (lambda case: 5 * case.tool_results, "template difference", {"tool result": 5}),
        (lambda case: 255 * case.images, "template difference", {"image": 255}),
        (lambda case: 30 + 3 * case.tools, "injected prompt", {"prompt": 30, "tool": 3}),
    ],
)
def test_an_offset_is_named_by_what_adds_it(offset, cause, terms) -> None:
    """Constant, per message, per tool, per tool result, per image, and where no system message was sent."""
    found = _asked(offset)
    assert (found.cause, found.terms, found.odd) == (cause, terms, ())


def test_another_tokenizer() -> None:
    """Offsets that follow the text, of whatever surface, are a tokenizer's."""
    found = _asked(lambda case: (case.reference or 0) // 9)
    assert (found.cause, found.terms) == ("tokenizer difference", {})
    assert found.evidence[0] == "long"


def test_a_tokenizer_that_differs_on_one_surface() -> None:
    """Only the Unicode prompt is off, beside a mark that every prompt has: both are told."""
    found = _asked(lambda case: 1 + (13 if case.surface == "unicode" else 0))
    assert (found.cause, found.terms, found.odd) == ("tokenizer difference", {"prompt": 1}, ("unicode",))
    assert found.surfaces["unicode"] == (14, 14)


@pytest.mark.parametrize(
    ("surface", "cause"),
    [("images", "image difference"), ("tool results", "template difference"), ("tools", "template difference")],
)
def test_a_surface_that_is_read_otherwise_is_named(surface: str, cause: str) -> None:
    """Offsets that only pictures, tools or their results have, by no rule, are no tokenizer's."""
    found = _asked(lambda case: -(case.reference or 0) // 3 if case.surface == surface else 0)
    assert (found.cause, found.terms, found.odd) == (cause, {}, (surface,))


def test_what_is_not_stated_is_not_zero() -> None:
    """A side that states no usage is counted as missing, and where none does nothing is concluded."""
    assert explained(PROMPTS).cause == "not stated"
    some = explained([replace(PROMPTS[0], candidate=20), PROMPTS[1]])
    assert (some.cause, some.cases, some.missing) == ("same", 1, ("long",))


def test_two_cases_bear_no_rule_of_two_terms() -> None:
    """As many terms as cases would fit anything: nothing is concluded from such a fit."""
    assert _asked(lambda case: 3 + 2 * case.messages + case.tools, PROMPTS[:2]).terms != {"prompt": 3, "message": 2}
    two = _asked(lambda case: (case.reference or 0) // 9, PROMPTS[:3:2])
    assert two.cause == "tokenizer difference"


@settings(deadline=None)
@given(st.integers(-40, 40), st.integers(-9, 9), st.integers(-30, 30))
def test_any_planted_rule_is_explained(prompt: int, message: int, tool: int) -> None:
    """Whatever terms are planted: the rule that is found gives the same offset for every case."""
    found = _asked(lambda case: prompt + message * case.messages + tool * case.tools)
    planted = {"prompt": prompt, "message": message, "tool": tool}
    assert found.terms == {name: tokens for name, tokens in planted.items() if tokens}
