"""What requests change for themselves, by the header ``x-sim`` or the field ``sim`` of their body."""

from __future__ import annotations

from harness.errors import UsageError
from harness.simulator.profile import Profile
from harness.simulator.refusal import Refusal
from harness.simulator.serving.turn import Turn
from harness.simulator.settings import for_request

_MOST = 1_000
"""Different changes whose profiles are kept."""


class Overrides:
    """The profiles that come of such changes to one, kept by what was changed."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[str, Profile] = {}

    def apply(self, turn: Turn, header: str | None, inside: object) -> None:
        """Take over what the request changes; Refusal 400 where it makes no sense."""
        if not self._profile.per_request or (header is None and inside is None):
            return
        try:
            key = f"{header}\0{inside!r}"
            profile = self._known.get(key) or for_request(self._profile, header, inside)
        except (UsageError, RecursionError) as error:
            raise Refusal(400, f"{error}", param="sim", code="invalid_value") from None
        if len(self._known) < _MOST:
            self._known[key] = profile
        turn.profile = profile
        if profile.mutants != self._profile.mutants:
            turn.mutants = frozenset(profile.mutants)
