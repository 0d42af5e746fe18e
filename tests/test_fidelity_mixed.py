"""Several servers behind one address: counts, names and times that give them away, and one server that does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fidelity_made import called
from numpy.random import Generator

from harness.fidelity.mixed import Request, mixture
from harness.fidelity.modes import modes


def _run(draw: Generator, n: int, *, slow: float = 1.0, share: float = 0.0, after: int | None = None, **other):
    """Requests of three prompts of different lengths; a share, or those from a place on, are another server's."""
    found = []
    for at in range(n):
        elsewhere = draw.random() < share if after is None else at >= after
        base = 100 * (1 + at % 3) * math.exp(draw.normal(0, 0.15)) * (slow if elsewhere else 1.0)
        said = {"prompt_tokens": 40 + at % 3, "fingerprint": "fp_a", "model": "m"} | (other if elsewhere else {})
        if isinstance(said["prompt_tokens"], str):
            said["prompt_tokens"] = 40 + at % 3 + int(said["prompt_tokens"])
        found.append(Request(f"p{at % 3}", ttft_ms=base, **said))
    return found


def test_one_server() -> None:
    """Prompts of different lengths and times, one server: one of everything, and no hump or change."""
    found = mixture(_run(np.random.default_rng(1), 150))
    assert not found.found
    assert (found.fingerprint.pattern, found.prompt_tokens.named.pattern, found.model.pattern) == ("one",) * 3
    assert (found.prompt_tokens.offsets, found.prompt_tokens.differing, found.change) == ({0: 150}, {}, ())


def test_two_templates_in_turns() -> None:
    """A third of the answers count eleven tokens more: mixed, as one offset, and by prompt."""
    found = mixture(_run(np.random.default_rng(2), 150, share=0.3, prompt_tokens="11"))
    assert found.found
    assert found.prompt_tokens.named.pattern == "mixed"
    assert list(found.prompt_tokens.offsets) == [0, 11]
    assert set(found.prompt_tokens.differing["p0"]) == {40, 51}


def test_a_server_that_was_replaced_inside_the_run() -> None:
    """A new fingerprint from request 90 on, and a third slower: switched there, and a change point beside it."""
    found = mixture(_run(np.random.default_rng(3), 150, slow=1.35, after=90, fingerprint="fp_b"))
    assert (found.fingerprint.pattern, found.fingerprint.at, found.fingerprint.changes) == ("switched", 90, 1)
    assert [abs(change.at - 90) <= 3 for change in found.change] == [True]
    assert found.change[0].size == pytest.approx(1.35, abs=0.1)


def test_a_gateway_names_whom_it_asked() -> None:
    """Two backends in turns are several servers; a fingerprint that is new with every answer names none."""
    found = mixture(_run(np.random.default_rng(5), 60, share=0.3, backend="b"))
    assert not found.found, "one name, and answers without any"
    told = [Request("p", backend="ab"[at % 2], fingerprint=f"fp_{at}") for at in range(20)]
    found = mixture(told)
    assert (found.backend.pattern, found.fingerprint.pattern, found.found) == ("mixed", "new each time", True)


def test_times_alone_tell_servers_apart() -> None:
    """Three in ten answers take thrice as long to begin: two humps, with the trough between them."""
    found = mixture(_run(np.random.default_rng(4), 240, slow=3.0, share=0.3))
    assert found.times is not None
    assert found.times.p_value <= 0.05
    assert found.found


def test_what_is_not_stated_is_no_finding() -> None:
    """No usage, no fingerprint, no times: nothing is known, and nothing found."""
    found = mixture([Request("p"), Request("p")])
    assert not found.found
    assert (found.fingerprint.pattern, found.times, found.change) == ("not stated", None, ())
    assert mixture([]).requests == 0


def test_few_or_equal_values_have_no_humps() -> None:
    """Below forty values there is no test; values that are all the same have p 1."""
    assert modes([1.0] * 39) is None
    assert modes([1.0] * 50) == (1.0, None, 50)


@pytest.mark.parametrize("law", ["uniform", "normal", "gumbel", "t"])
def test_one_hump_is_called_several_in_a_twentieth_at_most(law: str) -> None:
    """100 samples each of 60 uniform (5 %), normal, skewed and heavy-tailed values: a twentieth, or fewer."""

    def p_of(draw: Generator, run: int) -> float:
        drawn = {
            "uniform": draw.random(60),
            "normal": draw.normal(0, 1, 60),
            "gumbel": draw.gumbel(0, 1, 60),
            "t": draw.standard_t(4, 60),
        }
        found = modes(drawn[law].tolist(), draws=99, seed=run)
        return found.p_value if found else 1.0

    assert called(p_of, 100, seed=1) <= 0.09
