"""``harness k8s``: a run that was handed out, for a cluster of Kubernetes."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.config.file import as_text
from harness.errors import UsageError
from harness.record.folder import open_run, write_atomic
from harness.run.workers import handed
from harness.run.workers.kubernetes import Wanted, name_of, objects


@click.group()
def command() -> None:
    """Render the workers of a run for Kubernetes.

    \b
    Example:
      harness k8s render latest --image registry.example/harness:1 --workers 8 | kubectl apply -f -
    """


@command.command()
@click.argument("run", default="latest")
@click.option("--image", required=True, metavar="NAME", help="Image with the harness in it; see docs/containers.md.")
@click.option("--workers", type=click.IntRange(1, 10_000), required=True, help="How many pods share the load.")
@click.option("--out", metavar="URL", help="Object store that every pod can write. [default: a volume of the cluster]")
@click.option("--claim", metavar="NAME", help="Use this PersistentVolumeClaim, and render none.")
@click.option("--storage", default="10Gi", show_default=True, help="Size of the volume that is claimed.")
@click.option("--storage-class", metavar="NAME", help="Of that volume, which all pods write. [default: the cluster's]")
@click.option("--secret", "secrets", multiple=True, metavar="NAME", help="Secret with keys as environment variables.")
@click.option("--cpu", default="1", show_default=True, help="Processors that each pod asks for.")
@click.option("--memory", default="2Gi", show_default=True, help="Memory of each pod.")
@click.option("--name", help="Of the objects. [default: made of the run's id]")
@click.option("--file", type=options.NewFile(), help="Write there instead of printing.")
@options.results
def render(
    run: str,
    image: str,
    workers: int,
    out: str | None,
    claim: str | None,
    storage: str,
    storage_class: str | None,
    secrets: tuple[str, ...],
    cpu: str,
    memory: str,
    name: str | None,
    file: Path | None,
    results: Path,
) -> None:
    """Print an Indexed Job for RUN, with its plan as a ConfigMap and a volume for the shards; no cluster is asked.

    RUN was handed out by `harness load ... --executor hand`. Keys are not in it: name the Secret that holds them. A pod
    that is lost is started again and takes up the schedule where that is by then.

    \b
    Examples:
      harness k8s render latest --image example/harness:1 --workers 8 --out s3://bucket/loads/1 --secret vendor-keys
      harness k8s render latest --image example/harness:1 --workers 4 --storage-class nfs --file job.yaml
    """
    if out is not None and "://" not in out:
        raise UsageError(f"--out {out} is no URL", hint="Pods share no folder but a volume: leave --out away for one")
    folder = open_run(results, run)
    files = handed.files(folder)
    handed.refuse_unhanded(folder.id, folder.read_manifest())
    wanted = Wanted(
        *(name or name_of(folder.id), image, workers, out, claim, storage, storage_class),
        *(secrets, cpu, memory),
    )
    text = "---\n".join(as_text(one) for one in objects(folder.id, files, wanted))
    if file is None:
        click.echo(text, nl=False)
    else:
        write_atomic(file, text.encode())
