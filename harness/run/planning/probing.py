"""Probes as stages, and the second look at what one sample accused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.conformance.scenario import Scenario
from harness.provider import Endpoint
from harness.run.arrivals import Closed
from harness.run.planning.stages import Stage, job_of
from harness.run.selecting.selection import Again
from harness.types import Job

_SECOND_LOOKS = 2
"""Samples that are added to one that accuses an endpoint: three decide by majority."""


def probe_stages(
    scenarios: Mapping[str, Scenario], endpoints: Mapping[str, Endpoint], again: Sequence[Again]
) -> Iterator[Stage]:
    """The scenarios in their order, then those of which more samples are wanted.

    One at a time: a probe's evidence must not depend on what its neighbours do to the server. Scenarios that are about
    just that are stages of their own, with all their repeats at once.
    """
    alone: list[Scenario] = []
    for scenario in scenarios.values():
        if not scenario.together:
            alone.append(scenario)
            continue
        yield from _stage(alone, endpoints)
        alone = []
        # Under the same name as all others, so that a scenario that follows it finds its jobs.
        lanes = tuple(tuple(_jobs(scenario, endpoint)) for endpoint in endpoints)
        yield Stage("probe", "probe", Closed(scenario.repeats), lanes, together=False)
    yield from _stage(alone, endpoints)
    if again:
        lanes = tuple(
            tuple(
                job
                for one in again
                if one.endpoint == endpoint
                for job in _jobs(scenarios[one.scenario], endpoint, first=scenarios[one.scenario].repeats)
            )
            for endpoint in endpoints
        )
        yield Stage("probe", "probe", Closed(1), lanes, together=True)


def _stage(scenarios: Sequence[Scenario], endpoints: Mapping[str, Endpoint]) -> Iterator[Stage]:
    if scenarios:
        lanes = tuple(tuple(job for one in scenarios for job in _jobs(one, endpoint)) for endpoint in endpoints)
        yield Stage("probe", "probe", Closed(1), lanes, together=True)


def _jobs(scenario: Scenario, endpoint: str, *, first: int = 0) -> Iterator[Job]:
    """The jobs of a scenario; ``first``: those that come on top of so many."""
    for repeat in range(first, first + _SECOND_LOOKS if first else scenario.repeats):
        yield job_of("probe", endpoint, "probe", scenario.surface, scenario.name, repeat, give_up_s=scenario.hang_up_s)
