"""What a person wants to know of a provider, in lines: facts, differences in words, how it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.preflight.readiness import key_state
from harness.provider import About, Provider, Quirks
from harness.request import adapted

Line = tuple[str, str]
"""What it is about, and what is said."""


def state_of(provider: Provider, *, short: bool = False) -> str:
    """How far its facts can be trusted, or what to know first; empty: it says all itself, and nobody checked it.

    ``short``: that there is something to know, not what.
    """
    about = provider.about
    if about.status:
        return "see show" if short else about.status
    if not about.verified:
        return "unverified" if provider.preset else ""
    return f"verified, {len(about.unverified)} open" if about.unverified else "verified"


def address_of(provider: Provider) -> str:
    """Where it is, or that it is started for a run."""
    if provider.base_url is not None:
        return provider.base_url
    return f"started on demand ({provider.serve.engine if provider.serve else '?'})"


def key_of(provider: Provider) -> str:
    """The key's place and whether it is there."""
    auth, state = provider.auth, key_state(provider)
    if auth.file is not None:
        return f"the file {auth.file} ({'there' if state == 'set' else state})"
    if auth.keyring is not None:
        return f"the keyring's entry {auth.keyring}"
    if auth.env is not None:
        other = f" or {' or '.join(auth.env_alt)}" if auth.env_alt else ""
        cloud = f", else {auth.scheme} credentials" if auth.from_cloud and state != "set" else ""
        return f"{auth.env}{other} ({state}{cloud})"
    return f"{auth.scheme} credentials" if auth.from_cloud else "none"


def portrait(provider: Provider) -> Iterator[Line]:
    """All there is to say of a provider beside its block, in an order for reading."""
    about = provider.about
    yield "key", key_of(provider)
    if about.key_url and key_state(provider) == "missing":
        yield "keys are to be had at", about.key_url
    yield from (("sent", line) for line in differences(provider.quirks))
    if provider.env_headers:
        yield "headers from the environment", ", ".join(f"{name}: {env}" for name, env in provider.env_headers.items())
    yield from _facts(about)


def differences(quirks: Quirks) -> list[str]:
    """What its quirks change of a request or of what is read in an answer, in words."""
    named = [*quirks.drop, *quirks.rename, *quirks.clamp, *quirks.ignored]
    lines = [f"the output limit is sent as {quirks.max_tokens_field}", *dict.fromkeys(adapted(quirks, named))]
    said = {
        "stream_options.include_usage is not sent": not quirks.stream_usage,
        f"every body holds {json.dumps(quirks.extra_body, ensure_ascii=False)} besides": bool(quirks.extra_body),
        f"probes of visible text allow {quirks.reasoning_tokens} tokens more, for thinking": quirks.reasoning_tokens,
        f"embeddings are asked of {quirks.embedding_model}": quirks.embedding_model is not None,
        f"the cost is read in the header {quirks.cost_header}": quirks.cost_header is not None,
        f"its own times are read: {', '.join(quirks.server_timing)}": quirks.server_timing,
        f"the backend is read in {quirks.backend_field or ', '.join(quirks.backend_headers)}": (
            quirks.backend_field or quirks.backend_headers
        ),
        "reasoning tokens are counted beside the completion tokens": not quirks.reasoning_in_completion,
    }
    return lines + [words for words, is_so in said.items() if is_so]


def _facts(about: About) -> Iterator[Line]:
    plain = {
        "title": about.title,
        "status": about.status,
        "install": about.install,
        "start": about.start,
        "default port": str(about.port or ""),
        "one backend alone": about.pin,
        "model ids": about.model_ids,
        "reasoning": about.reasoning,
        "usage": about.usage,
        "metrics": about.metrics,
    }
    yield from ((label, text) for label, text in plain.items() if text)
    limits = about.rate_limit
    if limits.headers:
        per = {"requests": limits.requests_per, "tokens": limits.tokens_per}
        told = [f"{what} per {window}" for what, window in per.items() if window]
        told += [f"resets as {limits.reset}"] if limits.reset else []
        yield "limits are told in", ", ".join(limits.headers) + (f" ({', '.join(told)})" if told else "")
    yield from (("note", note) for note in about.notes)
    if about.source:
        yield "sources", "; ".join(about.source)
    if about.checked:
        yield "checked", f"{about.checked}, {'verified' if about.verified else 'not verified'}"
    if about.seen:
        yield "tried with", about.seen
    if about.unverified:
        yield "not found in writing", "; ".join(about.unverified)


def use_lines(provider: Provider) -> tuple[str, ...]:
    """The lines of a providers.yaml that use a preset; empty: there is nothing to add."""
    if provider.yours or provider.preset is None:
        return ()
    return ("providers:", f"  {provider.id}: {{use: {provider.preset}}}")
