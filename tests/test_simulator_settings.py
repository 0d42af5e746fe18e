"""Profiles as users write them: files, settings, requests that change fields for themselves, the page about them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.engines import simulator
from harness.errors import ConfigError, UnknownName, UsageError
from harness.simulator.deviations.faults import FAULTS
from harness.simulator.deviations.mutants import MUTANTS
from harness.simulator.model.book import Book
from harness.simulator.profile import PER_REQUEST, PROFILES, Profile, checked
from harness.simulator.serving.replies import Reply
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming
from harness.simulator.settings import for_request, profile_of, with_settings

ROOT = Path(__file__).parents[1]


def service(*settings: str) -> Service:
    """A service with some settings."""
    return Service(with_settings(PROFILES["null"], settings), Book({}))


def ask(serving: Service, header: str | None = None, read_ns: int = 1, **fields: Any) -> Reply:
    """One request, with what it changes for itself."""
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "A story"}], **fields}
    headers = {} if header is None else {"x-sim": header}
    return serving.reply(Incoming("POST", "/v1/chat/completions", headers, json.dumps(body).encode(), read_ns))


# --- files -----------------------------------------------------------------------------------------------


def written(folder: Path, text: str) -> Path:
    """A file with that text."""
    path = folder / "my-vendor.yaml"
    path.write_text(text)
    return path


def test_a_file_is_a_profile(tmp_path: Path) -> None:
    """Fields of a YAML file replace those of the profile it is based on, or of the plain one, by their type."""
    text = (
        "based_on: vllm-like\nbatch: 8\nttft_ms: 20\nmodels: [a, b]\nfaults: {no_done: 0.1, cut: 0.2}\nkey_env: null\n"
    )
    read = profile_of(str(written(tmp_path, text)))
    based = PROFILES["vllm-like"]
    assert (read.name, read.batch, read.ttft_ms, read.models) == ("my-vendor", 8, 20.0, ("a", "b"))
    assert list(read.faults.items()) == [("cut", 0.2), ("no_done", 0.1)]
    assert (read.itl_ms, read.prefix_cache) == (based.itl_ms, based.prefix_cache)
    assert profile_of(str(written(tmp_path, "name: plain\nstall: 0.5\n"))) == Profile("plain", faults={"stall": 0.5})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tokens: 5\nttft: 3\n", r":2: ttft: unknown profile field 'ttft'\. Did you mean ttft_ms"),
        ("based_on: vlm-like\n", r":1: based_on: unknown profile 'vlm-like'\. Did you mean vllm-like"),
        ("itl_ms: 1\nbatch: many\n", r":2: batch: batch: 'many' is not a whole number"),
        ("itl_ms: 1\n\nbatch: 0\n", r":3: batch: batch must be 1 or more"),
        ("cut: 2\n", r":1: cut: cut is a share from 0 to 1"),
        ("faults: {cutt: 0.1}\n", r":1: faults: unknown fault 'cutt'\. Did you mean cut"),
        ("mutants: [no_donee]\n", r":1: unknown mutant 'no_donee'\. Did you mean no_done"),
        ("cut: 0.6\nreset: 0.6\n", r":1: faults: the shares cut, reset add up to more than 1"),
        ("ttft_ms: [1, 2]\n", r":1: ttft_ms: ttft_ms must be one value"),
        ("- a\n", r":1: must be a mapping"),
        ("", r":1: the file is empty; it should hold fields of a profile"),
        ("a: &a [x]\nb: [*a, *a", r"not valid YAML"),
        ("cut: 0.1\ncut: 0.2\n", r":2: cut: is given twice"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    """File, line and field, what is wrong and the nearest name, in one line."""
    with pytest.raises(ConfigError, match=says) as raised:
        profile_of(str(written(tmp_path, text)))
    assert "\n" not in str(raised.value)
    assert "my-vendor.yaml:" in str(raised.value)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """A file that is too large, too deep, or whose aliases expand without end is refused, and a missing one named."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
    )
    for text, says in ((bomb, "aliases"), ("x: " + "[" * 50, "nested"), ("x: " + "y" * 2_000_000, "larger")):
        with pytest.raises(ConfigError, match=says):
            profile_of(str(written(tmp_path, text)))
    with pytest.raises(ConfigError, match="no such file"):
        profile_of("nowhere.yaml")


def test_an_engine_takes_a_file_too(tmp_path: Path) -> None:
    """serve: {engine: simulator, profile: FILE} starts it, with more fields over it, and logs under its name."""
    path = written(tmp_path, "based_on: 'null'\nmodels: m1\n")
    running = simulator.start({"profile": str(path), "faults": {"cut": 0.5, "no_done": 0.25}}, tmp_path, print)
    running.stop()
    assert (tmp_path / "simulator-my-vendor.sends.jsonl").exists()
    with pytest.raises(ConfigError, match=r"my-vendor\.yaml:1"):
        simulator.start({"profile": str(written(tmp_path, "xx: 1"))}, tmp_path, print)


def test_faults_are_set_by_name_or_together() -> None:
    """`--set cut=0.1` adds to the profile's faults, `--set faults=...` replaces them, none empties them."""
    flaky = PROFILES["flaky-vendor"]
    assert with_settings(flaky, ["cut=0.5"]).faults == {**flaky.faults, "cut": 0.5}
    assert with_settings(flaky, ["faults=no_done:0.1, stall:0.2"]).faults == {"stall": 0.2, "no_done": 0.1}
    assert with_settings(flaky, ["faults=none"]).faults == {}
    one, other = (with_settings(PROFILES["null"], row) for row in (["cut=0.1", "stall=0.1"], ["stall=0.1", "cut=0.1"]))
    assert list(one.faults) == list(other.faults)


def test_a_bad_day_has_74_failures_in_400() -> None:
    """The seven faults of bad-day add up to that share, and every shipped profile makes sense."""
    assert len(PROFILES["bad-day"].faults) == 7
    assert 400 * sum(PROFILES["bad-day"].faults.values()) == pytest.approx(74)
    assert all(checked(profile) is profile for profile in PROFILES.values())


# --- requests --------------------------------------------------------------------------------------------


def test_a_request_changes_fields_for_itself() -> None:
    """By header or body, the body first; the next request has the profile's own again."""
    serving = service("tokens=5")
    assert ask(serving, "tokens=8,ttft_ms=50,mutants=no_done,no_role,itl_ms=1").record["tokens"] == 8
    assert ask(serving, "tokens=8", sim={"tokens": 9}).record["tokens"] == 9
    assert ask(serving).record["tokens"] == 5
    data = b"".join(send.data for send in ask(serving, "mutants=no_done,no_role", stream=True).sends)
    assert b"[DONE]" not in data
    assert b'"role"' not in data
    dues = [send.due_ns for send in ask(serving, "ttft_ms=50, itl_ms=2", stream=True).sends if send.kind == "token"]
    assert dues == [50_000_000 + 2_000_000 * step for step in range(5)]


def test_a_request_chooses_its_fault_or_is_spared() -> None:
    """`fault=name` is certain, `fault=none` spares; a mutant may befall a single request and is told in the log."""
    serving = service("http_500=1")
    assert ask(serving).status == 500
    assert ask(serving, "fault=none").status == 200
    assert ask(serving, "fault=http_529").status == 529
    reply = ask(serving, "fault=flat_error", model="none")
    assert next(reply.sends).data.endswith(b'"code":"model_not_found"}')
    assert ask(serving, sim={"fault": "no_done"}).record["fault"] == "no_done"
    shared = [ask(service("no_done=0.5"), stream=True, user=str(number)).record["fault"] for number in range(60)]
    assert 15 < shared.count("no_done") < 45


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("ttft=5", "ttft_ms"),
        ("batch=5", "unknown field of a request 'batch'"),
        ("fault=resett", "Did you mean reset"),
        ("tokens=many", "not a whole number"),
        ("tokens", "not key=value"),
        ("tokens=0", "1 or more"),
        ("jitter=1000", "10 or less"),
        ("ttft_ms=1e300", "86,400,000 or less"),
        ("stall_s=inf", "10,000,000 or less"),
        ("itl_ms=nan", "negative"),
    ],
)
def test_a_wrong_wish_is_refused(header: str, says: str) -> None:
    """400 names what is wrong, and the nearest name."""
    reply = ask(service(), header)
    assert reply.status == 400
    assert says in next(reply.sends).data.decode()
    assert ask(service(), sim="fast").status == 400


def test_wishes_can_be_switched_off() -> None:
    """With per_request=no both header and body field are passed over."""
    assert (
        ask(service("per_request=no", "tokens=5"), "tokens=8,nonsense", sim={"fault": "http_500"}).record["tokens"] == 5
    )


def test_every_field_of_a_request_is_a_field() -> None:
    """What a request may change is there, and wishing for each of them at its own value changes nothing."""
    profile = PROFILES["null"]
    for key in PER_REQUEST:
        assert for_request(profile, None, {key: getattr(profile, key)}) == profile
    with pytest.raises(UnknownName):
        for_request(profile, "name=x", None)
    with pytest.raises(UsageError):
        for_request(profile, None, [1])


def test_mutants_may_begin_in_the_middle_of_a_run() -> None:
    """Before mutants_after_s the server is a clean one, then another model with another fingerprint answers."""
    serving = service("mutants=other_model,other_fingerprint", "mutants_after_s=100")
    now = serving._mutants_from_ns
    before, after = (b"".join(s.data for s in ask(serving, read_ns=at).sends) for at in (now - 1, now))
    assert b'"model":"sim-small"' in before
    assert b'"system_fingerprint":"fp_simulator"' in before
    assert b'"model":"other-model"' in after
    assert b'"system_fingerprint":"fp_other"' in after


# --- the page --------------------------------------------------------------------------------------------


def table(title: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has that title, by their first cell."""
    lines = (ROOT / "docs" / "simulator.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {title} |"))
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        rows[first.strip("`")] = rest
    return rows


def shown(value: object) -> str:
    """A default as the page shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if value is None or value == {}:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_page_lists_every_field_fault_mutant_and_profile() -> None:
    """Names, defaults and what a request may change are those of the code, in its order."""
    fields = table("field")
    plain = Profile("the file's name")
    assert list(fields) == [field.name for field in dataclasses.fields(Profile)]
    assert {name: row[0] for name, row in fields.items()} == {name: shown(getattr(plain, name)) for name in fields}
    assert [name for name, row in fields.items() if row[1] == "yes"] == [name for name in fields if name in PER_REQUEST]
    assert all(row[2] for row in fields.values())
    for title, known in (("fault", FAULTS), ("mutant", MUTANTS)):
        assert {name: row[0] for name, row in table(title).items()} == dict(known)
    assert set(table("profile")) == set(PROFILES)


def test_the_example_of_the_page_is_right(tmp_path: Path) -> None:
    """The YAML that the page shows can be read."""
    text = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "simulator.md").read_text(), re.S)[0]
    assert profile_of(str(written(tmp_path, text))).queue_limit == 20
