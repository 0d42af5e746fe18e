"""What lets requests in: a key, or tokens that are replaced before they end, and headers that are as secret.

Nothing of it is ever written: whoever stores anything is given ``secrets`` and takes them out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from harness.errors import CannotMeasure, HarnessError
from harness.secrets import hidden

AHEAD_S = 225.0
"""So long before its end a token is replaced. Clouds hand out a new one only in the last five minutes of the old one's
life, so asking earlier is in vain."""
_SLACK_S = 5.0
"""A token that ends sooner may have ended when the request arrives."""
_PATIENCE_S = 60.0
_AGAIN_S = 10.0
"""After a failure it is tried again so much later, or sooner where the token at hand ends sooner."""


class Token(NamedTuple):
    """What a cloud gave."""

    text: str
    left_s: float
    """Seconds that it is still good for."""


Source = Callable[[], Token]
"""Asks a cloud for a token, and waits for it. Raises HarnessError in one line that holds no secret."""


class Signer(NamedTuple):
    """What signs each request for itself, with its body and the time."""

    region: str
    service: Literal["bedrock", "bedrock-mantle"]
    """Under whose name it signs."""
    credentials: Callable[[], object]
    """Those of now, as the cloud's own library has them."""


class Credentials:
    """What the requests to one provider carry to be let in, at this moment.

    ``key`` is what is sent as the key, None: nothing. With a ``source`` it is the last token; ``begin`` gets the first
    one, and ``renew`` is awaited where ``due`` says so. With a ``signer`` there is no key to send. ``headers``, which
    are as secret, are sent too, and so are ``plain`` ones, which are not. ``secrets`` takes in every secret before it
    is first sent, tokens of later too.
    """

    def __init__(
        self,
        key: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        plain: Mapping[str, str] = MappingProxyType({}),
        source: Source | None = None,
        signer: Signer | None = None,
        secrets: list[str] | None = None,
    ) -> None:
        self.key = key
        self.headers = {**plain, **headers}
        self.signer = signer
        self.secrets: list[str] = [] if secrets is None else secrets
        self.renewals: list[tuple[int, int]] = []
        """Beginning and end of each asking for a token while requests were under way, in ``perf_counter_ns``."""
        self._source = source
        self._due_ns: int | None = None if source is None else 0
        self._ends_ns = 0
        self._renewing: asyncio.Task[None] | None = None
        self._problem: HarnessError | None = None
        self.hide(key, *headers.values())

    @property
    def changing(self) -> bool:
        """Whether the key is a token, which another one follows."""
        return self._source is not None

    @property
    def due(self) -> bool:
        """Whether it is time for another token."""
        return self._due_ns is not None and time.perf_counter_ns() >= self._due_ns

    def hide(self, *secrets: str | None) -> None:
        """Take in what is about to be sent."""
        hidden.note(*(one for one in secrets if one))
        self.secrets += [one for one in dict.fromkeys(secrets) if one and one not in self.secrets]

    def begin(self) -> None:
        """Get the first token, if any is needed; raises what its source raises."""
        if self._source is not None and self.key is None:
            self._take(self._source())

    async def renew(self) -> None:
        """See to another token; waits for it only where the one at hand has ended.

        One call at a time asks, in a thread of its own, so that requests go on with the token at hand. Raises
        CannotMeasure or ConfigError where that has ended and there is no other.
        """
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._ask())
        if self._ended():
            await asyncio.shield(self._renewing)
            if self._ended():
                assert self._problem is not None
                raise self._problem

    async def _ask(self) -> None:
        assert self._source is not None
        began_ns = time.perf_counter_ns()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                self._take(await asyncio.to_thread(self._source))
        except TimeoutError:
            self._put_off(CannotMeasure(f"no token came within {_PATIENCE_S:g} s"))
        except HarnessError as error:
            self._put_off(error)
        finally:
            self.renewals.append((began_ns, time.perf_counter_ns()))

    def _ended(self) -> bool:
        return time.perf_counter_ns() >= self._ends_ns

    def _put_off(self, problem: HarnessError) -> None:
        self._problem = problem
        now_ns = time.perf_counter_ns()
        self._due_ns = now_ns + min(round(_AGAIN_S * 1e9), max(0, self._ends_ns - now_ns) // 2)

    def _take(self, token: Token) -> None:
        if not token.text or not token.text.isascii() or not token.text.isprintable():
            raise CannotMeasure("the token that came cannot be sent in a header")
        if token.left_s <= 0:
            raise CannotMeasure("the token that came had already ended", hint="Is this machine's clock right?")
        self.hide(token.text)
        if token.text != self.key:  # a head is known by the very object
            self.key = token.text
        now_ns = time.perf_counter_ns()
        self._ends_ns = now_ns + round((token.left_s - min(_SLACK_S, token.left_s / 10)) * 1e9)
        self._due_ns = now_ns + round(max(token.left_s - AHEAD_S, token.left_s / 2) * 1e9)
