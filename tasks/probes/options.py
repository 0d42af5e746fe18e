"""Probes of the parameters of a chat that are neither sampling nor tools: tier, prediction, verbosity."""

from collections.abc import Iterator
from statistics import fmean

from harness.conformance import Capture, Check, Ignored, Seen, Untestable, accepted, chat, check, probe
from harness.conformance.plain import HELLO

PREDICTED = "one two three four five six seven eight nine ten"
WIND = "Explain how a sailing boat gets ahead against the wind."
ENOUGH = 1.3
"""How much longer a wordy answer is at least."""

TIER = chat("chat_tier", "one line with service_tier auto", HELLO, cap=16, service_tier="auto")
PREDICTION = chat(
    "chat_prediction",
    "a line to be repeated, which is the prediction too",
    f"Repeat this line exactly and write nothing else: {PREDICTED}",
    cap=32,
    visible=True,
    temperature=0,
    prediction={"type": "content", "content": PREDICTED},
)
TERSE, WORDY = (
    chat(
        f"chat_verbosity_{level}",
        f"a question with verbosity {level}",
        WIND,
        cap=160,
        visible=True,
        verbosity=level,
        send={"repeats": 2},
    )
    for level in ("low", "high")
)


@probe(
    "chat.service_tier",
    title="Takes a service tier",
    sees=(TIER,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: ServiceTier",
    faults={"no_service_tier": "partial"},
)
def service_tier(seen: Seen) -> Iterator[Check]:
    """With service_tier auto the answer comes and tells the tier that served it."""
    capture = seen[TIER]
    yield from accepted(capture)
    told = capture.at("service_tier")
    yield check("service_tier", isinstance(told, str), "the tier that served it", told, must=False)


@probe(
    "chat.prediction",
    title="Uses a predicted output",
    sees=(PREDICTION,),
    severity="ext",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: PredictionContent, CompletionUsage.completion_tokens_details",
    faults={"ignore_prediction": "ignored"},
)
def prediction(seen: Seen) -> Iterator[Check]:
    """Usage counts accepted or rejected tokens of a prediction that was given."""
    capture = seen[PREDICTION]
    yield from accepted(capture)
    counts = [
        capture.tokens("completion_tokens_details", f"{what}_prediction_tokens") for what in ("accepted", "rejected")
    ]
    if counts == [None, None] or not capture.tokens("completion_tokens"):
        raise Untestable("evidence", "usage does not count tokens of predictions")
    if not any(counts):
        raise Ignored("no token of the prediction was accepted or rejected", "1 or more", counts)
    yield check("tokens of the prediction", True, "1 or more", counts)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "chat.verbosity",
    title="Says more at a higher verbosity",
    sees=(TERSE, WORDY),
    severity="ext",
    ability="C",
    needs=("chat.basic",),
    spec="OpenAPI: Verbosity",
    faults={"ignore_verbosity": "ignored"},
)
def verbosity(seen: Seen) -> Iterator[Check]:
    """Answers with verbosity high are on average 1.3 times as long as those with low, or longer."""
    terse, wordy = seen.all(TERSE), seen.all(WORDY)
    for capture in (*terse, *wordy):
        yield from accepted(capture)
    short, long = _length(terse), _length(wordy)
    if short and long >= ENOUGH * short:
        yield check("length", True, f"{ENOUGH} times as long", f"{long / short:.2f}")  # noqa: FBT003 - it was asked above
        return
    if not short or all(capture.finish_reason == "length" for capture in terse):
        raise Untestable("headroom", "the output was cut before its length could differ")
    raise Ignored("it says as much either way", f"{ENOUGH} times as long", f"{long / short:.2f}")


def _length(answers: tuple[Capture, ...]) -> float:
    return fmean(len(capture.text) for capture in answers)


PROBES = (service_tier, prediction, verbosity)
