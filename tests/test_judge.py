"""What a run says of itself when nothing came of it; scores and verdicts themselves are tested with whole runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from made import endpoint, load, plan, sample, task
from test_seal import answered, completion, streamed

from harness.exchange import Failure, FailureKind
from harness.record.folder import RunFolder, create
from harness.record.journal import Journal
from harness.run.scoring.judge import cancelled, judge
from harness.types import Attempt


@pytest.fixture
def run(tmp_path: Any) -> RunFolder:
    """An empty run folder."""
    return create(tmp_path, "judge")


def failed(job: str, kind: FailureKind) -> Attempt:
    """A load attempt that ended like this before any answer."""
    return streamed(job, (), status=None, failure=Failure(kind, "why"))


def said(run: RunFolder, *attempts: Attempt) -> str | None:
    """Kind of the failure that the run is judged barren by."""
    with Journal(run) as journal:
        for attempt in attempts:
            journal.append(attempt)
    failure = judge(run, plan([load("chat"), task("t", [sample("s")])], [endpoint()]))
    return failure and failure.kind


@pytest.mark.parametrize(
    ("metadata", "cluster"), [({}, None), ({"cluster": "passage 7"}, "passage 7"), ({"cluster": 7}, "7")]
)
def test_a_score_names_what_its_sample_shares(run: RunFolder, metadata: dict[str, Any], cluster: str | None) -> None:
    """The cluster of the sample stands beside its score, as text, and only where there is one."""
    good = answered(completion("s"), job="t/p/m/s/0")
    with Journal(run) as journal:
        journal.append(replace(good, job=replace(good.job, kind="quality", task="t", sample="s")))
    judge(run, plan([task("t", [replace(sample("s"), metadata=metadata)])], [endpoint()]))
    assert json.loads(run.scores_path.read_text()).get("cluster") == cluster


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), None),
        (("connect", "connect", "reset"), "connect"),
        (("reset", "connect", "connect"), "connect"),
        (("connect", ""), None),
        (("", "connect"), None),
        (("abandoned", "unasked"), None),
        (("abandoned", "connect", "unasked", "cancelled"), "connect"),
        (("cancelled",), None),
        (("abandoned", ""), None),
    ],
)
def test_a_load_that_came_to_nothing(run: RunFolder, kinds: tuple[FailureKind, ...], expected: str | None) -> None:
    """The commonest failure, only where all failed; what was our own doing counts neither way."""
    made = [failed(str(place), kind) if kind else streamed(str(place)) for place, kind in enumerate(kinds)]
    assert said(run, *made) == expected


def test_the_last_try_of_a_question_counts(run: RunFolder) -> None:
    """A failure that was tried again with success is none, and one that was broken off after a success neither."""
    good = answered(completion("s"), job="t/p/m/s/0")
    job = replace(good.job, kind="quality", task="t", sample="s")
    good = replace(good, job=job, number=1)
    before, after = (replace(failed("x", kind), job=job, number=at) for kind, at in (("connect", 0), ("cancelled", 2)))
    assert said(run, before, good, after) is None
    assert run.scores_path.read_text().count("\n") == 1
    assert cancelled(after)
    assert not cancelled(replace(failed("x", "abandoned"), job=job))
