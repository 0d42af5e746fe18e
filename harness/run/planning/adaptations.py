"""What a provider's quirks change of what a plan really asks, in words: said before a run, and kept with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.provider import Endpoint, Quirks
from harness.request import adapted, asked
from harness.run.planning.judging import question
from harness.run.planning.plan import Plan
from harness.run.planning.samples import told
from harness.types import JsonObject

Asked = Mapping[str, tuple[float, float] | None]
"""Field of the body -> least and largest number that is asked for; None: it is no number."""


def adaptations(plan: Plan) -> dict[str, list[str]]:
    """Endpoint -> lines such as ``logprobs is not sent``; without those of which nothing is changed.

    Of a task every sample is looked at, of a load the first, since all of a load ask alike. Probes are sent as they
    are.
    """
    changing = [one for one in plan.endpoints.values() if _changes_anything(one.provider.quirks)]
    if not changing:
        return {}
    found: dict[str, list[str]] = {}
    for endpoint in changing:
        quirks = endpoint.provider.quirks
        if lines := adapted(quirks, _that_matter(_ranges(_bodies(plan, endpoint)), quirks)):
            found[endpoint.id] = lines
    return found


def _changes_anything(quirks: Quirks) -> bool:
    return bool(quirks.drop or quirks.rename or quirks.clamp or quirks.ignored)


def _bodies(plan: Plan, endpoint: Endpoint) -> Iterator[JsonObject]:
    """What is asked of an endpoint: where it is under test, and where it judges."""
    if endpoint.id in plan.selection.judges and plan.matters:
        yield _judging(plan, endpoint)
    if endpoint.id not in plan.tested:
        return
    api = plan.selection.api
    for (task, _), sample in plan.samples.items():
        yield asked(sample, endpoint, stream=plan.tasks[task].stream, api=api)
    for name, load in plan.loads.items():
        with told(f"load {name}, its first prompt"):
            first = load.sample(plan.selection.seed, 0)
        yield asked(first, endpoint, stream=True, api=api)


def _judging(plan: Plan, judge: Endpoint) -> JsonObject:
    """The first question to a judge."""
    matter = next(iter(plan.matters.values()))
    rubric = plan.tasks[matter.task].scorer.judging
    assert rubric is not None
    sample = question(matter, plan.samples[matter.task, matter.sample], rubric, judge, None)
    assert sample is not None
    return asked(sample, judge, stream=True)


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


def _that_matter(fields: Asked, quirks: Quirks) -> list[str]:
    """The fields that are asked for, without those of which nothing but their bounds is told, and is kept anyway."""
    besides = {*quirks.drop, *quirks.rename, *quirks.ignored}
    return [
        name
        for name, values in fields.items()
        if name in besides
        or name not in quirks.clamp
        or (values is not None and not _within(values, quirks.clamp[name]))
    ]


def _within(values: tuple[float, float], bounds: tuple[float, float]) -> bool:
    return bounds[0] <= values[0] and values[1] <= bounds[1]
