"""Biases, penalties and stop sequences of the simulated model."""

from __future__ import annotations

from harness.simulator.model import tokens, vocabulary
from harness.simulator.model.steering import steered
from harness.simulator.model.stopping import cut
from harness.simulator.requests.asked import read


def said(text: str, **fields: object) -> list[str]:
    """The tokens that come of a text under these parameters."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return steered(text, read(body, "chat", frozenset()))


def test_every_token_id_has_a_text_of_its_own() -> None:
    """Ids and texts are one to one, and each text is one token."""
    texts = [vocabulary.text_of(number) for number in range(vocabulary.SIZE)]
    assert len(set(texts)) == vocabulary.SIZE
    assert {tokens.count(text) for text in texts} == {1}
    assert all(vocabulary.id_of(text) in (number, None) for number, text in enumerate(texts))


def test_biases_decide_only_at_their_extremes() -> None:
    """A bias of 100 leaves one token, one of -100 takes it away, and one between changes nothing."""
    one = str(vocabulary.id_of("1"))
    assert said("1 2 3", logit_bias={one: 100}, max_tokens=2) == ["1", "1"]
    assert "1" not in said("1 2 3", logit_bias={one: -100})
    assert said("1 2 3", logit_bias={one: 50}) == ["1", " 2", " 3"]


def test_penalties_thin_out_what_is_repeated() -> None:
    """With a high frequency_penalty a token comes a few times at most, with a negative one as often as before."""
    laugh = "ha" + " ha" * 9
    assert said(laugh, frequency_penalty=2).count(" ha") == 3
    assert said(laugh, frequency_penalty=-2).count(" ha") == 9


def test_the_stop_sequence_that_comes_first_ends_the_text() -> None:
    """Not the order in the request counts, but the place in the text."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stop": [".", "sea", "x"]}
    asked = read(body, "chat", frozenset())
    assert cut("The sea. Ships.", asked, frozenset()) == ("The ", True)
    assert cut("A ship", asked, frozenset()) == ("A ship", False)
