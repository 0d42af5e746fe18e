"""What the package adds, without a server: the harness itself is tried by its commands."""

from __future__ import annotations

from acme_harness.capitals import TASK
from acme_harness.no_longer_than import no_longer_than
from acme_harness.one_word import LOAD

from harness.exchange import Completion, StreamMarks


def said(text: str) -> Completion:
    """An answer of this text."""
    return Completion(text, "", "", (), "stop", None, StreamMarks())


def test_the_task_knows_its_answers() -> None:
    """Each question has a capital, which its scorer finds in a sentence."""
    samples = list(TASK.load(None))
    assert [TASK.scorer.score(one, said(f"It is {one.target}.")).value for one in samples] == [1.0, 1.0, 1.0]


def test_the_scorer_counts_words() -> None:
    """Two words are not more than two, three are, and none is no answer."""
    sample = LOAD.sample(0, 0)
    scored = [no_longer_than(2).score(sample, said(text)).value for text in ("one two", "one two three", "")]
    assert scored == [1.0, 0.0, 0.0]
