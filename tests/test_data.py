"""Rows: local files of each kind, the hub and its cache, and files shipped with tasks."""

from __future__ import annotations

import gc
import gzip
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from harness import data
from harness.errors import CannotMeasure, TaskError

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def datasets() -> Any:
    """The library, imported once: its import takes seconds, and no bound of a test is about that."""
    import datasets

    return datasets


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect or to resolve a name fails the test."""

    def refuse(*args: object, **kwargs: object) -> Any:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def write(path: Path, text: str) -> Path:
    """The path, after the text was written to it."""
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.usefixtures("no_network", "datasets")
def test_jsonl_keeps_every_value_as_it_stands(tmp_path: Path) -> None:
    """Dates stay text, objects get no new names, blank lines and a byte order mark are no rows."""
    lines = ['{"q": "2020-01-01", "t": {"a": 1}}', "", '{"q": "b", "t": {"b": [1, "x"]}, "z": null}']
    path = write(tmp_path / "odd [1]*.jsonl", "\ufeff" + "\r\n".join(lines) + "\n")
    rows = list(data.local_rows(path, ("q", "t")))
    assert rows == [{"q": "2020-01-01", "t": {"a": 1}}, {"q": "b", "t": {"b": [1, "x"]}, "z": None}]


@pytest.mark.usefixtures("no_network", "datasets")
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, datasets: Any) -> None:
    """The suffix chooses the reader; table text is neither a number nor missing because it looks like it."""
    rows = [{"question": "007", "answer": "NA"}, {"question": "a, b\n\tc", "answer": "2020-01-01"}]
    write(tmp_path / "r.json", json.dumps(rows, indent=1))
    write(tmp_path / "r.csv", 'question,answer\n007,NA\n"a, b\n\tc",2020-01-01\n')
    write(tmp_path / "r.tsv", 'question\tanswer\n007\tNA\n"a, b\n\tc"\t2020-01-01\n')
    datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / "r.parquet"))
    arrow = tmp_path / "made" / "data-00000-of-00001.arrow"
    datasets.Dataset.from_list(rows).save_to_disk(str(arrow.parent))
    arrow.rename(tmp_path / "r.arrow")
    for name in ("r.json", "r.csv", "r.tsv"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    for name in ("r.json", "r.csv", "r.tsv", "r.parquet", "r.arrow", "r.json.gz", "r.csv.gz", "r.tsv.gz"):
        assert list(data.local_rows(tmp_path / name, ("question",))) == rows, name


@pytest.mark.usefixtures("datasets")
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.jsonl", '{"q": 1}\n{bad\n', "bad.jsonl line 2: not JSON: Expecting property name"),
        ("deep.jsonl", "[" * 100_000, "deep.jsonl: not JSON: "),
        ("list.jsonl", '{"q": 1}\n[1]\n', "list.jsonl line 2: a row is a JSON object, this is a list"),
        ("name.jsonl", '{"q": 1}\n\n{"Q": 1}\n', "name.jsonl line 3: no column 'q'. It has: Q"),
        ("null.jsonl", '{"q": null}\n', "null.jsonl line 1: no column 'q'"),
        ("empty.jsonl", "\n", "empty.jsonl: no rows"),
        ("array.json", '[{"q": 1}, {"p": 1}]', "array.json item 2: no column 'q'"),
        ("wide.csv", "q,a\n1,2\n1,2,3\n", "wide.csv line 3: 3 values under 2 columns"),
        ("narrow.csv", 'q,a\n"1\n1",2\n\n1\n', "narrow.csv line 5: 1 values under 2 columns"),
        ("quote.csv", 'q,a\n"1"1,2\n', "quote.csv line 2: cannot be read as csv: "),
        ("name.csv", "Question,a\n1,2\n", "name.csv line 2: no column 'q'. It has: Question, a"),
        ("near.jsonl", '{"qs": 1}\n', "near.jsonl line 1: no column 'q'. It has: qs. Is qs meant"),
        ("twice.csv", "q,q\n1,2\n", "twice.csv line 1: the header must name each column once"),
        ("empty.csv", "", "empty.csv line 1: the header"),
        ("head.csv", "q,a\n", "head.csv: no rows under the header. Its first line names the columns"),
        ("cut.jsonl", '{"q": 1}\n{"q":\r\n', r"cut.jsonl line 2: not JSON: Expecting value at column 6$"),
        ("text.parquet", "q", "text.parquet: cannot be read as parquet"),
        ("text.arrow", "q", "text.arrow: cannot be read as arrow"),
        ("text.jsonl.gz", "q", "text.jsonl.gz: cannot be read: Not a gzipped file"),
        ("rows.parquet.gz", "q", "rows.parquet.gz: .parquet.gz is not a known kind of data file"),
        ("rows.xlsx", "q", "rows.xlsx: .xlsx is not a known kind of data file. Give one of .jsonl"),
    ],
)
def test_a_malformed_file_is_named_with_line_and_column(tmp_path: Path, name: str, text: str, message: str) -> None:
    """A user's file that is wrong gives one line that says where."""
    with pytest.raises(TaskError, match=message) as told:
        list(data.local_rows(write(tmp_path / name, text), ("q",)))
    assert "\n" not in str(told.value)


def test_bytes_that_are_no_utf8_are_told(tmp_path: Path, datasets: Any) -> None:
    """Another encoding is an error, never a changed prompt."""
    for name in ("latin.jsonl", "latin.csv"):
        (tmp_path / name).write_bytes('{"q": "é"}\n'.encode("latin-1"))
        with pytest.raises(TaskError, match=name):
            list(data.local_rows(tmp_path / name))


def test_a_missing_file_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    """The message names the path that was given."""
    with pytest.raises(TaskError, match=r"no such data file: .*nowhere\.jsonl"):
        data.rows(hub="a/b", revision="main", split="test", data=tmp_path / "nowhere.jsonl")


def test_package_rows_are_the_ones_checked_in(tmp_path: Path) -> None:
    """A file whose content was changed is refused."""
    path = write(tmp_path / "items.jsonl", '{"q": "\u2028"}\n')
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(data.package_rows(path, digest)) == [{"q": "\u2028"}]
    with pytest.raises(TaskError, match="sha256"):
        data.package_rows(path, "0" * 64)
    with pytest.raises(TaskError, match="No such file"):
        data.package_rows(tmp_path / "none.jsonl", digest)


# --- the hub ---------------------------------------------------------------------------------------------


def from_hub(revision: str = REVISION) -> list[dict[str, Any]]:
    """Rows of a data set that no hub has."""
    return list(
        data.rows(hub="nobody/tiny_set", revision=revision, split="test", config="main", columns=("question", "answer"))
    )


@pytest.fixture
def cache(tmp_path: Path, datasets: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the library."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub on loopback that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


HINT = (
    "Give a local copy: --data FILE, a JSONL, CSV or Parquet file of the test split with the columns question, answer"
)


@pytest.mark.usefixtures("silent_hub", "cache")
def test_an_unreachable_hub_is_told_within_five_seconds() -> None:
    """The message says which file to give instead; the library alone would retry for half a minute."""
    assert constants.HF_HUB_OFFLINE is False
    start = time.perf_counter()
    with pytest.raises(CannotMeasure, match=r"nobody/tiny_set.*cannot be reached") as told:
        from_hub()
    assert time.perf_counter() - start < 5
    assert str(told.value).endswith(HINT)


class Nothing(BaseHTTPRequestHandler):
    """A hub that has no data set at all."""

    def do_HEAD(self) -> None:
        """Answer every question with the hub's own "no such repository"."""
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


def test_a_hub_without_the_data_set_is_told_as_it_is(tmp_path: Path) -> None:
    """A hub that answers is not called unreachable: its own reason is given once, with the same way out."""
    # A process of its own: the library fixes the hub's address when it is imported.
    script = (
        "from harness import data, errors\n"
        f"try: list(data.rows(hub='nobody/tiny_set', revision='{REVISION}', split='test', columns=['q']))\n"
        "except errors.CannotMeasure as error: print(error)"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub = {
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "HF_HOME": str(tmp_path),
            "NO_PROXY": "127.0.0.1",
        }
        environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name} | hub
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        server.shutdown()
    assert done.stdout.startswith(
        "data set nobody/tiny_set could not be loaded: Dataset 'nobody/tiny_set' doesn't exist"
    )
    assert done.stdout.endswith("of the test split with the columns q\n")
    assert done.stderr == ""


@pytest.mark.usefixtures("no_network", "cache")
def test_offline_mode_asks_nobody(datasets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE is honoured, and the library's own switch is left as it was."""
    before = datasets.config.HF_HUB_OFFLINE
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CannotMeasure, match="cannot be reached"):
        from_hub()
    assert datasets.config.HF_HUB_OFFLINE is before


@pytest.mark.usefixtures("no_network")
def test_the_cache_serves_the_pinned_revision_and_no_other(
    tmp_path: Path, cache: Path, datasets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, a cached copy is used when it is of the revision asked for; the library would take any."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    source = write(tmp_path / "tiny.jsonl", '{"question": "1 + 1?", "answer": "2"}\n')
    made = datasets.load_dataset("json", "main", data_files={"test": str(source)}, cache_dir=str(tmp_path / "made"))
    folder = Path(made["test"].cache_files[0]["filename"]).parent
    info = json.loads((folder / "dataset_info.json").read_text())
    kept = cache / "nobody___tiny_set" / "main" / "0.0.0" / REVISION
    shutil.copytree(folder, kept)
    (kept / "dataset_info.json").write_text(json.dumps(info | {"config_name": "main", "dataset_name": "tiny_set"}))
    for arrow in kept.glob("*.arrow"):
        arrow.rename(kept / "tiny_set-test.arrow")
    assert from_hub() == [{"question": "1 + 1?", "answer": "2"}]
    with pytest.raises(CannotMeasure, match="only another revision than fedcba987654"):
        from_hub("fedcba98765432100123456789abcdef01234567")


@pytest.mark.usefixtures("no_network", "datasets")
def test_rows_may_be_left_unread(tmp_path: Path) -> None:
    """Taking the first sample alone leaves no file open."""
    write(tmp_path / "r.csv", "q\n1\n2\n")
    write(tmp_path / "r.jsonl", '{"q": "1"}\n{"q": "2"}\n')
    for name in ("r.csv", "r.jsonl"):
        assert next(data.local_rows(tmp_path / name)) == {"q": "1"}
        gc.collect()
