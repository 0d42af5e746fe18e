"""What tokens cost: prices from ``providers.yaml`` or genai-prices' installed data, never from the network.

What is not known is None, not 0: a cost that leaves something out looks like a cheap provider.
"""

from __future__ import annotations

import importlib.metadata
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from harness.exchange import Usage
from harness.types import Endpoint, Price

_PER_MTOK = 1_000_000


def price_of(endpoint: Endpoint) -> Price | None:
    """Price of an endpoint in USD per million tokens; None: not known.

    A price in ``providers.yaml`` wins. Else genai-prices is asked for the provider's ``price_provider`` and the model's
    id, at today's date and for its standard service; where the price depends on the prompt's length the base tier is
    taken, and where another model's name matched, ``source`` names that model too. A server of one's own has no list
    price: None.
    Source: genai_prices.data_snapshot.DataSnapshot.find_provider_model and types.ModelInfo.get_prices, 0.2.3.
    """
    provider = endpoint.provider
    if endpoint.model in provider.prices:
        return provider.prices[endpoint.model]
    if provider.price_provider is None:
        return None
    return _looked_up(provider.price_provider, endpoint.model_id)


def cost_usd(usage: Usage | None, price: Price | None) -> float | None:
    """Cost of one answer in USD; None whenever something that is needed is unknown.

    ``(prompt - cached) * input + cached * cached_input + completion * output``, per million. Cached tokens that the
    server does not state are none: the list price, an upper bound. Cached tokens without a price for them: None. A
    price of tokens that did not occur is not needed. Counts that contradict each other (negative, more cached than
    prompt) give None.
    """
    if usage is None or price is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    cached = usage.cached_tokens or 0
    terms = (
        (usage.prompt_tokens - cached, price.input_usd_per_mtok),
        (cached, price.cached_input_usd_per_mtok),
        (usage.completion_tokens, price.output_usd_per_mtok),
    )
    total = 0.0
    for tokens, usd in terms:
        if tokens < 0 or (tokens > 0 and usd is None):
            return None
        total += tokens * (usd or 0.0)
    return total / _PER_MTOK


@cache
def _looked_up(provider_id: str, model_id: str) -> Price | None:
    # Half a second of import, which an override or a local run never needs.
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    try:
        _, model = get_snapshot().find_provider_model(model_id, None, provider_id, None)
    except LookupError:
        return None
    prices = model.get_prices(datetime.now(UTC))
    columns = [getattr(prices, name) for name in ("input_mtok", "output_mtok", "cache_read_mtok")]
    if columns[0] is None and columns[1] is None:
        return None
    source = f"genai-prices {importlib.metadata.version('genai-prices')}"
    if model.id.lower() != model_id.lower():
        source += f", as {model.id}"
    if any(column is not None and not isinstance(column, Decimal) for column in columns):
        source += ", base tier"
    base_in, base_out, base_cached = (_base(column) for column in columns)
    return Price(base_in, base_out, base_cached, source)


def _base(column: Any) -> float | None:
    """The price itself, or that of the lowest tier."""
    if column is None:
        return None
    return float(column if isinstance(column, Decimal) else column.base)
