"""Conformance: scenarios are sent and recorded, probes judge the record, and the verdict names what was seen."""

from harness.conformance.capture import DONE, Capture, Captures, Seen, brief, count, dig, parse
from harness.conformance.outcome import (
    Check,
    Ignored,
    Refused,
    Untestable,
    accepted,
    check,
    envelope,
    present,
    refuses,
    said_no,
    streamed,
)
from harness.conformance.probe import Probe, probe, select
from harness.conformance.scenario import Scenario, after, bare, chat, embed, literal, next_turn, post, scenarios_of
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
    "Seen",
    "Untestable",
    "accepted",
    "after",
    "bare",
    "brief",
    "chat",
    "check",
    "count",
    "dig",
    "embed",
    "envelope",
    "judge_all",
    "literal",
    "next_turn",
    "parse",
    "post",
    "present",
    "probe",
    "refuses",
    "said_no",
    "scenarios_of",
    "select",
    "streamed",
]
