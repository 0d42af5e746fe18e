"""A little of every ability, from data that ship with the tool: no network, short answers, a minute or two.

With 20 items a task tells a model that works from one that does not, and no more: the interval of 16 right in 20 goes
from 58 to 92 %. Standard data sets are for comparisons.
"""

from __future__ import annotations

from harness.types import Suite

SUITE = Suite(
    name="smoke",
    description="Thirteen offline tasks of 20 items or fewer: reading, reasoning, formats, languages, tools.",
    tasks=(
        "arithmetic:20",
        "quantities",
        "reading",
        "extraction",
        "classification",
        "commonsense",
        "logic",
        "instructions",
        "rewriting",
        "code_reading",
        "languages",
        "assistant",
        "errands",
    ),
)
