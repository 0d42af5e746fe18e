"""Probes of what makes an answer vary: temperature, top_p and seed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    Capture,
    Check,
    Ignored,
    Scenario,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    probe,
    refuses,
)
from harness.conformance.plain import HELLO

HEAT = 1.5
SEED = 7
CLEARLY = 0.15
"""Likenesses further apart than this are not the same."""
WORDS = "Write 6 random words with spaces between them and nothing else."


def words(name: str, title: str, repeats: int = 3, **fields: Any) -> Scenario:
    """The same small task under other parameters."""
    return chat(
        f"sampling_{name}",
        f"six random words, {title}",
        WORDS,
        cap=24,
        surface="sampling",
        send={"repeats": repeats},
        **fields,
    )


COLD = words("cold", "temperature 0", temperature=0)
COLD_MORE = words("cold_more", "temperature 0 again", 2, temperature=0)
HOT = words("hot", f"temperature {HEAT}", temperature=HEAT)
NARROW = words("narrow", f"temperature {HEAT} with top_p 0.01", temperature=HEAT, top_p=0.01)
SEEDED = words("seeded", f"temperature {HEAT} with seed {SEED}", temperature=HEAT, seed=SEED)
OTHER_SEEDS = tuple(
    words(f"seed_{seed}", f"temperature {HEAT} with seed {seed}", 1, temperature=HEAT, seed=seed) for seed in (8, 9)
)
HOTTEST = chat("sampling_hottest", "temperature 2", HELLO, cap=8, surface="sampling", temperature=2)
TOO_HOT = chat("sampling_too_hot", "temperature 99", HELLO, cap=8, surface="sampling", temperature=99)
TOO_WIDE = chat("sampling_too_wide", "top_p 1.5", HELLO, cap=8, surface="sampling", top_p=1.5)


def spoken(captures: Sequence[Capture]) -> Iterator[Check]:
    """Checks that all were answered.

    Raises:
        Refused: one was not, cleanly.
        Untestable: too few came through, or one says nothing.
    """
    for capture in captures:
        yield from accepted(capture)
        if not said(capture):
            raise Untestable("headroom", "an answer holds neither text nor reasoning")
    if len(captures) < 2:
        raise Untestable("evidence", "only one of the answers came through")


def said(capture: Capture) -> str:
    """All that was generated, for parameters act on thoughts as well."""
    return f"{capture.thinking} {capture.text}".strip()


def variants(captures: Sequence[Capture]) -> int:
    """How many different answers there are."""
    return len(set(map(said, captures)))


def likeness(captures: Sequence[Capture]) -> float:
    """From 0 to 1, the mean of all pairs: late differences, which rounding can make, count little."""
    pairs = [(said(one).split(), said(other).split()) for one, other in combinations(captures, 2)]
    return sum(SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in pairs) / len(pairs)


def varies_more(captures: Sequence[Capture], others: Sequence[Capture]) -> bool:
    """Whether the first answers differ from one another more than the others do."""
    return variants(captures) > variants(others) or likeness(captures) < likeness(others) - CLEARLY


def told(captures: Sequence[Capture]) -> str:
    """Answers side by side, for a person."""
    return " | ".join(map(said, captures))


@probe(
    "sampling.t_effect",
    title="Heeds the temperature",
    sees=(COLD, HOT),
    severity="core",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.temperature",
    faults={"ignore_temperature": "ignored", "always_greedy": "ignored", "reject_hot": "rejected"},
)
def t_effect(seen: Seen) -> Iterator[Check]:
    """Three answers at temperature 1.5 differ from one another more than three at temperature 0 do."""
    cold, hot = seen.all(COLD), seen.all(HOT)
    yield from spoken(cold)
    yield from spoken(hot)
    if variants(hot) == 1:
        raise Ignored(f"all answers at temperature {HEAT} are the same", "different answers", told(hot), of=hot[0])
    if not varies_more(hot, cold):
        why = f"answers at temperature 0 differ as much as those at {HEAT}"
        raise Ignored(why, f"more variety than {told(hot)}", told(cold), of=cold[0])
    yield check("variety rises with the temperature", ok=True)


@probe(
    "sampling.t0_repeat",
    title="Repeats itself at temperature 0",
    sees=(COLD, COLD_MORE),
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.temperature",
    threads=("vllm-project/vllm#23138", "vllm-project/vllm#5607"),
    faults={"ignore_temperature": "ignored"},
)
def t0_repeat(seen: Seen) -> Iterator[Check]:
    """Of five answers at temperature 0 at least four are the same."""
    captures = (*seen.all(COLD), *seen.all(COLD_MORE))
    yield from spoken(captures)
    if len(captures) < 4:
        raise Untestable("evidence", f"only {len(captures)} of the answers came through")
    same = Counter(map(said, captures)).most_common(1)[0][1]
    rate = f"{same} of {len(captures)}"
    if same == 1:
        raise Ignored("no two answers at temperature 0 are the same", "at least 4 of 5 the same", told(captures))
    yield check("answers are repeated", same >= len(captures) - 1, "at least 4 of 5 the same", rate, must=False)


@probe(
    "sampling.t_max",
    title="Accepts the highest temperature",
    sees=(HOTTEST,),
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.temperature, maximum 2",
    faults={"reject_hot": "rejected"},
)
def t_max(seen: Seen) -> Iterator[Check]:
    """Temperature 2 is answered with 200."""
    capture = seen[HOTTEST]
    yield from accepted(capture)
    yield check("choices", bool(capture.at("choices")), "one choice or more", capture.json, of=capture)


@probe(
    "sampling.t_out_of_range",
    title="Refuses a temperature out of range",
    sees=(TOO_HOT,),
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.temperature, maximum 2",
    faults={**BAD_REFUSALS, "ignore_ranges": "ignored"},
)
def t_out_of_range(seen: Seen) -> Iterator[Check]:
    """Temperature 99 is refused with 400 and an error that names the field."""
    yield from refuses(seen[TOO_HOT], param="temperature")


@probe(
    "sampling.top_p_effect",
    title="Heeds top_p",
    sees=(HOT, NARROW),
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.top_p",
    faults={"ignore_top_p": "ignored", "ignore_temperature": "ignored", "reject_hot": "rejected"},
)
def top_p_effect(seen: Seen) -> Iterator[Check]:
    """At temperature 1.5, three answers with top_p 0.01 differ from one another less than three without it do."""
    hot, narrow = seen.all(HOT), seen.all(NARROW)
    yield from spoken(hot)
    yield from spoken(narrow)
    if variants(hot) == 1:
        raise Untestable("evidence", f"without top_p all answers at temperature {HEAT} are the same too")
    if not varies_more(hot, narrow):
        why = "answers with top_p 0.01 differ as much as those without it"
        raise Ignored(why, f"less variety than {told(hot)}", told(narrow), of=narrow[0])
    yield check("variety falls with top_p", ok=True)


@probe(
    "sampling.top_p_range",
    title="Refuses a top_p out of range",
    sees=(TOO_WIDE,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.top_p, maximum 1",
    faults={**BAD_REFUSALS, "ignore_ranges": "ignored"},
)
def top_p_range(seen: Seen) -> Iterator[Check]:
    """A top_p of 1.5 is refused with 400 and an error that names the field."""
    yield from refuses(seen[TOO_WIDE], param="top_p")


@probe(
    "sampling.seed_repeat",
    title="Repeats itself with the same seed",
    sees=(HOT, SEEDED),
    severity="ext",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.seed (deprecated)",
    threads=("sgl-project/sglang#5377", "ollama/ollama#5274"),
    faults={"ignore_seed": "ignored", "reject_hot": "rejected"},
)
def seed_repeat(seen: Seen) -> Iterator[Check]:
    """At temperature 1.5, three answers with one seed are the same, while those without a seed vary."""
    hot, seeded = seen.all(HOT), seen.all(SEEDED)
    yield from spoken(hot)
    yield from spoken(seeded)
    if variants(hot) == 1:
        raise Untestable("evidence", f"without a seed all answers at temperature {HEAT} are the same too")
    if variants(seeded) == len(seeded) and not varies_more(hot, seeded):
        raise Ignored("answers with one seed differ as much as those without", "the same", told(seeded), of=seeded[0])
    yield check("all answers are the same", variants(seeded) == 1, "the same", told(seeded), must=False)


@probe(
    "sampling.seed_effect",
    title="Heeds which seed it is",
    sees=(HOT, SEEDED, *OTHER_SEEDS),
    severity="ext",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.seed (deprecated)",
    faults={"one_seed": "ignored", "reject_hot": "rejected"},
)
def seed_effect(seen: Seen) -> Iterator[Check]:
    """At temperature 1.5, answers with three different seeds are not all the same."""
    hot, others = seen.all(HOT), (seen[SEEDED], *(seen[scenario] for scenario in OTHER_SEEDS))
    yield from spoken(hot)
    yield from spoken(others)
    if variants(hot) == 1:
        raise Untestable("evidence", f"without a seed all answers at temperature {HEAT} are the same too")
    if variants(others) == 1:
        raise Ignored("three seeds give one answer", "different answers", told(others), of=others[0])
    yield check("seeds make a difference", ok=True)


PROBES = (
    t_effect,
    t0_repeat,
    t_max,
    t_out_of_range,
    top_p_effect,
    top_p_range,
    seed_repeat,
    seed_effect,
)
