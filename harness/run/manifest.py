"""What a run is, as its ``run.json`` says: selection, hashes, versions, host, and the prices of the day."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version

from harness import __version__
from harness.prices import price_of
from harness.provider import Auth, Endpoint, Serve
from harness.record import versions
from harness.record.folder import RunFolder
from harness.request import canonical_sha256
from harness.run import differing
from harness.run.arrivals import Closed
from harness.run.planning.adaptations import adaptations
from harness.run.planning.plan import Plan, sha256
from harness.run.planning.stages import Stage
from harness.types import JsonObject


def first(folder: RunFolder, plan: Plan, lines: bytes) -> JsonObject:
    """The manifest that a new run begins with; ``lines`` is its plan as written."""
    changed = adaptations(plan)
    endpoints, judges = (
        [_endpoint_json(plan.endpoints[name], changed.get(name, [])) for name in names]
        for names in (plan.tested, plan.selection.judges)
    )
    return {
        "schema_version": versions.VERSION,
        "id": folder.root.name,
        "status": "running",
        "suite": plan.selection.suite,
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "finished_at": None,
        "seed": plan.selection.seed,
        "planned": sum(1 for _ in plan.jobs),
        "selection": asdict(plan.selection),
        "plan_sha256": sha256(lines),
        "config_sha256": canonical_sha256([row["config_sha256"] for row in endpoints + judges]),
        "harness_version": __version__,
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "os": platform.platform(),
        "host": platform.node(),
        "cpus": os.cpu_count(),
        "endpoints": endpoints,
        **({"judges": judges} if judges else {}),
        "tasks": [_task_json(plan, name) for name in plan.tasks],
        "loads": loads_json(plan),
        "probes": {"profile": plan.selection.probes, "ids": [probe.id for probe in plan.probes]}
        if plan.probes
        else None,
    }


def asked_of(manifest: JsonObject) -> list[JsonObject]:
    """What a manifest says of every endpoint that is asked, those that judge among them."""
    return [*manifest["endpoints"], *manifest.get("judges", ())]


def config_sha256(endpoint: Endpoint) -> str:
    """Of what decides which bytes go where; limits, deadlines and prices may change while a run is under way."""
    return canonical_sha256(_config(endpoint))


def configured(endpoint: Endpoint) -> JsonObject:
    """The hash of what decides which bytes go where, and its parts in short, by which a difference can be named."""
    return {"config_sha256": config_sha256(endpoint), "config": differing.config_parts(_config(endpoint))}


def _config(endpoint: Endpoint) -> JsonObject:
    provider = endpoint.provider
    return {
        "model_id": endpoint.model_id,
        "base_url": provider.base_url,
        "auth": _auth_json(provider.auth),
        "headers": dict(provider.headers),
        "env_headers": dict(provider.env_headers),
        "query": dict(provider.query),
        "quirks": asdict(provider.quirks),
        "serve": _serve_json(provider.serve) if provider.serve else None,
    }


def _auth_json(auth: Auth) -> JsonObject:
    """Without what it does not name, where an older harness knew no such name."""
    kept = {name: value for name in ("file", "keyring") if (value := getattr(auth, name)) is not None}
    return {name: value for name, value in asdict(auth).items() if name not in ("file", "keyring")} | kept


def _serve_json(serve: Serve) -> JsonObject:
    """What is started, and what it asks in turn."""
    told: JsonObject = {"engine": serve.engine, "options": dict(serve.options)}
    if (upstream := serve.upstream) is not None:
        served = _serve_json(upstream.serve) if upstream.serve else None
        told["upstream"] = {"base_url": upstream.base_url, "models": dict(upstream.models), "serve": served}
    return told


def _endpoint_json(endpoint: Endpoint, changed: Sequence[str]) -> JsonObject:
    """``changed`` is what its quirks change of what is asked."""
    price, provider = price_of(endpoint), endpoint.provider
    return {
        "id": endpoint.id,
        "provider": provider.id,
        "kind": provider.kind,
        "model": endpoint.model,
        "model_id": endpoint.model_id,
        "base_url": provider.base_url,
        "engine": provider.serve.engine if provider.serve else None,
        "engine_version": None,
        "price": asdict(price) if price else None,
        "naming": provider.quirks.naming._asdict(),
        "usd_per_hour": provider.usd_per_hour,
        "limits": asdict(provider.limits),
        "declared": asdict(provider.declared),
        "adapted": list(changed),
        **configured(endpoint),
    }


def loads_json(plan: Plan) -> list[JsonObject]:
    """The loads of a plan with their levels."""
    return [_load_json(plan, name) for name in plan.loads]


def _task_json(plan: Plan, name: str) -> JsonObject:
    task = plan.tasks[name]
    return {
        "name": name,
        "version": task.version,
        "kind": task.kind,
        "scorer": task.scorer.name,
        "scorer_version": task.scorer.version,
        "data_sha256": differing.data_sha256(plan, name),
        "n": sum(1 for task_name, _ in plan.samples if task_name == name),
        **({"api": "embeddings"} if any(one.inputs for (of, _), one in plan.samples.items() if of == name) else {}),
    }


def _load_json(plan: Plan, name: str) -> JsonObject:
    load = plan.loads[name]
    levels = [
        {
            "stage": stage.name,
            "law": stage.law.label,
            "closed": isinstance(stage.law, Closed),
            "duration_s": stage.duration_s,
            **({} if stage.block is None else {"block": stage.block}),
            "n": max(sum(job.phase == "measure" for job in lane) for lane in stage.lanes),
        }
        for stage in _stages_of(plan, name)
    ]
    return {
        "name": name,
        "version": load.version,
        "slo": asdict(load.slo),
        "nonce": load.nonce,
        "levels": levels,
    }


def _stages_of(plan: Plan, load: str) -> list[Stage]:
    return [stage for stage in plan.stages if stage.name.startswith(f"load.{load}@")]
