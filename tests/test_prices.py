"""Costs: golden values by hand, and null wherever something is unknown."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import config
from harness.exchange import Usage
from harness.prices import cost_usd, price_of
from harness.provider import Endpoint, Price, Provider, Quirks

LIST = Price(2.0, 8.0, 0.5, "by hand")


def looked_up(price_provider: str | None, model: str, prices: dict[str, Price] | None = None) -> Price | None:
    """The price of a model that genai-prices may know."""
    return price_of(
        Endpoint(Provider("p", "hosted", "http://x", price_provider=price_provider, prices=prices or {}), model, model)
    )


# --- cost ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        # 1,000 x 2 + 500 x 8 = 6,000 per million
        (Usage(1000, 500), 0.006),
        # 600 x 2 + 400 x 0.5 + 500 x 8 = 1,200 + 200 + 4,000 = 5,400 per million
        (Usage(1000, 500, cached_tokens=400), 0.0054),
        # all of the prompt from the cache: 1,000 x 0.5 + 1 x 8 = 508 per million
        (Usage(1000, 1, cached_tokens=1000), 0.000508),
        # reasoning tokens are part of the completion tokens, not more of them
        (Usage(1000, 500, reasoning_tokens=300), 0.006),
        (Usage(0, 0), 0.0),
        (Usage(1_000_000, 0), 2.0),
    ],
)
def test_cost_by_hand(usage: Usage, usd: float) -> None:
    """Costs computed by hand come out the same."""
    assert cost_usd(usage, LIST) == pytest.approx(usd, rel=1e-12)


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (None, LIST),
        (Usage(10, 10), None),
        (None, None),
        (Usage(None, 10), LIST),
        (Usage(10, None), LIST),
        (Usage(10, 10), Price(None, 8.0)),
        (Usage(10, 10), Price(2.0, None)),
        (Usage(10, 10, cached_tokens=5), Price(2.0, 8.0, None)),
        (Usage(10, 10, cached_tokens=11), LIST),
        (Usage(-1, 10), LIST),
        (Usage(10, -1), LIST),
        (Usage(10, 10, cached_tokens=-1), LIST),
    ],
)
def test_cost_is_null_when_something_needed_is_unknown(usage: Usage | None, price: Price | None) -> None:
    """No usage, no price, one of them incomplete, or counts that contradict each other: null, never 0."""
    assert cost_usd(usage, price) is None


def test_a_price_that_is_not_needed_may_be_unknown() -> None:
    """Without cached tokens no price of cached tokens is needed; without an answer none of output."""
    assert cost_usd(Usage(10, 10, cached_tokens=0), Price(2.0, 8.0, None)) == pytest.approx(1e-4)
    assert cost_usd(Usage(10, 0), Price(2.0, None)) == pytest.approx(2e-5)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_cost_grows_with_tokens_and_shrinks_with_the_cache(prompt: int, completion: int, cached: int) -> None:
    """More output never costs less; a cheaper cached token never makes the answer dearer."""
    cached = min(cached, prompt)
    plain, more = cost_usd(Usage(prompt, completion), LIST), cost_usd(Usage(prompt, completion + 1), LIST)
    from_cache = cost_usd(Usage(prompt, completion, cached_tokens=cached), LIST)
    assert plain is not None
    assert more is not None
    assert from_cache is not None
    assert more > plain
    assert from_cache <= plain


# --- price -----------------------------------------------------------------------------------------------


def test_genai_prices_are_read_from_the_installed_data() -> None:
    """A model that genai-prices knows has its prices, and says where they come from."""
    price = looked_up("openai", "gpt-4o-mini")
    assert price == Price(0.15, 0.6, 0.075, f"genai-prices {importlib.metadata.version('genai-prices')}")


def test_cost_of_a_looked_up_price_by_hand() -> None:
    """1,000 prompt tokens, 200 of them cached, and 100 of completion: (800 x 0.15 + 200 x 0.075 + 100 x 0.6) / 1e6."""
    assert cost_usd(Usage(1000, 100, cached_tokens=200), looked_up("openai", "gpt-4o-mini")) == pytest.approx(0.000195)


def test_an_override_wins() -> None:
    """A price in providers.yaml is taken instead of the list price."""
    assert looked_up("openai", "gpt-4o-mini", {"gpt-4o-mini": LIST}) is LIST


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "no-such-model-at-all"), ("no-such-provider", "gpt-4o-mini"), (None, "gpt-4o-mini")],
)
def test_an_unknown_price_is_null(provider: str | None, model: str) -> None:
    """Unknown provider, unknown model, no provider to ask: null."""
    assert looked_up(provider, model) is None


def test_tiered_prices_take_the_base_tier_and_say_so() -> None:
    """Where the price depends on the prompt's length, the lowest tier is taken and named."""
    price = looked_up("google", "gemini-2.5-pro")
    assert price is not None
    assert (price.input_usd_per_mtok, price.output_usd_per_mtok) == (1.25, 10.0)
    assert price.source.endswith(", base tier")


def test_a_price_found_under_another_name_says_so() -> None:
    """A dated or aliased id that is priced as another model names that model."""
    price = looked_up("openai", "gpt-4o-mini-2024-07-18")
    assert price is not None
    assert price.source.endswith(", as gpt-4o-mini")


def test_shipped_prices() -> None:
    """Of what is shipped beside the presets, simulated models have an invented price and the local one has none."""
    providers = config.load_providers()
    for provider in (one for one in providers.values() if one.preset is None):
        for model in provider.models:
            price = price_of(config.endpoint(providers, f"{provider.id}/{model}"))
            if provider.kind == "local":
                assert price is None
            else:
                assert price is not None
                assert "simulated" in price.source
    assert price_of(Endpoint(replace(providers["local"], prices={"smollm2": LIST}), "smollm2", "x")) is LIST


# --- what the server says, and how it counts -------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "price", "headers", "usd"),
    [
        # what the usage states comes before any list price, 0 too
        (Usage(1000, 500, cost_usd=0.0001), LIST, [], 0.0001),
        (Usage(1000, 500, cost_usd=0.0), LIST, [], 0.0),
        (Usage(1000, 500, cost_usd=0.0001), None, [], 0.0001),
        # the header that the provider is declared to tell it in, and no other
        (None, replace(LIST, cost_header="x-cost"), [("x-cost", "0.25")], 0.25),
        (Usage(1000, 500), LIST, [("x-cost", "0.25")], 0.006),
        (Usage(1000, 500), replace(LIST, cost_header="x-cost"), [("x-cost", "free")], 0.006),
        (Usage(1000, 500), replace(LIST, cost_header="x-cost"), [("x-cost", "nan")], 0.006),
        (Usage(1000, 500), replace(LIST, cost_header="x-cost"), [("x-cost", "-1")], 0.006),
        # 1,000 x 2 + (500 + 300) x 8 = 8,400 per million, where reasoning is counted apart
        (Usage(1000, 500, reasoning_tokens=300), replace(LIST, reasoning_apart=True), [], 0.0084),
        # 700 x 2 + 300 x 2.5 + 500 x 8 = 6,150 per million; without a price of its own a written token is a plain one
        (Usage(1000, 500, cache_write_tokens=300), replace(LIST, cache_write_usd_per_mtok=2.5), [], 0.00615),
        (Usage(1000, 500, cache_write_tokens=300), LIST, [], 0.006),
    ],
)
def test_what_the_server_reports_comes_first(
    usage: Usage | None, price: Price | None, headers: list[tuple[str, str]], usd: float
) -> None:
    """Reported cost, then the user's price, then the list; by the way this provider counts."""
    assert cost_usd(usage, price, headers) == pytest.approx(usd, rel=1e-12)


def test_quirks_of_bills_are_known_without_a_price() -> None:
    """A provider that tells the cost in a header needs no price list."""
    provider = Provider("p", "gateway", "http://x", quirks=Quirks(cost_header="X-Cost", reasoning_in_completion=False))
    price = price_of(Endpoint(provider, "m", "m"))
    assert price == Price(None, None, cost_header="x-cost", reasoning_apart=True)
    assert cost_usd(Usage(10, 10), price) is None
    assert cost_usd(Usage(10, 10), price, [("x-cost", "0.5")]) == 0.5
