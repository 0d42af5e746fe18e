"""What a simulated endpoint lists: its models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.simulator.dialects import answers as dialect_answers
from harness.simulator.profile import Profile
from harness.simulator.refusal import Refusal
from harness.types import JsonObject

if TYPE_CHECKING:
    # Its checks take a while to set up, and few simulators speak one.
    from harness.simulator.dialects.dialect import Dialect

_BORN = 1_767_225_600
"""When the simulated models say they were created: 2026-01-01."""


def check(profile: Profile, name: str, mutants: frozenset[str]) -> None:
    """Refusal 404 for a model that is not served."""
    if name not in profile.models and "ignore_model" not in mutants:
        raise Refusal(404, f"The model {name!r} does not exist.", param="model", code="model_not_found")


def listed(profile: Profile, mutants: frozenset[str], dialect: Dialect | None = None) -> Any:
    """All models."""
    names = [] if "models_empty" in mutants else list(profile.models)
    if dialect is not None:
        return dialect_answers.listed(dialect, names, _BORN)
    names *= 2 if "models_twice" in mutants else 1
    models = [one(profile, name, mutants) for name in names]
    if "models_alias" in mutants:
        models = [{**model, "id": f"vendor/{model['id']}"} for model in models]
    return {"object": "list", "data": models}


def one(profile: Profile, name: str, mutants: frozenset[str], dialect: Dialect | None = None) -> JsonObject:
    """One model; Refusal 404 where it is not served."""
    check(profile, name, mutants)
    if dialect is not None:
        return dialect_answers.item(dialect, name, _BORN)
    if "models_bare" in mutants:
        return {"id": name, "object": "model"}
    model: JsonObject = {"id": name, "object": "model", "created": _BORN, "owned_by": profile.name}
    model["max_model_len"] = profile.context_tokens
    if profile.input_usd_per_mtok is not None:
        model["pricing"] = {
            "input_usd_per_mtok": profile.input_usd_per_mtok,
            "output_usd_per_mtok": profile.output_usd_per_mtok,
        }
    return model
