"""Text of about so many tokens, made without any tokenizer: common short English words.

Each of ``WORDS``, with the space before it, is one token in byte-level BPE vocabularies, so a text has as many tokens
as words. A tokenizer file makes it exact for one model. No word is one that a content filter stops at.
"""

from __future__ import annotations

import functools
import importlib
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import UsageError

WORDS = tuple(
    """
    able about above across act add after again age ago air all almost alone along already also always among
    animal another answer any apple area arm around art ask away baby back bad bag ball bank base be bear beat
    beautiful because become bed before began begin behind being believe below best better between beyond big
    bird bit black block blue board boat body book born both bottom box boy branch bread break bridge bright
    bring brother brought brown build building built bus business but buy by call came camp can car card care
    carry case cat catch cause cell center certain chair chance change child children choose church circle city
    class clean clear climb clock close cloud coast coat cold color come common company complete contain control
    cook cool copper corn corner correct cost cotton could count country course cover cross crowd cry current
    cut dance danger dark day deal dear decide deep desert did differ dinner direct do doctor does dog dollar
    done door double doubt down draw dream dress drive drop dry during each ear early earth ease east easy eat
    edge effect egg eight either else end energy engine enough enter equal even evening event ever every exact
    example eye face fact fair fall family famous far farm fast father favor fear feed feel feet fell felt few
    field fig figure fill final find fine finger finish fire first fish fit five flat floor flow flower fly
    follow food foot for force foreign forest form forward found four free fresh friend from front fruit full
    fun game garden gas gather gave general gentle get girl give glad glass go gold gone good got grand grass
    gray great green grew ground group grow guess guide had hair half hall hand happen happy hard has hat have
    he head hear heard heart heat heavy held help her here high hill him his history hit hold hole home hope
    horse hot hotel hour house how huge human hundred hurry ice idea if in inch increase industry insect inside
    instead interest into iron island it job join jump just keep key kind king knew know lady lake land language
    large last late laugh law lay lead learn least leave led left leg length less let letter level lie life lift
    light like line list listen little live local long look lost lot loud love low machine made main make man
    many map mark market mass match material may me mean measure meat meet men metal method middle might mile
    milk million mind mine minute miss modern moment money month moon more morning most mother motion mountain
    mouth move much music must my name nation natural nature near neck need never new next night nine no noise
    noon nor north nose not note nothing notice now number object ocean of off offer office often oil old on
    once one only open or orange order other our out over own page pain paint pair paper part party pass past
    path pay people perhaps period person phone picture piece place plain plan plane plant play please point
    poor port position power press pretty print problem produce proper protect prove provide pull push put
    question quick quiet quite race radio rain raise ran range rather reach read ready real reason record red
    region remember rest result return rich ride right ring rise river road rock roll room root rope rose round
    row rule run safe said sail salt same sand save saw say scale school science sea search season seat second
    see seed seem seen sell send sense sent separate serve set seven several shape share sharp she ship shoe
    shop short should shoulder show side sight sign silent silver similar simple since sing single sister sit
    six size skin sky sleep slow small smell smile snow so soft soil some son song soon sound south space speak
    special speed spend spoke spot spread spring square stand star start state station stay steel step stick
    still stone stood stop store story straight strange stream street strong student study such sudden sugar
    suit summer sun sure surface surprise sweet swim system table tail take talk tall teach team tell ten test
    than that the their them then there these they thick thin thing think third this those though thought
    thousand three through time tiny to together told tone too took tool top total touch toward town track trade
    train travel tree triangle trip trouble truck true try tube turn twenty two type under unit until up us use
    usual valley value very view village visit voice wait walk wall want warm was wash watch water wave way we
    wear weather week weight well went were west what wheel when where whether which while white who whole whose
    why wide wife wild will win wind window winter wire wish with within without woman women wonder wood word
    work world would write wrong year yellow yes yet you young your
    """.split()  # noqa: SIM905 - eight hundred words in quotes are hard to read
)


def text(rng: random.Random, tokens: int, tokenizer: Path | None = None) -> str:
    """Words drawn from ``rng``, ``tokens`` of them; with a tokenizer file, as many as make exactly so many tokens.

    No special tokens are counted. UsageError when the file cannot be used.
    """
    if tokens < 1:
        return ""
    if tokenizer is None:
        return " ".join(rng.choices(WORDS, k=tokens))
    known = _single(tokenizer)
    drawn = rng.choices(known, k=tokens)
    # The first word has no space before it, and a few words can join with their neighbours: a step or two mends it.
    for _ in range(10):
        over = count(" ".join(drawn), tokenizer) - tokens
        if over == 0:
            break
        drawn = drawn[:-over] if over > 0 else drawn + rng.choices(known, k=-over)
    return " ".join(drawn)


def asking(rng: random.Random, tokens: int, ask: str, tokenizer: Path | None = None) -> str:
    """Words with a request at their end, ``tokens`` in all; without the request where there is no room for it.

    The words come first: requests then differ from their first token on, and no prompt cache knows their beginning.
    """
    words = tokens - _room(ask, tokenizer)
    return f"{text(rng, words, tokenizer)} {ask}" if words > 0 else text(rng, tokens, tokenizer)


@functools.lru_cache(maxsize=64)
def _room(ask: str, tokenizer: Path | None) -> int:
    """Tokens of a request at the end of a text."""
    return count(f" {ask}", tokenizer)


def count(of: str, tokenizer: Path | None = None) -> int:
    """Tokens of a text: exact with a tokenizer file; without, one for each word and mark, which is right for ours."""
    if tokenizer is None:
        return len(re.findall(r"\w+|[^\w\s]", of))
    return _counter(tokenizer)(of)


@functools.cache
def _counter(tokenizer: Path) -> Callable[[str], int]:
    try:
        library: Any = importlib.import_module("tokenizers")
    except ImportError:
        raise UsageError(
            f"counting with {tokenizer} needs the package tokenizers",
            hint="Install it: pip install 'endpoint-harness[tokenizer]'",
        ) from None
    if not tokenizer.is_file():
        raise UsageError(f"no such tokenizer file: {tokenizer}")
    try:
        loaded = library.Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # noqa: BLE001 - the library raises plain Exception for any file that is none
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise UsageError(
            f"{tokenizer} is no tokenizer file: {reason}", hint="Give the tokenizer.json of a model"
        ) from None
    return lambda of: len(loaded.encode(of, add_special_tokens=False).ids)


@functools.cache
def _single(tokenizer: Path) -> tuple[str, ...]:
    """The words that are one token each; all of them where none is, as with a vocabulary of letters."""
    counts = _counter(tokenizer)
    alone = counts("the")
    return tuple(word for word in WORDS if counts(f"the {word}") == alone + 1) or WORDS
