"""The proof of the probes: over real sockets a clean server passes all of them, and each named fault is found.

Every probe names the faults that it catches and what it then says; that list must be right in both directions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from simulated import ROOT, accused, simulator, telling, verdicts

from harness.catalog import discover
from harness.conformance import Probe, select
from harness.provider import Endpoint
from harness.simulator.deviations.faults import FATES
from harness.simulator.deviations.mutants import LEGAL, MUTANTS

PROBES: tuple[Probe, ...] = tuple(discover([ROOT / "tasks" / "probes"]).probes.values())
FULL = tuple(probe for probe in select(PROBES, "full") if probe.surface in os.environ.get("SURFACES", probe.surface))
"""SURFACES, names with commas between, keeps a few surfaces while one works at them."""
CAUGHT = sorted({fault for probe in FULL for fault in probe.faults})
NEUTRAL = ("supported", "untestable", "skipped")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """One simulator for all faults: a request asks for its own."""
    with simulator() as one:
        yield one


def test_a_clean_server_passes_every_probe(endpoint: Endpoint) -> None:
    """The reference server is supported in everything, so that no probe fires without a cause."""
    found = verdicts(endpoint, FULL)
    assert {name: (one.verdict, one.reason) for name, one in found.items() if one.verdict != "supported"} == {}


@pytest.mark.parametrize("fault", CAUGHT)
def test_each_fault_is_found_by_its_probes_and_by_no_other(endpoint: Endpoint, fault: str) -> None:
    """With one fault in the server, just the probes that name it say something, and what they say they would."""
    found = verdicts(endpoint, FULL, telling(fault))
    expected = {probe.id: probe.faults[fault] for probe in FULL if fault in probe.faults}
    assert accused(found) == expected, {name: found[name].reason for name in accused(found).items() ^ expected.items()}


@pytest.mark.parametrize("spelling", sorted(LEGAL))
def test_a_legal_spelling_accuses_nobody(endpoint: Endpoint, spelling: str) -> None:
    """What the documents allow, however odd, is found fault with by no probe."""
    assert accused(verdicts(endpoint, FULL, f"mutants={spelling}")) == {}


@pytest.mark.parametrize("probe", FULL, ids=lambda probe: probe.id)
def test_every_probe_catches_a_fault(probe: Probe) -> None:
    """A probe that nothing can fail proves nothing."""
    assert probe.faults
    assert set(probe.faults) <= set(FATES)


def test_every_fault_is_caught_by_a_probe() -> None:
    """A deviation that no probe sees is one that the suite is blind to."""
    assert sorted(set(MUTANTS) - LEGAL - {fault for probe in PROBES for fault in probe.faults}) == []
