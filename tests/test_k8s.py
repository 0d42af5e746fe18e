"""A run for Kubernetes: what is rendered fits the published schema, and its command works where the index is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from made import WAIT_S, begin, environment, harness
from simulated import KEY, simulator

from harness.cli import cli
from harness.errors import UsageError
from harness.run.workers.kubernetes import Wanted, name_of, objects

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "tests/schemas/kubernetes.json").read_text())
FILES = {"run.json": b"{}", "providers.yaml": b"providers: {}\n"}
RUN = "20261126t150000z-chat-1a2b3c"


def fits(thing: Any) -> bool:
    """Whether Kubernetes would take it for what its kind says."""
    kinds = {one["$ref"].rpartition(".")[2]: one for one in SCHEMA["oneOf"]}
    assert thing["apiVersion"]
    return jsonschema.Draft202012Validator({**kinds[thing["kind"]], "$defs": SCHEMA["$defs"]}).is_valid(thing)


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        ({}, ["ConfigMap", "PersistentVolumeClaim", "Job"]),
        ({"storage_class": "nfs", "secrets": ("keys", "more-keys")}, ["ConfigMap", "PersistentVolumeClaim", "Job"]),
        ({"claim": "ours"}, ["ConfigMap", "Job"]),
        ({"out": "s3://bucket/loads/1"}, ["ConfigMap", "Job"]),
    ],
)
def test_what_is_rendered_fits_the_schema(wanted: dict[str, Any], kinds: list[str]) -> None:
    """Of every form; the volume is claimed only where one is needed, and every volume that is mounted is there."""
    files = {**FILES, "data-0-x.parquet": b"\xff\x00"}
    found = objects(RUN, files, Wanted(name_of(RUN), "example/harness:1", 8, **wanted))
    assert [one["kind"] for one in found] == kinds
    assert all(map(fits, found))
    job = found[-1]["spec"]
    assert (job["completions"], job["parallelism"], job["completionMode"]) == (8, 8, "Indexed")
    pod = job["template"]["spec"]
    (worker,) = pod["containers"]
    assert {mount["name"] for mount in worker["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert pod["securityContext"]["runAsNonRoot"]
    assert worker["securityContext"]["readOnlyRootFilesystem"]
    assert set(found[0]["data"]) == set(FILES)
    assert set(found[0]["binaryData"]) == {"data-0-x.parquet"}


def test_the_schema_refuses_what_is_none() -> None:
    """A misspelt field, a missing one and a wrong type do not pass, so that passing says something."""
    (_, _, job) = objects(RUN, FILES, Wanted("x", "i", 1))
    for change in ({"completion": 1}, {"completions": "one"}, {"template": {"spec": {"containers": [{"image": "x"}]}}}):
        assert not fits(job | {"spec": job["spec"] | change})
    assert not fits(job | {"spec": {"completions": 1}})


@pytest.mark.parametrize(
    ("files", "wanted", "why"),
    [
        (FILES, {"name": "Not_A_Name"}, "no name for a Job"),
        (FILES, {"name": "x" * 51}, "no name for a Job"),
        (FILES, {"secrets": ("a b",)}, "no name of an object"),
        (FILES, {"memory": "2 GB"}, "'2 GB' is no amount"),
        ({"run.json": b"x" * 1_000_001}, {}, "a ConfigMap holds 1000000"),
        ({"data-0-a b.jsonl": b""}, {}, "cannot hold a file called"),
    ],
)
def test_what_a_cluster_would_refuse_is_told_here(files: dict[str, bytes], wanted: dict[str, Any], why: str) -> None:
    """In one line, before anybody applies it."""
    with pytest.raises(UsageError, match=why):
        objects(RUN, files, Wanted(**{"name": "x", "image": "i", "workers": 2, **wanted}))


@pytest.mark.parametrize("run", [RUN, "A_renamed.Run", "20261126t150000z-" + "long-" * 8 + "-1a2b3c"])
def test_a_name_is_one_for_kubernetes(run: str) -> None:
    """Whatever a folder is called, its objects and their pods can be made."""
    assert all(map(fits, objects(run, FILES, Wanted(name_of(run), "i", 2))))


def test_the_containers_command_shares_a_run_by_the_index(tmp_path: Path) -> None:
    """Two processes with the command of the pods, told only JOB_COMPLETION_INDEX, ask each request of the run once."""
    with simulator("--set", "ttft_ms=5", "--set", "itl_ms=1") as served:
        about = {"kind": "simulated", "auth": {"env": "SIM_KEY"}, "models": {"m": "sim-small"}}
        block = about | {"base_url": served.provider.base_url}
        (tmp_path / "providers.yaml").write_text(json.dumps({"providers": {"sim": block}}))
        load = ("load", "chat", "-e", "sim/m", "--rate", "50", "-n", "20", "--warmup", "0", "--output-tokens", "4")
        env = environment(SIM_KEY=KEY)
        handed = harness(tmp_path, *load, "--no-calibrate", "--executor", "hand", "--workers", "2", "--json", env=env)
        assert handed.returncode == 0, handed.stderr
        run = json.loads(handed.stdout)["run"]
        made = harness(tmp_path, "k8s", "render", run, "--image", "example/harness:1", "--workers", "2", env=env)
        config, claim, job = yaml.safe_load_all(made.stdout)
        assert all(map(fits, (config, claim, job)))
        assert KEY not in made.stdout
        for name, content in config["data"].items():
            (tmp_path / "plan").mkdir(exist_ok=True)
            (tmp_path / "plan" / name).write_text(content)
        command = job["spec"]["template"]["spec"]["containers"][0]["command"]
        assert command[0] == "harness"
        here = {"/plan": f"{tmp_path}/plan", f"/shards/runs/{run}": f"{tmp_path}/shards/runs/{run}"}
        argv = [here.get(word, word) for word in command[1:]]
        pods = []
        for index in range(2):
            (tmp_path / f"pod{index}").mkdir()
            pods.append(begin(tmp_path / f"pod{index}", *argv, env=env | {"JOB_COMPLETION_INDEX": str(index)}))
        for pod in pods:
            _, err = pod.communicate(timeout=WAIT_S)
            assert pod.returncode == 0, err
    gathered = harness(tmp_path, "gather", run, "--from", f"{tmp_path}/shards/runs/{run}", "--json", env=env)
    assert gathered.returncode == 0, gathered.stderr
    asked = harness(tmp_path, "sql", "--json", "select count(*) as n, count(distinct job_id) as jobs from attempts")
    assert json.loads(asked.stdout) == [{"n": 20, "jobs": 20}]


def test_a_run_that_was_not_handed_out_is_told(tmp_path: Path) -> None:
    """It has its results already; and --out is a URL, since pods share no folder."""
    argv = ["k8s", "render", "--image", "i", "--workers", "2", "--results", str(ROOT / "tests/stores/2")]
    for more, why in (([], "was not handed out"), (["--out", "folder"], "is no URL")):
        error = CliRunner().invoke(cli, [*argv, *more]).exception
        assert isinstance(error, UsageError)
        assert why in str(error)
