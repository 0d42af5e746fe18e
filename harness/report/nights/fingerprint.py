"""What must be the same for two runs' figures to stand in one series: endpoint, model, workload and host class.

What a regression may come from is not in it: the server's version, its address, the harness's version, the day.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.report.nights.metrics import NightlyMetric, Reading
from harness.types import JsonObject

_ANYWAY = ("levels", "requests", "duration_s", "slo")
"""Changes to a load that stand in its levels, or are objectives."""
_MACHINE = re.compile(r"x86_64|amd64|aarch64|arm64|riscv64|ppc64le|s390x|i[3-6]86|armv\d\w*", re.IGNORECASE)
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Equal ones may be compared as if only time had passed."""

    parts: tuple[tuple[str, str], ...]
    """Name and value of everything that counts, in one order."""

    @property
    def id(self) -> str:
        """Twelve hex digits of it, for people to tell two apart."""
        return hashlib.sha256(json.dumps(self.parts).encode()).hexdigest()[:12]

    def differences(self, other: Fingerprint) -> list[str]:
        """What ``other`` has otherwise, one line each: ``seed: 0, now 1``."""
        mine, its = dict(self.parts), dict(other.parts)
        names = dict.fromkeys((*mine, *its))
        return [
            f"{name}: {mine.get(name, 'none')}, now {its.get(name, 'none')}"
            for name in names
            if mine.get(name) != its.get(name)
        ]


def fingerprint(manifest: JsonObject, metric: NightlyMetric, reading: Reading) -> Fingerprint:
    """Of one reading of a run, by what the run's manifest says; what it does not say is left out."""
    selection = _object(manifest.get("selection"))
    about = _named(manifest.get("endpoints"), "id", reading.endpoint)
    parts: dict[str, Any] = {
        "endpoint": reading.endpoint,
        "model": about.get("model_id"),
        "work": reading.stage,
        "interface": selection.get("api", "chat"),
        "host": host_class(manifest),
    }
    if reading.kind == "load":
        parts |= dict(_load(manifest, selection, metric, reading))
    elif reading.kind == "probe":
        parts |= dict(_probes(_object(manifest.get("probes"))))
    else:
        task = _named(manifest.get("tasks"), "name", reading.task)
        parts |= {name: task.get(name) for name in ("version", "scorer", "scorer_version", "data_sha256", "n")}
        repeats = _object(selection.get("often")).get(reading.task, selection.get("repeats", 1))
        parts |= {"repeats": repeats, "asked at once": selection.get("concurrency")}
    return Fingerprint(tuple((name, _short(value)) for name, value in parts.items() if value not in (None, "", [], {})))


def planned(manifest: JsonObject) -> set[tuple[str, str, str, str]]:
    """Everything that a run was to measure: (endpoint, kind, task, stage), as in a reading."""
    names = [str(row.get("id")) for row in _list(manifest.get("endpoints"))]
    work = {
        ("load", str(load.get("name")), re.sub(r"#\d+$", "", str(level.get("stage"))))
        for load in _list(manifest.get("loads"))
        for level in _list(load.get("levels"))
    }
    work |= {
        (str(kind), str(name), f"{kind}.{name}")
        for kind, name in ((task.get("kind"), task.get("name")) for task in _list(manifest.get("tasks")))
    }
    if manifest.get("probes"):
        work.add(("probe", "probes", "probes"))
    return {(name, *place) for name in names for place in work}


def host_class(manifest: JsonObject) -> str:
    """System, processor and number of processors of the measuring machine: ``Linux x86_64, 4 processors``.

    Not its name or kernel: the machines of a pool have other names every night.
    """
    told = str(manifest.get("os") or "")
    machine = _MACHINE.search(told)
    kind = f"{told.partition('-')[0]} {machine[0]}" if machine else told
    return f"{kind}, {manifest.get('cpus')} processors"


def _load(
    manifest: JsonObject, selection: JsonObject, metric: NightlyMetric, reading: Reading
) -> Iterator[tuple[str, Any]]:
    load = _named(manifest.get("loads"), "name", reading.task)
    yield from ((name, load.get(name)) for name in ("version", "nonce"))
    levels = [{**one, "stage": re.sub(r"#\d+$", "", str(one.get("stage")))} for one in _list(load.get("levels"))]
    level = _named(levels, "stage", reading.stage)
    yield from ((name, level.get(name)) for name in ("law", "n", "duration_s"))
    yield "seed", manifest.get("seed")
    # A suite says of each of its loads how it is carried out; a single load has the options of its command.
    settings = _object(_object(selection.get("settings")).get(reading.task))
    changes = _object(settings.get("changes") or selection.get("changes"))
    yield from ((name, value) for name, value in changes.items() if name not in _ANYWAY)
    if metric.of_objectives:
        yield "objectives", {name: value for name, value in _object(load.get("slo")).items() if value is not None}


def _probes(probes: JsonObject) -> Iterator[tuple[str, Any]]:
    yield "profile", probes.get("profile")
    ids = sorted(map(str, probes.get("ids") or ()))
    yield "probes", f"{len(ids)} #{hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:8]}" if ids else None


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else f"#{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _named(listed: object, key: str, name: str) -> JsonObject:
    return next((row for row in _list(listed) if row.get(key) == name), {})


def _list(found: object) -> list[JsonObject]:
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _object(found: object) -> JsonObject:
    return found if isinstance(found, dict) else {}
