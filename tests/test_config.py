"""providers.yaml: what is read, what is refused, and how it is told."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import config
from harness.config import file as config_file
from harness.config.address import url_problem
from harness.errors import ConfigError, HarnessError, UnknownName, UsageError
from harness.provider import Auth, Deadlines, Limits, Price, Provider, Quirks, Serve

GOOD = """\
providers:
  acme:
    kind: hosted
    base_url: https://api.acme.example/v1
    api_key_env: ACME_KEY
    models: {small: acme/small-1}
"""


def write(folder: Path, text: str | bytes) -> Path:
    """Put a providers.yaml into the folder."""
    path = folder / "providers.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    """The one line that reading this file ends with."""
    with pytest.raises(ConfigError) as caught:
        config_file.read_file(write(folder, text))
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(str(folder) + "/", "")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- what ships ------------------------------------------------------------------------------------------


def test_shipped_providers_hold_the_demo_and_the_usual_ones() -> None:
    """The shipped file reads, and has the demo's three endpoints and the six providers people begin with."""
    providers = config.load_providers()
    assert {"openai", "groq", "openrouter", "vllm", "llama-cpp", "ollama"} < providers.keys()
    local = config.endpoint(providers, "local/smollm2")
    assert local.model_id == "smollm2-135m-instruct"
    assert local.provider.serve == Serve("llama_cpp", {"model": "smollm2"})
    for name in ("steady-vendor", "flaky-vendor"):
        found = config.endpoint(providers, f"{name}/sim-small")
        assert found.provider.kind == "simulated"
        assert found.provider.serve == Serve("simulator", {"profile": name})
        assert "simulated" in found.provider.prices["sim-small"].source


def test_shipped_paths_exist_and_an_unknown_one_is_an_error() -> None:
    """What ships is found in a checkout; anything else is one clear line."""
    assert config.shipped("providers.yaml").is_file()
    assert config.shipped("tasks").is_dir()
    assert config.shipped("dashboard").is_dir()
    with pytest.raises(ConfigError, match="missing from this installation"):
        config.shipped("nothing.yaml")


def test_every_shipped_block_survives_being_shown_and_read_again(tmp_path: Path) -> None:
    """What `providers show` prints can be pasted into a file and means the same."""
    for provider in config.load_providers().values():
        assert config_file.read_file(write(tmp_path, config_file.as_yaml(provider))).providers == {
            provider.id: replace(provider, preset=None)
        }


# --- merging ---------------------------------------------------------------------------------------------


def test_users_block_replaces_the_shipped_block_whole(tmp_path: Path) -> None:
    """A block of ./providers.yaml wins whole; every other shipped provider stays."""
    write(tmp_path, GOOD.replace("acme:", "groq:"))
    providers = config.load_providers()
    assert providers["groq"].base_url == "https://api.acme.example/v1"
    assert providers["groq"].quirks == Quirks()
    assert "openai" in providers


def test_a_named_file_takes_the_place_of_the_working_folders(tmp_path: Path) -> None:
    """A file named by the user is laid over the shipped one instead of ./providers.yaml."""
    write(tmp_path, GOOD.replace("acme", "other"))
    named = tmp_path / "mine.yaml"
    named.write_text(GOOD)
    providers = config.load_providers(named)
    assert "acme" in providers
    assert "other" not in providers
    assert "local" in providers


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A missing file is only fine when nobody named it."""
    with pytest.raises(ConfigError, match=r"gone\.yaml: there is no such file"):
        config.load_providers(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load_providers(tmp_path)


# --- reading ---------------------------------------------------------------------------------------------


def test_every_field_is_read(tmp_path: Path) -> None:
    """A block with everything in it gives a Provider with everything in it."""
    text = """\
providers:
  full:
    kind: gateway
    base_url: http://localhost:4000/v1/
    auth: {scheme: header, env: FULL_KEY, header: api-key}
    headers: {X-Title: my bench}
    models: {m: org/m}
    any_model: true
    limits: {requests_per_minute: 60, tokens_per_minute: 1000, concurrency: 4}
    deadlines: {connect_s: 1, first_byte_s: 2.5, idle_s: 3, total_s: 4}
    quirks:
      max_tokens_field: max_tokens
      stream_usage: false
      drop: [seed, n]
      extra_body: {provider: {order: [a], allow_fallbacks: false}, date: 2026-01-01}
      embedding_model: org/embed
    prices: {m: {input_usd_per_mtok: 1, output_usd_per_mtok: 2.5, cached_input_usd_per_mtok: null}}
    price_provider: openrouter
"""
    extra = {"provider": {"order": ["a"], "allow_fallbacks": False}, "date": "2026-01-01"}
    assert config_file.read_file(write(tmp_path, text)).providers["full"] == Provider(
        id="full",
        kind="gateway",
        base_url="http://localhost:4000/v1",
        auth=Auth("header", "FULL_KEY", "api-key"),
        headers={"X-Title": "my bench"},
        models={"m": "org/m"},
        any_model=True,
        limits=Limits(requests_per_minute=60, tokens_per_minute=1000, concurrency=4),
        deadlines=Deadlines(1.0, 2.5, 3.0, 4.0),
        quirks=Quirks(
            "max_tokens", stream_usage=False, drop=("seed", "n"), extra_body=extra, embedding_model="org/embed"
        ),
        prices={"m": Price(1.0, 2.5, None, "providers.yaml")},
        price_provider="openrouter",
    )


def test_byte_order_mark_and_shared_anchors_are_read(tmp_path: Path) -> None:
    """A file from an editor that writes a mark, and a block that borrows another's limits, are fine."""
    text = (
        GOOD + "    limits: &l {concurrency: 2}\n" + GOOD.partition("\n")[2].replace("acme:", "b:") + "    limits: *l\n"
    )
    providers = config_file.read_file(write(tmp_path, b"\xef\xbb\xbf" + text.encode())).providers
    assert providers["acme"].limits == providers["b"].limits == Limits(concurrency=2)


def test_no_auth_means_no_key_is_sent(tmp_path: Path) -> None:
    """A block that names no key variable asks for none."""
    provider = config_file.read_file(write(tmp_path, GOOD.replace("    api_key_env: ACME_KEY\n", ""))).providers["acme"]
    assert provider.auth == Auth(scheme="none")
    assert config.api_key(provider) is None


# --- refusing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("base_url", "base_ulr", "providers.yaml:4: providers.acme.base_ulr: unknown field. Did you mean base_url?"),
        ("kind: hosted", "kind: cloud", "providers.yaml:3: providers.acme.kind: must be 'hosted', 'gateway', "),
        ("    kind: hosted\n", "", "providers.yaml:2: providers.acme.kind: is missing"),
        ("https://", "ftp://", "providers.yaml:4: providers.acme.base_url: must begin with http:// or https://"),
        ("https://", "https://me:pw@", "providers.yaml:4: providers.acme.base_url: must not hold credentials"),
        ("/v1", "/v1/chat/completions", "providers.acme.base_url: must end before /chat/completions"),
        ("/v1", "/v1/completions/", "providers.acme.base_url: must end before /chat/completions, /completions"),
        ("/v1", "/v1/models", "providers.acme.base_url: must end before /chat/completions, /completions or /models"),
        ("/v1", "/v1?a=b", "providers.yaml:4: providers.acme.base_url: must not hold ? or #"),
        (".example", ".example:99999", "providers.yaml:4: providers.acme.base_url: is not a valid URL"),
        ("ACME_KEY", "acme key", "providers.yaml:5: providers.acme.api_key_env: must be the name of an environment"),
        ("{small: acme/small-1}", "{}", "providers.yaml:2: providers.acme: names no model"),
        ("{small: acme/small-1}", "{small: 7}", "providers.yaml:6: providers.acme.models.small: must be text"),
        ("{small: acme/small-1}", "[small]", "providers.yaml:6: providers.acme.models: must be a mapping"),
        ("  acme:", "  ac/me:", "providers.yaml:2: providers.ac/me: a provider's name is letters"),
        ("providers:", "provider:", "providers.yaml:1: provider: unknown field. Did you mean providers?"),
        ("    api_key_env: ACME_KEY", "    serve: {engine: x}", "providers.yaml:2: providers.acme: has both base_url"),
        ("api_key_env: ACME_KEY", "limits: {rpm: 3}", "unknown field. Known: requests_per_second, requests_per_"),
        ("api_key_env: ACME_KEY", "limits: {concurency: 3}", "limits.concurency: unknown field. Did you mean concurr"),
        ("api_key_env: ACME_KEY", "limits: {concurrency: 0}", "concurrency: must be greater than 0"),
        ("api_key_env: ACME_KEY", "limits: {concurrency: 1.5}", "concurrency: must be a whole number"),
        ("api_key_env: ACME_KEY", "deadlines: {idle_s: fast}", "idle_s: must be a number"),
        ("api_key_env: ACME_KEY", "any_model: 1", "any_model: must be true or false"),
        ("api_key_env: ACME_KEY", "quirks: {drop: [messages]}", "quirks.drop: must not drop messages"),
        (
            "api_key_env: ACME_KEY",
            "quirks: {drop: ['messages[].name']}",
            "quirks.drop: 'messages[].name' is not a field",
        ),
        ("api_key_env: ACME_KEY", "quirks: {drop: [3]}", "quirks.drop[0]: must be text"),
        ("api_key_env: ACME_KEY", "quirks: {extra_body: {model: x}}", "quirks.extra_body: must not set model"),
        ("api_key_env: ACME_KEY", "quirks: {drop: [a], extra_body: {a: 1}}", "a is both dropped and added"),
        ("api_key_env: ACME_KEY", "headers: {'bad name': x}", "headers: 'bad name' is not a header name"),
        ("api_key_env: ACME_KEY", "headers: {Host: x}", "headers: Host is set by the client itself"),
        ("api_key_env: ACME_KEY", 'headers: {X-A: "a\\nb"}', "the value of X-A must be printable ASCII"),
        ("api_key_env: ACME_KEY", "auth: {scheme: header}", "auth: scheme header needs the header's name"),
        ("api_key_env: ACME_KEY", "auth: {scheme: none, env: A}", "auth: scheme none sends no key"),
        (
            "api_key_env: ACME_KEY",
            "prices: {smal: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}",
            "Did you mean small",
        ),
        (
            "api_key_env: ACME_KEY",
            "prices: {small: {input_usd_per_mtok: 1}}",
            "prices.small.output_usd_per_mtok: is miss",
        ),
        (
            "api_key_env: ACME_KEY",
            "prices: {small: {input_usd_per_mtok: -1, output_usd_per_mtok: 1}}",
            "prices.small.input_usd_per_mtok: must be greater than or equal to 0",
        ),
        (
            "api_key_env: ACME_KEY",
            "prices: {small: {input_usd_per_mtk: 1, output_usd_per_mtok: 1}}",
            "prices.small.input_usd_per_mtk: unknown field. Did you mean input_usd_per_mtok?",
        ),
        ("api_key_env: ACME_KEY", "price_provider: .nan", "must be a finite number"),
        ("api_key_env: ACME_KEY", "headers: {A: '${HOME}'}", "headers.A: ${NAME} is filled in only in base_url"),
        ("api.acme.example", "${not-a-name}", "base_url: holds a broken ${NAME}"),
        ("kind: hosted", "kind: hosted\n    kind: local", "providers.acme.kind: is given twice, first on line 3"),
        ("kind: hosted", "7: hosted", "providers.acme.7: a name must be text"),
        ("kind: hosted", "<<: {kind: hosted}", "merge keys (<<) are not read"),
        ("kind: hosted", "kind: !!python/object/apply:os.system [ls]", "take the !tag away"),
        ("kind: hosted", "kind: !secret x", "only plain text, numbers"),
        ("kind: hosted", "kind: [hosted", "providers.yaml:4: not valid YAML"),
        ("kind: hosted", "kind: *nowhere", "providers.yaml:3: not valid YAML"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_field_and_remedy(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Each mistake names file, line and field, says what is wrong, and offers the nearest name where there is one."""
    assert old in GOOD
    line = refusal(tmp_path, GOOD.replace(old, new, 1))
    assert line.startswith("providers.yaml:")
    assert told in line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "providers.yaml:1: the file is empty"),
        ("# nothing\n", "providers.yaml:1: the file is empty"),
        ("providers:\n", "providers.yaml:1: providers: must be a mapping"),
        ("- a\n", "must be a mapping"),
        ("just words\n", "must be a mapping"),
        ("providers: {a: {}}\n", "providers.yaml:1: providers.a.kind: is missing"),
        ("providers: {a: null}\n", "providers.yaml:1: providers.a: must be a mapping"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        (b"providers:\n  a: \xff\n", "providers.yaml:2: is not UTF-8 text"),
        ('providers:\n  "a\\nb": 1\n', "providers.yaml:2: providers.a?b: a provider's name"),
        ("providers:\n  a: \x07\n", "providers.yaml:2: holds a character YAML does not allow"),
        ("a: " + "9" * 5000, "put it in quotes"),
        ("a: 1" + ":59" * 300_000, "put it in quotes"),
    ],
)
def test_files_that_are_no_providers_file(tmp_path: Path, text: str | bytes, told: str) -> None:
    """Empty, wrong and broken files are told in one line too."""
    assert told in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "a: [" + "x," * 200_000 + "]",
        "# " + "x" * 2_000_000,
    ],
    ids=["laughs", "loop", "loop-map", "deep-seq", "deep-map", "deep-block", "deep-keys", "many", "large"],
)
def test_bombs_are_refused_soon(tmp_path: Path, text: str) -> None:
    """Files made to exhaust time or memory are refused in a moment."""
    started = time.perf_counter_ns()
    refusal(tmp_path, text)
    assert (time.perf_counter_ns() - started) / 1e9 < 5


SECRET = "sk-" + "live0123456789abcdef"


@pytest.mark.parametrize(
    "line",
    [
        f"api_key: {SECRET}",
        "api_key: correcthorsebatterystaple",
        "apiKey: correcthorsebatterystaple",
        "token: correcthorsebatterystaple",
        "headers: {Authorization: correcthorsebatterystaple}",
        "headers: {x-api-key: correcthorsebatterystaple}",
        f"headers: {{X-Title: {SECRET}}}",
        f"auth: {{env: {SECRET}}}",
        f"quirks: {{extra_body: {{a: [{{b: '{SECRET}'}}]}}}}",
        "quirks: {extra_body: {user_token_secret: correcthorsebatterystaple}}",
        "headers: {X-A: Bearer correcthorsebatterystaple}",
        f"{SECRET}: x",
        "serve: {engine: x, password: correcthorsebatterystaple}",
        f"limits: [{SECRET}",
        f"base_url: https://{SECRET}@example.com",
    ],
)
def test_a_key_in_the_file_is_refused_and_never_repeated(tmp_path: Path, line: str) -> None:
    """Whatever place a key is put in, the file is refused and the message does not hold the key."""
    told = refusal(tmp_path, GOOD.replace("api_key_env: ACME_KEY", line))
    assert "live0123" not in told
    assert "correcthorse" not in told


def test_a_literal_key_is_answered_with_the_variable_to_use(tmp_path: Path) -> None:
    """Who writes a key into the file is told what to write instead."""
    told = refusal(tmp_path, GOOD.replace("api_key_env: ACME_KEY", "api_key: ACME_KEY"))
    where, _, remedy = told.partition("providers.acme.api_key: ")
    assert where == "providers.yaml:5: "
    assert remedy == "keys do not belong in this file. Use api_key_env: NAME_OF_THE_VARIABLE"


def test_names_that_only_look_odd_are_fine(tmp_path: Path) -> None:
    """A model may be called token, and disk-encryption is no key."""
    text = GOOD.replace("{small: acme/small-1}", "{token: risk-assessment-model, b: disk-encryption-expert}")
    assert config_file.read_file(write(tmp_path, text)).providers["acme"].models["b"] == "disk-encryption-expert"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """No file content ends in anything but providers or a ConfigError."""
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(data)
    try:
        config_file.read_file(path)
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right


_PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_PLAIN, inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    ["kind", "base_url", "auth", "headers", "models", "limits", "quirks", "prices", "serve", "deadlines", "nonsense"]
)


@given(st.dictionaries(_FIELDS, _VALUES, max_size=5))
def test_any_values_in_a_block_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, block: dict[str, object]
) -> None:
    """No shape of a block ends in anything but providers or a ConfigError."""
    path = tmp_path_factory.getbasetemp() / "fuzz2.yaml"
    path.write_text(yaml.safe_dump({"providers": {"a": {"kind": "local", **block}}}, allow_unicode=True), "utf-8")
    try:
        config_file.read_file(path)
    except HarnessError as error:
        assert str(error).isprintable()  # noqa: PT017 - both outcomes are right


@given(st.text(max_size=60))
def test_any_text_is_judged_as_a_url(text: str) -> None:
    """No text makes the judgement of a URL crash, and what passes has a scheme."""
    for candidate in (text, "https://" + text):
        if url_problem(candidate) is None:
            assert candidate.lower().startswith(("http://", "https://"))


# --- finding ---------------------------------------------------------------------------------------------


def test_an_endpoint_is_split_at_the_first_slash() -> None:
    """The model may hold slashes; a mapped name is replaced by the provider's id, any other is sent as it is."""
    providers = config.load_providers()
    mapped = config.endpoint(providers, "groq/llama-3.3-70b")
    assert (mapped.id, mapped.model, mapped.model_id) == (
        "groq/llama-3.3-70b",
        "llama-3.3-70b",
        "llama-3.3-70b-versatile",
    )
    deep = config.endpoint(providers, "openrouter/meta-llama/llama-3.3-70b-instruct:free")
    assert deep.model == deep.model_id == "meta-llama/llama-3.3-70b-instruct:free"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("grok/llama", "unknown provider 'grok'. Did you mean groq"),
        ("local/smolm2", "unknown model of local 'smolm2'. Did you mean smollm2?"),
        ("groq", "endpoint 'groq' names no model. Write groq/gpt-oss-120b"),
        ("groq/", "names no model"),
        ("/x", "unknown provider ''"),
        ("", "unknown provider ''"),
    ],
)
def test_a_mistyped_endpoint_offers_the_nearest_names(name: str, told: str) -> None:
    """Typos in provider and model are answered with what was probably meant."""
    with pytest.raises(UsageError) as caught:
        config.endpoint(config.load_providers(), name)
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


def test_unknown_names_carry_their_neighbours() -> None:
    """The nearest names are data too."""
    with pytest.raises(UnknownName) as caught:
        config.endpoint(config.load_providers(), "opnai/x")
    assert caught.value.near[0] == "openai"


# --- the environment -------------------------------------------------------------------------------------


def test_a_variable_in_the_address_is_asked_for_only_when_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading never needs the variable; using the provider names the one that is missing, and fills in both."""
    path = write(tmp_path, GOOD.replace("https://api.acme.example/v1", "http://${ACME_HOST}:${ACME_PORT}/v1"))
    monkeypatch.delenv("ACME_HOST", raising=False)
    monkeypatch.setenv("ACME_PORT", "8000")
    providers = config_file.read_file(path).providers
    with pytest.raises(ConfigError, match="provider acme needs the environment variable ACME_HOST"):
        config.endpoint(providers, "acme/small")
    monkeypatch.setenv("ACME_HOST", "gpu-1")
    assert config.endpoint(providers, "acme/small").provider.base_url == "http://gpu-1:8000/v1"


@pytest.mark.parametrize("value", ["evil.example/x?", "me:pw@host", "a b", "99999999", "a#b", "${OTHER}"])
def test_a_variable_can_only_hold_a_host_or_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """What is filled in cannot change the path or bring credentials, and is not repeated in the message."""
    path = write(tmp_path, GOOD.replace("api.acme.example", "h:${ACME_PORT}"))
    monkeypatch.setenv("ACME_PORT", value)
    with pytest.raises(ConfigError) as caught:
        config.endpoint(config_file.read_file(path).providers, "acme/small")
    assert value not in str(caught.value)


def test_the_key_is_read_from_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is read where it is needed; a missing, empty or unsendable one is named, never shown."""
    provider = config_file.read_file(write(tmp_path, GOOD)).providers["acme"]
    monkeypatch.setenv("ACME_KEY", " abc123\n")
    assert config.api_key(provider) == "abc123"
    monkeypatch.setenv("ACME_KEY", "  ")
    with pytest.raises(ConfigError, match=r"ACME_KEY is not set\. export ACME_KEY="):
        config.api_key(provider)
    monkeypatch.setenv("ACME_KEY", "abc\u2013123")
    with pytest.raises(ConfigError) as caught:
        config.api_key(provider)
    assert "abc" not in str(caught.value)
    monkeypatch.delenv("ACME_KEY")
    with pytest.raises(ConfigError):
        config.api_key(provider)
