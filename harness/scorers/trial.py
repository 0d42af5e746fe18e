"""A scorer tried on a sample before anything is sent: a target that it cannot use would be paid for in vain."""

from __future__ import annotations

from harness.exchange import Completion, StreamMarks
from harness.types import Sample, Scorer

_NOTHING_SAID = Completion("", "", "", (), "stop", None, StreamMarks())


def try_target(scorer: Scorer, sample: Sample) -> None:
    """Have a scorer look at a sample's target, with an empty answer; it raises what it has to say against it.

    The harness's own scorers look at the target first and take any answer. A user's own may count on some text, since
    an empty answer is a failure and never scored, so it is not tried.
    """
    if str(getattr(scorer.score, "__module__", "")).startswith("harness.scorers."):
        scorer.of_session(sample, (_NOTHING_SAID,))
