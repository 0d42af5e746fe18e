"""Embeddings of the same texts by the endpoints of a run, set against each other: for the tables and for ``--json``.

The vectors are read from the answers that the run kept with its texts; nothing of them is stored a second time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import orjson

from harness.report import words
from harness.report.document import Grid, Note, grid
from harness.stats.vectors import Alike, Structure, alike, structure
from harness.store.query import rows
from harness.types import JsonObject
from harness.wire.embeddings import BadVectorsError, vectors

_ANSWERS = """
select a.endpoint, t.request_body, t.response_body
from attempts a join attempt_metrics m using (run_id, job_id, number, shard, session)
join texts t using (run_id, job_id, number)
where a.run_id = ? and a.api = 'embeddings' and a.kind in ('quality', 'tools') and m.ok and m.last_attempt
order by a.endpoint, a.sample, a.repeat
"""

_Asked = Mapping[str, Sequence[Sequence[float]]]
"""Every vector that an endpoint gave, by its text."""


def agreement(results: Path, run: str, names: Sequence[str]) -> JsonObject:
    """How the vectors of a run's tasks agree: of each endpoint with itself, and of every pair.

    Returns:
        ``endpoints`` (a row each: ``n`` texts, ``dimensions``, and ``itself``: the cosines of two vectors of the same
        text where a text was asked twice, the noise that no agreement with others can be expected to beat; None: none
        was) and ``pairs`` (``n`` texts of both; ``cosines`` of the same text, None where the lengths differ; and
        ``structure``, how far both have the same texts alike, None of too few texts). ``dimensions`` is None where an
        endpoint gave vectors of several lengths: it is then in no pair. Estimates have ``value``, ``low`` and ``high``
        (95 %; None: not bounded).

    Errors: as ``rows``.
    """
    asked: dict[str, dict[str, list[Sequence[float]]]] = {name: defaultdict(list) for name in names}
    for row in rows(results, _ANSWERS, [run]):
        for text, vector in _vectors(row["request_body"], row["response_body"]):
            asked[row["endpoint"]][text].append(vector)
    lengths = {name: {len(one) for given in of.values() for one in given} for name, of in asked.items()}
    one_length = {name: found.pop() for name, found in lengths.items() if len(found) == 1}
    return {
        "endpoints": [
            {
                "endpoint": name,
                "n": len(of),
                "dimensions": one_length.get(name),
                "itself": _itself(of) if name in one_length else None,
            }
            for name, of in asked.items()
        ],
        "pairs": [
            _pair(asked, one_length, baseline, endpoint)
            for baseline, endpoint in combinations(names, 2)
            if baseline in one_length and endpoint in one_length
        ],
    }


def _vectors(request: str | None, response: str | None) -> Iterator[tuple[str, Sequence[float]]]:
    """Each text of a request with its vector; none where the texts of the run were purged."""
    try:
        asked = orjson.loads(request or "")["input"]
        got = vectors(orjson.loads(response or ""), set())
    except (orjson.JSONDecodeError, LookupError, TypeError, BadVectorsError):
        return
    yield from zip(asked, got, strict=False)


def _itself(of: _Asked) -> JsonObject | None:
    """The first vector of each text against each later one."""
    twice = [(text, given[0], later) for text, given in of.items() for later in given[1:]]
    return _alike(
        alike([first for _, first, _ in twice], [later for _, _, later in twice]), [text for text, *_ in twice]
    )


def _pair(asked: Mapping[str, _Asked], lengths: Mapping[str, int], baseline: str, endpoint: str) -> JsonObject:
    texts = [text for text in asked[baseline] if text in asked[endpoint]]
    one, other = ([asked[name][text][0] for text in texts] for name in (baseline, endpoint))
    same = lengths[baseline] == lengths[endpoint]
    return {
        "baseline": baseline,
        "endpoint": endpoint,
        "n": len(texts),
        "same_dimensions": same,
        "cosines": _alike(alike(one, other), texts) if same else None,
        "structure": _structure(structure(one, other)),
    }


def _alike(found: Alike | None, texts: Sequence[str]) -> JsonObject | None:
    """``texts`` are those that were compared, in their order."""
    if found is None:
        return None
    return {"n": found.n, "mean": found.mean._asdict(), "least": found.least, "least_text": texts[found.least_at]}


def _structure(found: Structure | None) -> JsonObject | None:
    if found is None:
        return None
    correlation = found.correlation._asdict() if not math.isnan(found.correlation.value) else None
    return {**found._asdict(), "correlation": correlation, "neighbours": found.neighbours._asdict()}


# --- in words -------------------------------------------------------------------------------------------


def shown(found: JsonObject) -> Iterator[Grid | Note]:
    """The tables of an agreement."""
    yield grid(
        "Vectors",
        1,
        ("endpoint", "texts", "dimensions", "asked twice", "cosine to itself", "lowest"),
        (_own(row) for row in found["endpoints"]),
    )
    if not found["pairs"]:
        return
    yield grid(
        "Agreement of vectors [95 % intervals]",
        2,
        (
            "of",
            "with",
            "texts",
            "dimensions",
            "cosine of the same text",
            "lowest",
            "which are alike",
            "same neighbours",
        ),
        (_two(row) for row in found["pairs"]),
    )
    yield Note(_MEANING, "quiet")


_MEANING = (
    "cosine of the same text: 1 where both give the same vector. which are alike: rank correlation of the cosines "
    "between all texts, for models and lengths that differ too. same neighbours: of each text's nearest ones."
)


def _own(row: JsonObject) -> Sequence[str]:
    itself = row["itself"]
    return (
        row["endpoint"],
        str(row["n"]),
        words.NOTHING if not row["n"] else "several" if row["dimensions"] is None else str(row["dimensions"]),
        str(itself["n"]) if itself else words.NOTHING,
        _cosine(itself["mean"]) if itself else words.NOTHING,
        f"{itself['least']:.6f}" if itself else words.NOTHING,
    )


def _two(row: JsonObject) -> Sequence[str]:
    cosines, structured = row["cosines"], row["structure"]
    correlation = structured and structured["correlation"]
    near = structured and structured["neighbours"]
    return (
        row["baseline"],
        row["endpoint"],
        str(row["n"]),
        "equal" if row["same_dimensions"] else "differ",
        _cosine(cosines["mean"]) if cosines else words.NOTHING,
        f"{cosines['least']:.4f}" if cosines else words.NOTHING,
        _cosine(correlation) if correlation else words.NOTHING,
        f"{words.percent(near['value'])} of {structured['k']}, {words.percent(structured['chance'])} by chance"
        if near
        else words.NOTHING,
    )


def _cosine(of: JsonObject) -> str:
    if of["low"] is None:
        return f"{of['value']:.4f}"
    return f"{of['value']:.4f} [{of['low']:.4f}–{of['high']:.4f}]"
