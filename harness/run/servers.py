"""The servers that a sitting starts itself: in the order in which they need each other, and watched until it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import engines
from harness.engines import Running, child
from harness.provider import Provider, Serve

_LAST_LINES = 3
"""Of a log that are told of a server that ended by itself."""


class Servers:
    """What runs, by provider id."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[str, Running]] = {}
        self.crashed: str | None = None
        """Which server ended by itself, how, and its last words, in one line; None: none was seen to have ended."""

    @property
    def base_urls(self) -> Mapping[str, str]:
        """Where they are."""
        return {name: running.base_url for name, (_, running) in self._running.items()}

    @property
    def versions(self) -> Mapping[str, str]:
        """What they are."""
        return {name: running.version for name, (_, running) in self._running.items()}

    def look(self) -> str | None:
        """Look whether one has ended by itself; gives ``crashed``. It takes no time worth speaking of."""
        if self.crashed is None:
            for name, (engine, running) in self._running.items():
                if (code := running.ended()) is not None:
                    words = child.last_lines(running.log, _LAST_LINES)
                    last = f"its last words: {words}" if words else "it said nothing"
                    self.crashed = f"{engine} of provider {name} {child.how_ended(code)}; {last}"
                    break
        return self.crashed

    def add(self, provider: Provider, stack: ExitStack, logs: Path, announce: Callable[[str], None]) -> str:
        """Start a provider's server, where that is not done yet, after the one before which it stands; its address.

        Raises EngineError when it does not start.
        """
        if provider.id in self._running:
            return self._running[provider.id][1].base_url
        if provider.serve is None:
            return provider.base_url or ""
        serve = provider.serve
        if serve.upstream is not None:
            serve = _before(serve, self.add(serve.upstream, stack, logs, announce))
        what = f"{serve.engine} for {provider.id}"
        announce(f"starting {what}")
        running = engines.start(serve, log_dir=logs, tell=announce)
        stack.callback(running.stop)
        self._running[provider.id] = serve.engine, running
        return running.base_url


@contextmanager
def serving(providers: Iterable[Provider], logs: Path, announce: Callable[[str], None]) -> Iterator[Servers]:
    """The servers of these providers, and of those that they stand before, for the length of the block.

    ``logs``: folder for what they print; ``announce`` is told in one line what is waited for. They stop in the reverse
    order of their start.
    Raises EngineError when one does not start; those before it are stopped.
    """
    servers = Servers()
    with ExitStack() as stack:
        for provider in providers:
            servers.add(provider, stack, logs, announce)
        yield servers


def _before(serve: Serve, base_url: str) -> Serve:
    """The block of a server that stands before another one, with that one's address and its name of the model."""
    assert serve.upstream is not None
    options: dict[str, Any] = {**serve.options, "upstream": base_url}
    if "upstream_model" in options:
        model = str(options["upstream_model"])
        options["upstream_model"] = serve.upstream.models.get(model, model)
    return replace(serve, options=options)
