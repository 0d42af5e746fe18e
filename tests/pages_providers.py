"""docs/providers.md, made of the presets: who can be asked, how, what differs, and what of it is proven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import harness
from harness import config
from harness.preflight.portrait import differences
from harness.provider import About, Auth, Provider, RateLimit
from harness.run.observers.server_names import NAMES

DIALECTS = Path(harness.__file__).parent / "simulator" / "dialects"
KINDS = {"hosted": "Hosted", "gateway": "Routers and gateways", "local": "Servers of your own"}
CREDENTIALS = {
    "google_adc": "Google's application default credentials",
    "entra": "Entra ID, by the Azure identity library",
    "aws": "SigV4 with the AWS credential chain",
}


def presets() -> dict[str, Provider]:
    """The presets alone, by their names."""
    names = {path.stem for path in config.presets()}
    return {name: provider for name, provider in config.load_providers().items() if name in names}


def page() -> str:
    """A table for each kind, then a section for each preset."""
    found = presets()
    parts = []
    for kind, title in KINDS.items():
        rows = {name: one for name, one in sorted(found.items()) if one.kind == kind}
        parts += [f"## {title}\n", *_table(rows), ""]
    parts.append("## Each in detail\n")
    for name, provider in sorted(found.items()):
        parts += [*_section(name, provider), ""]
    return "\n".join(parts).rstrip()


def _table(rows: Mapping[str, Provider]) -> Iterator[str]:
    yield "| `use:` | system | address | key | written | played | real |"
    yield "|---|---|---|---|---|---|---|"
    for name, provider in rows.items():
        about = provider.about
        written = f"{about.checked}{'' if about.verified else ', not verified'}"
        if about.unverified:
            written += f", but for {len(about.unverified)}"
        played = "yes" if (DIALECTS / f"{name}.yaml").exists() else "no"
        cells = (f"[`{name}`](#{name})", about.title, f"`{provider.base_url}`", _key(provider), written, played)
        yield "| " + " | ".join((*cells, about.seen or "–")) + " |"


def _key(provider: Provider) -> str:
    auth: Auth = provider.auth
    names = " or ".join(f"`{name}`" for name in (auth.env, *auth.env_alt) if name)
    if auth.scheme in CREDENTIALS:
        return f"{names}, else {CREDENTIALS[auth.scheme]}" if names else CREDENTIALS[auth.scheme]
    if not names:
        return "none"
    return f"{names} in `{auth.header}`" if auth.scheme == "header" else names


def _section(name: str, provider: Provider) -> Iterator[str]:
    about = provider.about
    yield f"### {name}\n"
    yield f"{about.title}." + (f" **{about.status}**" if about.status else "") + "\n"
    lines = {
        "start": f"`{about.start}`" if about.start else "",
        "install": f"`{about.install}`" if about.install else "",
        "key": about.key_url,
        "headers": _pairs(provider.headers),
        "headers from the environment": _pairs(provider.env_headers),
        "query": _pairs(provider.query),
        "models": _pairs(provider.models) + ("" if provider.discovery else "; `GET /models` does not list them"),
        "how models are called": about.model_ids,
        "what is changed": "; ".join(differences(provider.quirks)),
        "declared": _declared(provider),
        "reasoning": about.reasoning,
        "usage": about.usage,
        "cost": _cost(provider),
        "rate limits": _limits(about.rate_limit),
        "its own times": _pairs(provider.quirks.server_timing),
        "metrics": _metrics(about),
        "to measure one backend": about.pin,
        "notes": "; ".join(about.notes),
        "source": "; ".join(about.source),
        "not found in writing": "; ".join(about.unverified),
        "real server": about.seen,
    }
    for title, text in lines.items():
        if text.strip("; "):
            yield f"- {title}: {text.removeprefix('; ')}"


def _declared(provider: Provider) -> str:
    told = provider.declared
    kinds = (("refused", told.unsupported), ("without effect", told.ignored))
    said = "; ".join(f"{word}: " + ", ".join(f"`{one}`" for one in ids) for word, ids in kinds if ids)
    return f"{said} ({told.source})" if said else ""


def _cost(provider: Provider) -> str:
    parts = [f"prices of genai-prices' `{provider.price_provider}`"] if provider.price_provider else []
    if provider.quirks.cost_header:
        parts.insert(0, f"told in the header `{provider.quirks.cost_header}`")
    if not provider.quirks.reasoning_in_completion:
        parts.append("reasoning tokens are counted beside the completion's and paid on top")
    return "; ".join(parts)


def _limits(limit: RateLimit) -> str:
    parts = [", ".join(f"`{name}`" for name in limit.headers)] if limit.headers else []
    parts += [f"requests per {limit.requests_per}"] if limit.requests_per else []
    parts += [f"tokens per {limit.tokens_per}"] if limit.tokens_per else []
    parts += [f"resets: {limit.reset}"] if limit.reset else []
    return "; ".join(parts)


def _metrics(about: About) -> str:
    """What is said of its metrics, and which of their names the harness reads."""
    begin = about.metrics.rpartition("; ")[2]
    names = [name for found in NAMES.values() for name in found if begin and name.startswith(begin)]
    return about.metrics + ("; read: " + ", ".join(f"`{name}`" for name in names) if names else "")


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}`: `{value}`" for name, value in values.items())
