"""Whether several servers stand behind a candidate's address, or one took over from another while it was asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.fidelity.mixed import Mixture, Named, Request, mixture
from harness.fidelity.modes import FEWEST
from harness.report.fidelity.answers import Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always
from harness.stats.power import ALPHA
from harness.types import JsonObject

TEST = "backends"
_NAMES = {"fingerprint": "system_fingerprint", "model": "model", "backend": "backend"}
_SEVERAL = ("switched", "mixed")
_MOST_SHOWN = 2
_MOST_VALUES = 3
_NOTHING = mixture([])


def backends(answers: Answers, endpoint: str) -> Finding:
    """Counts and names that should be the same throughout the run; times are told, and decide nothing.

    A queue or a cache gives times of two kinds as well as two servers do.
    """
    served = answers.served
    told = served.requests.get(endpoint, [])
    own, reference = (served.mixtures.get(one, _NOTHING) for one in (endpoint, answers.reference))
    return Finding(
        test=TEST,
        endpoint=endpoint,
        says="; ".join(_says(own)),
        n=own.requests,
        word=always(_word(own, reference)),
        shown=tuple(_shown(told, own)),
        details=_details(own) | {"reference": _details(reference)},
    )


def _several(found: Mixture) -> dict[str, Named]:
    """What has more values than one server gives, by its name."""
    all_of = {"prompt tokens": found.prompt_tokens.named} | {
        said: getattr(found, name) for name, said in _NAMES.items()
    }
    return {name: one for name, one in all_of.items() if one.pattern in _SEVERAL}


def _word(own: Mixture, reference: Mixture) -> Word:
    """A reference that is several servers itself, by the same sign, says nothing of a candidate that is."""
    several = _several(own).keys()
    if several - _several(reference).keys():
        return "different"
    if several:
        return "inconclusive"
    stated = own.prompt_tokens.prompts or any(getattr(own, name).pattern == "one" for name in _NAMES)
    return "equivalent" if stated else "not applicable"


def _says(found: Mixture) -> Iterator[str]:
    several = _several(found)
    if not several:
        yield f"no sign of several in {found.requests} answers"
    for name, one in several.items():
        values = one.values if name != "prompt tokens" else {f"+{value}": count for value, count in one.values.items()}
        listed = ", ".join(f"{value} {count} times" for value, count in list(values.items())[:_MOST_VALUES])
        how = f"switched after {one.at} answers" if one.at is not None else f"changed {one.changes} times"
        yield f"{name} {how}: {listed}"
    if found.times is not None and found.times.p_value <= ALPHA:
        yield f"times to the first token are of two kinds (p {found.times.p_value:.3f}), as of a queue, a cache or two"
    lasting = [change for change in found.change if min(change.n_before, change.n_after) >= FEWEST]
    for change in lasting:
        yield f"from answer {change.at + 1} on they are {change.size:.2f} times as long"


def _details(found: Mixture) -> JsonObject:
    names = {name: getattr(found, name) for name in _NAMES} | {"prompt_tokens": found.prompt_tokens.named}
    return {
        **{name: {"pattern": one.pattern, "values": dict(one.values), "at": one.at} for name, one in names.items()},
        "times_p": None if found.times is None else found.times.p_value,
        "times_split_ms": None if found.times is None or found.times.split is None else math.exp(found.times.split),
        "changes": [{"at": change.at, "ratio": change.size, "p": change.permutation_p} for change in found.change],
    }


def _shown(told: Sequence[tuple[str, Request]], found: Mixture) -> Iterator[Shown]:
    """Two answers to one prompt that give two values, or else any two."""
    for name, one in list(_several(found).items())[:_MOST_SHOWN]:
        by_prompt: dict[str, dict[object, str]] = {}
        field = {said: field for field, said in _NAMES.items()}.get(name, "prompt_tokens")
        for job, request in told:
            if (value := getattr(request, field)) is not None:
                by_prompt.setdefault(request.prompt, {}).setdefault(value, job)
        whole = max(by_prompt.items(), key=lambda each: len(each[1]))
        for value, job in list(whole[1].items())[:2]:
            yield Shown(job, None, f"{whole[0]}: {name} {value}, one of {len(one.values)}")
