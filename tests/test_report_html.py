"""The report as one HTML file: what is in it, what is not, and that it holds together without a network."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from drawn import HOSTILE, two_endpoints
from plotly.offline import get_plotlyjs_version
from published import attempt, make_run, manifest, score, verdict

from harness.cli import cli
from harness.record.folder import RunFolder, list_runs
from harness.report import fitting
from harness.report.document import Document, Note, Part, Said, grid
from harness.report.onefile import bundle as bundles
from harness.report.onefile import collected, contents, page
from harness.report.summary.figures import summarise
from harness.store.gathered import gathered
from harness.store.index import publish
from harness.types import JsonObject

CANARY = "zq-canary-8741"
VENDORED = files("harness.report.onefile").joinpath("vendor")


class Read(HTMLParser):
    """What a browser would find: elements with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        self._inside = tag == "script" and dict(attrs).get("type") is None
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        """See where a script ends."""
        if tag == "script":
            self._inside = False

    def handle_data(self, data: str) -> None:
        """Keep the text of scripts."""
        if self._inside:
            self.scripts[-1] += data


def report(results: Path, *arguments: str) -> str:
    """The HTML that the command writes to stdout."""
    done = CliRunner().invoke(cli, ["report", *arguments, "--results", str(results), "--html", "-"])
    assert done.exit_code == 0, done.output or done.exception
    return done.stdout


def numbers(text: str) -> JsonObject:
    """The figures that the file holds for machines."""
    found = re.search(r'<script type="application/json" id="numbers">(.*?)</script>', text, re.S)
    assert found
    told: JsonObject = json.loads(found[1])
    return told


def canary_run(results: Path) -> RunFolder:
    """A run with the same word in every place that prompts, answers and servers' words are kept in."""
    marks = {"send0": 0, "tok1": 100, "tokn": 300, "eof": 302}
    about = {"kind": "quality", "stage": "quality.sums", "task": "sums"}
    rows = [attempt(f"q{i}", sample=f"s{i}", ms=marks, completion_tokens=4, prompt_tokens=3, **about) for i in range(3)]
    failed = {"failure_kind": "http_5xx", "failure_detail": CANARY, "status": 500}
    rows += [attempt("q3", sample="s3", ms={"send0": 0, "eof": 9}, **failed, **about)]
    rows += [attempt(f"l{i}", ms=marks, completion_tokens=4, prompt_tokens=3) for i in range(4)]
    rows += [attempt("l4", ms={"send0": 0, "eof": 9}, **failed)]
    body = json.dumps({"messages": [{"role": "user", "content": f"What is {CANARY}?"}]})
    said = {"request_body": body, "response_body": CANARY, "text": CANARY, "reasoning": CANARY, "tool_calls_json": "[]"}
    texts = [
        {"run_id": "?", "job_id": row["job_id"], "number": 0, "response_headers_json": "[]", "text_lossy": False} | said
        for row in rows
    ]
    scores = [score(f"q{i}", 0.0, sample=f"s{i}", answer=CANARY, explanation=CANARY) for i in range(3)]
    found = [verdict("stream.usage", "broken") | {"expected": CANARY, "actual": CANARY}]
    run = make_run(results, attempts=rows, texts=texts, scores=scores, verdicts=found)
    run.write_manifest(manifest(run, probes={"profile": "smoke", "ids": ["stream.usage"]}))
    publish(results)
    return run


def test_the_script_is_the_one_that_its_origin_names() -> None:
    """The kept bundle is of the version that plotly makes figures for, unchanged, with its licence beside it."""
    text = VENDORED.joinpath("plotly-cartesian.min.js").read_bytes()
    origin = VENDORED.joinpath("ORIGIN.md").read_text("utf-8")
    assert f"`{hashlib.sha256(text).hexdigest()}`" in origin
    assert bundles.version_of(text.decode()) == get_plotlyjs_version()
    assert bundles.version_of(text.decode()) in origin
    assert "MIT License" in VENDORED.joinpath("LICENSE").read_text("utf-8")
    assert "</script" not in text.decode().lower()
    assert "<!--" not in text.decode()


def test_another_major_version_falls_back_to_the_whole_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kept bundle is not what figures are made for, the one that came with plotly is taken."""
    assert not bundles.bundle().whole
    monkeypatch.setattr(bundles, "version_of", lambda _: "3.0.0")
    assert bundles.bundle().whole


def test_the_rules_of_the_page_allow_its_own_scripts_and_nothing_else(tmp_path: Path) -> None:
    """Every script that can run has its sum in the policy; no element names an address; the file is under 2 MB."""
    two_endpoints(tmp_path, HOSTILE)
    text = report(tmp_path)
    found = Read(text)
    policy = next(about["content"] or "" for tag, about in found.elements if about.get("http-equiv"))
    packed = re.search(r'<script type="application/gzip" id="drawing">([A-Za-z0-9+/=]+)</script>', text)
    assert packed
    scripts = [gzip.decompress(base64.b64decode(packed[1])).decode(), *found.scripts]
    sums = [f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts]
    assert len(sums) == 2
    assert policy.startswith(
        f"default-src 'none'; script-src {' '.join(sums)}; style-src 'unsafe-inline'; img-src data:"
    )
    assert "unsafe-eval" not in policy
    addresses = [
        about[name] or "" for _, about in found.elements for name in ("src", "href", "action") if name in about
    ]
    assert all(address.startswith("#") for address in addresses)
    assert not [about for _, about in found.elements if any(name.startswith("on") for name in about)]
    assert len(text.encode()) < 2_000_000


def test_markup_in_names_stays_text(tmp_path: Path) -> None:
    """Names, reasons and errors that are markup come out as letters, in the page and inside of its JSON."""
    two_endpoints(tmp_path, HOSTILE)
    text = report(tmp_path, "--include-text")
    tags = {tag for tag, _ in Read(text).elements}
    assert not tags & {"img", "b", "iframe", "object", "link", "base", "form"}
    assert text.count("<script") == 2 + len(re.findall(r'<script type="application/json"', text))
    assert HOSTILE in json.dumps(numbers(text)["runs"][0]["endpoints"], ensure_ascii=False).replace("\\\\", "\\")


def test_no_prompt_and_no_answer_without_being_asked_for(tmp_path: Path) -> None:
    """A word that stands in every prompt, answer, explanation and error is nowhere, unless texts are asked for."""
    canary_run(tmp_path)
    assert CANARY not in report(tmp_path)
    shown = report(tmp_path, "--include-text")
    assert f"user: What is {CANARY}?" in shown
    assert shown.count(CANARY) > 8


def test_a_table_stands_below_every_chart(tmp_path: Path) -> None:
    """Each drawing has a text for those who cannot see it, and its figures as a table with a caption."""
    two_endpoints(tmp_path)
    text = report(tmp_path)
    figures = re.findall(r"<figure>.*?</figure>", text, re.S)
    assert len(figures) >= 4
    for figure in figures:
        assert re.search(r'class="plot" role="img" aria-label="[^"]+"', figure)
        assert figure.count("<caption>") == 1
        assert json.loads(re.search(r'json">(.*?)</script>', figure, re.S)[1])["data"]  # type: ignore[index]


def test_headings_step_down_by_one_and_regions_have_names(tmp_path: Path) -> None:
    """One first heading, no level left out, one main part, and every link of the contents leads somewhere."""
    two_endpoints(tmp_path)
    two_endpoints(tmp_path)
    names = [run.id for run in list_runs(tmp_path)]
    text = report(tmp_path, *names)
    found = Read(text)
    depths = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h\d", tag)]
    assert depths.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(depths))
    ids = [about["id"] for _, about in found.elements if "id" in about]
    assert len(set(ids)) == len(ids)
    targets = [(about["href"] or "")[1:] for tag, about in found.elements if tag == "a"]
    assert set(targets) <= set(ids)
    assert [tag for tag, _ in found.elements if tag in ("header", "nav", "main", "footer")] == [
        "header",
        "nav",
        "main",
        "footer",
    ]


def test_the_foot_says_how_to_make_it_again(tmp_path: Path) -> None:
    """Tool version, run, hashes of plan and configuration, and a command with the whole id of the run."""
    run = two_endpoints(tmp_path)
    foot = report(tmp_path).rpartition("<footer>")[2]
    assert f"harness report {run.id} --html - --results {tmp_path}" in foot
    assert "plan 00" in foot
    assert "endpoint-harness 0." in foot


def test_the_figures_are_those_of_the_summary(tmp_path: Path) -> None:
    """The JSON inside holds what ``--json`` prints."""
    run = two_endpoints(tmp_path)
    told = numbers(report(tmp_path))["runs"][0]
    summary = json.loads(json.dumps(summarise(tmp_path, run.id), default=str))
    for name in ("endpoints", "tasks", "loads", "comparisons"):
        assert told[name] == summary[name]


def test_several_runs_are_put_together_and_compared(tmp_path: Path) -> None:
    """Each run has its part; the same questions asked again are compared with the first run, others are refused."""
    first, second = two_endpoints(tmp_path), two_endpoints(tmp_path)
    text = report(tmp_path, first.id, second.id)
    assert f"{second.id} against {first.id}" in text
    assert "B − A by" in text
    assert text.count(">How this was measured</h3>") == 2
    make_run(tmp_path, "empty")
    publish(tmp_path)
    other = list_runs(tmp_path)[-1]
    assert "Not compared: " in report(tmp_path, first.id, other.id)


def test_what_is_worked_out_for_all_runs_is_what_is_worked_out_for_one(tmp_path: Path) -> None:
    """A summary made of views that were gathered for several runs equals the one made alone."""
    runs = [two_endpoints(tmp_path), two_endpoints(tmp_path, "c/m"), canary_run(tmp_path)]
    alone = [summarise(tmp_path, run.id) for run in runs]
    with gathered(tmp_path, [run.id for run in runs], collected._VIEWS):
        together = [summarise(tmp_path, run.id) for run in runs]
    assert together == alone


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_run_that_is_not_whole_says_so(status: str, tmp_path: Path) -> None:
    """Broken off and ended by a fault are told at the top, with the command that goes on."""
    run = two_endpoints(tmp_path, status=status)
    told = report(tmp_path).partition("<nav")[0]
    assert 'class="warning"' in told
    assert f"harness resume {run.id}" in told


def test_a_run_under_way_says_so(tmp_path: Path) -> None:
    """Of a run that is being written there are no numbers yet, and no command to finish it."""
    run = two_endpoints(tmp_path, status="running")
    with run.lock():
        publish(tmp_path)
        told = report(tmp_path).partition("<nav")[0]
    assert "under way when this was written" in told
    assert "harness resume" not in told


def _document(rows: int, said: int) -> Document:
    table = grid("Table", 1, ("a", "b"), ((f"row {i}", "x" * 20) for i in range(rows)))
    part = Part("Part", (table, *(Said("answer", "y" * 100) for _ in range(said))))
    return Document("Title", (), (part,), (Note("foot"),), {"harness_version": "0", "command": "c", "runs": []})


def test_what_does_not_fit_is_left_out_and_said_to_be() -> None:
    """Texts go first, then rows of long tables; what went is told; nothing is left out of what fits."""

    def write(document: Document) -> str:
        return repr(document)

    whole = write(_document(5, 5))
    assert fitting.fitted(_document(5, 5), write, len(whole), "characters") == whole
    shorter = fitting.fitted(_document(5, 5), write, len(whole) - 1, "characters")
    assert "Left out, because the report would be too large: requests and answers." in shorter
    assert "row 4" in shorter
    cut = fitting.fitted(_document(400, 0), write, 12_000, "characters")
    assert "Table (first 100 of 400)" in cut


def test_many_runs_of_many_endpoints_stay_under_the_size(tmp_path: Path) -> None:
    """A report that would be too large comes out smaller, never larger and never not at all."""
    names = [f"vendor-{i}/a-model-with-a-long-name-instruct-{i}" for i in range(40)]
    rows = [
        attempt(f"{name}/{i}", sample=str(i), endpoint=name, ms={"send0": 0, "tok1": 9 + i, "tokn": 30, "eof": 31})
        for name in names
        for i in range(3)
    ]
    run = make_run(tmp_path, attempts=[row | {"completion_tokens": 4, "prompt_tokens": 3} for row in rows])
    about = manifest(run)["endpoints"][0]
    run.write_manifest(manifest(run, endpoints=[about | {"id": name, "model_id": name} for name in names]))
    publish(tmp_path)
    text = report(tmp_path)
    assert len(text.encode()) < 2_000_000
    assert names[-1] in text
    done = CliRunner().invoke(cli, ["report", "--results", str(tmp_path), "--md", "-"])
    assert done.exit_code == 0
    assert len(done.stdout) <= 65_000


def test_of_many_runs_only_what_is_over_all_is_drawn(tmp_path: Path) -> None:
    """More than eight runs have their tables each, in the order of the command, and the command that draws them."""
    runs = [two_endpoints(tmp_path).id for _ in range(9)][::-1]
    few, many = report(tmp_path, *runs[:8]), report(tmp_path, *runs)
    each, over_all = (few.count("<figure"), many.count("<figure"))
    assert each > 8 > over_all
    assert [told["run"]["id"] for told in numbers(many)["runs"]] == runs
    assert many.count(">How this was measured</h3>") == 9
    assert f"harness report {runs[3]} --html FILE" in many
    assert "--html FILE" not in few


def test_json_inside_a_script_cannot_end_it() -> None:
    """No text can close the element, begin a comment or break a line of the script."""
    text = page.as_json({"a": "</script><!--<script>&\u2028\u2029"})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": "</script><!--<script>&\u2028\u2029"}


def test_long_answers_are_cut_where_it_is_said(tmp_path: Path) -> None:
    """Of one answer 2,000 characters are shown, and how many more there are."""
    assert contents._cut("x" * 2100).endswith("… (100 characters more)")
    assert contents._cut("short") == "short"
