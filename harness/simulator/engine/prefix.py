"""The prefix cache: how much of a prompt an engine has read before, in whole blocks, as paged engines keep it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator

from harness.simulator.model import tokens
from harness.simulator.requests.asked import Asked
from harness.simulator.requests.messages import text_of

BLOCK = 16
"""Tokens in a block, vLLM's default."""


class PrefixCache:
    """Blocks by the hash of all that stands before them and in them; the one not used for longest is forgotten.

    Source: vLLM, "Automatic Prefix Caching": a block is known by the hash of its prefix and its own tokens.
    """

    def __init__(self, capacity_tokens: int) -> None:
        self._capacity = max(1, capacity_tokens // BLOCK)
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def known(self, asked: Asked, prompt: int) -> int:
        """Tokens of the prompt that need no prefill, at least one less than ``prompt``; it is known from now on."""
        found, whole, before = 0, True, 0
        for block in _blocks(asked):
            before = hash((before, block))
            whole = whole and before in self._blocks
            found += whole
            self._blocks[before] = None
            self._blocks.move_to_end(before)
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)
        return min(found * BLOCK, max(0, prompt - 1))


def _blocks(asked: Asked) -> Iterator[tuple[str, ...]]:
    """The whole blocks of a prompt: tools, then every message with its role."""
    text = "".join(f"{tool.name} {json.dumps(tool.parameters, sort_keys=True)}\n" for tool in asked.tools)
    text += "".join(f"{message['role']}\n{text_of(message)}\n" for message in asked.messages)
    split = tokens.split(text)
    for start in range(0, len(split) - BLOCK + 1, BLOCK):
        yield tuple(split[start : start + BLOCK])
