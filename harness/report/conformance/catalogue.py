"""The probes as a page: what each requires, where that is written, where it was seen amiss, what faults it catches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.conformance.probe import PROFILES, Probe, by_surface, select
from harness.conformance.scenario import scenarios_of


def markdown(probes: Sequence[Probe]) -> str:
    """Tables in Markdown: the profiles with what they cost, then the probes of each surface."""
    return "\n".join(_lines(probes))


def _lines(probes: Sequence[Probe]) -> Iterator[str]:
    counts = [f"{sum(probe.severity == word for probe in probes)} {word}" for word in ("core", "common", "ext")]
    faults = {fault for probe in probes for fault in probe.faults}
    yield f"{len(probes)} probes ({', '.join(counts)}), proven by {len(faults)} faults of the simulator.\n"
    yield "| profile | probes | requests to each endpoint | for |\n|---|---|---|---|"
    for profile, purpose in PROFILES.items():
        if profile != "all" and not any(profile in probe.profile for probe in probes):
            continue
        chosen = select(probes, profile)
        requests = sum(scenario.repeats for scenario in scenarios_of(chosen))
        yield f"| `{profile}` | {len(chosen)} | {requests} | {purpose.partition(';')[0].partition('?')[0]} |"
    for surface in by_surface(probe.surface for probe in probes):
        yield f"\n### {surface}\n"
        yield "| probe | severity | requires | source | faults that it catches |\n|---|---|---|---|---|"
        for probe in probes:
            if probe.surface == surface:
                caught = ", ".join(f"`{name}` {word}" for name, word in probe.faults.items())
                source = f"{probe.spec} ({probe.basis})" + (
                    f"; seen: {', '.join(probe.threads)}" if probe.threads else ""
                )
                cells = (f"`{probe.id}`", probe.severity, probe.criterion, source, caught)
                yield "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"
