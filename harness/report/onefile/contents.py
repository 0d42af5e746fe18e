"""The parts of a report of one or several runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from plotly.io import templates

from harness import __version__
from harness.report import words
from harness.report.charts.marks import Marks
from harness.report.comparison.parts import pair_parts, rules
from harness.report.conformance import matrix
from harness.report.conformance.figures import surfaces
from harness.report.decision import cards_html, told
from harness.report.decision.whole import Decision, Recorded
from harness.report.document import Block, Cards, Document, Grid, Note, Part, Said, grid
from harness.report.load import parts as load_parts
from harness.report.onefile import drawings
from harness.report.onefile.collected import WISHES, Against, All, Collected
from harness.report.summary import parts as summary_parts
from harness.report.summary import tables as summary_tables
from harness.types import JsonObject

_WRITTEN_BY_OTHERS = frozenset({"actual", "expected", "example", "least_text"})
"""Fields of the figures that hold a piece of a prompt or an answer."""
_MANY = 4
"""Runs above which each is folded."""
_DRAWN_EACH = 8
"""Runs above which only what is over all of them is drawn: more would hardly be opened, and soon not fit."""
_MOST_CHARS = 2000
"""Of one request or answer that is shown."""


def document(found: All, command: str, *, texts: bool) -> Document:
    """A report of what was collected, made by ``command``; without ``texts`` no prompt or answer is in it."""
    # Each figure would otherwise carry a look of its own, which the page replaces: most of its size, and of its time.
    templates.default = "none"
    several = len(found.runs) > 1
    parts = [*_over_all(found)] if several else []
    for one in found.runs:
        inner = tuple(_of_run(one, found, texts=texts))
        if several:
            run = one.summary["run"]
            title = f"{run['suite'] or 'run'} {drawings.run_name(run)}"
            parts.append(Part(title, (*_state(one), *_undrawn(one, found), *inner), folded=len(found.runs) > _MANY))
        else:
            parts += inner
    title, about = _head(found)
    numbers = {
        "harness_version": __version__,
        "command": command,
        "runs": [one.summary for one in found.runs],
        "against": [{**each._asdict()} for each in found.against],
    }
    return Document(
        title, about, tuple(parts), tuple(_foot(found, command)), numbers if texts else _without_texts(numbers)
    )


def _head(found: All) -> tuple[str, tuple[Note, ...]]:
    runs = [one.summary["run"] for one in found.runs]
    suites = list(dict.fromkeys(run["suite"] or "run" for run in runs))
    if len(runs) == 1:
        about = Note(f"run {runs[0]['id']} · {runs[0]['status']} · {_when(runs[0])}", "quiet")
        return suites[0], (about, *_state(found.runs[0]))
    when = sorted(_when(run) for run in runs)
    return f"{', '.join(suites[:3])}: {len(runs)} runs", (Note(f"{when[0]} to {when[-1]}", "quiet"),)


def _when(run: JsonObject) -> str:
    stamp = run["created_at"]
    return f"{str(stamp)[:19].replace('T', ' ')} UTC" if stamp else "start unknown"


def _state(one: Collected) -> Iterator[Note]:
    """What is not as it should be with a run, and the command that goes on from there."""
    run = one.summary["run"]
    if one.problem:
        yield Note(f"Data of this run are missing: {one.problem}", "warning")
    if run["status"] == "running":
        yield Note("This run was under way when this was written: its numbers come when it ends.", "warning")
    elif run["status"] in words.ENDED:
        text = f"This run was {words.ENDED[run['status']]}, so endpoints may have been asked different things."
        yield Note(f"{text} Finish it with: harness resume {run['id']}", "warning")


# --- several runs ----------------------------------------------------------------------------------------


def _over_all(found: All) -> Iterator[Part]:
    """What the runs are, how measures went from one to the next, and what the later ones add to the first."""
    charts = drawings.over_runs([one.summary for one in found.runs], found.marks)
    yield Part("Runs", (_runs(found.runs), *charts))
    blocks: list[Block] = [_compared(each, found.marks) for each in found.against]
    if len(found.against) < len(found.runs) - 1:
        text = "Of so many runs only the first and the last are compared; harness compare RUN RUN does any two."
        blocks.append(Note(text, "quiet"))
    yield Part("Against the first run", tuple(blocks))


def _compared(each: Against, marks: Marks) -> Part:
    title = f"{each.after} against {each.before}"
    if each.found is None:
        return Part(title, (Note(f"Not compared: {each.why}"),))
    charts = (
        chart
        for one in each.spreads
        for chart in drawings.spread(one.found, [(f"{one.a}, first", one.a), (one.b, one.b)], one.stage, marks)
    )
    told_of = (block for pair in each.found["pairs"] for block in pair_parts(pair))
    return Part(title, (*told_of, *rules(each.found), *charts))


def _runs(runs: Sequence[Collected]) -> Grid:
    def row(one: Collected, about: JsonObject) -> tuple[str, ...]:
        run, judged = one.summary["run"], one.load and one.load["validity"]
        return (
            drawings.run_name(run),
            about["endpoint"],
            run["suite"] or words.NOTHING,
            f"{run['status']}{'; load ' + judged['word'] if judged else ''}",
            words.score(about["quality"]),
            words.score(about["tools"]),
            words.spread(about.get("ttft_p50_ms"), about["ttft_p50_interval_ms"], about.get("ttft_n")),
            words.number(about.get("output_tokens_per_s"), 1),
            words.cost(about.get("cost_usd")),
            words.features(about),
            words.errors(about),
        )

    columns = ("run", "endpoint", "suite", "state", "quality", "tool calls", "TTFT p50 ms", "tok/s", "cost USD")
    return grid(
        "Runs and their endpoints [95 % intervals]",
        4,
        (*columns, "features failed", "errors"),
        (row(one, about) for one in runs for about in one.summary["endpoints"]),
    )


# --- one run ---------------------------------------------------------------------------------------------


def _draws_each(found: All) -> bool:
    return len(found.runs) <= _DRAWN_EACH


def _undrawn(one: Collected, found: All) -> Iterator[Note]:
    if not _draws_each(found):
        yield Note("Tables alone, for these are many runs. With its charts:", "quiet")
        yield Note(f"harness report {one.folder.id} --html FILE", "command")


def _of_run(one: Collected, found: All, *, texts: bool) -> Iterator[Part]:
    summary = one.summary
    if one.decision:
        yield Part("Verdict", tuple(_verdict(one, *one.decision, found)))
    yield Part("Endpoints", tuple(summary_parts.endpoints(summary)))
    if answers := tuple(summary_parts.answers(summary)):
        charts = drawings.scores(summary["tasks"], found.marks) if _draws_each(found) else ()
        yield Part("Quality", (*answers, *charts))
    if one.load:
        yield Part("Load", tuple(_load(one.load, found)))
    if against := tuple(summary_parts.against_the_first(summary)):
        yield Part("Comparison", against)
    if one.conformance:
        yield Part("Features", tuple(_features(one.conformance, summary, texts=texts)))
    if faults := tuple(_faults(one, texts=texts)):
        yield Part("Faults", faults)
    if one.said:
        yield Part("Requests and answers", tuple(_said(one.said)), folded=True)
    yield Part("How this was measured", tuple(_measured(summary)))


def _verdict(one: Collected, recorded: Recorded, decision: Decision, found: All) -> Iterator[Block]:
    """What to read aloud, a card for each measure, and the charts that show it."""
    summary = one.summary
    names = [row["endpoint"] for row in summary["endpoints"]]
    for sentence in told.answer(summary, recorded, decision, WISHES):
        yield Note(sentence)
    cards = told.cards(summary, recorded, decision, WISHES)
    rows = (
        (
            card.title,
            card.best or words.NOTHING,
            card.said,
            f"{card.standing} {cards_html.named(card.tied)}".strip() or words.NOTHING,
            cards_html.named(card.missing) or words.NOTHING,
        )
        for card in cards
    )
    yield Cards(tuple(cards), grid("Verdicts", 5, ("by", "endpoint", "figure", "standing", "not known of"), rows))
    of = WISHES.volumes
    yield Note(
        f"Weights are equal; bills are for {of.requests_per_day:,.0f} requests a day of {of.input_tokens:,.0f} tokens "
        f"in and {of.output_tokens:,.0f} out, on 30.4 days; harness dashboard has them, and the limits, at choice.",
        "quiet",
    )
    if _draws_each(found):
        yield from drawings.fronts(decision, names, found.marks)
        yield from drawings.inside(decision, WISHES, found.marks)


def _load(report: JsonObject, found: All) -> Iterator[Block]:
    yield from load_parts.verdict(report)
    yield from load_parts.warnings(report)
    if _draws_each(found):
        yield from drawings.levels(report, found.marks)
    yield from load_parts.levels(report)
    if machines := tuple(load_parts.machines(report)):
        yield Part("Server and client", machines, folded=True)


def _features(probed: JsonObject, summary: JsonObject, *, texts: bool) -> Iterator[Block]:
    names = [row["endpoint"] for row in probed["endpoints"]]
    heads = ("endpoint", "grade", "support", "honesty", "broken", "evidence")
    rows = ((row["endpoint"], *matrix.heads(row)) for row in probed["endpoints"])
    yield grid(f"Conformance ({probed['run']['profile']})", 1, heads, rows)
    for line in (*matrix.mute_lines(probed), *matrix.declared_lines(probed)):
        yield Note(line.removeprefix("! "), "warning")
    if summary["features"]:
        yield _reasons(summary["features"], texts=texts)
    verdicts = [
        (f"{surface}: {row['probe']}", row["severity"], *(_letter(row["cells"].get(name)) for name in names))
        for surface, probes in surfaces(probed)
        for row in probes
    ]
    columns = ("probe", "severity", *names)
    every = grid(f"All probes; {matrix.LEGEND}", len(columns), columns, verdicts)
    yield Part(f"All {len(verdicts)} probes", (every,), folded=True)


def _letter(cell: JsonObject | None) -> str:
    return words.NOTHING if cell is None else f"{matrix.LETTERS[cell['verdict']]} {cell['verdict']}"


def _reasons(features: Sequence[JsonObject], *, texts: bool) -> Grid:
    """What is not fully supported; what came in its place may be a piece of an answer."""
    table = summary_tables.features(features)
    if not texts:
        return table
    rows = (
        (*cells, str(row["expected"] or words.NOTHING), str(row["actual"] or words.NOTHING))
        for cells, row in zip(table.rows, features, strict=True)
    )
    return grid(table.title, table.words_first + 2, (*table.columns, "expected", "came"), rows)


def _faults(one: Collected, *, texts: bool) -> Iterator[Block]:
    features = one.summary["features"] if not one.conformance else []
    if features:
        yield _reasons(features, texts=texts)
    yield from summary_parts.faults({**one.summary, "features": []})
    if texts and one.load and one.load["errors"]:
        yield load_parts.errors(one.load["errors"])


def _measured(summary: JsonObject) -> Iterator[Block]:
    """What it takes to check a number or to measure it again."""
    run = summary["run"]
    yield grid(
        "Endpoints as they were asked",
        5,
        ("endpoint", "asked at", "model id", "engine", "prices from"),
        (
            (
                row["endpoint"],
                row["base_url"] or words.NOTHING,
                row["model_id"] or words.NOTHING,
                row["engine_version"] or words.NOTHING,
                (row["price"] or {}).get("source") or words.NOTHING,
            )
            for row in summary["endpoints"]
        ),
    )
    machine = f"Python {run['python']}, {run['os']}, {run['cpus']} processors"
    yield Note(f"harness {run['harness_version']}, {machine}, seed {run['seed']}", "quiet")
    yield Note(f"plan sha256 {run['plan_sha256'] or words.NOTHING}", "quiet")
    yield Note(f"config sha256 {run['config_sha256'] or words.NOTHING}", "quiet")


# --- what was said ---------------------------------------------------------------------------------------


def _said(rows: Sequence[JsonObject]) -> Iterator[Part]:
    for (task, endpoint), own in groupby(rows, lambda row: (row["task"], row["endpoint"])):
        yield Part(f"{task} on {endpoint}", tuple(block for row in own for block in _exchange(row)))


def _exchange(row: JsonObject) -> Iterator[Said]:
    value = "no score" if row["value"] is None else f"score {row['value']:g}"
    which = f"{row['sample']}" + (f", repeat {row['repeat']}" if row["repeat"] else "")
    which += f", turn {row['turn']}" if row["turn"] else ""
    yield Said(f"{which}: request", _cut(_asked(row["request_body"])))
    answer = row["text"] or ""
    if row["tool_calls_json"] not in (None, "", "[]"):
        answer = f"{answer}\n{row['tool_calls_json']}".strip()
    if row["failure_kind"]:
        answer = f"{row['failure_kind']}: {row['failure_detail'] or ''}\n{answer}".strip()
    why = f"; {row['explanation']}" if row["explanation"] else ""
    yield Said(f"{which}: answer, {value}{_cut(why, 300)}", _cut(answer) or "(nothing)")


def _asked(body: str | None) -> str:
    """The messages of a request; the request as it is where it has none."""
    try:
        messages = json.loads(body or "")["messages"]
        return "\n\n".join(f"{each['role']}: {_content(each.get('content'))}" for each in messages)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return body or "(not kept)"


def _content(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content)


def _cut(text: str, most: int = _MOST_CHARS) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} characters more)"


def _without_texts(value: object) -> JsonObject:
    """Figures alone."""

    def bare(of: object) -> object:
        if isinstance(of, dict):
            return {key: bare(each) for key, each in of.items() if key not in _WRITTEN_BY_OTHERS}
        return [bare(each) for each in of] if isinstance(of, list | tuple) else of

    found = bare(value)
    assert isinstance(found, dict)
    return found


def _foot(found: All, command: str) -> Iterator[Note]:
    yield Note(f"endpoint-harness {__version__}. The same again:")
    yield Note(command, "command")
    for one in found.runs:
        run = one.summary["run"]
        plan, config = (run[name] or words.NOTHING for name in ("plan_sha256", "config_sha256"))
        yield Note(f"run {run['id']} · plan {plan} · config {config}")
