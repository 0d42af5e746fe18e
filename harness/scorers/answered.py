"""Whether there is an answer at all, for prompts that have no right one."""

from __future__ import annotations

from harness import contract
from harness.exchange import Completion
from harness.scorers.strict_json import clipped
from harness.types import Sample, Score, Scorer

VERSION = 1
EXAMPLE = "answered"


def answered() -> Scorer:
    """Full marks for any visible text, refusal or call; no target is looked at."""

    def score(_sample: Sample, completion: Completion) -> Score:
        text = completion.text.strip() or completion.refusal.strip()
        if text or completion.tool_calls:
            return Score(1.0, clipped(text, 1000) or None, "there is an answer", "answered", VERSION)
        why = "only reasoning came" if contract.only_reasoning(completion) else "nothing came"
        return Score(0.0, None, why, "answered", VERSION)

    return Scorer("answered", VERSION, score)
