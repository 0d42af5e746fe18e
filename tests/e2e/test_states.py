"""Each page in each state of the results, in a real browser: it says in words what is so and what to type next."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from browsing import PAGES, drawn, opened, served, titled
from playwright.sync_api import ConsoleMessage, Page, expect
from published import attempt, make_run, manifest, score, verdict

from harness.record.folder import RunFolder
from harness.store import query
from harness.store.index import publish

pytestmark = pytest.mark.browser

NAMES = (
    "long/" + "a-very-long-name-of-a-model-" * 7,
    "日本語/大規模言語モデル",
    "عربي/نموذج-لغوي-كبير",
    "rtl/\u202eesrever\u202c",
    "emoji/👩‍👩‍👧‍👦-zalgo-Z͑ͫ̓ͪ̂",
)
ENDPOINTS = (*NAMES, *(f"vendor-{i}/model" for i in range(40 - len(NAMES))))
MARKS = {"send0": 0, "send1": 1, "hdr": 50, "ev1": 50, "tok1": 100, "vis1": 100, "tokn": 300, "eof": 302}


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """A page on whose console no error may appear."""
    errors: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # It asks below the page's own path, too, whether the server is well, and takes a 404 for a no.
        if message.type == "error" and "/_stcore/" not in str(message.location):
            errors.append(f"{message.text} {message.location}")

    page.on("console", listen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert errors == []


def _made(results: Path, slug: str, endpoints: tuple[str, ...] = ("p/m", "q/m"), **changes: object) -> RunFolder:
    """A run with load, one task and one probe on each of some endpoints."""
    rows, scores, verdicts = [], [], []
    for name in endpoints:
        known = {"endpoint": name, "completion_tokens": 4, "prompt_tokens": 3, "cost_usd": 0.001}
        known |= {"chunk_delta_us": [100_000, 200_000], "chunk_events": [1, 3]}
        rows += [attempt(f"load/{name}/{i}", sample=str(i), ms=MARKS, **known) for i in range(8)]
        about = {"kind": "quality", "stage": "quality.sums", "task": "sums", "sample": "s"}
        rows.append(attempt(f"sums/{name}", ms=MARKS, **known, **about))
        scores.append(score(f"sums/{name}", float(name == endpoints[0]), endpoint=name, sample="s"))
        verdicts.append(verdict("stream.usage", "broken") | {"endpoint": name, "evidence": [f"load/{name}/0"]})
    run = make_run(results, slug, attempts=rows, scores=scores, verdicts=verdicts)
    one = manifest(run)["endpoints"][0]
    named = [one | {"id": name, "model_id": name} for name in endpoints]
    probes = {"profile": "core", "ids": ["stream.usage"]}
    run.write_manifest(manifest(run, **({"endpoints": named, "probes": probes, "suite": slug} | changes)))
    return run


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Where one store with a run in each state is served, and the runs by their states."""
    folder = tmp_path_factory.mktemp("states") / "results"
    found = {
        "good": _made(folder, "good"),
        "broken off": _made(folder, "broken", status="interrupted"),
        "partial": _made(folder, "partial"),
        "names": _made(folder, "names", ENDPOINTS),
    }
    found["partial"].parquet_path("scores").write_bytes(b"no parquet")
    # Nothing can be said of any attempt: no mark, no usage, no price, no score.
    bare = [attempt(f"load/{i}", sample=str(i), clock=None, coalesced_reads=None, n_reads=None) for i in range(3)]
    bare += [attempt("sums", kind="quality", stage="quality.sums", task="sums", failure_kind="http_4xx", status=404)]
    found["null"] = make_run(folder, "null", attempts=bare, about={"loads": [], "suite": None, "planned": None})
    found["nothing"] = make_run(folder, "nothing", about={"loads": [], "tasks": []})
    running = found["under way"] = _made(folder, "running", status="running", loads=[])
    for path in running.root.glob("*.parquet"):
        path.unlink()
    with ExitStack() as stack:
        stack.enter_context(running.lock())
        publish(folder)
        yield stack.enter_context(served(folder)), {state: run.id for state, run in found.items()}


SAID = {
    "good": (),
    "broken off": ("This run was broken off", "harness resume"),
    "partial": ("Data of this run are missing", "scores.parquet"),
    "null": (),
    "nothing": (),
    "under way": ("under way when the database was made", "harness resume"),
    "names": (),
}
"""What every page says of a run in this state."""
LACKS = {
    ("nothing", "load"): "harness load short_chat",
    ("nothing", "features"): "harness probe",
    ("nothing", "fidelity"): "harness verify",
    ("good", "fidelity"): "harness verify",
    ("nothing", "quality"): "harness eval gsm8k",
    ("null", "features"): "harness probe",
    ("under way", "load"): "harness load short_chat",
}
"""What a page says, with the command that makes it, where a run has nothing for it."""


@pytest.mark.parametrize("state", SAID)
def test_every_page_says_how_a_run_is(state: str, quiet: Page, states: tuple[str, dict[str, str]]) -> None:
    """All pages of a run broken off, partial, empty, under way, or of 40 endpoints with odd names are drawn whole."""
    address, runs = states
    for first, name in enumerate(PAGES):
        if not first:
            quiet.goto(f"{address}/?run={runs[state]}")
            drawn(quiet)
        else:
            opened(quiet, name)
        main = quiet.get_by_test_id("stMain")
        for text in (*SAID[state], *filter(None, [LACKS.get((state, name))])):
            expect(main).to_contain_text(text)
        text = main.inner_text()
        assert "nan" not in text.lower().split(), (state, name)
        assert "Traceback" not in text
    if state == "under way":  # the last page, Runs, follows its journal
        expect(quiet.get_by_text("Nothing was answered yet")).to_be_visible()


def test_odd_names_stand_in_tables_as_they_are(quiet: Page, states: tuple[str, dict[str, str]]) -> None:
    """Forty endpoints have a row each, letters of any script are kept, and the page does not grow sideways."""
    address, runs = states
    quiet.goto(f"{address}/?run={runs['names']}")
    drawn(quiet)
    rows = quiet.get_by_role("table", name="Endpoints").locator("tbody tr")
    expect(rows).to_have_count(40)
    cells = rows.locator("th").all_inner_texts()
    assert [text[-len(name) :] for text, name in zip(cells, NAMES[:3], strict=False)] == list(NAMES[:3])
    assert "\u202e" not in "".join(cells)  # what would turn the letters after it round
    for name in PAGES:
        if name != "decide":
            opened(quiet, name)
        assert quiet.get_by_test_id("stMain").evaluate("one => one.scrollWidth - one.clientWidth") <= 1, name


STALE = {
    "compare": "against=gone&alike=gone&baseline=gone&endpoint=gone&stage=gone",
    "load": "load=gone&percentile=p12&ttft_ms=-5",
    "features": "probe=gone&endpoint=gone&surface=gone&verdicts=gone&beside=gone",
    "fidelity": "candidate=gone&test=gone",
    "trend": "metric=gone&suite=gone&work=gone",
    "quality": "task=gone&sample=gone&baseline=gone&questions=gone",
    "runs": "show=gone&order=gone&endpoint=gone&stage=gone&job=gone&try=9",
    "decide": "workload=gone&max_ttft=soon&share=1000&weigh_quality=-1",
}


def test_unknown_ids_in_a_link_are_told(quiet: Page, states: tuple[str, dict[str, str]]) -> None:
    """A link whose endpoint, task, probe or number is not here shows the page all the same, and says what is gone."""
    address, runs = states
    for name, stale in STALE.items():
        quiet.goto(f"{address}/{PAGES[name]}?run={runs['good']}&{stale}")
        drawn(quiet)
        if name in ("features", "trend", "quality", "runs"):
            expect(quiet.get_by_test_id("stAlert").filter(has_text="There is no").first).to_contain_text("gone")


def _other(folder: Path, state: str) -> str:
    """Make results without a usable database; what every page says of them."""
    run = _made(folder, "one", status="running" if state == "only a running run" else "finished")
    if state == "no database":
        return "harness db rebuild"
    if state == "only a running run":
        for path in run.root.glob("*.parquet"):
            path.unlink()
        with run.lock():
            publish(folder)
        return "under way when the database was made"
    publish(folder)
    path = query.database_path(folder)
    if state == "not a database":
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("create table t (x)")
        return "harness db rebuild"
    newer = f"update harness.store set schema_version = {query.SCHEMA_VERSION + 1}"
    with query.duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{path}' as harness")
        connection.execute(newer)
    return "made by another version of the harness"


@pytest.mark.parametrize("state", ["no database", "only a running run", "not a database", "a newer version"])
def test_every_page_says_what_the_results_lack(state: str, quiet: Page, tmp_path: Path) -> None:
    """No database, nothing but a run under way, a file of something else or of a later harness: told on every page."""
    folder = tmp_path / "results"
    text = _other(folder, state)
    with served(folder) as address:
        for first, name in enumerate(PAGES):
            if not first:
                quiet.goto(address)
                drawn(quiet)
            else:
                opened(quiet, name)
            expect(quiet.get_by_test_id("stMain")).to_contain_text(text)
            assert titled(quiet) == name.capitalize()
