"""What a provider's quirks change of what a plan really asks, in words: said before a run, and kept with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.provider import Quirks
from harness.request import adapted
from harness.run.judging import question
from harness.run.plan import Plan
from harness.run.samples import told
from harness.types import Sample

_LIMITS = ("max_tokens", "max_completion_tokens")

Asked = Mapping[str, tuple[float, float] | None]
"""Field of the body -> least and largest number that is asked for; None: it is no number."""


def adaptations(plan: Plan) -> dict[str, list[str]]:
    """Endpoint -> lines such as ``logprobs is not sent``; without those of which nothing is changed.

    Of a task every sample is looked at, of a load the first, since all of a load ask alike. Probes are sent as they
    are.
    """
    changing = {
        name: one.provider.quirks for name, one in plan.endpoints.items() if _changes_anything(one.provider.quirks)
    }
    if not changing:
        return {}
    tested = plan.tested
    found: dict[str, list[str]] = {}
    for name, quirks in changing.items():
        asked = _ranges(_fields(plan, quirks)) if name in tested else {}
        if name in plan.selection.judges and plan.matters:
            asked = {**asked, **_ranges([_judging(plan, name)])}
        if lines := adapted(quirks, _that_matter(asked, quirks)):
            found[name] = lines
    return found


def _changes_anything(quirks: Quirks) -> bool:
    return bool(quirks.drop or quirks.rename or quirks.clamp or quirks.ignored)


def _fields(plan: Plan, quirks: Quirks) -> Iterator[Mapping[str, Any]]:
    """The fields of the bodies that are asked of an endpoint under test."""
    limit = "max_output_tokens" if plan.selection.api == "responses" else quirks.max_tokens_field
    for (task, _), sample in plan.samples.items():
        yield _body(sample, limit, quirks, stream=plan.tasks[task].stream)
    for name, load in plan.loads.items():
        with told(f"load {name}, its first prompt"):
            first = load.sample(plan.selection.seed, 0)
        yield _body(first, limit, quirks, stream=True)


def _judging(plan: Plan, judge: str) -> Mapping[str, Any]:
    """The same of what a judge is asked."""
    endpoint, matter = plan.endpoints[judge], next(iter(plan.matters.values()))
    rubric = plan.tasks[matter.task].scorer.judging
    assert rubric is not None
    asked = question(matter, plan.samples[matter.task, matter.sample], rubric, endpoint, None)
    assert asked is not None
    quirks = endpoint.provider.quirks
    return _body(asked, quirks.max_tokens_field, quirks, stream=True)


def _body(sample: Sample, limit: str, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {limit if name in _LIMITS else name: value for name, value in sample.params.items()}
    if sample.tools:
        body["tools"] = sample.tools
    if stream and not sample.inputs:
        body["stream"] = True
        if quirks.stream_usage:
            body.setdefault("stream_options", True)
    return body


def _ranges(bodies: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float, float] | None]:
    found: dict[str, tuple[float, float] | None] = {}
    for body in bodies:
        for name, value in body.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                least, most = found.get(name) or (value, value)
                found[name] = (min(least, value), max(most, value))
            else:
                found.setdefault(name)
    return found


def _that_matter(asked: Asked, quirks: Quirks) -> list[str]:
    """The fields that are asked for, without those of which nothing but their bounds is told, and is kept anyway."""
    besides = {*quirks.drop, *quirks.rename, *quirks.ignored}
    return [
        name
        for name, values in asked.items()
        if name in besides
        or name not in quirks.clamp
        or (values is not None and not _within(values, quirks.clamp[name]))
    ]


def _within(values: tuple[float, float], bounds: tuple[float, float]) -> bool:
    return bounds[0] <= values[0] and values[1] <= bounds[1]
