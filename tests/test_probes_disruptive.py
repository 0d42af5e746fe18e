"""The proof of the probes that are expensive or may hurt a server: each against a simulator that is as it needs it.

A server that is quick at everything has no limit to reach, no prompt that is too long and no work to go on with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from simulated import ROOT, accused, simulator, verdicts

from harness.catalog import discover
from harness.conformance import Probe, select
from harness.provider import Endpoint
from harness.simulator.deviations.faults import FATES, FAULTS
from harness.simulator.deviations.mutants import MUTANTS

PROBES: Mapping[str, Probe] = discover([ROOT / "tasks" / "probes"]).probes
MINE = tuple(
    probe
    for probe in select(tuple(PROBES.values()), "disruptive")
    if probe.ability == "X" and probe.surface in ("error", "isolation", "cancel")
)
SMALL = ("--set", "context_tokens=1500")
LIMITED = ("--set", "requests_per_minute=20")
SLOW = ("--set", "itl_ms=20")
SERIAL = ("--set", "batch=1", "--set", "itl_ms=3.5", "--set", "prefill_ms_per_ktok=800")
NEEDS = {
    "error.rate_limit": LIMITED,
    "error.retry_after_parse": LIMITED,
    "isolation.canary_stream": SLOW,
    "cancel.stream_frees": SERIAL,
    "cancel.server_ok": SERIAL,
    "cancel.nonstream_frees": SERIAL,
    "cancel.prefill_frees": SERIAL,
}
SURFACES = {options: [probe for probe in MINE if NEEDS.get(probe.id, SMALL) == options] for options in (SMALL, LIMITED)}
CASES = [
    (options, fault)
    for options, probes in SURFACES.items()
    for fault in ("", *sorted({fault for probe in probes for fault in probe.faults}))
]


@pytest.fixture(scope="module")
def endpoints() -> Iterator[Mapping[tuple[str, ...], Endpoint]]:
    """A simulator with a small context and one with a rate limit."""
    with ExitStack() as stack:
        yield {options: stack.enter_context(simulator(*options)) for options in SURFACES}


@pytest.mark.parametrize(("options", "fault"), CASES)
def test_each_fault_is_found(
    endpoints: Mapping[tuple[str, ...], Endpoint], options: tuple[str, ...], fault: str
) -> None:
    """Without a fault every probe of a too long prompt and of a limit is supported, with one it says what it names."""
    sim = f"mutants={fault}" if fault in MUTANTS else f"fault={fault}" if fault else ""
    # A drawn 429 only comes where no limit is before it.
    endpoint = endpoints[SMALL if fault in FAULTS else options]
    found = verdicts(endpoint, SURFACES[options], sim)
    if not fault:
        assert {one.verdict for one in found.values()} == {"supported"}, found
    assert accused(found) == {probe.id: probe.faults[fault] for probe in SURFACES[options] if fault in probe.faults}


def test_streams_are_kept_apart_where_clients_hang_up() -> None:
    """A server that hands one stream's prompt to the next is caught, and one that does not is not."""
    probe = PROBES["isolation.canary_stream"]
    with simulator(*SLOW) as endpoint:
        assert verdicts(endpoint, [probe])[probe.id].verdict == "supported"
        assert accused(verdicts(endpoint, [probe], "mutants=leak_neighbour")) == {probe.id: "broken"}
    assert dict(probe.faults) == {"leak_neighbour": "broken"}


CANCEL = [probe for probe in MINE if probe.surface == "cancel"]


@pytest.mark.parametrize("fault", ["", "hang_up_breaks", "work_goes_on"])
def test_a_serial_server_shows_whether_it_stops(fault: str) -> None:
    """Where one request waits for another, what goes on after its client hung up is seen, and what stops is not."""
    with simulator(*SERIAL) as endpoint:
        found = verdicts(endpoint, CANCEL, f"mutants={fault}" if fault else "")
    if not fault:
        assert {one.verdict for one in found.values()} == {"supported"}, found
    assert accused(found) == {probe.id: probe.faults[fault] for probe in CANCEL if fault in probe.faults}


def test_a_batching_server_is_not_accused() -> None:
    """Where nobody waits for anybody, nothing can be told of work that goes on."""
    probe = PROBES["cancel.stream_frees"]
    with simulator("--set", "itl_ms=5") as endpoint:
        found = verdicts(endpoint, [probe])[probe.id]
    assert (found.verdict, found.reason.partition(":")[0]) == ("untestable", "evidence")


@pytest.mark.parametrize("probe", MINE, ids=lambda probe: probe.id)
def test_every_disruptive_probe_catches_a_fault(probe: Probe) -> None:
    """A probe that nothing can fail proves nothing."""
    assert set(probe.faults) <= set(FATES)
    assert probe.faults
