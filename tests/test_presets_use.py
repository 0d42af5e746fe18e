"""Presets: a user's block says which one, and what differs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness import config
from harness.config.address import in_the_open, url_problem
from harness.errors import ConfigError
from harness.provider import Auth, Endpoint, Provider, Quirks
from harness.request import adapted, build
from harness.types import Sample


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str) -> dict[str, Provider]:
    """The providers with a file of the user's over them."""
    Path("providers.yaml").write_text(text, "utf-8")
    return config.load_providers()


def refused(text: str) -> str:
    """The one line that loading ends with."""
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    return str(caught.value)


# --- use -------------------------------------------------------------------------------------------------


def test_a_preset_is_a_provider_by_its_name() -> None:
    """Without any file of the user's every preset can be asked."""
    providers = config.load_providers()
    for path in config.presets():
        assert providers[path.stem].preset == path.stem


def test_use_alone_is_the_preset() -> None:
    """A block that only says `use` means what the preset means, under another name."""
    providers = loaded("providers: {fast: {use: groq}}")
    assert replace(providers["fast"], id="groq", yours=False) == providers["groq"]


def test_what_differs_is_laid_over_the_preset() -> None:
    """Mappings are merged name by name; anything else of the user's takes the preset's place."""
    before = config.load_providers()["groq"]
    mine = loaded(
        "providers: {groq: {use: groq, limits: {concurrency: 2}, models: {small: tiny-1}, quirks: {drop: [seed]}, "
        "price_provider: null}}"
    )["groq"]
    assert mine.limits.concurrency == 2
    assert mine.models == {**before.models, "small": "tiny-1"}
    assert mine.quirks == replace(before.quirks, drop=("seed",))
    assert mine.price_provider is None
    assert (mine.base_url, mine.auth, mine.about) == (before.base_url, before.auth, before.about)


@pytest.mark.parametrize(
    ("differs", "is_now"),
    [
        ("serve: {engine: llama_cpp}", lambda one: one.base_url is None and one.serve.engine == "llama_cpp"),
        ("base_url: http://127.0.0.1:9/v1", lambda one: one.base_url == "http://127.0.0.1:9/v1" and one.serve is None),
        ("api_key_env: MINE", lambda one: one.auth == Auth("bearer", "MINE")),
        ("auth: {scheme: none}", lambda one: one.auth == Auth("none")),
    ],
)
def test_of_two_fields_that_exclude_each_other_the_users_counts(differs: str, is_now: object) -> None:
    """A server that is started takes the place of the preset's address, and one kind of key that of the other."""
    assert callable(is_now)
    assert is_now(loaded(f"providers: {{mine: {{use: groq, {differs}}}}}")["mine"])


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("{use: grok}", "providers.yaml:2: providers.a.use: there is no preset 'grok'. Did you mean groq"),
        ("{use: llama_cpp}", "Did you mean llama-cpp"),
        ("{use: [groq]}", "there is no preset ['groq']"),
        ("{uses: groq}", "providers.a.uses: unknown field. Did you mean use?"),
        ("\n    use: groq\n    limit: {}", "yaml:4: providers.a.limit: unknown field. Did you mean limits?"),
        ("{use: groq, about: {sorce: [x]}}", "about.sorce: unknown field. Did you mean source?"),
        ("{use: groq, about: {rate_limit: {rest: x}}}", "rate_limit.rest: unknown field. Did you mean reset?"),
        ("{use: groq}\n  a: {use: openai}", "providers.a: is given twice, first on line 2"),
        ("{use: groq, quirks: {clamp: {temperature: [1, 0]}}}", "clamp.temperature: the first number must not"),
        ("{use: groq, quirks: {clamp: {temperature: [1]}}}", "quirks.clamp.temperature"),
        ("{use: groq, quirks: {rename: {messages: prompt}}}", "must not change messages"),
        (
            "{use: groq}\nmodels:\n  l: {grok: x}",
            "yaml:4: models.l.grok: there is no provider 'grok'. Did you mean groq",
        ),
    ],
)
def test_a_mistake_names_file_line_field_and_the_nearest_name(block: str, told: str) -> None:
    """What is wrong in the user's own lines is told there, not in the preset."""
    line = refused(f"providers:\n  a: {block}\n")
    assert told in line
    assert "\n" not in line


def test_one_word_names_a_model_everywhere() -> None:
    """`models` beside `providers` maps a logical model to the id of each provider, presets and the user's alike."""
    providers = loaded(
        "providers: {mine: {use: vllm}}\nmodels: {llama-3.3-70b: {mine: meta-llama/L, vllm: other/L}, own: {groq: g-1}}"
    )
    assert config.endpoint(providers, "mine/llama-3.3-70b").model_id == "meta-llama/L"
    assert config.endpoint(providers, "vllm/llama-3.3-70b").model_id == "other/L"
    assert config.endpoint(providers, "groq/own").model_id == "g-1"
    assert config.endpoint(providers, "groq/llama-3.3-70b").model_id == "llama-3.3-70b-versatile"


def test_a_changed_preset_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered between runs depends on every file that it was read from."""
    folder = tmp_path / "presets"
    folder.mkdir()
    monkeypatch.setattr(config, "PRESETS", folder)
    for address in ("https://one.example/v1", "https://two.example/v1"):
        (folder / "acme.yaml").write_text(f"kind: hosted\nbase_url: {address}\nany_model: true\n", "utf-8")
        for _ in range(2):
            assert config.load_providers()["acme"].base_url == address


# --- addresses -------------------------------------------------------------------------------------------


def addressed(url: str, more: str = "", **variables: str) -> str | None:
    """The base URL of an endpoint at this address with these variables set."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        providers = loaded(f'providers:\n  a: {{kind: hosted, base_url: "{url}", any_model: true{more}}}\n')
        return config.endpoint(providers, "a/org/m:1").provider.base_url


@pytest.mark.parametrize(
    ("url", "variables", "becomes"),
    [
        ("https://${X_PLACE}-api.example/v1/${X_ID}/openai", {"X_PLACE": "eu", "X_ID": "p-1"}, "https://eu-api.example/v1/p-1/openai"),
        ("https://api.${X_UNSET:-us-east-1}.example/v1", {}, "https://api.us-east-1.example/v1"),
        ("${X_URL}/openai/v1", {"X_URL": "https://r.example/"}, "https://r.example/openai/v1"),
        ("${X_URL}", {"X_URL": "http://127.0.0.1:8000/v1"}, "http://127.0.0.1:8000/v1"),
        ("https://r.example/deployments/{model}", {}, "https://r.example/deployments/org%2Fm%3A1"),
    ],
)  # fmt: skip
def test_an_address_is_filled_in(url: str, variables: dict[str, str], becomes: str) -> None:
    """Variables may stand for the beginning, the host and parts of the path; {model} for the model's id."""
    assert addressed(url, **variables) == becomes


@pytest.mark.parametrize(
    ("url", "variables", "told"),
    [
        ("https://h.example/${X_ID}/v1", {"X_ID": "a/b"}, "X_ID must hold a name, a host or a port"),
        ("https://h.example/${X_ID}/v1", {"X_ID": "..%2f"}, "X_ID must hold a name, a host or a port"),
        ("${X_URL}/v1", {"X_URL": "r.example"}, "X_URL must hold a URL"),
        ("${X_URL}/v1", {"X_URL": "https://me:pw@r.example"}, "X_URL must hold a URL"),
        ("${X_URL}", {"X_URL": "https://r.example"}, "ends with the host"),
        ("${X_URL}/v1", {}, "needs the environment variable X_URL for its base_url"),
    ],
)
def test_a_variable_brings_no_more_than_its_place(url: str, variables: dict[str, str], told: str) -> None:
    """What is filled in leads nowhere else, and its value is not repeated."""
    with pytest.raises(ConfigError) as caught:
        addressed(url, **variables)
    assert told in str(caught.value)
    assert not any(value in str(caught.value) for value in variables.values() if value != "https://r.example")


def test_query_parameters_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are filled in with the address."""
    monkeypatch.setenv("X_VERSION", "2026-01-01")
    block = "{kind: hosted, base_url: https://h.example/v1, any_model: true, query: {api-version: '${X_VERSION}'}}"
    text = f"providers: {{a: {block}}}"
    assert config.endpoint(loaded(text), "a/m").provider.query == {"api-version": "2026-01-01"}
    assert "is filled in only in base_url and query" in refused(text.replace("query:", "headers:"))
    assert "the value of api-version may hold" in refused(text.replace("'${X_VERSION}'", "'a&b'"))


@pytest.mark.parametrize(
    ("url", "open_"),
    [
        ("http://api.example.com/v1", True),
        ("http://8.8.8.8/v1", True),
        ("http://[2606:4700::1111]/v1", True),
        ("https://api.example.com/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]:8000/v1", False),
        ("http://10.1.2.3/v1", False),
        ("http://192.168.1.5/v1", False),
        ("http://localhost:1/v1", False),
        ("http://gpu-1:8000/v1", False),
        ("http://llm.default.svc.cluster.local/v1", False),
    ],
)
def test_a_key_is_not_sent_in_the_open(url: str, open_: bool) -> None:
    """Plain HTTP to what may be a public host is refused where a key is sent, unless that is meant."""
    assert in_the_open(url) is open_
    block = f"providers:\n  a: {{kind: hosted, base_url: '{url}', any_model: true"
    loaded(block + "}")
    loaded(block + ", api_key_env: X_KEY, allow_http: true}")
    if open_:
        assert "would send a key over plain HTTP" in refused(block + ", api_key_env: X_KEY}")
        assert "would send a key over plain HTTP" in refused(block + ", env_headers: {X-Key: X_KEY}}")
    else:
        loaded(block + ", api_key_env: X_KEY}")


def test_a_host_from_a_variable_is_held_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule is looked at again once the address is known."""
    text = "providers:\n  a: {kind: hosted, base_url: 'http://${X_HOST}/v1', any_model: true, api_key_env: X_KEY}"
    monkeypatch.setenv("X_HOST", "10.0.0.1")
    config.endpoint(loaded(text), "a/m")
    monkeypatch.setenv("X_HOST", "api.example.com")
    with pytest.raises(ConfigError, match="over plain HTTP"):
        config.endpoint(loaded(text), "a/m")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://api.example.com", "ends with the host; write .../v1"),
        ("https://api.example.com/", None),
        ("https://api.example.com/v1", None),
        ("https://api.example.com/v1/chat/completions", "must end before /chat/completions"),
        ("https://api.example.com/v1/models/", "must end before /chat/completions"),
        ("api.example.com/v1", "must begin with http"),
    ],
)
def test_a_base_url_ends_where_the_client_goes_on(url: str, told: str | None) -> None:
    """A forgotten /v1 and a whole request's address are told; a slash at the end says that the root is meant."""
    problem = url_problem(url)
    assert problem is None if told is None else problem is not None and told in problem


# --- keys ------------------------------------------------------------------------------------------------


def test_a_missing_key_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, and the vendor's page of keys."""
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(ConfigError) as caught:
        config.api_key(config.load_providers()["groq"])
    assert "GROQ_API_KEY is not set" in str(caught.value)
    assert "https://console.groq.com/keys" in str(caught.value)


def test_the_first_variable_that_is_set_holds_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some vendors' tools know two names."""
    one = Provider("a", "hosted", "https://h.example/v1", Auth("bearer", "X_ONE", env_alt=("X_TWO",)))
    monkeypatch.delenv("X_ONE", raising=False)
    monkeypatch.delenv("X_TWO", raising=False)
    with pytest.raises(ConfigError, match="X_ONE or X_TWO is not set"):
        config.api_key(one)
    monkeypatch.setenv("X_TWO", "second")
    assert config.api_key(one) == "second"
    monkeypatch.setenv("X_ONE", "first")
    assert config.api_key(one) == "first"


@pytest.mark.parametrize(
    ("value", "told"),
    [("'abc123xyz'", "quote"), ('"abc123xyz', "quote"), ("abc\n123xyz", "line break"), ("abc123ü", "line break")],
)
def test_a_key_that_was_copied_badly_is_told_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    """Quotes and line breaks in a variable are a mistake of the shell's file, not of the vendor."""
    provider = Provider("a", "hosted", "https://h.example/v1", Auth("bearer", "X_KEY"), env_headers={"X-H": "X_KEY"})
    monkeypatch.setenv("X_KEY", value)
    for read in (config.api_key, config.env_headers):
        with pytest.raises(ConfigError) as caught:
            read(provider)
        assert told in str(caught.value)
        assert "123" not in str(caught.value)


def test_a_header_of_an_unset_variable_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such headers are extras: an organisation, a key of the vendor behind a gateway."""
    provider = Provider("a", "hosted", "https://h.example/v1", env_headers={"X-One": "X_ONE", "X-Two": "X_TWO"})
    monkeypatch.delenv("X_ONE", raising=False)
    monkeypatch.setenv("X_TWO", "org-2")
    assert config.env_headers(provider) == {"X-Two": "org-2"}


# --- what quirks do --------------------------------------------------------------------------------------


QUIRKS = Quirks(
    max_tokens_field="max_tokens",
    drop=("logprobs",),
    rename={"seed": "random_seed"},
    clamp={"temperature": (0.0, 1.0), "n": (1, 1)},
    ignored=("user",),
)


def body(params: dict[str, object]) -> dict[str, object]:
    """What such a provider is sent."""
    sample = Sample("s", ({"role": "user", "content": "x"},), params=params)
    endpoint = Endpoint(Provider("p", "hosted", "https://h.example/v1", quirks=QUIRKS), "m", "m")
    sent: dict[str, object] = json.loads(build(sample, endpoint, stream=False).body or b"")
    return sent


def test_parameters_are_dropped_renamed_and_held_within_bounds() -> None:
    """Each as declared; what is declared to have no effect is sent all the same."""
    sent = body({"logprobs": True, "seed": 7, "temperature": 1.3, "n": 3, "user": "u", "top_p": 0.5})
    assert {name: sent.get(name) for name in ("random_seed", "temperature", "n", "user", "top_p")} == {
        "random_seed": 7,
        "temperature": 1.0,
        "n": 1,
        "user": "u",
        "top_p": 0.5,
    }
    assert not {"seed", "logprobs"} & sent.keys()


def test_what_lies_within_the_bounds_is_sent_as_it_is() -> None:
    """A bound changes no number inside it and nothing that is no number."""
    assert body({"temperature": 0})["temperature"] == 0
    assert body({"temperature": 0.3})["temperature"] == 0.3
    assert body({"temperature": True})["temperature"] is True


def test_what_differs_is_said_in_words() -> None:
    """Only of what is asked; nothing is said where nothing differs."""
    assert adapted(QUIRKS, ["logprobs", "seed", "temperature", "user", "top_p"]) == [
        "logprobs is not sent",
        "seed is sent as random_seed",
        "temperature is held within 0 and 1",
        "user has no effect by its own account",
    ]
    assert adapted(QUIRKS, ["top_p"]) == []
