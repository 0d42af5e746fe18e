"""Distances of served log probabilities, with bounds where they were not served, and border inputs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from fidelity_made import called
from numpy.random import Generator

from harness.fidelity import border, logprobs


def _served(draw: Generator, n: int, *, shift: float = 0.0, top: int = 8, noise: float = 0.1, prompts: int = 3) -> dict:
    """Logits with the noise of batches, of which the likeliest are served."""
    fixed = np.random.default_rng(2).normal(0, 2, (prompts, 30))
    moved = fixed + shift * np.random.default_rng(3).normal(0, 1, fixed.shape)
    rows = {}
    for at, logits in enumerate(moved):
        noisy = logits + draw.normal(0, noise, (n, 30))
        logs = noisy - np.log(np.exp(noisy).sum(axis=1, keepdims=True))
        rows[f"p{at}"] = [{f"t{k}": float(row[k]) for k in np.argsort(-row)[:top]} for row in logs]
    return rows


def test_known_rows() -> None:
    """Two tokens on both sides: the mean gap in nats, and a total variation without any bound to widen it."""
    x, y = ({"p": [{"a": math.log(p), "b": math.log(1 - p)}] * 2} for p in (0.5, 0.75))
    found = logprobs.distance(x, y)
    assert found is not None
    assert found.mean_gap == pytest.approx((math.log(1.5) + math.log(2)) / 2)
    assert found.total_variation == pytest.approx((0.25, 0.25))
    assert (found.censored, found.tokens, found.same) == (0.0, 2, False)


def test_a_missing_token_is_bounded_and_not_zero() -> None:
    """``b`` is missing on one side, where at most 0.1 of the mass is left for it: the variation is an interval."""
    x = {"p": [{"a": math.log(0.9)}] * 2}
    y = {"p": [{"a": math.log(0.7), "b": math.log(0.3)}] * 2}
    found = logprobs.distance(x, y)
    assert found is not None
    assert found.total_variation == pytest.approx(((0.2 + 0.2) / 2, (0.2 + 0.3) / 2))
    assert found.censored == 0.25


def test_a_shorter_list_is_no_difference() -> None:
    """One endpoint serves eight tokens, another three of the same model: the least total variation stays near 0."""
    draw = np.random.default_rng(4)
    found = logprobs.distance(_served(draw, 20), _served(draw, 20, top=3))
    assert found is not None
    assert found.total_variation[0] < 0.02
    assert found.total_variation[1] > 0.05


def test_a_deterministic_endpoint_that_agrees() -> None:
    """The same numbers in every row on both sides: no difference, and no p to be found by chance."""
    rows = {"p": [{"a": -0.1, "b": -3.0}] * 4}
    found = logprobs.distance(rows, rows)
    assert found is not None
    assert (found.same, found.p_value, found.mean_gap) == (True, None, 0.0)
    assert logprobs.distance(rows, {}) is None


@pytest.mark.parametrize("value", [-math.inf, math.nan, -9999.0, 0.5])
def test_odd_numbers_are_kept_within_bounds(value: float) -> None:
    """What cannot come, what is no number and what is above certainty make no other figure infinite or nan."""
    found = logprobs.distance({"p": [{"a": value, "b": -1.0}] * 2}, {"p": [{"b": -1.0}, {}]})
    assert found is not None
    assert all(map(math.isfinite, (found.mean_gap, *found.total_variation)))


def _p(shift: float, n: int):
    def of(draw: Generator, run: int) -> float:
        found = logprobs.distance(_served(draw, n), _served(draw, n, shift=shift), permutations=99, seed=run)
        return found.p_value if found and found.p_value else 1.0

    return of


def test_equal_endpoints_are_called_different_in_a_twentieth() -> None:
    """400 pairs of equal endpoints with censored lists: 5 %, give or take 1.5; a shift of logits raises it."""
    assert called(_p(0, 6), 400, seed=1) == pytest.approx(0.05, abs=0.015)
    power = [called(_p(shift, 6), 40, seed=2) for shift in (0.02, 0.05, 0.2)]
    assert power == sorted(power)
    assert power[-1] > 0.95


@pytest.mark.parametrize(
    ("body", "top"),
    [
        ({"content": [{"token": "a", "top_logprobs": [{"token": "a", "logprob": -0.1}]}]}, {"a": -0.1}),
        ({"content": [{"top_logprobs": [{"token": "a", "logprob": -3}, {"token": "a", "logprob": -1}]}]}, {"a": -1.0}),
        ({"content": [{"top_logprobs": [{"token": "a", "logprob": "x"}]}]}, {}),
        ({"content": []}, {}),
        (None, {}),
    ],
)
def test_the_first_tokens_probabilities_are_read_whole_and_streamed(body: object, top: dict[str, float]) -> None:
    """The list of the first place, of two tokens with one text the likelier; nothing where nothing of use is told."""
    whole = json.dumps({"choices": [{"index": 0, "logprobs": body}]})
    streamed = f": begin\n\ndata: {json.dumps({'choices': []})}\n\ndata: {whole}\n\ndata: [DONE]\n\n"
    assert logprobs.first_token(whole) == logprobs.first_token(streamed) == top
    assert logprobs.first_token(f"<html>{whole}") == logprobs.first_token("[" * 100_000) == {}


def test_the_gap_to_a_reference_is_measured_against_its_own_noise() -> None:
    """Equal endpoints, also with shorter lists, are equivalent; shifted logits are different; equal digits are 0."""
    draw = np.random.default_rng(7)
    first, again = (_served(draw, 6, prompts=10) for _ in range(2))
    words = {}
    for name, told in {"same": {}, "short": {"top": 3}, "shifted": {"shift": 0.4}}.items():
        gap = logprobs.against_itself(first, again, _served(draw, 6, prompts=10, **told))
        assert gap is not None
        words[name] = gap.word(logprobs.MARGIN)
    assert words == {"same": "equivalent", "short": "equivalent", "shifted": "different"}
    fixed = {f"p{at}": [{"a": -0.1, "b": -2.5}] * 3 for at in range(3)}
    equal = logprobs.against_itself(fixed, fixed, fixed)
    assert equal is not None
    assert (equal.value, equal.low, equal.high, equal.p_value) == (0, 0, 0, 1)
    assert logprobs.against_itself(fixed, fixed, {"p0": [{"a": -0.1}]}) is None


def _firsts(draw: Generator, chances: np.ndarray, n: int) -> dict[str, list[str]]:
    return {f"p{at}": np.where(draw.random(n) < chance, "a", "b").tolist() for at, chance in enumerate(chances)}


def test_borders_are_the_prompts_that_flip() -> None:
    """More than one answer, the most balanced first; a deterministic endpoint has none."""
    found = border.borders({"x": ["a", "a", "b"], "y": ["a", "a", "a"], "z": ["a", "b", "c", "a", "b"]})
    assert [each.prompt for each in found] == ["z", "x"]
    assert found[1].balance == 0.5
    assert border.borders({"x": ["a"] * 9}) == ()


def test_a_canary_sings_where_the_borders_moved() -> None:
    """Same chances: same; near ties that became certain: changed; no border inputs: not applicable."""
    draw = np.random.default_rng(5)
    chances = draw.uniform(0.3, 0.7, 20)
    reference = _firsts(draw, chances, 100)
    same, moved = (border.canary(reference, _firsts(draw, each, 10)) for each in (chances, chances > 0.5))
    assert (same.word, moved.word) == ("same", "changed")
    assert same.variation == pytest.approx(same.own, abs=0.06)
    fixed = {"p": ["a"] * 100}
    assert border.canary(fixed, {"p": ["b"] * 10}).word == "not applicable"


def test_a_canary_is_silent_on_equal_days() -> None:
    """400 equal days: p is at most 0.05 on 5 %, give or take 1.5, and with 0.2 of variation on fewer."""
    chances = np.random.default_rng(6).uniform(0.2, 0.8, 20)

    def of(draw: Generator, run: int) -> float:
        found = border.canary(_firsts(draw, chances, 40), _firsts(draw, chances, 10), permutations=99, seed=run)
        words.append(found.word)
        return found.p_value or 1.0

    words: list[str] = []
    assert called(of, 400, seed=1) == pytest.approx(0.05, abs=0.015)
    assert words.count("changed") <= 8


def test_borders_that_moved_are_told_from_a_reference_that_flips() -> None:
    """400 equal candidates: 5 %, give or take 1.5, though the prompts are chosen by what is tested; then power.

    A reference that never flips has no borders.
    """

    def p_of(moved_to: np.ndarray):
        def of(draw: Generator, run: int) -> float:
            first, again, own = (_firsts(draw, each, 4) for each in (chances, chances, moved_to))
            found = border.moved(first, again, own, seed=run)
            return found.p_value if found else 1.0

        return of

    chances = np.random.default_rng(8).uniform(0, 1, 60) ** 2
    assert called(p_of(chances), 400, seed=1) == pytest.approx(0.05, abs=0.015)
    power = [called(p_of(each), 40, seed=2) for each in (chances * 0.5, chances > 0.3)]
    assert power == sorted(power)
    assert power[-1] > 0.8
    fixed = {"p": ["a"] * 4}
    assert border.moved(fixed, fixed, {"p": ["b"] * 4}) is None
