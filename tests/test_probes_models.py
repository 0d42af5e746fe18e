"""What the probes of models, keys and paths make of answers that no fault of the simulator shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from simulated import ROOT
from transcripts import ENDPOINT, Reply, captures, completion, error

from harness.catalog import discover
from harness.conformance import Probe, judge_all, scenarios_of
from harness.provider import Auth
from harness.types import WRONG_KEY, Verdict

SURFACES = ("models", "auth", "meta")
KNOWN = discover([ROOT / "tasks" / "probes"]).probes.values()
PROBES: tuple[Probe, ...] = tuple(probe for probe in KNOWN if probe.surface in SURFACES)
KEYED = replace(ENDPOINT, provider=replace(ENDPOINT.provider, auth=Auth(env="SOME_KEY")))
KEYLESS = (ENDPOINT, replace(ENDPOINT, provider=replace(ENDPOINT.provider, auth=Auth("none"))))
MODEL = {"id": "small-1", "object": "model", "created": 1_790_000_000, "owned_by": "vendor"}
HELLO = Reply(completion())
DENIED = error("wrong key", 401, code="invalid_api_key")
ABSENT = error("no such path", 404)
CLEAN: Mapping[str, Reply] = {
    "models_list": Reply({"object": "list", "data": [MODEL]}),
    "models_item": Reply(MODEL),
    "models_no_item": error("no such model", 404, code="model_not_found"),
    **dict.fromkeys(("auth_wrong", "auth_none", "auth_wrong_stream", "auth_torn"), DENIED),
    **dict.fromkeys(("auth_lower", "auth_api_key"), HELLO),
    **dict.fromkeys(("meta_get", "meta_post", "meta_root", "meta_embeddings", "meta_responses"), ABSENT),
    **dict.fromkeys(("meta_chat", "meta_completions"), error("model is missing")),
}


def listed(*models: Any) -> Reply:
    """A list of models."""
    return Reply({"object": "list", "data": list(models)})


def item(**fields: Any) -> Reply:
    """A list of one model, with other fields; None takes a field away."""
    return listed({name: value for name, value in {**MODEL, **fields}.items() if value is not None})


PAGE = Reply(b"<html>Hello</html>", 200, {"content-type": "text/html"})
CASES = [
    # probe, scenario, its answer, verdict, what the verdict says
    ("models.item_shape", "models_list", item(created=None), "partial", "created"),
    ("models.item_shape", "models_list", item(owned_by=None), "partial", "owned_by"),
    ("models.item_shape", "models_list", item(object="llm"), "partial", "object"),
    ("models.item_shape", "models_list", item(created="2026-01-31"), "broken", "created"),
    ("models.item_shape", "models_list", item(owned_by=7), "broken", "owned_by"),
    ("models.item_shape", "models_list", Reply(b"not here", 500), "skipped", "models.list"),
    ("models.has_target", "models_list", item(id="vendor/small-1"), "partial", "vendor/small-1"),
    ("models.retrieve", "models_item", item(), "broken", "id"),
    ("models.retrieve", "models_item", Reply({"id": "small-1"}), "partial", "object"),
    ("models.retrieve", "models_item", PAGE, "broken", "id"),
    ("models.retrieve_404", "models_item", ABSENT, "skipped", "models.retrieve"),
    ("models.retrieve_404", "models_no_item", Reply(MODEL), "ignored", "is found"),
    ("models.retrieve_404", "models_no_item", error("no", 400), "partial", "status 404"),
    ("models.retrieve_404", "models_no_item", Reply({"detail": "Not Found"}, 404), "broken", "error body"),
    ("auth.bad_key", "auth_wrong", HELLO, "ignored", "made sense"),
    ("auth.bad_key", "auth_wrong", error("no", 403), "partial", "status 401"),
    ("auth.bad_key", "auth_wrong", Reply(b"Unauthorized", 401, {"content-type": "text/plain"}), "broken", "error body"),
    ("auth.bad_key", "auth_wrong", error("oops", 500), "broken", "status"),
    ("auth.bad_key", "auth_wrong", error("slow down", 429), "untestable", "transient"),
    ("auth.no_key", "auth_none", HELLO, "ignored", "made sense"),
    ("auth.bad_key_stream", "auth_wrong", HELLO, "skipped", "auth.bad_key"),
    ("auth.bad_key_stream", "auth_wrong_stream", Reply(b'data: {"error": {}}\n\n'), "broken", "status"),
    ("auth.bad_key_stream", "auth_wrong_stream", replace(DENIED, headers={}), "partial", "content type"),
    ("auth.before_body", "auth_torn", error("no JSON", 400), "partial", "status 401"),
    ("auth.before_body", "auth_torn", error("oops", 500), "broken", "status"),
    ("auth.key_not_echoed", "auth_wrong", error(f"wrong: {WRONG_KEY}", 401), "broken", "told back"),
    ("auth.key_not_echoed", "auth_wrong", error("wrong: sk-th***", 401), "supported", ""),
    ("auth.scheme_case", "auth_lower", DENIED, "rejected", "wrong key"),
    ("auth.alt_header", "auth_api_key", DENIED, "rejected", "wrong key"),
    ("meta.canary_404", "meta_get", HELLO, "broken", "GET"),
    ("meta.canary_404", "meta_post", error("oops", 500), "broken", "POST"),
    ("meta.canary_404", "meta_get", error("no", 403), "partial", "403"),
    ("meta.canary_404", "meta_root", PAGE, "partial", "beside"),
    ("meta.surface_map", "meta_get", HELLO, "skipped", "meta.canary_404"),
    ("meta.surface_map", "meta_embeddings", error("no", 401), "supported", ""),
    ("meta.surface_map", "meta_embeddings", HELLO, "broken", "/embeddings"),
    ("meta.surface_map", "meta_responses", error("not implemented", 501), "supported", ""),
    ("meta.surface_map", "meta_chat", ABSENT, "partial", "chat is served"),
]
GARBAGE = {
    "nothing": Reply(b""),
    "HTML": PAGE,
    "bytes": Reply(b"\xff\xfe\x00"),
    "null": Reply(b"null"),
    "array": Reply([]),
    "text": Reply("hello"),
    "number": Reply(7),
    "nesting": Reply(b"[" * 200_000),
    "data a number": Reply({"data": 7}),
    "models of numbers": Reply({"data": [7]}),
    "ids of lists": Reply({"id": [], "data": [{"id": []}, {"id": {}}]}),
    "error a text": Reply({"error": "no"}, 404),
    "array of errors": Reply([{"error": {"message": "no"}}], 401),
}


def judged(replies: Mapping[str, Reply], endpoint: Any = KEYED) -> dict[str, Verdict]:
    """Verdicts by probe, on the clean transcript with these replies in it."""
    return {one.probe: one for one in judge_all(PROBES, captures({**CLEAN, **replies}), endpoint)}


def test_every_scenario_has_its_transcript() -> None:
    """The clean transcript holds an answer to everything that is sent, and it is supported in everything."""
    assert {scenario.name for scenario in scenarios_of(PROBES)} == set(CLEAN)
    assert {name: one.reason for name, one in judged({}).items() if one.verdict != "supported"} == {}


@pytest.mark.parametrize(
    ("probe", "scenario", "reply", "verdict", "says"), CASES, ids=[f"{case[0]} {at}" for at, case in enumerate(CASES)]
)
def test_verdict(probe: str, scenario: str, reply: Reply, verdict: str, says: str) -> None:
    """Each answer gets the verdict that its probe's criterion gives it, for the reason that it has."""
    found = judged({scenario: reply})[probe]
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


@pytest.mark.parametrize("endpoint", KEYLESS, ids=["no key named", "no scheme"])
def test_an_endpoint_without_a_key_need_not_ask_for_one(endpoint: Any) -> None:
    """Where no key was set up, nothing is said of how keys are treated."""
    found = judged({"auth_wrong": HELLO, "auth_none": HELLO}, endpoint)
    asked = {name: one for name, one in found.items() if name.startswith("auth.")}
    assert {one.verdict for one in asked.values()} == {"skipped"}
    assert asked["auth.bad_key"].reason.startswith("not applicable: no key is set up")


def test_a_key_in_a_header_of_its_own_has_no_scheme() -> None:
    """Where the key goes into another header, the spelling of the scheme cannot be told."""
    auth = Auth("header", env="SOME_KEY", header="api-key")
    found = judged({}, replace(ENDPOINT, provider=replace(ENDPOINT.provider, auth=auth)))
    assert [found[name].verdict for name in ("auth.bad_key", "auth.scheme_case")] == ["supported", "untestable"]


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_makes_no_judge_fail(what: str) -> None:
    """Whatever stands in the place of an answer, every probe comes to a verdict of its own."""
    for replies in (dict.fromkeys(CLEAN, GARBAGE[what]), *({name: GARBAGE[what]} for name in CLEAN)):
        failed = [one for one in judged(replies).values() if one.reason.startswith("probe:")]
        assert failed == []


def test_a_models_name_is_quoted_in_the_path() -> None:
    """Slashes and colons of a model's name are not taken for parts of the path."""
    scenarios = {scenario.name: scenario for scenario in scenarios_of(PROBES)}
    request = scenarios["models_item"].build(replace(ENDPOINT, model_id="vendor/small:8b"), 0)
    assert request.path == "/models/vendor%2Fsmall%3A8b"
