"""Probes of embeddings: what comes back."""

import base64
import math
import struct
from collections.abc import Iterator

from harness.conformance import Check, Ignored, Seen, Untestable, accepted, check, dig, embed, present, probe
from harness.conformance.plain import NO_POST
from harness.conformance.vectors import cosine, vector

TEXT = "The lighthouse keeper winds the oldest clock of the harbour every evening."
OTHERS = (
    "A recipe for bread needs flour, water and salt.",
    "The train to the mountains leaves at noon.",
    "Prime numbers have exactly two divisors.",
    "She painted the garden gate green last spring.",
)
BATCH_TEXTS = (*OTHERS[:3], TEXT, OTHERS[3])
PLACE = BATCH_TEXTS.index(TEXT)
SMALL = 64
SAME, NEAR = 0.9999, 0.999
"""Cosines of what is the same but for rounding, and of what a batch or another kernel may change."""

FLOAT = embed("emb_float", "one text as numbers", TEXT, encoding_format="float")
AGAIN = embed("emb_again", "the same twice more", TEXT, send={"repeats": 2}, encoding_format="float")
BASE64 = embed("emb_base64", "the same text as base64", TEXT, encoding_format="base64")
BATCH = embed("emb_batch", "five texts, that one among them", list(BATCH_TEXTS), encoding_format="float")
DIMENSIONS = embed("emb_dimensions", f"the same text in {SMALL} dimensions", TEXT, dimensions=SMALL)


@probe(
    "emb.basic",
    title="Embeds a text",
    sees=(FLOAT, NO_POST),
    severity="core",
    spec="OpenAPI: CreateEmbeddingResponse, Embedding",
    faults={"emb_404": "rejected", "emb_nested": "broken", "emb_no_usage": "partial"},
)
def basic(seen: Seen) -> Iterator[Check]:
    """One text gets object list and one item: object embedding, index 0 and an array of finite numbers; and usage."""
    capture = seen[FLOAT]
    yield from present(capture, seen[NO_POST])
    data = capture.at("data")
    yield check("data", isinstance(data, list) and len(data) == 1, "one item", data)
    yield check("embedding", vector(capture) is not None, "finite numbers, not all 0", capture.at("data", 0))
    yield check("index", capture.at("data", 0, "index") == 0, 0, capture.at("data", 0, "index"))
    for field, wanted in (("object", "list"), ("model", "a string")):
        value = capture.at(field)
        yield check(field, value == wanted or (field == "model" and isinstance(value, str)), wanted, value, must=False)
    kind = capture.at("data", 0, "object")
    yield check("object of the item", kind == "embedding", "embedding", kind, must=False)
    yield check("usage", bool(capture.usage), "prompt_tokens and total_tokens", capture.at("usage"), must=False)


@probe(
    "emb.base64",
    title="Encodes embeddings as base64",
    sees=(FLOAT, BASE64),
    severity="core",
    basis="observed",
    needs=("emb.basic",),
    spec="OpenAPI: CreateEmbeddingRequest.encoding_format; the official client asks for it unless told otherwise",
    threads=("sgl-project/sglang#28803", "openai/openai-python#1490"),
    faults={
        "emb_ignore_base64": "ignored",
        "emb_big_endian": "broken",
        "emb_doubles": "broken",
        "emb_noise": "broken",
    },
)
def base64_(seen: Seen) -> Iterator[Check]:
    """With encoding_format base64 the text decodes to as many 4-byte little-endian numbers, of cosine 0.9999."""
    plain, capture = vector(seen[FLOAT]), seen[BASE64]
    if plain is None:
        raise Untestable("evidence", "the same text as numbers did not come")
    yield from accepted(capture)
    given = capture.at("data", 0, "embedding")
    if isinstance(given, list):
        raise Ignored("numbers came", "base64", given)
    yield check("embedding", isinstance(given, str), "a string", given)
    try:
        packed = base64.b64decode(given, validate=True)
    except ValueError:
        packed = b""
    yield check("it is base64", bool(packed), "base64", given)
    yield check("length", len(packed) == 4 * len(plain), f"{4 * len(plain)} bytes", f"{len(packed)} bytes")
    decoded = struct.unpack(f"<{len(plain)}f", packed)
    yield check("numbers", all(map(math.isfinite, decoded)), "finite numbers", given)
    near = cosine(plain, decoded)
    yield check("the same embedding", near >= SAME, f"cosine {SAME}", near)


@probe(
    "emb.batch_order",
    title="Keeps the order of a batch",
    sees=(FLOAT, BATCH),
    severity="core",
    needs=("emb.basic",),
    spec="OpenAPI: CreateEmbeddingRequest.input, Embedding.index",
    faults={
        "emb_first_alone": "broken",
        "emb_index_zero": "broken",
        "emb_reversed": "broken",
        "emb_swapped": "broken",
    },
)
def batch_order(seen: Seen) -> Iterator[Check]:
    """Five texts get five items with index 0 to 4 in this order, and each embedding is of its own text."""
    alone, capture = vector(seen[FLOAT]), seen[BATCH]
    yield from accepted(capture)
    data = capture.at("data")
    count = len(data) if isinstance(data, list) else data
    yield check("one item for each text", count == len(BATCH_TEXTS), len(BATCH_TEXTS), count)
    given = [dig(item, "index") for item in data]
    yield check("indexes", given == [*range(len(BATCH_TEXTS))], [*range(len(BATCH_TEXTS))], given)
    found = [vector(capture, place) for place in range(len(BATCH_TEXTS))]
    yield check("embeddings", None not in found, "finite numbers", data)
    if alone is not None:
        like = [cosine(alone, one) >= NEAR if one else False for one in found]
        # Where it is like none of them, that is another fault, and no word about the order.
        mistaken = any(like) and not like[PLACE]
        yield check("each text's own embedding", not mistaken, f"the text at {PLACE}", [i for i in range(5) if like[i]])


@probe(
    "emb.batch_equal",
    title="Embeds alike alone and in a batch",
    sees=(FLOAT, AGAIN, BATCH),
    over="all",
    needs=("emb.batch_order",),
    basis="eco",
    spec="OpenAPI: CreateEmbeddingRequest.input",
    faults={"emb_batch_differs": "broken"},
)
def batch_equal(seen: Seen) -> Iterator[Check]:
    """A text's embedding in a batch of five has a cosine of 0.999 or more to its embedding alone."""
    alone, again, capture = vector(seen[FLOAT]), vector(seen[AGAIN]), seen[BATCH]
    if alone is None or again is None or cosine(alone, again) < NEAR:
        raise Untestable("evidence", "alone it does not get the same embedding twice either")
    yield from accepted(capture)
    beside = vector(capture, PLACE)
    yield check("embedding", beside is not None, "finite numbers", capture.at("data", PLACE))
    near = cosine(alone, beside or ())
    yield check("the same embedding", near >= 0.99, f"cosine {NEAR}", near)
    yield check("the same but for rounding", near >= NEAR, f"cosine {NEAR}", near, must=False)


@probe(
    "emb.dimensions",
    title="Shortens embeddings",
    sees=(FLOAT, DIMENSIONS),
    needs=("emb.basic",),
    spec="OpenAPI: CreateEmbeddingRequest.dimensions",
    faults={"emb_ignore_dimensions": "ignored"},
)
def dimensions(seen: Seen) -> Iterator[Check]:
    """With dimensions 64 the embedding has 64 numbers, and its length is still about 1 where it was before."""
    full, capture = vector(seen[FLOAT]), seen[DIMENSIONS]
    yield from accepted(capture)
    short = vector(capture)
    yield check("embedding", short is not None, "finite numbers", capture.at("data", 0))
    if full and short and len(short) == len(full) != SMALL:
        raise Ignored("the embedding has its full length", SMALL, len(short))
    yield check("numbers", len(short or ()) == SMALL, SMALL, len(short or ()))
    norm, before = math.hypot(*(short or ())), math.hypot(*(full or ()))
    scaled = abs(norm - 1) < 0.1 or abs(before - 1) >= 0.1
    yield check("scaled to length 1", scaled, "about 1", norm, must=False)


@probe(
    "emb.usage",
    title="Counts what it embeds",
    sees=(FLOAT, BATCH),
    needs=("emb.basic",),
    spec="OpenAPI: CreateEmbeddingResponse.usage",
    faults={"emb_no_usage": "broken", "emb_usage_total": "partial", "emb_usage_first": "broken"},
)
def usage(seen: Seen) -> Iterator[Check]:
    """Usage has prompt_tokens above 0, total_tokens is the same, and every further text of a batch adds to it."""
    one, several = seen[FLOAT], seen[BATCH]
    yield from accepted(one)
    prompt, total = one.tokens("prompt_tokens"), one.tokens("total_tokens")
    yield check("usage.prompt_tokens", bool(prompt), "more than 0", prompt, of=one)
    if several.status == 200:
        # Further texts have a token each at the very least.
        least, grown = (prompt or 0) + len(OTHERS), several.tokens("prompt_tokens") or 0
        yield check("every text counts", grown >= least, f"at least {least}", grown, of=several)
    yield check("usage.total_tokens", total == prompt, prompt, total, must=False)


@probe(
    "emb.determinism",
    title="Embeds the same text alike",
    sees=(FLOAT, AGAIN),
    over="all",
    needs=("emb.basic",),
    basis="eco",
    spec="OpenAPI: CreateEmbeddingRequest.input",
    faults={"emb_noise": "broken"},
)
def determinism(seen: Seen) -> Iterator[Check]:
    """One text sent three times gets embeddings with cosines of 0.9999 or more to the first."""
    first = vector(seen[FLOAT])
    later = [vector(capture) for capture in seen.all(AGAIN) if capture.status == 200]
    if first is None or not later:
        raise Untestable("evidence", "the same request was not answered again")
    yield check("embeddings", None not in later, "finite numbers", "others")
    least = min(cosine(first, one or ()) for one in later)
    yield check("the same embedding", least >= NEAR, f"cosine {SAME}", least)
    yield check("the same but for rounding", least >= SAME, f"cosine {SAME}", least, must=False)


PROBES = (basic, base64_, batch_order, batch_equal, dimensions, usage, determinism)
