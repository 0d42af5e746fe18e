"""A request in a dialect, read as the simulator's own: path, key, headers, and the fields of its body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from harness.simulator.dialects import template
from harness.simulator.profile import Profile
from harness.simulator.refusal import Refusal
from harness.simulator.serving.turn import Turn
from harness.types import JsonObject

if TYPE_CHECKING:
    # Its checks take a while to set up, and few simulators speak one.
    from harness.simulator.dialects.dialect import Dialect, Parameters, Refused, Wanted

_CARRIERS = ("authorization", "api-key", "x-api-key")
_ALWAYS = frozenset({"model", "messages", "stream"})
"""Fields that every dialect knows."""


def served(dialect: Dialect, profile: Profile) -> Profile:
    """The profile with the models, the metrics and the deviations of the dialect."""
    models = dialect.models.ids if profile.models == Profile("").models else profile.models
    mutants = dict.fromkeys([*profile.mutants, *(mutant.name for mutant in dialect.mutants)])
    if dialect.errors.model is None:
        mutants["ignore_model"] = None
    return replace(
        profile, models=models, mutants=tuple(mutants), metrics=profile.metrics and dialect.metrics is not None
    )


def hear(dialect: Dialect, turn: Turn) -> None:
    """Put the path of the request below ``/v1`` and its key into a bearer token, wherever it stood.

    Refusal where the path is none of the dialect's, or where a header or a query parameter is missing.
    """
    incoming = turn.incoming
    path, _, query = incoming.path.partition("?")
    if path in dialect.pages or (path == "/metrics" and dialect.metrics is not None):
        return
    if named := dialect.path.model_of(path):
        turn.values["model"] = unquote(named)
    match = dialect.path.pattern().fullmatch(path)
    rest = match["rest"] if match else None
    listed = dialect.models.path or ""
    whole = listed[1:] if listed.startswith("//") else None
    if whole is not None and (path == whole or path.startswith(f"{whole}/")):
        rest = f"/models{path.removeprefix(whole)}"
    elif rest is not None and _is_list(rest, "/models") and (whole is not None or not listed):
        rest = None
    elif rest is not None and listed and whole is None and _is_list(rest, listed):
        rest = f"/models{rest.removeprefix(listed)}"
    if rest is None:
        raise Refusal(404, f"Unknown request URL: {incoming.method} {path}.", code="unknown_url")
    _check_wanted(dialect, incoming.headers, query)
    turn.incoming = replace(incoming, path=f"/v1{rest}", headers=_with_key(dialect, incoming.headers))


def _is_list(rest: str, listed: str) -> bool:
    return rest == listed or rest.startswith(f"{listed}/")


def _with_key(dialect: Dialect, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with the key, wherever the dialect looks for it, as a bearer token; and nowhere else."""
    auth = dialect.auth
    others = {name: value for name, value in headers.items() if name not in _CARRIERS}
    carriers = [auth.header or "", *auth.also] if auth.kind == "header" else ["authorization", *auth.also]
    for carrier in map(str.lower, carriers):
        given = headers.get(carrier, "")
        if carrier != "authorization" and given:
            given = f"Bearer {given.removeprefix('Bearer ')}"
        if given:
            return {**others, "authorization": given}
    return others


def _check_wanted(dialect: Dialect, headers: Mapping[str, str], query: str) -> None:
    given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    for name, wanted in dialect.wants.headers.items():
        _check_one(name, wanted, headers.get(name.lower()))
    for name, wanted in dialect.wants.query.items():
        _check_one(name, wanted, given.get(name))


def _check_one(name: str, wanted: Wanted, value: str | None) -> None:
    if not value or (wanted.one_of and value not in wanted.one_of):
        refusal = Refusal(wanted.status, f"{name} is missing or wrong.", param=name)
        refusal.body = wanted.body
        raise refusal


def adapted(dialect: Dialect | None, body: JsonObject, turn: Turn) -> JsonObject:
    """The body as the simulator reads it; Refusal for a field that the documents say is refused.

    Where the profile says that the model thinks unasked, that is asked for. ``dialect`` None: nothing else is changed.
    """
    unasked = {} if turn.profile.effort == "none" else {"reasoning_effort": turn.profile.effort}
    if dialect is None:
        return {**unasked, **body}
    _check_known(dialect, body)
    _check_refused(dialect, body)
    read = _reread(dialect.parameters, body)
    if dialect.reasoning is None:
        read.pop("reasoning_effort", None)
        unasked = {}
    if "model" in turn.values:
        read["model"] = turn.values["model"]
    turn.values["model"] = read.get("model")
    return {**unasked, **read}


def _check_refused(dialect: Dialect, body: JsonObject) -> None:
    for refused in dialect.parameters.refused:
        for value in _values(body, refused.name):
            if _is_refused(refused, value, body):
                raise _refusal(refused, value)


def _reread(parameters: Parameters, body: JsonObject) -> JsonObject:
    """The body without what has no effect, with bounds kept and the usual names."""
    read = dict(body)
    for group in parameters.ignored:
        for name in group.names:
            read.pop(name, None)
    for bounded in parameters.bounded:
        value = read.get(bounded.name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            read[bounded.name] = min(max(value, bounded.least), bounded.most)
    for renamed in parameters.renamed:
        read.pop(renamed.usual, None)
        if renamed.own in read:
            read[renamed.usual] = read.pop(renamed.own)
    return read


def _check_known(dialect: Dialect, body: JsonObject) -> None:
    known = dialect.parameters.known
    if known is None:
        return
    own = {one.own for one in dialect.parameters.renamed}
    for name, value in body.items():
        if name not in _ALWAYS and name not in own and name not in known.names:
            said = template.fill(known.says or "Unknown field: {param}.", {"param": name, "value": value})
            refusal = Refusal(400, said, param=name)
            refusal.value = value
            raise refusal


def _values(body: JsonObject, name: str) -> list[Any]:
    """The values of a field; null counts as one that is not there."""
    outer, dot, inner = name.partition(".")
    held = body.get(outer)
    if dot:
        inside = held if isinstance(held, list) else [held]
        return [one[inner] for one in inside if isinstance(one, dict) and one.get(inner) is not None]
    return [] if held is None else [held]


def _is_refused(refused: Refused, value: Any, body: JsonObject) -> bool:
    if value in refused.unless or (refused.only and value not in refused.only):
        return False
    if refused.beside is not None and body.get(refused.beside) is None:
        return False
    if refused.above is None and refused.below is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (refused.above is not None and value > refused.above) or (
        refused.below is not None and value < refused.below
    )


def _refusal(refused: Refused, value: Any) -> Refusal:
    said = template.fill(refused.says or "{param} is not supported.", {"param": refused.name, "value": value})
    refusal = Refusal(refused.status or 400, said, param=refused.name)
    refusal.body, refusal.own_status, refusal.value = refused.body, refused.status, value
    return refusal
