"""Conformance: scenarios are sent and recorded, probes judge the record, and the verdict names what was seen."""

from harness.conformance.calls import Call, arguments_of, call_deltas, called, calls_of, leaks
from harness.conformance.capture import DONE, Capture, Captures, Seen, brief, count, dig, parse
from harness.conformance.fit import misfit
from harness.conformance.official import suffered
from harness.conformance.outcome import (
    BAD_REFUSALS,
    UNCLEAN,
    Check,
    Ignored,
    Refused,
    Untestable,
    accepted,
    answered_or_refused,
    check,
    envelope,
    refuses,
    said_no,
    streamed,
    streams,
)
from harness.conformance.probe import Probe, probe, select
from harness.conformance.scenario import Scenario, after, bare, chat, literal, next_turn, post, scenarios_of
from harness.conformance.verdict import judge_all

__all__ = [
    "BAD_REFUSALS",
    "DONE",
    "UNCLEAN",
    "Call",
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
    "answered_or_refused",
    "arguments_of",
    "bare",
    "brief",
    "call_deltas",
    "called",
    "calls_of",
    "chat",
    "check",
    "count",
    "dig",
    "envelope",
    "judge_all",
    "leaks",
    "literal",
    "misfit",
    "next_turn",
    "parse",
    "post",
    "probe",
    "refuses",
    "said_no",
    "scenarios_of",
    "select",
    "streamed",
    "streams",
    "suffered",
]
