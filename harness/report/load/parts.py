"""What a load report shows, in its order: the same tables and lines for the terminal, HTML and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.report import words
from harness.report.document import Grid, Note, grid
from harness.report.summary import adapted, identity, server_times
from harness.types import JsonObject

_TOO_FEW = "– : fewer than 10 requests lie beyond that percentile; in [ ]: 95 % interval, ? where n cannot bound it."
_SINCE_PLAN = "TTFT and E2E of open levels are since the planned arrival: what a request waited to be sent is in them."


def parts(report: JsonObject) -> Iterator[Grid | Note]:
    """Everything below the verdict of a report made by ``harness.report.load.figures``."""
    yield from levels(report)
    if report["comparisons"]:
        yield _comparisons(report["comparisons"])
    yield from machines(report)
    if report["errors"]:
        yield errors(report["errors"])
    changed = adapted.lines(report["adapted"])
    for line in (*changed, *identity.lines(report["identities"]), *server_times.lines(report["server_times"])):
        yield Note(line)
    yield from warnings(report)


def verdict(report: JsonObject) -> Iterator[Note]:
    """Whether the rest can be believed, and why not."""
    found = report["validity"]
    if found is None:
        yield Note("not judged: nobody looked whether this client kept up", "strong")
        return
    text = f"{found['word']}: {'; '.join(found['reasons'])}" if found["reasons"] else found["word"]
    if found.get("workers_needed"):
        text += f"; {found['workers_needed']} workers would be enough (--workers)"
    yield Note(text, "strong")
    for row in found.get("without") or ():
        stage = row["stage"].removeprefix("load.")
        times = " ".join(
            f"{name} {words.number(row[key], 1)} ms"
            for name, key in (("TTFT p50", "ttft_p50_ms"), ("p95", "ttft_p95_ms"), ("E2E p50", "e2e_p50_ms"))
        )
        text = f"without the disturbed ones: {stage} of {row['endpoint']} n={row['n']} {times}"
        yield Note(text, "quiet")


def levels(report: JsonObject) -> Iterator[Grid | Note]:
    """The levels of each endpoint, where it was full, and what a search found."""
    found = report["levels"]
    for endpoint, embeds in dict.fromkeys((row["endpoint"], _embeds(row)) for row in found):
        own = [row for row in found if (row["endpoint"], _embeds(row)) == (endpoint, embeds)]
        yield (_embedded if embeds else _levels)(endpoint, own)
    yield from _notes(found)
    for full in report["saturation"]:
        yield Note(f"{full['endpoint']} is full: {full['reason']}")
    for each in report["search"] or ():
        yield from _search(each)


def machines(report: JsonObject) -> Iterator[Grid]:
    """What the server says of itself, and how this client did."""
    if report["server"]:
        yield _server(report["server"], report["levels"])
    if report["client"]:
        yield _client(report["client"])


def warnings(report: JsonObject) -> Iterator[Note]:
    """What changes what the figures mean."""
    for warning in report["warnings"]:
        yield Note(warning, "warning")


# --- levels ----------------------------------------------------------------------------------------------


def _levels(endpoint: str, levels: Sequence[JsonObject]) -> Grid:
    columns = (
        *("level", "rate/s", "sent/s", "n", "failed", "TTFT p50", "p95", "p99 ms", "TPOT p50", "ITL p99", "E2E p95"),
        *("tok/s", "good/s", "good", ""),
    )
    title = _title(endpoint, levels)
    return grid(title, 1, columns, (_level(row, alone=title != endpoint) for row in levels))


def _title(endpoint: str, levels: Sequence[JsonObject]) -> str:
    """The endpoint, with its load where that is one alone."""
    loads = {row["stage"].partition("@")[0] for row in levels}
    return f"{endpoint}  {loads.pop().removeprefix('load.')}" if len(loads) == 1 else endpoint


def _embeds(row: JsonObject) -> bool:
    return bool(row["api"] == "embeddings")


def _embedded(endpoint: str, levels: Sequence[JsonObject]) -> Grid:
    """Levels of embeddings: nothing is streamed and nothing is put out, so there is no time to a first token."""
    columns = (
        *("level", "rate/s", "sent/s", "n", "failed", "E2E p50", "p95", "p99 ms", "answers/s", "inputs/s"),
        *("prompt tok/s", "good/s", "good", ""),
    )
    title = _title(endpoint, levels)
    cells = []
    for row in levels:
        whole = row["times"]["e2e_ms" if row["closed"] else "e2e_sched_ms"]
        cells.append(
            (
                *_planned(row, alone=title != endpoint),
                *(_spread(whole[label]) for label in ("p50", "p95", "p99")),
                *(_short(row[name]) for name in ("ok_per_s", "inputs_per_s", "prompt_tokens_per_s", "goodput_per_s")),
                _share(row),
                _state(row),
            )
        )
    return grid(title, 1, columns, cells)


def _level(row: JsonObject, *, alone: bool) -> Sequence[str]:
    """The cells of one level; ``alone``: its load stands in the title."""
    first = "ttft_ms" if row["closed"] else "ttft_sched_ms"
    whole = "e2e_ms" if row["closed"] else "e2e_sched_ms"
    times = row["times"]
    return (
        *_planned(row, alone=alone),
        *(_spread(times[first][label]) for label in ("p50", "p95", "p99")),
        _short(_enough(times["tpot_ms"]["p50"])),
        _short(row["itl_p99_ms"]) + ("" if row["itl_comparable"] in (True, None) else "*"),
        _short(_enough(times[whole]["p95"])),
        _short(row["output_tokens_per_s"] if row["window_tokens_per_s"] is None else row["window_tokens_per_s"]),
        _short(row["goodput_per_s"]),
        _share(row),
        _state(row),
    )


def _planned(row: JsonObject, *, alone: bool) -> Sequence[str]:
    """What was asked at a level, and how much of it failed."""
    return (
        row["stage"].rpartition("@")[2] if alone else row["stage"].removeprefix("load.").replace("@", "\n@"),
        "closed" if row["closed"] else _short(row["offered_per_s"]),
        _short(row["achieved_per_s"]),
        str(row["n"]),
        str(row["n_failed"]),
    )


def _state(row: JsonObject) -> str:
    return "full" if row["saturated"] else "grows" if row["growing"] else ""


def _enough(of: JsonObject) -> float | None:
    return of["value"] if of["enough"] else None


def _spread(of: JsonObject) -> str:
    """A percentile over its interval, in two lines; nothing where too few lie beyond it."""
    if _enough(of) is None:
        return words.NOTHING
    low, high = ("?" if bound is None else _short(bound) for bound in (of["low"], of["high"]))
    return f"{_short(of['value'])}\n[{low}–{high}]"


def _share(row: JsonObject) -> str:
    if row["slo_attainment"] is None:
        return words.NOTHING
    low, high = 100 * row["slo_attainment_low"], 100 * row["slo_attainment_high"]
    return f"{words.percent(row['slo_attainment'])}\n[{low:.0f}–{high:.0f}]"


def _short(value: float | None) -> str:
    """Three figures, and never an exponent."""
    if value is None:
        return words.NOTHING
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:.{digits}f}"


def _notes(levels: Sequence[JsonObject]) -> Iterator[Note]:
    shown = [
        row["times"][f"{'e2e' if _embeds(row) else 'ttft'}_{'ms' if row['closed'] else 'sched_ms'}"][label]
        for row in levels
        for label in ("p50", "p95", "p99")
    ]
    if levels:
        yield Note("Times in ms; good: within the objectives, of all planned arrivals.", "quiet")
    if any(not of["enough"] for of in shown):
        yield Note(_TOO_FEW, "quiet")
    if any(not row["closed"] for row in levels):
        yield Note(_SINCE_PLAN, "quiet")
    if any(row["itl_comparable"] is False for row in levels):
        yield Note("* several tokens in a read: this ITL is shared out, not seen.", "quiet")


# --- the rest --------------------------------------------------------------------------------------------


def _search(found: JsonObject) -> Iterator[Grid | Note]:
    """What a search or a sweep tried, and what came of it."""
    unit = "at once" if found.get("axis") == "concurrency" else "per second"
    tried = found.get("levels") or []
    if tried and "verdict" in tried[0]:
        columns = ("level", "verdict", "n", "objectives")
        cells = [
            (_load(one["level"], unit), one["verdict"], str(one["n"]), _objectives(one.get("objectives") or ()))
            for one in tried
        ]
        title = f"Search on {found.get('endpoint', '')}: {found.get('slo') or ''}".rstrip(": ")
        yield grid(title, 4, columns, cells)
        best = found.get("best")
        answer = "none of them met it" if best is None else f"best: {_load(best, unit)}"
        yield Note(f"{answer}: {found['reason']}" if found.get("reason") else answer, "strong")
        for note in found.get("notes") or ():
            yield Note(note, "quiet")
    elif found.get("left_out"):
        left = ", ".join(f"{level:g}" for level in found["left_out"])
        yield Note(f"{found.get('endpoint', '')}: not asked, it was full before: {left} {unit} (--all-levels)")


def _load(level: float, unit: str) -> str:
    return f"{level:g} {unit}"


def _objectives(objectives: Iterable[JsonObject]) -> str:
    return ", ".join(f"{one['text']} {words.percent(one['share'])} {one['verdict']}" for one in objectives)


def _comparisons(comparisons: Sequence[JsonObject]) -> Grid:
    return grid(
        f"Against {comparisons[0]['baseline']}, prompt by prompt",
        2,
        ("metric", "endpoint", "ratio", "95 % interval", "n", "verdict"),
        (
            (
                words.METRICS[row["metric"]],
                row["endpoint"],
                words.value(row),
                words.bounds(row),
                str(row["n"]),
                row["verdict"],
            )
            for row in comparisons
        ),
    )


def _server(server: Sequence[JsonObject], levels: Sequence[JsonObject]) -> Grid:
    """The server's own figures beside the client's; its means are over everything it served then."""
    seen = {(row["endpoint"], row["stage"]): row for row in levels}
    return grid(
        "The server by its own metrics (means) | this client",
        2,
        ("level", "endpoint", "waiting", "running", "KV", "queue ms", "TTFT ms", "ITL ms", "tok/s", "prefix hits"),
        (_served(row, seen.get((row["endpoint"], row["stage"]), {})) for row in server),
    )


def _served(row: JsonObject, own: JsonObject) -> Sequence[str]:
    between = row["itl_mean_s"] if row["itl_mean_s"] is not None else row["tpot_mean_s"]
    return (
        row["stage"].removeprefix("load."),
        row["endpoint"],
        f"max {words.number(row['waiting_max'], 0)}",
        f"max {words.number(row['running_max'], 0)}",
        words.percent(row["kv_usage_max"]),
        _short(_ms(row["queue_mean_s"])),
        f"{_short(_ms(row['ttft_mean_s']))} | {_short(own.get('ttft_mean_ms'))}",
        f"{_short(_ms(between))} | {_short(own.get('itl_mean_ms'))}",
        f"{_short(row['output_tokens_per_s'])} | {_short(own.get('window_tokens_per_s'))}",
        words.percent(row["prefix_hit_share"]),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _client(client: Sequence[JsonObject]) -> Grid:
    return grid(
        "This client",
        1,
        ("level", "process", "loop late p99 ms", "max ms", "processor", "busiest"),
        (
            (
                row["stage"].removeprefix("load."),
                str(row["shard"]),
                _short(row["loop_lag_p99_ms"]),
                _short(row["loop_lag_max_ms"]),
                words.percent(row["cpu_share"]),
                words.percent(row["cpu_share_max"]),
            )
            for row in client
        ),
    )


def errors(errors: Sequence[JsonObject]) -> Grid:
    """How requests failed, with an example of each in the server's words."""
    return grid(
        "Errors by class",
        3,
        ("level", "endpoint", "class", "n", "example"),
        (
            (
                row["stage"].removeprefix("load."),
                row["endpoint"],
                row["failure_kind"],
                str(row["n"]),
                (row["example"] or "")[:40],
            )
            for row in errors
        ),
    )
