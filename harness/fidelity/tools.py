"""Whether an endpoint calls tools as the reference does: when it calls, and whether its calls fit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import contract
from harness.errors import TaskError
from harness.exchange import Completion, ToolCall
from harness.fidelity import categories
from harness.scorers.abstention import is_bare_call
from harness.scorers.json_schema import schema_fault, validator_of
from harness.scorers.strict_json import parse
from harness.stats.intervals import Interval, wilson
from harness.stats.means import student_interval
from harness.stats.paired import PairedDifference, paired_difference
from harness.stats.power import smallest_detectable_shift
from harness.types import JsonObject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Triggers = Mapping[str, Sequence[bool]]
"""Whether each answer to a prompt called a tool, by the prompt's id."""

MARGIN_F1 = 0.03
"""What the vendor verifiers grant below the reference's own F1."""
DRAWS = 1999


# --- when it calls ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Triggering:
    """How alike two endpoints are in when they call."""

    f1: float | None
    """Of the candidate against the reference; None: neither ever called."""
    self_f1: float | None
    """Of the reference asked again against itself: the ceiling."""
    gap: float | None
    """self_f1 - f1; None: one of them is None."""
    low: float | None
    """Of the 95 % interval of the gap by resampling clusters; None: fewer than two of them."""
    high: float | None
    mde: float | None
    """Smallest gap of F1 found with probability 0.8."""
    p_value: float | None
    """That the per-prompt rates are equal; None: no prompt has two answers from each side."""
    rate: PairedDifference
    """Of the per-prompt rates, candidate minus reference: whether it calls more often, or less."""
    prompts: int
    clusters: int


def triggering(
    reference: Triggers,
    again: Triggers,
    candidate: Triggers,
    clusters: Mapping[str, Hashable] | None = None,
    *,
    permutations: int = 999,
    draws: int = DRAWS,
    seed: int = 0,
) -> Triggering:
    """Over the prompts that all three answered; ``clusters`` names what prompts share, such as their set of tools.

    With rates r of the reference and c of the candidate for each prompt, F1 = 2 TP / (2 TP + FP + FN) where TP, FP and
    FN are the sums of r c, (1 - r) c and r (1 - c): what pairing the answers by luck gives on average, which with one
    answer each is the verifiers' F1. The interval of the gap is Student's with one degree of freedom
    less than there are clusters, its error that of resampled clusters. p is that of
    ``harness.fidelity.categories.distance``: F1 falls with the rates' own noise, the permutation of answers within
    prompts does not mind it.

    Source: K2 vendor verifier and MiniMax provider verifier for F1 against the official endpoint and for a margin below
    its own; Efron & Tibshirani, "An introduction to the bootstrap" (1993), chapter 6.
    """
    shared = [each for each in reference if reference[each] and again.get(each) and candidate.get(each)]
    rates = [[sum(side[each]) / len(side[each]) for each in shared] for side in (reference, again, candidate)]
    names = [(clusters or {}).get(each) for each in shared]
    groups = [each if name is None else ("", name) for each, name in zip(shared, names, strict=True)]
    f1, self_f1 = (_f1(*_totals(rates[0], other)) for other in (rates[2], rates[1]))
    low, high = _gap_bounds(rates, groups, seed, draws)
    found = categories.distance(reference, candidate, permutations=permutations, seed=seed)
    return Triggering(
        f1=f1,
        self_f1=self_f1,
        gap=None if f1 is None or self_f1 is None else self_f1 - f1,
        low=low,
        high=high,
        mde=None if low is None or high is None else smallest_detectable_shift(low, high) or None,
        p_value=None if found is None else found.p_value,
        rate=paired_difference(rates[0], rates[2], names if clusters else None, seed=seed, draws=draws),
        prompts=len(shared),
        clusters=len(set(groups)),
    )


def _totals(r: Sequence[float], c: Sequence[float]) -> tuple[float, float]:
    """TP, and TP + FP + TP + FN: sums of r c and of r + c."""
    return sum(x * y for x, y in zip(r, c, strict=True)), sum(r) + sum(c)


def _f1(hits: float, called: float) -> float | None:
    return 2 * hits / called if called else None


def _gap_bounds(rates: Sequence[Sequence[float]], groups: Sequence[Hashable], seed: int, draws: int) -> Interval:
    import numpy as np  # noqa: PLC0415 - only a report with such a comparison waits for it

    places = {name: at for at, name in enumerate(dict.fromkeys(groups))}
    if len(places) < 2:
        return Interval(None, None)
    r, again, c = (np.asarray(each) for each in rates)
    at = [places[name] for name in groups]
    totals = np.zeros((len(places), 4))
    np.add.at(totals, at, np.stack([r * c, r + c, r * again, r + again], axis=1))
    drawn = np.random.default_rng(seed).multinomial(len(places), [1 / len(places)] * len(places), size=draws)
    sums: NDArray[np.float64] = drawn @ totals
    kept = sums[(sums[:, 1] > 0) & (sums[:, 3] > 0)]
    if len(kept) < draws * 0.9:
        return Interval(None, None)
    gaps = 2 * kept[:, 2] / kept[:, 3] - 2 * kept[:, 0] / kept[:, 1]
    hits, called, own_hits, own_called = totals.sum(axis=0).tolist()
    count = len(places)
    return student_interval(
        2 * own_hits / own_called - 2 * hits / called, float(gaps.std()) * math.sqrt(count / (count - 1)), count - 1
    )


# --- whether its calls fit -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Answers with calls of which every call fits."""

    right: int
    called: int
    interval: Interval
    """Wilson's, of right / called, answers taken as independent; (None, None): nothing was called."""
    faults: Mapping[str, int]
    """Answers with each fault, the most frequent first."""
    unchecked: int
    """Answers with a call of a tool whose schema is missing or is none: its arguments count as right."""


def schema_accuracy(answers: Iterable[tuple[Completion, Sequence[JsonObject]]]) -> Accuracy:
    """Of completions, each with the ``tools`` of its request; those without a call, or cut by a cap, are left out.

    A call fits where it names a tool of the request and its arguments are a JSON object that the tool's ``parameters``
    accept. An answer is right where all of its calls fit.

    Source: schema accuracy of the K2 vendor verifier; the names of the faults are those of ``harness.contract`` and
    ``schema_mismatch``.
    """
    right, called, unchecked = 0, 0, 0
    faults: Counter[str] = Counter()
    for completion, tools in answers:
        if not completion.tool_calls or completion.finish_reason == "length":
            continue
        found = {call_fault(call, tools) for call in completion.tool_calls}
        called += 1
        right += found <= {None, "no_schema"}
        unchecked += "no_schema" in found
        faults.update(fault for fault in found if fault not in {None, "no_schema"} and fault is not None)
    return Accuracy(right, called, wilson(right, called), dict(faults.most_common()), unchecked)


def call_fault(call: ToolCall, tools: Sequence[JsonObject]) -> str | None:
    """What is wrong with one call; ``no_schema`` where its arguments cannot be checked; None: nothing is."""
    known = _known(tools)
    if call.name not in known:
        return "unknown_tool" if call.name else "empty_call"
    try:
        arguments = parse(call.arguments)
    except ValueError:
        return "arguments_not_json"
    if not isinstance(arguments, dict):
        return "arguments_not_object"
    tool = known[call.name]
    try:
        validator = validator_of((tool.get("function") or tool).get("parameters"), "the tool's parameters")
        return "schema_mismatch" if schema_fault(validator, arguments, "the tool's parameters") else None
    except TaskError:
        return "no_schema"


FITS, NO_CALL = "fits", "no call"


def outcome(completion: Completion, tools: Sequence[JsonObject], faults: Iterable[str] = (), forced: str = "") -> str:
    """What became of an answer: ``no call``, ``fits``, or the sorted names of what is wrong with it.

    Args:
        completion: the answer.
        tools: those of its request.
        faults: what of its contract it is known to break.
        forced: the tool that had to be called; a call of another one is ``another_tool``. Empty: the model decides.
    """
    found = {*faults, *(call_fault(call, tools) for call in completion.tool_calls)} - {None, "no_schema"}
    if forced and any(call.name not in (forced, "") for call in completion.tool_calls):
        found.add("another_tool")
    if not completion.tool_calls and is_bare_call(completion.text, {*_known(tools)}):
        found.add(contract.LEAKED)
    return ", ".join(sorted(map(str, found))) or (FITS if completion.tool_calls else NO_CALL)


def _known(tools: Sequence[JsonObject]) -> dict[str, JsonObject]:
    """Tools by name; those without one are left out."""
    return {name: tool for tool in tools if isinstance(name := (tool.get("function") or tool).get("name"), str)}
