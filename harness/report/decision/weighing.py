"""One score of each endpoint by the weights of whoever decides, and who is told apart by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from harness.report.decision.apart import Order, Pair, order, told_apart
from harness.report.decision.measures import ABSOLUTE, Measure, utility
from harness.stats.mover import Estimate, exact, total


class Weighed(NamedTuple):
    """The endpoints by their scores."""

    scores: Mapping[str, Estimate]
    """0 to 1, the best first."""
    order: Order | None
    """None: nobody could be scored."""
    weights: Mapping[str, float]
    """Of the criteria that were weighed; they add up to 1."""
    dropped: tuple[str, ...]
    """Criteria with a weight that nobody was measured by."""
    unknown: Mapping[str, tuple[str, ...]]
    """Endpoint -> the weighed criteria that it was not measured by, where there are any."""


class _Worth(NamedTuple):
    """One criterion that is weighed."""

    share: float
    measure: Measure
    utilities: Mapping[str, Estimate]


def weigh(names: Sequence[str], measures: Sequence[Measure], weights: Mapping[str, float]) -> Weighed:
    """Weighted mean of the utilities of each endpoint (``measures.utility``), criteria independent of each other.

    Two endpoints are compared by the weighted sum of their differences in each criterion, which are those on matched
    questions and prompts where the report compared the two, so it need not be the difference of their scores.

    What an endpoint was not measured by may be worth 0 or 1: its score counts it half, the interval reaches from the
    one to the other, and two are told apart only where they would be in the case that speaks against it. An endpoint of
    which nothing is known has no score.

    Args:
        names: the endpoints.
        measures: of the run.
        weights: criterion -> weight, none below 0; one that is missing or 0 is not weighed.

    Source: Hwang & Yoon, "Multiple attribute decision making" (1981), section 3.2.1, simple additive weighting; Dawes,
    "The robust beauty of improper linear models in decision making", American Psychologist 34 (1979), for equal weights
    where nobody knows better ones; Manski, "Nonparametric bounds on treatment effects", American Economic Review 80
    (1990), for what is not known.
    """
    asked = [one for one in measures if weights.get(one.criterion.name, 0) > 0]
    used = [one for one in asked if one.values]
    whole = sum(weights[one.criterion.name] for one in used)
    each = [_Worth(weights[one.criterion.name] / whole, one, utility(one.criterion, one.values)) for one in used]
    scores = {name: score for name in names if (score := _score(name, each)) is not None}
    values = {name: one.value for name, one in scores.items()}
    apart = told_apart({pair: _advantage(pair, each) for pair in combinations(scores, 2)})
    lacking = {name: tuple(one.criterion.name for one in used if name not in one.values) for name in scores}
    return Weighed(
        scores={name: scores[name] for name in sorted(scores, key=values.__getitem__, reverse=True)},
        order=order(values, apart, more=True),
        weights={one.measure.criterion.name: one.share for one in each},
        dropped=tuple(one.criterion.name for one in asked if not one.values),
        unknown={name: missing for name, missing in lacking.items() if missing},
    )


def _score(name: str, each: Sequence[_Worth]) -> Estimate | None:
    known = [(one.share, one.utilities[name]) for one in each if name in one.utilities]
    share = sum(weight for weight, _ in known)
    if not share:
        return None
    found = total(known)
    high = None if found.high is None else found.high + 1 - share
    return Estimate(found.value + (1 - share) / 2, found.low, high).within(0, 1)


def _advantage(pair: Pair, each: Sequence[_Worth]) -> Estimate:
    """Of the first over the second, what is not known being as it speaks against whoever is ahead; 0: it decides."""
    one, other = pair
    known, least, most = [(0.0, exact(0.0))], 0.0, 0.0
    for weight, of, utilities in each:
        if one in utilities and other in utilities:
            turned = of.advantages[pair] if pair in of.advantages else of.advantages[other, one].times(-1)
            # What the data do not bound is bounded by what utilities can be.
            known.append((weight, turned.within(-1, 1)))
        elif of.criterion.name not in ABSOLUTE:
            # Who is not known may turn out to be the best by far, or the worst.
            least, most = least - weight, most + weight
        else:
            least += weight * (_at(one, utilities, 0.0) - _at(other, utilities, 1.0))
            most += weight * (_at(one, utilities, 1.0) - _at(other, utilities, 0.0))
    found = total(known)
    shift = least if found.value + least > 0 else most if found.value + most < 0 else -found.value
    low, high = (None if bound is None else bound + shift for bound in found[1:])
    return Estimate(found.value + shift, low, high)


def _at(name: str, utilities: Mapping[str, Estimate], otherwise: float) -> float:
    return utilities[name].value if name in utilities else otherwise
