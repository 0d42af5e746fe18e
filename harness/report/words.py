"""Numbers as people read them, the same in the terminal and in the dashboard."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.stats.coverage import FLOOR
from harness.types import JsonObject

NOTHING = "–"
"""Stands where there is no number: never 0, never an empty cell."""

_BUSY_MS = 10.0
"""A client that reads packets later than this was too busy for its load to be what was planned."""

_MANY_FAILED = 0.01
"""Share of attempts above which a run is flagged."""

_CONTROLS = (*range(9), *range(11, 32), *range(127, 160))
_TURNS_OF_WRITING = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in (*_CONTROLS, *_TURNS_OF_WRITING)}


def plain(text: str) -> str:
    """Text that others wrote with its controls spelt out: none moves a cursor, rings, or turns the writing round."""
    return text.translate(_SHOWN)


def asked_over(run: JsonObject) -> str:
    """What stands behind the name of a run that was not asked as chats; empty: it was."""
    return "  asked over the Responses API" if run["api"] == "responses" else ""


def number(value: float | None, digits: int) -> str:
    """A number with so many decimals."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """A share as a percentage; one that is neither none nor all is never rounded to either."""
    if share is None:
        return NOTHING
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    return "over 99 %" if rounded == 100 and share < 1 else f"{rounded} %"


def score(of: JsonObject | None) -> str:
    """A score with its interval and its number of questions, or what can be said where too little was scored.

    ``85 % [64–95] n=20`` of right and wrong, ``0.63 [0.55–0.71] n=20`` of scores between, ``n=58 of 60`` where two
    have no score, ``n=20×3`` of three repeats; else ``coverage 82 %: between 61 and 79 %``.
    """
    if not of or not of["n_asked"]:
        return NOTHING
    if of["mean"] is None:
        return f"coverage {_covered(of['coverage'])}: between {_between(of['mean_of_asked'], of['at_most'])}"
    return f"{estimate(of, binary=of['binary'])} n={_questions(of)}"


def _questions(of: JsonObject) -> str:
    asked, scored, n = of["n_asked"], of["n_scored"], of["n"]
    if asked > n and asked % n == 0 and asked == scored:
        return f"{n}×{asked // n}"
    return f"{scored} of {asked}" if scored < asked else str(n)


def estimate(of: JsonObject, *, binary: bool) -> str:
    """A mean with its interval: as a percentage where it is a share, else from 0 to 1; a bound not known is ``?``."""
    if of["mean"] is None:
        return NOTHING
    if binary:
        low, high = ("?" if of[bound] is None else f"{100 * of[bound]:.0f}" for bound in ("low", "high"))
        return f"{100 * of['mean']:.0f} % [{low}–{high}]"
    low, high = ("?" if of[bound] is None else f"{of[bound]:.2f}" for bound in ("low", "high"))
    return f"{of['mean']:.2f} [{low}–{high}]"


def tries(of: JsonObject) -> str:
    """pass@k or pass^k with its interval over questions, or its bounds where too few questions have k scored tries."""
    if of["mean"] is None:
        return NOTHING if of["at_least"] is None else f"between {_between(of['at_least'], of['at_most'])}"
    left_out = f" of {of['questions']}" if of["n"] < of["questions"] else ""
    return f"{estimate(of, binary=True)} n={of['n']}{left_out}"


def _covered(share: float) -> str:
    # Rounded down: 94.9 % must not read as the 95 % that it fell short of.
    return f"{math.floor(100 * share + 1e-9)} %"


def _between(low: float, high: float) -> str:
    return f"{100 * low:.0f} and {100 * high:.0f} %"


def counted(names: JsonObject) -> str:
    """How many, by name: ``http_5xx 2, empty 1``."""
    return ", ".join(f"{name} {n}" for name, n in names.items()) or NOTHING


def unjudged(row: JsonObject) -> JsonObject:
    """Answers of a task that have no score, by name."""
    return {**row["invalid"], **({"not judged": row["n_not_judged"]} if row["n_not_judged"] else {})}


TOO_LITTLE = (
    f"No score stands where under {percent(FLOOR)} of what was asked could be scored: it lies between the bounds in "
    "which the rest counts as wrong, and as right."
)


def rank(of: JsonObject | None) -> str:
    """The ranks that cannot be ruled out: ``1–2 of 3``."""
    found = of and of.get("rank")
    if not found:
        return NOTHING
    best, worst = found["best"], found["worst"]
    return f"{best} of {found['of']}" if best == worst else f"{best}–{worst} of {found['of']}"


def spread(value: float | None, interval: Sequence[float | None], n: int | None = None) -> str:
    """A quantile with its interval: ``120 [118–125]``; a bound that n is too small for is a question mark."""
    if value is None:
        return NOTHING
    digits = 0 if value >= 10 else 2
    low, high = ("?" if bound is None else f"{bound:.{digits}f}" for bound in interval)
    return f"{value:.{digits}f} [{low}–{high}]" + ("" if n is None else f" n={n}")


def cost(usd: float | None) -> str:
    """US dollars to three figures; a cost that is not known is said to be so."""
    if usd is None:
        return "unknown"
    if usd <= 0:
        return "0"
    return f"{usd:.{max(2, 2 - math.floor(math.log10(usd)))}f}"


def features(row: JsonObject) -> str:
    """How many of the judged features are not there."""
    if not row.get("features_judged"):
        return NOTHING
    return f"{row['features_failed']} of {row['features_judged']}"


def errors(row: JsonObject) -> str:
    """Failed attempts out of all, retried ones included."""
    return f"{row['n_failed']} of {row['n']}" if row.get("n") else NOTHING


def health(row: JsonObject | None) -> str:
    """How well this client measured, in one line."""
    if not row:
        return "no response came, so no clock was read"
    parts = [
        f"kernel time stamps on {percent(row['clock_kernel_share'])} of {row['n']} attempts",
        f"{percent(row['coalesced_share'])} of reads held several chunks",
        f"packets read {number(row['lag_p99_ms'], 1)} ms late at p99"
        if row["lag_p99_ms"] is not None
        else "how late packets were read is not known",
        f"requests left {number(row['wait_p99_ms'], 1)} ms after their turn at p99",
    ]
    return " · ".join(parts)


def concerns(row: JsonObject | None) -> list[str]:
    """What in the run's health makes its times less sure."""
    found = []
    if row and row["clock_kernel_share"] < 1:
        found.append("Some times are of this program's own clock, so its delays are in them.")
    if row and row["lag_p99_ms"] is not None and row["lag_p99_ms"] > _BUSY_MS:
        found.append(
            f"This machine was busy: it read packets more than {_BUSY_MS:.0f} ms late. Arrival times are the kernel's "
            "and stay right, but in reads that held several chunks; the load it offered may have been lower than "
            "planned."
        )
    return found


ENDED = {"interrupted": "broken off", "failed": "ended by a fault", "partial": "left without one of its workers"}
"""How a run that did not come to the end of its plan ended, by its status."""


def flags(run: JsonObject) -> str:
    """What about a run makes its numbers less sure, in a few words; empty: nothing that is known."""
    found = []
    if run["problem"]:
        found.append("data missing")
    if run["status"] in ENDED:
        found.append(ENDED[run["status"]])
    if run["failed_share"] is not None and run["failed_share"] > _MANY_FAILED:
        found.append(f"{percent(run['failed_share'])} failed")
    if run["lag_p99_ms"] is not None and run["lag_p99_ms"] > _BUSY_MS:
        found.append("client was busy")
    if run["clock_kernel_share"] is not None and run["clock_kernel_share"] < 1:
        found.append("not all times from the kernel")
    return ", ".join(found)


def value(row: JsonObject) -> str:
    """What a comparison found: points of a share, or a ratio of times."""
    if row["value"] is None:
        return NOTHING
    return f"×{row['value']:.2f}" if row["metric"] == "ttft_ratio" else f"{round(100 * row['value']):+d} points"


def bounds(row: JsonObject) -> str:
    """The interval of a comparison."""
    low, high = row["low"], row["high"]
    if low is None or high is None:
        return "n too small"
    return (
        f"{low:.2f} to {high:.2f}"
        if row["metric"] == "ttft_ratio"
        else f"{round(100 * low):+d} to {round(100 * high):+d}"
    )


def could_have_seen(row: JsonObject) -> str:
    """The smallest true difference that the comparison would probably have shown."""
    return NOTHING if row["mde"] is None else f"{100 * row['mde']:.0f} points"


def flips(row: JsonObject) -> str:
    """On how many questions the endpoint scored more, and on how many less: ``+15 −2``."""
    if "endpoint_ahead" not in row:
        return NOTHING
    return f"+{row['endpoint_ahead']} −{row['baseline_ahead']}"


def judgement(row: JsonObject) -> str:
    """The verdict, and why there is none."""
    return f"{row['verdict']} (coverage)" if row.get("withheld") else str(row["verdict"])


def rules(summary: JsonObject) -> list[str]:
    """By which rules the comparisons of a summary were judged, where there are any."""
    if not summary["comparisons"]:
        return []
    own = [row for row in summary["comparisons"] if row["metric"] in ("quality", "tools")]
    n, margin = summary["family"], own[0]["margin"] if own else None
    adjusted = "p at most 0.05" if n == 1 else f"p at most 0.05, adjusted for {n} comparisons (Benjamini-Hochberg)"
    said = f"better, worse: the interval leaves out 0 (of a ratio: 1), and {adjusted}."
    if margin is not None:
        said = (
            f"not worse: a loss of {100 * margin:g} points or more is left out by the interval; worse: the interval is "
            f"below 0, and {adjusted}. The TTFT ratio is judged without a margin."
        )
    withheld = dict.fromkeys(row["withheld"] for row in own if row["withheld"])
    return [said, *(f"No verdict: {why}." for why in withheld)]


def metric(row: JsonObject) -> str:
    """What was compared, with the task where it is one of several."""
    name = METRICS[row["metric"]]
    return f"{name}: {row['task']}" if row.get("task") else name


METRICS = {"quality": "quality", "tools": "tool calls", "ttft_ratio": "TTFT ratio"}
