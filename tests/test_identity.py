"""Who answered: what is kept of it for each request, and what a report says when it changed or was another."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made import Watcher, endpoint, load, plan
from published import EPOCH, attempt, make_run, manifest
from rich.console import Console
from test_seal import answered, completion, event, sealed, streamed

from harness import config
from harness.config.schema import QuirksBlock
from harness.engines import start
from harness.exchange import Exchange, Read, WireMarks
from harness.provider import Naming, Provider, Quirks, Serve
from harness.record.folder import RunFolder, create
from harness.report.summary import terminal
from harness.report.summary.figures import summarise
from harness.report.summary.identity import identities, kinship, lines
from harness.run import sitting
from harness.run.arrivals import Closed
from harness.run.conduct import Company
from harness.store import overview
from harness.store.identity import UNDECLARED, backend, naming_of, server_headers
from harness.store.index import publish
from harness.store.query import converter, rows

BOTH = Naming("provider", ("x-model-id", "x-region"), ("x-engine-version",))
ASKED = [{"id": "p/m", "model_id": "vendor-m"}]


def exchange(body: bytes = b"", *headers: tuple[str, str], status: int | None = 200) -> Exchange:
    """What came back."""
    return Exchange(WireMarks(), status, headers, (Read(1, body),), "kernel", reused=False)


def chunk(**fields: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps({"choices": [], **fields}).encode() + b"\n\n"


# --- what is read off an answer --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "told"),
    [
        (b'{"provider": "alpha", "choices": []}', "provider", "alpha"),
        (b'{"meta": {"route": {"name": "beta"}}}', "meta.route.name", "beta"),
        (b'{"meta": {"route": "beta"}}', "meta.route.name", None),
        (b'{"provider": 7}', "provider", "7"),
        (b'{"provider": ""}', "provider", None),
        (b'{"provider": {"name": "x"}}', "provider", None),
        (b'{"provider": null}', "provider", None),
        (b'{"provider": true}', "provider", None),
        (b'["provider"]', "provider", None),
        (b'{"provider": "alpha"', "provider", None),
        (b'{"choices": [{"message": {"content": "\\"provider\\": \\"no\\""}}]}', "provider", None),
        (b"", "provider", None),
        (b"\xff\xfe", "provider", None),
        (chunk() + chunk(provider="late") + b"data: [DONE]\n\n", "provider", "late"),
        (b": ping\r\n\r\ndata: " + b'{"provider": "crlf"}\r\n\r\n', "provider", "crlf"),
        (b'data: {"provider": bad}\n\n' + chunk(provider="second"), "provider", "second"),
        (b'{"provider": "%s"}' % (b"x" * 10_000), "provider", "x" * 200),
    ],
)
def test_a_backend_is_read_from_the_declared_field(body: bytes, path: str, told: str | None) -> None:
    """Of a whole answer or of the first chunk that has it; text of the model that looks like it is none."""
    assert backend(exchange(body), Naming(path)) == told
    assert backend(exchange(body), UNDECLARED) is None


def test_a_field_that_every_chunk_holds_in_vain_is_not_sought_for_ever() -> None:
    """So many chunks that hold the name without a value are passed over; the last one is looked at."""
    empty = chunk(provider=None) * 5000
    assert backend(exchange(empty + chunk(provider="last")), Naming("provider")) == "last"
    assert backend(exchange(empty), Naming("provider")) is None


def test_headers_are_read_by_name_whatever_their_case() -> None:
    """The journal keeps them in lower case; a provider may declare them in any; what is empty was not told."""
    naming = Quirks(backend_headers=("X-Model-Id", "X-REGION"), version_headers=("X-Engine-Version",)).naming
    assert naming == Naming(None, *BOTH[1:])
    came = exchange(b"", ("x-region", "eu"), ("x-model-id", "m-7"), ("server", "uvicorn"), ("via", ""), ("date", "d"))
    assert backend(came, naming) == "m-7 / eu"
    assert server_headers(came, naming) == ("server: uvicorn",)
    came = exchange(b"", ("via", "1.1 a"), ("via", "1.1 b"), ("x-engine-version", "3"), ("x-powered-by", "p"))
    assert server_headers(came, naming) == ("via: 1.1 a, 1.1 b", "x-powered-by: p", "x-engine-version: 3")
    assert server_headers(came, UNDECLARED) == ("via: 1.1 a, 1.1 b", "x-powered-by: p")
    assert server_headers(exchange(status=None), naming) is None


def test_what_a_provider_declares_survives_the_manifest_and_the_memory() -> None:
    """As JSON and back; a manifest of an older harness declares nothing."""
    quirks = Quirks(backend_field="provider", backend_headers=("X-A",), version_headers=("x-b",), drop=("seed",))
    assert naming_of(json.loads(json.dumps(quirks.naming._asdict()))) == quirks.naming
    assert naming_of(None) == naming_of({}) == UNDECLARED
    provider = Provider("p", "gateway", "http://x/v1", quirks=quirks)
    assert config._provider(json.loads(json.dumps(asdict(provider)))) == provider


@pytest.mark.parametrize(
    "wrong", [{"backend_field": ""}, {"backend_field": "a..b"}, {"backend_headers": ["a b"]}, {"version_headers": [""]}]
)
def test_a_name_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    """A field is a path of names, a header one name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        QuirksBlock(**wrong)


# --- what is kept ----------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run folder whose endpoint declares where its backend is named."""
    made = create(tmp_path, "identity")
    about = manifest(made)
    about["endpoints"][0]["naming"] = BOTH._asdict()
    made.write_manifest(about)
    return made


def test_each_attempt_keeps_who_answered(run: RunFolder) -> None:
    """Streamed or whole, refused or never sent: from the journal alone, so that sealing again finds the same."""
    body = json.loads(completion("hi")) | {"provider": "alpha"}
    whole = answered(json.dumps(body).encode(), job="a", headers=(("server", "nginx/1"), ("x-region", "eu")))
    stream = streamed("b", (Read(2, chunk(provider="beta", model="m")), *streamed().exchange.reads))
    refused = answered(b"{}", job="c", status=503, headers=(("server", "proxy"),))
    unsent = answered(b"", job="d", status=None, headers=())
    found, _ = sealed(run, whole, stream, refused, unsent)
    assert [row["backend"] for row in found] == ["alpha / eu", "beta", None, None]
    assert [row["server_headers"] for row in found] == [["server: nginx/1"], [], ["server: proxy"], None]


def test_runs_sealed_before_are_read_as_not_known(tmp_path: Path) -> None:
    """Files without the new columns are taken in; what they lack is NULL and no change."""
    made = make_run(tmp_path, attempts=[attempt("a", response_model="m"), attempt("b", response_model="m")])
    path = made.parquet_path("attempts")
    older = path.with_name("older.parquet")
    sql = f"copy (select * exclude (backend, server_headers) from '{path}') to '{older}' (format parquet)"

    with converter() as connection:
        connection.execute(sql)
    older.replace(path)
    assert publish(tmp_path).problems == ()
    (row,) = rows(tmp_path, "select distinct backend, server_headers from attempts")
    assert row == {"backend": None, "server_headers": None}
    (part,) = identities(tmp_path, made.id, ASKED)
    assert (part["part"], part["flag"]) == ("model", None)


# --- what changed ----------------------------------------------------------------------------------------


def told(results: Path, answers: list[dict[str, Any]], **about: Any) -> list[dict[str, Any]]:
    """The identities of a run whose answers, a second apart, say this of themselves."""
    made = [
        attempt(f"j{i:03}", started_at=EPOCH + timedelta(seconds=i), sample=str(i), **one)
        for i, one in enumerate(answers)
    ]
    folder = make_run(results, attempts=made)
    publish(results)
    return identities(results, folder.id, about.get("asked", ASKED))


def part(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The row of one part."""
    return next(row for row in found if row["part"] == name)


def test_one_identity_makes_no_noise(tmp_path: Path) -> None:
    """All answers alike, the model that was asked for: every part is told in JSON, no line is said."""
    one = {"response_model": "vendor-m", "system_fingerprint": "fp", "backend": "a", "server_headers": ["server: x"]}
    found = told(tmp_path, [one] * 5)
    assert [row["part"] for row in found] == ["backend", "model", "server", "system_fingerprint"]
    assert [(row["n"], row["n_switches"], row["flag"]) for row in found] == [(5, 0, None)] * 4
    assert lines(found) == []


def test_a_change_is_told_with_its_moment(tmp_path: Path) -> None:
    """Three answers of one fingerprint, then two of another: which, how many of each, since when."""
    found = told(tmp_path, [{"system_fingerprint": "fp_a"}] * 3 + [{"system_fingerprint": "fp_b"}] * 2)
    (row,) = found
    assert (row["flag"], row["n_switches"], row["n"]) == ("changed", 1, 5)
    assert [(one["value"], one["n"], one["first_place"]) for one in row["values"]] == [("fp_a", 3, 1), ("fp_b", 2, 4)]
    assert lines(found) == [
        "p/m: system_fingerprint changed inside the run at answer 4 of 5, sent 00:00:03 UTC: fp_a (3), then fp_b (2)"
    ]


def test_backends_that_take_turns_are_told_as_such(tmp_path: Path) -> None:
    """Two of them to and fro; answers that name none count as a value of their own."""
    found = told(tmp_path, [{"backend": name} for name in ("a", "b", "a", None, "a")])
    (row,) = found
    assert (row["flag"], row["n_switches"]) == ("interleaved", 4)
    assert lines(found) == [
        "p/m: backend went to and fro 4 times, first at answer 2 of 5, sent 00:00:01 UTC: a (3), b (1), not stated (1)"
    ]


def test_each_header_is_told_on_its_own(tmp_path: Path) -> None:
    """A server that stays is no news when a version changes; one that is missing at first is a change."""
    same, more = ["server: x: y"], ["server: x: y", "x-engine-version: 2"]
    found = told(tmp_path, [{"server_headers": same}] * 2 + [{"server_headers": more}])
    assert [one["value"] for one in part(found, "server")["values"]] == ["x: y"]
    assert part(found, "x-engine-version")["flag"] == "changed"
    (line,) = lines(found)
    assert "header x-engine-version changed inside the run at answer 3 of 3" in line
    assert line.endswith("not stated (2), then 2 (1)")


def test_many_values_are_counted_not_listed(tmp_path: Path) -> None:
    """A server that names itself anew each time does not fill the page."""
    (line,) = lines(told(tmp_path, [{"backend": f"host-{i}" + "x" * 100} for i in range(9)]))
    assert line.endswith("then 5 more")
    assert "host-3" in line
    assert "host-4" not in line
    assert len(line) < 500


def test_what_says_nothing_of_an_endpoint_is_left_out(tmp_path: Path) -> None:
    """Failures (a proxy's error page has its own server), probes and copies from the cache."""
    one = {"backend": "a", "server_headers": ["server: x"]}
    other = {"backend": "b", "server_headers": ["server: y"]}
    odd = [{"failure_kind": "http_5xx"}, {"kind": "probe"}, {"cached": True}]
    found = told(tmp_path, [one, *(other | each for each in odd), one])
    assert [(row["n"], row["flag"]) for row in found] == [(2, None), (2, None)]


def test_hostile_names_are_spelt_out(tmp_path: Path) -> None:
    """Controls that a server puts into its name move no cursor."""
    (line,) = lines(told(tmp_path, [{"backend": "a"}, {"backend": "\x1b[31mred"}]))
    assert "\x1b" not in line


# --- the model that answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "answered", "word"),
    [
        ("gpt-4o", "gpt-4o", "same"),
        ("GPT-4o", "gpt-4O", "same"),
        ("openai/gpt-4o", "gpt-4o", "prefix"),
        ("gemini-2.5-flash", "models/gemini-2.5-flash", "prefix"),
        ("gpt-4o", "gpt-4o-2024-08-06", "snapshot"),
        ("gpt-4", "gpt-4-0613", "snapshot"),
        ("openai/gpt-4o", "gpt-4o-2024-08-06", "snapshot"),
        ("claude-sonnet-4", "claude-sonnet-4-20250514", "snapshot"),
        ("claude-sonnet-4", "claude-sonnet-4@20250514", "snapshot"),
        ("mistral-small-latest", "mistral-small-2503", "snapshot"),
        ("llama3:latest", "llama3", "other"),
        ("gpt-4", "gpt-4o", "other"),
        ("gpt-4o", "gpt-4o-mini", "other"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", "other"),
        ("gpt-4o-2024-08-06", "gpt-4o", "other"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", "other"),
        ("llama-3.3-70b", "llama-3.3-70b-fp8", "other"),
        ("a", "b", "other"),
    ],
)
def test_names_of_models_are_related_by_their_letters(asked: str, answered: str, word: str) -> None:
    """The same, the same but for a prefix, a dated snapshot of what was asked, or another."""
    assert kinship(asked, answered) == word


def test_another_model_than_asked_is_told(tmp_path: Path) -> None:
    """A snapshot is said to be one and not hidden; another model is said to be another, with how often."""
    asked = [{"id": "p/m", "model_id": "gpt-4o"}]
    names = ["gpt-4o-2024-08-06"] * 3 + ["gpt-4o-mini"]
    said = lines(told(tmp_path, [{"response_model": name} for name in names], asked=asked))
    assert said[1:] == [
        "p/m: asked for gpt-4o, answered by gpt-4o-2024-08-06 in 3 of 4: a dated snapshot of it",
        "p/m: asked for gpt-4o, answered by gpt-4o-mini in 1 of 4: another model by its name",
    ]
    assert said[0].startswith("p/m: model changed inside the run at answer 4 of 4")


# --- whole runs ------------------------------------------------------------------------------------------


def test_a_gateway_that_changes_its_backend_is_flagged(tmp_path: Path) -> None:
    """Fifteen answers of a simulated gateway whose backend changes after eight, one after the other.

    The report, its JSON and `runs show` have it; the plain endpoint beside it gets no line.
    """
    served = start(Serve("simulator", {"profile": "null", "backends": "alpha,beta", "backend_requests": 8}))
    plain = start(Serve("simulator", {"profile": "null"}))
    quirks = Quirks(backend_field="provider", backend_headers=("X-Backend",))
    try:
        ends = [endpoint("gate/m", served.base_url, quirks=quirks), endpoint("plain/m", plain.base_url, quirks=quirks)]
        made = plan([load("chat", Closed(1), n=15)], ends)
        sat = sitting.start(made, results=tmp_path, company=Company(Watcher(), scrape=False))
    finally:
        served.stop()
        plain.stop()
    summary = summarise(tmp_path, sat.folder.id)
    found = [row for row in summary["identities"] if row["endpoint"] == "gate/m"]
    row = part(found, "backend")
    assert [(one["value"], one["n"]) for one in row["values"]] == [("alpha / alpha", 8), ("beta / beta", 7)]
    assert part(found, "server")["values"][0]["value"] == "harness-simulator"
    said = lines(summary["identities"])
    assert len(said) == 1
    assert said[0].startswith("gate/m: backend changed inside the run at answer 9 of 15")
    console = Console(record=True, width=200)
    terminal.show(summary, console)
    assert said[0][:60] in console.export_text()
    shown = overview.of_database(tmp_path, sat.folder.id)["identities"]
    assert {(one["endpoint"], one["part"]) for one in shown} >= {("gate/m", "backend"), ("plain/m", "model")}


def test_a_model_swapped_in_the_middle_is_flagged(tmp_path: Path) -> None:
    """A server whose model and fingerprint change while a run is under way, written by hand as a journal."""
    made = create(tmp_path, "swapped")
    made.write_manifest(manifest(made))
    first = [streamed(f"j{i}") for i in range(3)]
    swapped = tuple(
        replace_read(read, b"vendor-m-1", b"cheaper-m-8") for read in (Read(95_000_000, event()), *STREAM_READS)
    )
    later = [streamed(f"k{i}", swapped) for i in range(2)]
    later = [replace(one, admit_ns=10**9, exchange=later_sent(one.exchange)) for one in later]
    sealed(made, *first, *later)
    publish(tmp_path)
    asked = [{"id": "p/m", "model_id": "vendor-m-1"}]
    said = lines(identities(tmp_path, made.id, asked))
    assert said[0].endswith("vendor-m-1 (3), then cheaper-m-8 (2)")
    assert said[1] == "p/m: asked for vendor-m-1, answered by cheaper-m-8 in 2 of 5: another model by its name"


STREAM_READS = streamed().exchange.reads


def replace_read(read: Read, before: bytes, after: bytes) -> Read:
    """A read with another name in it."""
    return Read(read.at_ns, read.data.replace(before, after))


def later_sent(came: Exchange) -> Exchange:
    """The same exchange sent a second later."""
    moved = {name: None if at is None else at + 10**9 for name, at in asdict(came.marks).items()}
    return replace(came, marks=WireMarks(**moved), reads=tuple(Read(at + 10**9, data) for at, data in came.reads))
