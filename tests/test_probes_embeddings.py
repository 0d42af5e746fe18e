"""What the probes of embeddings make of answers, and what is asked of whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from served import ENDPOINT, GARBAGE, GONE, PAGE, Bench, edited
from simulated import accused, simulator, verdicts
from transcripts import Reply, error

from harness.conformance import scenarios_of
from harness.provider import Endpoint, Quirks

BENCH = Bench.of("emb")
FLOAT, BATCH, SHORT = (BENCH.clean[name] for name in ("emb_float", "emb_batch", "emb_dimensions"))
VECTOR = json.loads(FLOAT.body)["data"][0]["embedding"]
ABSENT = error("no such path", 404)
YES = Reply({"error": "Unexpected endpoint or method. (POST /v1/embeddings)"})
CASES = [
    # probe, answers by scenario, verdict, what the verdict says
    ("emb.basic", {"emb_float": ABSENT}, "rejected", "404"),
    ("emb.basic", {"emb_float": Reply(b"404 page not found", 404, {})}, "rejected", "404 page not found"),
    ("emb.basic", {"emb_float": Reply({"detail": "Method Not Allowed"}, 405)}, "rejected", "405"),
    ("emb.basic", {"emb_float": error("this server does not embed", 501)}, "rejected", "does not embed"),
    ("emb.basic", {"emb_float": error("a model that only chats", 400)}, "rejected", "only chats"),
    ("emb.basic", {"emb_float": YES, "meta_post": YES}, "rejected", "Unexpected"),
    ("emb.basic", {"emb_float": PAGE, "meta_post": PAGE}, "rejected", "Hello"),
    ("emb.basic", {"emb_float": YES}, "broken", "error"),
    ("emb.basic", {"meta_post": error("no", 403)}, "supported", ""),
    ("emb.basic", {"emb_float": PAGE}, "broken", "data"),
    ("emb.basic", {"emb_float": error("oops", 500)}, "broken", "500"),
    ("emb.basic", {"emb_float": error("slow down", 429)}, "untestable", "transient"),
    ("emb.basic", {"emb_float": edited(FLOAT, "data", 0, "embedding", 1, to=float("nan"))}, "broken", "embedding"),
    ("emb.basic", {"emb_float": edited(FLOAT, "data", 0, "embedding", to=[0.0] * 8)}, "broken", "embedding"),
    ("emb.basic", {"emb_float": edited(FLOAT, "data", 0, "index", to="0")}, "broken", "index"),
    ("emb.basic", {"emb_float": edited(FLOAT, "object", to=GONE)}, "partial", "object"),
    ("emb.base64", {"emb_float": ABSENT}, "skipped", "emb.basic (rejected)"),
    ("emb.base64", {"emb_base64": error("not base64", 400)}, "rejected", "not base64"),
    ("emb.base64", {"emb_base64": edited(FLOAT, "data", 0, "embedding", to="-- no --")}, "broken", "base64"),
    ("emb.batch_order", {"emb_batch": edited(BATCH, "data", 1, "embedding", to=[1.0] * len(VECTOR))}, "supported", ""),
    ("emb.batch_order", {"emb_batch": edited(BATCH, "data", 1, "embedding", to=[])}, "broken", "embeddings"),
    ("emb.batch_equal", {"emb_again": SHORT}, "untestable", "evidence"),
    ("emb.batch_equal", {"emb_batch": error("one at a time", 400)}, "skipped", "emb.batch_order (rejected)"),
    ("emb.dimensions", {"emb_dimensions": error("not this model", 400)}, "rejected", "not this model"),
    (
        "emb.dimensions",
        {"emb_dimensions": edited(SHORT, "data", 0, "embedding", to=VECTOR[:64])},
        "partial",
        "length 1",
    ),
    ("emb.dimensions", {"emb_dimensions": edited(SHORT, "data", 0, "embedding", to=VECTOR[:65])}, "broken", "64"),
    ("emb.usage", {"emb_float": edited(FLOAT, "usage", "prompt_tokens", to=0)}, "broken", "prompt_tokens"),
    ("emb.usage", {"emb_float": edited(FLOAT, "usage", "prompt_tokens", to="12")}, "broken", "prompt_tokens"),
    ("emb.determinism", {"emb_again": error("oops", 500)}, "untestable", "evidence"),
    (
        "emb.determinism",
        {"emb_again": edited(FLOAT, "data", 0, "embedding", 0, to=VECTOR[0] + 0.03)},
        "partial",
        "rounding",
    ),
    ("emb.empty", {"emb_empty_text": FLOAT, "emb_empty_list": edited(FLOAT, "data", to=[])}, "supported", ""),
    ("emb.empty", {"emb_empty_text": edited(FLOAT, "data", 0, "embedding", 0, to=float("nan"))}, "broken", "finite"),
    ("emb.empty", {"emb_empty_list": edited(FLOAT, "data", 0, "embedding", to=[0.0, 0.0])}, "supported", ""),
    ("emb.too_long", {"emb_too_long": edited(FLOAT, "usage", to=GONE)}, "untestable", "evidence"),
    ("emb.too_long", {"emb_too_long": edited(FLOAT, "usage", "prompt_tokens", to=160_001)}, "supported", ""),
    ("emb.too_long", {"emb_too_long": error("too large", 413)}, "partial", "413"),
    ("emb.tokens", {"emb_token_lists": error("texts alone", 400)}, "rejected", "texts alone"),
    ("emb.wrong_model", {"emb_wrong_model": error("it may not embed", 403)}, "supported", ""),
    ("emb.wrong_model", {"emb_wrong_model": error("slow down", 429)}, "untestable", "transient"),
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """One simulator for all faults."""
    with simulator() as one:
        yield one


@pytest.mark.parametrize(
    ("probe", "replies", "verdict", "says"), CASES, ids=[f"{case[0]} {at}" for at, case in enumerate(CASES)]
)
def test_verdict(probe: str, replies: dict[str, Reply], verdict: str, says: str) -> None:
    """Each answer gets the verdict that its probe's criterion gives it, for the reason that it has."""
    found = BENCH.judged(replies)[probe]
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_makes_no_judge_fail(what: str) -> None:
    """Whatever stands in the place of an answer, every probe comes to a verdict of its own."""
    assert BENCH.failing(GARBAGE[what]) == []


@pytest.mark.parametrize("fault", ["", "emb_truncates"])
def test_a_text_beyond_every_context_is_told_from_one_that_was_cut(endpoint: Endpoint, fault: str) -> None:
    """The probe that is too expensive for every run is supported by the reference, and sees a text that was cut."""
    (probe,) = (one for one in BENCH.probes if one.id == "emb.too_long")
    found = accused(verdicts(endpoint, [probe], f"mutants={fault}" if fault else ""))
    assert found == ({probe.id: probe.faults[fault]} if fault else {})


def test_embeddings_are_asked_of_the_model_that_embeds() -> None:
    """The quirk names it; the probe of the wrong model asks the one that chats, or one that does not exist."""
    embeds = replace(ENDPOINT, provider=replace(ENDPOINT.provider, quirks=Quirks(embedding_model="embed-1")))
    scenarios = {scenario.name: scenario for scenario in scenarios_of(BENCH.probes)}

    def asked(name: str, endpoint: Endpoint) -> str:
        return str(json.loads(scenarios[name].build(endpoint, 0).body or b"")["model"])

    assert [asked("emb_float", embeds), asked("emb_wrong_model", embeds)] == ["embed-1", "sim-small"]
    assert asked("emb_float", ENDPOINT) == "sim-small"
    assert asked("emb_wrong_model", ENDPOINT) not in ("sim-small", "embed-1")
    assert len({scenarios["emb_float"].build(one, 0).workload_sha256 for one in (embeds, ENDPOINT)}) == 1
