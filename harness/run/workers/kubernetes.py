"""A run that was handed out, as objects of Kubernetes: an Indexed Job whose pods are its workers, its plan, its volume.

Pure: nothing is asked of a cluster. Source of every field: the API of Kubernetes 1.37, against whose schema tests hold
what is rendered; ``backoffLimitPerIndex`` is on by default since 1.29.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.errors import UsageError
from harness.run.workers.handed import Start
from harness.types import JsonObject

PLAN = "/plan"
SHARDS = "/shards"
SCRATCH = "/scratch"
USER = 10001
"""Of the image: nobody of any machine."""
_LARGEST = 1_000_000
"""Bytes of a ConfigMap; the API's own bound is 1 MiB for the whole object."""
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]|[KMGTPE]i)?")
_TRIES = 3
"""So often a pod of one worker is started again; it goes on with its own journal."""


class Wanted(NamedTuple):
    """What is to be rendered."""

    name: str
    image: str
    workers: int
    out: str | None = None
    """A URL that every pod can write; None: a volume of the cluster."""
    claim: str | None = None
    """A claim that there is already; None: one is rendered where a volume is needed."""
    storage: str = "10Gi"
    storage_class: str | None = None
    """None: the cluster's default."""
    secrets: Sequence[str] = ()
    """Names of Secrets, each key of which is an environment variable of the workers."""
    cpu: str = "1"
    memory: str = "2Gi"


def name_of(run: str) -> str:
    """A name for the objects of a run: its id, as Kubernetes allows names."""
    plain = re.sub(r"[^a-z0-9]+", "-", run.lower()).strip("-")
    return f"harness-{plain if len(plain) <= 40 else f'{plain[:24]}-{plain[-15:]}'}".strip("-")


def objects(run: str, files: Mapping[str, bytes], wanted: Wanted) -> list[JsonObject]:
    """The objects, in the order in which a cluster should get them.

    Args:
        run: its id, a folder of the volume.
        files: what a worker needs of the plan, by name.
        wanted: everything else.

    Raises:
        UsageError: a name or an amount is none for Kubernetes, or the plan is too large for a ConfigMap.
    """
    _refuse(wanted)
    made = [_plan(wanted, files)]
    if wanted.out is None and wanted.claim is None:
        made.append(_claim(wanted))
    return [*made, _job(wanted, run)]


def _refuse(wanted: Wanted) -> None:
    if not _LABEL.fullmatch(wanted.name) or len(wanted.name) > 50:
        raise UsageError(f"{wanted.name!r} is no name for a Job", hint="At most 50 of a-z, 0-9 and -")
    for name in (*wanted.secrets, *((wanted.claim,) if wanted.claim else ())):
        if not _LABEL.fullmatch(name):
            raise UsageError(f"{name!r} is no name of an object of Kubernetes")
    for amount in (wanted.cpu, wanted.memory, wanted.storage):
        if not _QUANTITY.fullmatch(amount):
            raise UsageError(f"{amount!r} is no amount", hint="As in 1, 500m or 2Gi")


def _about(wanted: Wanted) -> JsonObject:
    return {"name": wanted.name, "labels": {"app.kubernetes.io/name": "endpoint-harness"}}


def _plan(wanted: Wanted, files: Mapping[str, bytes]) -> JsonObject:
    size = sum(len(name) + len(content) for name, content in files.items())
    if size > _LARGEST:
        raise UsageError(
            f"the plan and its data are {size} bytes, and a ConfigMap holds {_LARGEST}",
            hint="Put the run's folder where every pod can read it, and start workers with --plan URL",
        )
    texts: dict[str, str] = {}
    binary: dict[str, str] = {}
    for name, content in files.items():
        if not _KEY.fullmatch(name):
            raise UsageError(f"a ConfigMap cannot hold a file called {name!r}", hint="Rename the data file")
        try:
            texts[name] = content.decode()
        except UnicodeDecodeError:
            binary[name] = base64.b64encode(content).decode()
    held = {"data": texts} | ({"binaryData": binary} if binary else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _about(wanted), "immutable": True, **held}


def _claim(wanted: Wanted) -> JsonObject:
    spec: JsonObject = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": wanted.storage}},
    }
    if wanted.storage_class is not None:
        spec["storageClassName"] = wanted.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _about(wanted), "spec": spec}


def _job(wanted: Wanted, run: str) -> JsonObject:
    argv = Start(PLAN, wanted.workers, wanted.out or f"{SHARDS}/runs/{run}").argv()
    labels = {"app.kubernetes.io/name": "endpoint-harness", "harness-run": wanted.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _about(wanted),
        "spec": {
            "completionMode": "Indexed",
            "completions": wanted.workers,
            "parallelism": wanted.workers,
            "backoffLimitPerIndex": _TRIES,
            "template": {"metadata": {"labels": labels}, "spec": _pod(wanted, argv, labels)},
        },
    }


def _pod(wanted: Wanted, argv: list[str], labels: dict[str, str]) -> JsonObject:
    volumes: list[JsonObject] = [
        {"name": "plan", "configMap": {"name": wanted.name}},
        {"name": "scratch", "emptyDir": {}},
    ]
    mounts: list[JsonObject] = [
        {"name": "plan", "mountPath": PLAN, "readOnly": True},
        {"name": "scratch", "mountPath": SCRATCH},
    ]
    if wanted.out is None:
        volumes.append({"name": "shards", "persistentVolumeClaim": {"claimName": wanted.claim or wanted.name}})
        mounts.append({"name": "shards", "mountPath": SHARDS})
    scratch = {"HOME": SCRATCH, "TMPDIR": SCRATCH, "XDG_CACHE_HOME": f"{SCRATCH}/cache"}
    worker: JsonObject = {
        "name": "worker",
        "image": wanted.image,
        "command": argv,
        "workingDir": SCRATCH,
        "env": [{"name": name, "value": value} for name, value in scratch.items()],
        # No limit of processor time: a throttled client measures its own pauses.
        "resources": {"requests": {"cpu": wanted.cpu, "memory": wanted.memory}, "limits": {"memory": wanted.memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": mounts,
    }
    if wanted.secrets:
        worker["envFrom"] = [{"secretRef": {"name": name}} for name in wanted.secrets]
    return {
        "restartPolicy": "Never",  # as backoffLimitPerIndex wants it: a new pod goes on with the shard
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # Workers on one machine take processor time from each other.
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels},
            }
        ],
        "containers": [worker],
        "volumes": volumes,
    }
