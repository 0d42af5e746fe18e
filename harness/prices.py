"""What tokens cost: prices from ``providers.yaml`` or genai-prices' installed data, never from the network.

What is not known is None, not 0: a cost that leaves something out looks like a cheap provider.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from harness.exchange import Usage
from harness.provider import Endpoint, Price

_PER_MTOK = 1_000_000


def price_of(endpoint: Endpoint) -> Price | None:
    """Price of an endpoint in USD per million tokens; None: not known.

    A price in ``providers.yaml`` wins. Else genai-prices is asked for the provider's ``price_provider`` and the model's
    id, at today's date and for its standard service; where the price depends on the prompt's length the base tier is
    taken, and where another model's name matched, ``source`` names that model too. A server of one's own has no list
    price: None. What the provider's quirks say of its bills stands in the price, even where no figure is known.
    Source: genai_prices.data_snapshot.DataSnapshot.find_provider_model and types.ModelInfo.get_prices, 0.2.3.
    """
    provider, quirks = endpoint.provider, endpoint.provider.quirks
    found = provider.prices.get(endpoint.model)
    if found is None and provider.price_provider is not None:
        found = _looked_up(provider.price_provider, endpoint.model_id)
    if quirks.cost_header is None and quirks.reasoning_in_completion:
        return found
    header = quirks.cost_header.lower() if quirks.cost_header else None
    return dataclasses.replace(
        found or Price(None, None), cost_header=header, reasoning_apart=not quirks.reasoning_in_completion
    )


def reported_usd(usage: Usage | None, price: Price | None, headers: Iterable[tuple[str, str]] = ()) -> float | None:
    """What the server itself says that an answer cost, in its usage or in the header its price names; None: nothing."""
    if usage is not None and usage.cost_usd is not None:
        return usage.cost_usd
    if price is None or price.cost_header is None:
        return None
    for name, text in headers:
        if name == price.cost_header:
            try:
                stated = float(text)
            except ValueError:
                return None
            return stated if math.isfinite(stated) and stated >= 0 else None
    return None


def cost_usd(usage: Usage | None, price: Price | None, headers: Iterable[tuple[str, str]] = ()) -> float | None:
    """Cost of one answer in USD; None whenever something that is needed is unknown.

    What the server reports comes first. Else ``(prompt - cached - written) * input + cached * cached_input + written *
    cache_write + completion * output``, per million, where reasoning tokens that are counted apart are output too.
    Cached tokens that the server does not state are none: the list price, an upper bound. Cached tokens without a price
    for them: None. A price of tokens that did not occur is not needed. Counts that contradict each other (negative,
    more cached than prompt) give None.
    """
    reported = reported_usd(usage, price, headers)
    if reported is not None:
        return reported
    if usage is None or price is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    write_price = price.cache_write_usd_per_mtok
    terms = (
        (usage.prompt_tokens - cached - written, price.input_usd_per_mtok),
        (cached, price.cached_input_usd_per_mtok),
        (written, price.input_usd_per_mtok if write_price is None else write_price),
        (usage.completion_tokens, price.output_usd_per_mtok),
        (usage.reasoning_tokens or 0 if price.reasoning_apart else 0, price.output_usd_per_mtok),
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
    names = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
    columns = [getattr(prices, name) for name in names]
    if columns[0] is None and columns[1] is None:
        return None
    source = f"genai-prices {importlib.metadata.version('genai-prices')}"
    if model.id.lower() != model_id.lower():
        source += f", as {model.id}"
    if any(column is not None and not isinstance(column, Decimal) for column in columns):
        source += ", base tier"
    base_in, base_out, base_cached, base_written = (_base(column) for column in columns)
    return Price(base_in, base_out, base_cached, source, base_written)


def _base(column: Any) -> float | None:
    """The price itself, or that of the lowest tier."""
    if column is None:
        return None
    return float(column if isinstance(column, Decimal) else column.base)
