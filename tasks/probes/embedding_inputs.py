"""Probes of embeddings: what may be asked."""

from collections.abc import Iterator

from harness.conformance import (
    MISSHAPEN_REFUSALS,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    check,
    embed,
    envelope,
    probe,
    refuses,
)
from harness.conformance.vectors import cosine, vector

TEXT = "The ferry to the island leaves at noon."
SCRIPTS = ("漢字仮名交じり文", "😀👩‍👩‍👧‍👦🎻")
IDS = (100, 200, 300)
"""Small enough for any vocabulary."""
LONG_WORDS = 160_000
TOO_NEAR = 0.99999

EMPTY = embed("emb_empty_text", "an empty text", "", encoding_format="float")
NOTHING = embed("emb_empty_list", "an empty list", [], encoding_format="float")
BOGUS = embed("emb_format_bogus", "an encoding_format that does not exist", TEXT, encoding_format="zzz")
TOKENS = embed("emb_tokens", "a list of tokens", list(IDS), encoding_format="float")
TOKEN_LISTS = embed("emb_token_lists", "two lists of tokens", [list(IDS), list(IDS[:2])], encoding_format="float")
UNICODE = embed("emb_unicode", "two texts without a letter of ASCII", list(SCRIPTS), encoding_format="float")
WRONG_MODEL = embed(
    "emb_wrong_model", "a model that does not embed", TEXT, chatting=True, send={"answers": frozenset({403})}
)
TOO_LONG = embed("emb_too_long", f"a text of {LONG_WORDS} words", "lamp " * LONG_WORDS, encoding_format="float")


@probe(
    "emb.empty",
    title="Copes with an empty input",
    sees=(EMPTY, NOTHING),
    needs=("emb.basic",),
    basis="observed",
    spec="OpenAPI: CreateEmbeddingRequest.input",
    faults={
        "emb_empty_500": "broken",
        **MISSHAPEN_REFUSALS,
        "status_500": "broken",
    },
)
def empty(seen: Seen) -> Iterator[Check]:
    """An empty text and an empty list get 400 with the documented error body, or an embedding of finite numbers."""
    for scenario in (EMPTY, NOTHING):
        capture = seen[scenario]
        if 400 <= (capture.status or 0) < 500:
            yield from envelope(capture)
            continue
        yield from accepted(capture)
        nothing = scenario is NOTHING and capture.at("data") == []
        fine = nothing or vector(capture, zero=True) is not None
        yield check("embedding", fine, "finite numbers", capture.at("data"), of=capture)


@probe(
    "emb.too_long",
    title="Refuses what is too long",
    sees=(TOO_LONG,),
    ability="X",
    needs=("emb.basic",),
    basis="observed",
    spec="OpenAPI: CreateEmbeddingRequest.input",
    threads=("ollama/ollama#10368",),
    faults={"emb_truncates": "ignored"},
)
def too_long(seen: Seen) -> Iterator[Check]:
    """A text beyond every context gets 400 with the documented error body; it is not cut without a word."""
    capture = seen[TOO_LONG]
    if capture.status != 200:
        yield from refuses(capture, 400)
        return
    yield from accepted(capture)
    read = capture.tokens("prompt_tokens")
    if read is None:
        raise Untestable("evidence", "usage does not say how much was read")
    if read < LONG_WORDS:
        raise Ignored("the text was cut without a word", f"400, or {LONG_WORDS} tokens", read)
    yield check("embedding", vector(capture) is not None, "finite numbers", capture.at("data", 0))


@probe(
    "emb.format_bogus",
    title="Refuses an unknown encoding",
    sees=(BOGUS,),
    severity="ext",
    needs=("emb.basic",),
    spec="OpenAPI: CreateEmbeddingRequest.encoding_format",
    threads=("sgl-project/sglang#28803",),
    faults={"emb_any_format": "ignored", **MISSHAPEN_REFUSALS, "status_500": "broken", "status_422": "partial"},
)
def format_bogus(seen: Seen) -> Iterator[Check]:
    """An encoding_format that does not exist gets 400 and the documented error body that names it."""
    yield from refuses(seen[BOGUS], 400, param="encoding_format")


@probe(
    "emb.tokens",
    title="Embeds token ids",
    sees=(TOKENS, TOKEN_LISTS),
    severity="ext",
    needs=("emb.basic",),
    spec="OpenAPI: CreateEmbeddingRequest.input",
    faults={"emb_tokens_500": "broken", "emb_first_alone": "broken"},
)
def tokens(seen: Seen) -> Iterator[Check]:
    """A list of token ids is embedded as one text, two lists as two; or both are cleanly refused."""
    for scenario, count in ((TOKENS, 1), (TOKEN_LISTS, 2)):
        capture = seen[scenario]
        yield from accepted(capture)
        data = capture.at("data")
        several = len(data) if isinstance(data, list) else data
        yield check("one item for each list", several == count, count, several, of=capture)
        fine = all(vector(capture, place) for place in range(count))
        yield check("embeddings", fine, "finite numbers", data, of=capture)


@probe(
    "emb.unicode",
    title="Reads texts beyond ASCII",
    sees=(UNICODE,),
    severity="ext",
    needs=("emb.basic",),
    basis="eco",
    spec="RFC 8259, 8.1",
    faults={"emb_ascii": "partial", "emb_first_alone": "broken"},
)
def unicode(seen: Seen) -> Iterator[Check]:
    """Two texts without a letter of ASCII get embeddings, and not the same one."""
    capture = seen[UNICODE]
    yield from accepted(capture)
    first, second = vector(capture), vector(capture, 1)
    yield check("embeddings", first is not None and second is not None, "finite numbers", capture.at("data"))
    near = cosine(first or (), second or ())
    # No must: a small vocabulary may know none of these signs.
    yield check("they can be told apart", near < TOO_NEAR, f"cosine below {TOO_NEAR}", near, must=False)


@probe(
    "emb.wrong_model",
    title="Refuses a model that does not embed",
    sees=(WRONG_MODEL,),
    severity="ext",
    needs=("emb.basic",),
    basis="observed",
    spec="API guide: error codes",
    faults={
        "ignore_model": "ignored",
        **MISSHAPEN_REFUSALS,
    },
)
def wrong_model(seen: Seen) -> Iterator[Check]:
    """A model that only chats, or does not exist, gets a 4xx and the documented error body."""
    capture = seen[WRONG_MODEL]
    if capture.status == 200 and vector(capture) is not None:
        raise Ignored("another model embeds instead", "404", f"200 by {capture.at('model')}")
    yield check("status", 400 <= (capture.status or 0) < 500, "4xx", capture.status)
    yield from envelope(capture)


PROBES = (empty, too_long, format_bogus, tokens, unicode, wrong_model)
