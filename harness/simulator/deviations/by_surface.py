"""Which deviations hold on which surface.

Those of legacy completions, embeddings and responses have names of their own, that begin with ``cpl_``, ``emb_`` and
``resp_``. Errors, keys and the spelling of event streams are the same everywhere. All others are of chat alone, so that
a fault in chat is never seen elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from harness.simulator.deviations.mutants import LEGAL
from harness.simulator.refusal import Refusal

Surface = Literal["chat", "text", "embeddings", "responses"]
SURFACES: Mapping[str, Surface] = MappingProxyType(
    {
        "/v1/chat/completions": "chat",
        "/v1/completions": "text",
        "/v1/embeddings": "embeddings",
        "/v1/responses": "responses",
    }
)
_PREFIXES: Mapping[Surface, str] = {"text": "cpl_", "embeddings": "emb_", "responses": "resp_"}
_EVERYWHERE = LEGAL | {
    *("ignore_auth", "ignore_model", "no_request_id", "no_rate_headers", "no_keep_alive", "error_as_stream"),
    "close_after_stream",
    *("flat_error", "array_error", "string_error", "detail_error", "html_error", "int_code"),
    *("status_200", "status_422", "status_500", "status_400"),
}
_LIKE: Mapping[str, str] = {
    "cpl_ignore_stop": "ignore_stop",
    "cpl_include_stop": "include_stop",
    "cpl_no_done": "no_done",
    "cpl_no_stream": "no_stream",
    "cpl_ignore_logprobs": "ignore_logprobs",
    "cpl_no_usage_chunk": "no_usage_chunk",
    "cpl_usage_every_chunk": "usage_every_chunk",
    "resp_ignore_instructions": "ignore_system",
    "resp_ignore_history": "ignore_history",
    "resp_ignore_cap": "ignore_max_tokens",
    "resp_completed_at_cap": "finish_stop",
    "resp_ignore_tools": "ignore_tools",
    "resp_ignore_tool_choice": "ignore_tool_choice",
    "resp_ignore_format": "ignore_response_format",
    "resp_fence_json": "fence_json",
    "resp_arguments_broken": "tool_arguments_broken",
    "resp_no_stream": "no_stream",
    "resp_usage_total": "usage_total",
    "resp_no_usage": "no_usage",
}
"""What the model behind does under a deviation of another surface than chat."""


def own(mutants: frozenset[str], surface: Surface) -> frozenset[str]:
    """The deviations that hold on a surface, with those of the model that they amount to."""
    if surface == "chat":
        return mutants
    mine = {mutant for mutant in mutants if mutant.startswith(_PREFIXES[surface])}
    return frozenset(mutants & _EVERYWHERE | mine | {_LIKE[mutant] for mutant in mine & _LIKE.keys()})


def check_served(method: str, path: str, surface: Surface, mutants: frozenset[str]) -> None:
    """Refusal 404 where a deviation says that the surface does not exist."""
    if f"{_PREFIXES.get(surface, 'chat_')}404" in mutants:
        raise Refusal(404, f"Unknown request URL: {method} {path}.", code="unknown_url")
