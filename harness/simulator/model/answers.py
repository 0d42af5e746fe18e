"""What the simulated model says."""

from __future__ import annotations

import json
import random
import re
from typing import NamedTuple

from harness.simulator.model import tokens
from harness.simulator.model.book import Book, Call, Entry
from harness.simulator.model.calling import calls_for, spoiled, wrong_value
from harness.simulator.model.chance import draw, length
from harness.simulator.model.obedience import follow
from harness.simulator.model.sampler import Ranked, looped, sampled
from harness.simulator.model.structured import written
from harness.simulator.profile import Profile
from harness.simulator.requests import media
from harness.simulator.requests.asked import Asked
from harness.simulator.requests.messages import text_of

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_LETTER = re.compile(r"\(?\b([A-J])\b\)?(?=[.\s)]*\Z)")
_LENGTHS = {"low": 0.5, "medium": 1, "high": 2}
_OPPOSITES = {"yes": "no", "no": "yes", "true": "false", "false": "true"}


class Said(NamedTuple):
    """An answer before stop sequences and limits are applied to it."""

    text: str
    calls: tuple[Call, ...] = ()
    ranked: tuple[Ranked, ...] = ()
    """What was likely in each place of the text, from its start on; empty: it is made up where it is asked for."""


def answer(asked: Asked, profile: Profile, book: Book, seed: int, place: tuple[int, int]) -> Said:
    """What is said to a request.

    The same question gets the same answer from the same seed, streamed or not. Only a sampled request (temperature
    above 0.3) depends on ``place``, which is the number of the choice and how often its body was seen before.
    """
    question = [str(part) for message in asked.messages for part in (message["role"], text_of(message))]
    names = [tool.name for tool in asked.tools]
    again = (place[0], asked.seed if asked.seed is not None else place[1]) if asked.hot else ()
    parts = (profile.name, asked.model, asked.form, *question, "tools", *names, *again, *filter(None, [asked.suffix]))
    entry = book.find(asked.messages, names) if len(book) else None
    rng = draw(seed, "words", *parts)
    luck = rng if entry is None else draw(seed, "luck", *parts)
    calls = _calls(asked, profile, entry, luck)
    if calls:
        return Said("", calls if asked.parallel else calls[:1])
    text = _text(asked, profile, entry, luck, rng)
    said = _sampled(asked, profile, rng, draw(seed, "shaken", *parts, *place)) if text is None else Said(text)
    return said._replace(text=_lengthened(said.text, asked, rng))


def _calls(asked: Asked, profile: Profile, entry: Entry | None, luck: random.Random) -> tuple[Call, ...]:
    if asked.choice.mode == "none" or not asked.tools:
        return ()
    if entry is None or entry.calls is None:
        return calls_for(asked)
    known = {tool.name for tool in asked.tools if not asked.choice.only or tool.name in asked.choice.only}
    calls = entry.calls
    if luck.random() >= profile.tool_accuracy:
        calls = spoiled(calls, asked.tools, luck)
    calls = tuple(call for call in calls if call.name in known)
    return calls or (calls_for(asked) if asked.choice.mode == "required" else ())


def _text(asked: Asked, profile: Profile, entry: Entry | None, luck: random.Random, rng: random.Random) -> str | None:
    """What is said; None: nothing decides it but the model's own weights."""
    known = entry if entry is not None and (entry.calls is None or entry.text) else None
    if known is not None and (asked.form == "text" or _is_json(known.text)):
        return known.text if luck.random() < profile.accuracy else wrong(known.text, luck)
    if asked.form != "text":
        return written(asked, rng)
    if seen := media.colours(asked.messages):
        return seen
    if followed := follow(asked.messages, rng):
        return followed
    return None if profile.sampled else tokens.filler(rng, _length(asked, profile, rng))


def _length(asked: Asked, profile: Profile, rng: random.Random) -> int:
    return max(1, round(length(profile.tokens, profile.tokens_sd, rng) * _LENGTHS[asked.verbosity]))


def _sampled(asked: Asked, profile: Profile, rng: random.Random, shaken: random.Random) -> Said:
    """A draw of the model's weights; ``shaken`` is this answer's own."""
    prompt = [str(part) for message in asked.messages for part in (message["role"], text_of(message))]
    drawn = sampled(
        prompt,
        _length(asked, profile, rng),
        rng,
        heat=asked.heat,
        top_p=asked.top_p,
        noise=profile.noise,
        shaken=(lambda: shaken.gauss(0, profile.wobble)) if profile.wobble else None,
    )
    text = looped(drawn.text) if shaken.random() < profile.loops else drawn.text
    return Said(text, ranked=() if asked.logprobs is None else drawn.ranked)


def _lengthened(text: str, asked: Asked, rng: random.Random) -> str:
    """A text of at least the tokens that were demanded."""
    lacking = asked.floor - tokens.count(text)
    return f"{text} {tokens.filler(rng, lacking)}" if lacking > 0 else text


def wrong(text: str, rng: random.Random) -> str:
    """A plausible wrong answer: another number, another letter, the opposite, another value."""
    if _is_json(text) and isinstance(value := json.loads(text), dict | list) and value:
        return json.dumps(wrong_value(value, rng), ensure_ascii=False)
    if letter := _LETTER.search(text):
        others = [other for other in "ABCD" if other != letter[1]]
        return text[: letter.start(1)] + rng.choice(others) + text[letter.end(1) :]
    if numbers := list(_NUMBER.finditer(text)):
        last = numbers[-1]
        value = float(last[0].replace(",", ""))
        off = value + rng.choice((-10, -2, -1, 1, 2, 10))
        return text[: last.start()] + (f"{off:.0f}" if off.is_integer() else f"{off:.4f}") + text[last.end() :]
    opposite = _OPPOSITES.get(text.strip().casefold())
    return opposite or f"I think it is something else: {tokens.filler(rng, 6)}."


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
