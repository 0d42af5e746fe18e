"""The presets: what each of them must say, and that what it names is there."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml
from genai_prices.data_snapshot import get_snapshot

from harness import config
from harness.catalog import discover
from harness.config.address import PLACEHOLDER
from harness.config.fields import _provider_id
from harness.prices import price_of
from harness.provider import Endpoint, Provider

NAMES = [path.stem for path in config.presets()]
FACTS = Path(__file__).parents[2] / "shared" / "reference" / "providers-facts.yaml"
"""What was collected of these systems, and what of it was not found in writing."""
FACTS_CALL_IT = {
    "azure_v1": "azure",
    "azure_deployments": "azure-deployments",
    "bedrock_runtime": "bedrock",
    "cloudflare_ai": "cloudflare",
    "litellm_proxy": "litellm",
    "llamacpp": "llama-cpp",
    "trtllm": "tensorrt-llm",
}
"""Their ids where they are not ours with an underscore."""
NO_PRICE = {
    "bedrock-mantle/gpt-oss-120b",  # the list knows these under the runtime's ids alone
    "bedrock-mantle/gpt-oss-20b",
    "gemini/gemma-4-31b",  # served without a price
}


@cache
def presets() -> dict[str, Provider]:
    """The presets alone, by their names."""
    known = config.load_providers()
    return {name: known[name] for name in NAMES}


@cache
def probes() -> list[str]:
    """Ids of all probes."""
    return sorted(discover().probes)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- what a person reads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_it_is_and_where_that_is_written(name: str) -> None:
    """The file's name is a provider's id; title, sources and the day they were read are there, whatever is verified."""
    about = presets()[name].about
    assert _provider_id(name) == name == name.lower()
    assert about.title
    assert about.source
    assert re.fullmatch(r"2026-\d\d-\d\d", about.checked)
    assert about.verified or about.unverified, "says neither that it is verified nor what is not"


def test_what_was_not_found_in_writing_is_said() -> None:
    """What the collected facts mark as unverified the preset says too, unless its sources were read since."""
    if not FACTS.exists():
        pytest.skip("the collected facts are not beside this checkout")
    facts = yaml.safe_load(FACTS.read_text("utf-8"))
    doubtful = {
        FACTS_CALL_IT.get(one["id"], one["id"].replace("_", "-"))
        for one in facts["systems"]
        if one["unverified"] or not one["verified"]
    }
    told = {name: one.about for name, one in presets().items()}
    since = {name for name, about in told.items() if about.checked > facts["meta"]["date"]}
    assert {name for name in doubtful & told.keys() - since if not told[name].unverified} == set()


@pytest.mark.parametrize("name", NAMES)
def test_headers_of_rate_limits_are_written_as_they_are_compared(name: str) -> None:
    """Header names are in lower case, none twice."""
    headers = presets()[name].about.rate_limit.headers
    assert [header for header in headers if not re.fullmatch(r"[a-z0-9-]+", header)] == []
    assert len(set(headers)) == len(headers)


# --- where it is asked -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_key_goes_over_tls(name: str) -> None:
    """An address is https or the user's own variable; what runs on one's own machine listens on 127.0.0.1."""
    provider = presets()[name]
    assert provider.base_url is not None
    ours = provider.base_url.startswith("http://127.0.0.1:")
    assert ours or provider.base_url.startswith(("https://", "${"))
    assert ours or provider.kind != "local"
    assert not provider.allow_http


@pytest.mark.parametrize("name", [name for name in NAMES if presets()[name].kind == "local"])
def test_a_server_of_ones_own_can_be_started_and_found(name: str) -> None:
    """It says the command that starts it and the port it then listens on, which is that of its address."""
    provider = presets()[name]
    assert provider.about.start
    usual = PLACEHOLDER.sub(lambda found: found[2] or "", provider.base_url or "")
    assert f":{provider.about.port}/" in f"{usual}/"


@pytest.mark.parametrize("name", [name for name in NAMES if presets()[name].kind == "hosted"])
def test_a_hosted_one_names_the_variable_of_its_key(name: str) -> None:
    """Every vendor wants a key or a cloud's credentials, and says where a key is had."""
    provider = presets()[name]
    assert provider.auth.env or provider.auth.scheme in ("google_adc", "entra", "aws")
    assert provider.about.key_url or provider.auth.scheme in ("google_adc", "entra", "aws")


def test_use_alone_is_every_preset() -> None:
    """A user's block that says `use` and nothing else means what the preset means."""
    Path("providers.yaml").write_text(
        "providers:\n" + "".join(f"  my-{name}: {{use: {name}}}\n" for name in NAMES), "utf-8"
    )
    loaded = config.load_providers()
    for name in NAMES:
        assert replace(loaded[f"my-{name}"], id=name, yours=False) == loaded[name]


# --- what it names ---------------------------------------------------------------------------------------


def test_a_model_has_one_name() -> None:
    """Names of models are slugs without a maker, and no two differ in their signs alone."""
    spelled = defaultdict(set)
    for provider in presets().values():
        for model in provider.models:
            assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", model), f"{provider.id}/{model}"
            spelled[re.sub(r"[^a-z0-9]", "", model)].add(model)
    assert [sorted(names) for names in spelled.values() if len(names) > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_declared_probes_are_there(name: str) -> None:
    """Every id that it declares is that of a probe or of a surface, and its declaration has a source."""
    told = presets()[name].declared
    ids = [*told.unsupported, *told.ignored]
    missing = [
        one
        for one in ids
        if one not in probes() and not any(probe.startswith(one.removesuffix("*")) for probe in probes())
    ]
    assert missing == []
    assert told.source or not ids


@pytest.mark.parametrize("name", [name for name in NAMES if presets()[name].price_provider])
def test_prices_are_those_of_its_models(name: str) -> None:
    """The list of prices knows the provider, and gives each model that is not excepted the price of that model."""
    provider = presets()[name]
    assert provider.price_provider in {one.id for one in get_snapshot().providers}
    for model, model_id in provider.models.items():
        price = price_of(Endpoint(provider, model, model_id))
        if f"{name}/{model}" in NO_PRICE:
            assert price is None
            continue
        assert price is not None, model
        _, _, other = price.source.partition(", as ")
        other = other.partition(",")[0].lower()
        assert other in model_id.lower() or model_id.lower() in other, f"{model_id} has the price of {other}"
