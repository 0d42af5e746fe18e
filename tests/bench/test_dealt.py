"""Verifications that are dealt from recorded answers: equal ones are left alone, and another model's are found."""

from __future__ import annotations

from collections import Counter

import fidelity
import numpy as np
from fidelity_made import mixed, sampler

from harness.report.fidelity.answers import Answer
from harness.report.fidelity.distribution import TASK
from harness.report.fidelity.judged import judge

TASKS = ({"name": TASK, "kind": "quality"},)


def _pool(model: int, answers: int) -> dict[fidelity.Question, list[Answer]]:
    """Answers of one model to 12 prompts."""
    drawn = mixed(np.random.default_rng(model), sampler(model, 12), sampler(model, 12), answers, 0)
    return {
        (TASK, prompt): [
            Answer(TASK, prompt, at, f"j{at}", text, "", (), "stop", 9, 12, 1.0, None, {}, (), ok=True)
            for at, text in enumerate(some)
        ]
        for prompt, some in drawn.items()
    }


def test_what_is_dealt_is_what_was_recorded() -> None:
    """Each answer goes to one side once, a third of them to the candidate; the reference has two halves."""
    pool = _pool(1, 18)
    given = fidelity.dealt(np.random.default_rng(0), pool)
    base, own = given.candidate(given.reference, TASK), given.candidate(fidelity.CANDIDATE, TASK)
    assert Counter(one.text for one in (*base, *own)) == Counter(one.text for some in pool.values() for one in some)
    assert (len(given.first(TASK)), len(given.again(TASK)), len(own)) == (12 * 6, 12 * 6, 12 * 6)


def test_equal_ones_are_left_alone_and_others_are_found() -> None:
    """Of 60 deals of one model at most 7 are called different, which 5 % exceeds once in 100; of two models it is."""
    draw, pool, other = np.random.default_rng(3), _pool(1, 18), _pool(2, 6)
    words = Counter(judge(fidelity.dealt(draw, pool), TASKS)["candidates"][0]["word"] for _ in range(60))
    assert words["different"] <= 7
    found = judge(fidelity.dealt(draw, pool, other=other, share=1.0), TASKS)["candidates"][0]
    assert found["word"] == "different"
