"""Work that can wait: nothing more urgent is held up by it, and none of it is lost."""

from __future__ import annotations

import asyncio

import pytest

from harness.run import later
from harness.run.later import Later


def test_one_piece_is_done_in_a_turn_of_the_loop() -> None:
    """What the loop was told to do meanwhile has its turn between two pieces, and the oldest piece comes first."""

    async def run() -> list[object]:
        done: list[object] = []
        waiting = Later[object](done.append)
        for piece in range(3):
            waiting.add(piece)
        assert done == []
        for turn in "abc":
            await asyncio.sleep(0)
            done.append(turn)
        return done

    assert asyncio.run(run()) == [0, "a", 1, "b", 2, "c"]


def test_the_rest_is_done_when_asked_for() -> None:
    """After ``rest`` nothing waits, and nothing is done twice."""

    async def run() -> list[int]:
        done: list[int] = []
        waiting = Later[int](done.append)
        for piece in range(3):
            waiting.add(piece)
        waiting.rest()
        assert done == [0, 1, 2]
        waiting.add(3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return done

    assert asyncio.run(run()) == [0, 1, 2, 3]


def test_no_more_than_so_many_pieces_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece too many has the oldest done at once."""
    monkeypatch.setattr(later, "_MOST", 2)

    async def run() -> list[int]:
        done: list[int] = []
        waiting = Later[int](done.append)
        for piece in range(4):
            waiting.add(piece)
        return list(done)

    assert asyncio.run(run()) == [0, 1]


@pytest.mark.parametrize("how", ["add", "rest"])
def test_an_error_reaches_who_comes_next(how: str) -> None:
    """An error of a piece is not lost in the loop: the next piece, or the end, raises it, and nothing more is done."""
    done: list[int] = []

    def do(piece: int) -> None:
        if piece == 1:
            raise ValueError("piece 1")
        done.append(piece)

    async def run() -> None:
        waiting = Later[int](do)
        for piece in range(3):
            waiting.add(piece)
        for _ in range(4):
            await asyncio.sleep(0)
        with pytest.raises(ValueError, match="piece 1"):
            waiting.add(3) if how == "add" else waiting.rest()

    asyncio.run(run())
    assert done == [0]
