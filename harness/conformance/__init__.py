"""Conformance: scenarios are sent and recorded, probes judge the record, and the verdict names what was seen."""

from harness.conformance.capture import DONE, Capture, Captures, brief, count, dig, parse
from harness.conformance.outcome import Check, Ignored, Refused, Untestable, accepted, check, envelope
from harness.conformance.probe import Probe, probe, select
from harness.conformance.scenario import Scenario, chat, get, literal, scenarios_of
from harness.conformance.verdict import judge_all

__all__ = [
    "DONE",
    "Capture",
    "Captures",
    "Check",
    "Ignored",
    "Probe",
    "Refused",
    "Scenario",
    "Untestable",
    "accepted",
    "brief",
    "chat",
    "check",
    "count",
    "dig",
    "envelope",
    "get",
    "judge_all",
    "literal",
    "parse",
    "probe",
    "scenarios_of",
    "select",
]
