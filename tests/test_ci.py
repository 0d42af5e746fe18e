"""The GitHub action, the examples and the GitLab template: their shape, and every script of theirs run here."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ci_made import ROOT, Runner, defaults, read, scripts, steps

from harness.record.folder import open_run

ACTION = read(ROOT / "action.yml")
SCRIPTS = scripts()
EXAMPLES = sorted((ROOT / "docs" / "ci").glob("github-*.yml"))
GITLAB = read(ROOT / "docs" / "ci" / "gitlab.yml")
FORK = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "x/y"}}, "base": {"repo": {"full_name": "o/y"}}}}
OWN = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "o/y"}}, "base": {"repo": {"full_name": "o/y"}}}}

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def work_in(folder: Path, gate: str = "{metric: quality, min: 50%}", **changes: object) -> None:
    """A suite of twenty sums, and who answers them."""
    (folder / "ci").mkdir(parents=True)
    judged = f"gate: {{gates: [{gate}]}}\n" if gate else ""
    (folder / "ci" / "night.yaml").write_text(f"tasks: ['arithmetic:20']\n{judged}")
    told = {"engine": "simulator", "profile": "steady-vendor", "ttft_ms": 0, "itl_ms": 0, "accuracy": 1, **changes}
    block = {"kind": "simulated", "models": {"sim-small": "sim-small"}, "serve": told}
    (folder / "providers.yaml").write_text(json.dumps({"providers": {"quick": block, "steady-vendor": block}}))


# --- shape -----------------------------------------------------------------------------------------------


def test_the_action_and_the_examples_fit_their_schemas() -> None:
    """Those of SchemaStore."""
    schemas = ROOT / "tests" / "schemas"
    jsonschema.Draft7Validator(json.loads((schemas / "github-action.json").read_text())).validate(ACTION)
    workflow = jsonschema.Draft7Validator(json.loads((schemas / "github-workflow.json").read_text()))
    assert len(EXAMPLES) == 2
    for path in EXAMPLES:
        workflow.validate(read(path))


def test_examples_use_inputs_that_there_are() -> None:
    """And suites that ship."""
    for path in EXAMPLES:
        for job in read(path)["jobs"].values():
            given = job["steps"][-1]["with"]
            assert set(given) <= set(ACTION["inputs"])
            assert (ROOT / "tasks" / "suites" / f"{given['suite']}.yaml").exists()


def test_no_script_holds_an_expression() -> None:
    """What others wrote, such as the name of a branch, is an environment variable and never a part of a script."""
    assert all("${{" not in script for script in SCRIPTS.values())
    assert all(step["shell"] == "bash" for step in steps().values() if "run" in step)


def test_every_expression_names_what_there_is() -> None:
    """Inputs and outputs of steps."""
    text = (ROOT / "action.yml").read_text()
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) <= set(ACTION["inputs"])
    written = {
        step["id"]: set(re.findall(r'echo "([a-z-]+)=', step["run"])) for step in steps().values() if "id" in step
    }
    for step, name in re.findall(r"steps\.([a-z]+)\.outputs\.([a-z-]+)", text):
        assert name in written[step]


def test_results_and_report_are_kept_whatever_the_verdict() -> None:
    """Upload, history and comment happen after a failure too; the verdict ends the job, last."""
    found = steps()
    for name in ("Write the report", "Keep this night", "Upload results and report", "Renew the comment"):
        assert found[name]["if"].startswith("always()")
    assert list(found)[-1] == "End with the verdict"
    assert "simulated != 'true'" in found["Keep this night"]["if"]
    assert found["Restore earlier nights"]["with"]["key"] == found["Keep this night"]["with"]["key"]


def test_no_key_is_an_input() -> None:
    """Secrets come by the environment alone; the token of the comment is the job's own."""
    assert {name for name in ACTION["inputs"] if re.search("key|secret|password|token", name)} == {"token"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_sound_bash(tmp_path: Path, name: str) -> None:
    """As far as bash can say without running it."""
    (tmp_path / "step.sh").write_text(SCRIPTS[name])
    done = subprocess.run(["bash", "-n", str(tmp_path / "step.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- each step -------------------------------------------------------------------------------------------

CHOICES = {
    "nothing is needed": ({}, {}, "", "false a/m b/m"),
    "all is there": (OWN, {"A_KEY": "x"}, "A_KEY", "false a/m b/m"),
    "a fork without": (FORK, {}, "A_KEY", "true steady-vendor/sim-small"),
    "a fork with": (FORK, {"A_KEY": "x"}, "A_KEY", "false a/m b/m"),
    "an empty one in a fork": (FORK, {"A_KEY": ""}, "A_KEY", "true steady-vendor/sim-small"),
    "a fork that was deleted": (
        {"pull_request": {"head": {"repo": None}, "base": {"repo": {"full_name": "o/y"}}}},
        {},
        "A_KEY",
        "true steady-vendor/sim-small",
    ),
}


@pytest.mark.parametrize(("event", "env", "needs", "chosen"), CHOICES.values(), ids=CHOICES)
def test_a_fork_without_secrets_asks_the_simulator(
    tmp_path: Path, event: dict[str, Any], env: dict[str, str], needs: str, chosen: str
) -> None:
    """And says so; with them, or where none are needed, it asks whom it was told to."""
    runner = Runner(tmp_path / "w", event, env)
    step = "Choose who is asked"
    done = runner.run(SCRIPTS[step], **defaults(step, ENDPOINTS="a/m\n  b/m\n", NEEDS=needs))
    assert done.returncode == 0, done.stderr
    assert f"{runner.outputs['simulated']} {runner.outputs['endpoints']}" == chosen
    assert ("the simulator is asked" in done.stdout) == chosen.startswith("true")
    assert runner.outputs["fork"] == str(event in (FORK, CHOICES["a fork that was deleted"][0])).lower()


def test_a_missing_secret_elsewhere_is_a_mistake(tmp_path: Path) -> None:
    """Its name is told, and nobody is asked."""
    step = "Choose who is asked"
    done = Runner(tmp_path / "w", OWN).run(SCRIPTS[step], **defaults(step, ENDPOINTS="a/m", NEEDS="A_KEY B_KEY"))
    assert done.returncode == 2
    assert "::error title=endpoint-harness::Not set: A_KEY B_KEY." in done.stdout


def test_what_is_installed_is_pinned(tmp_path: Path) -> None:
    """The action's own tree with its constraints, in an environment of its own that later steps find."""
    runner = Runner(tmp_path / "w")
    said = tmp_path / "said"
    fake = (
        f'#!/bin/sh\necho "$@" >> "{said}"\nif [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi\n'
    )
    (runner.folder / ".bin" / "python").write_text(fake)
    done = runner.run(SCRIPTS["Install"], ACTION_PATH="/there/action")
    assert done.returncode == 0, done.stderr
    venv = runner.folder / ".temp" / "endpoint-harness"
    assert said.read_text().splitlines() == [
        f"-m venv {venv}",
        "-m pip install --quiet --disable-pip-version-check --constraint /there/action/constraints.txt /there/action",
    ]
    assert runner.file("path").read_text().strip() == str(venv / "bin")


def night(runner: Runner, **said: str) -> subprocess.CompletedProcess[str]:
    """The step that runs the suite."""
    step = "Run the suite"
    usual = {"SUITE": "ci/night.yaml", "ENDPOINTS": "quick/sim-small", "SIMULATED": "false"}
    return runner.run(SCRIPTS[step], **defaults(step, **(usual | said)))


def end(runner: Runner, **said: str) -> int:
    """The exit code of the job."""
    step = "End with the verdict"
    return runner.run(SCRIPTS[step], **defaults(step, CODE=runner.outputs["exit-code"], **said)).returncode


def test_a_night_is_judged_and_reported(tmp_path: Path) -> None:
    """JUnit, summary, comment, verdict and badge are there, and so is the report."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder)
    done = night(runner, OPTIONS="--max-requests 40")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (runner.outputs["verdict"], runner.outputs["exit-code"]) == ("pass", "0")
    assert runner.file("summary").read_text().startswith("### Gate: pass")
    output = runner.folder / "harness-output"
    assert open_run(runner.folder / "results", "latest").read_manifest()["selection"]["store_text"] == "none"
    assert ET.parse(output / "junit.xml").getroot().tag == "testsuites"
    assert (output / "comment.md").read_text().startswith("<!-- endpoint-harness: night -->")
    assert json.loads((output / "badge.json").read_text())["message"] == "pass"
    step = "Write the report"
    told = runner.run(SCRIPTS[step], **defaults(step, RUN=runner.outputs["run"]))
    assert told.returncode == 0, told.stderr
    assert runner.outputs["run"] in (output / "report.html").read_text()
    assert json.loads((output / "report.json").read_text())["endpoints"]
    assert end(runner) == 0


def test_what_is_worse_fails_the_job_at_its_end(tmp_path: Path) -> None:
    """The step itself goes on, so that everything is kept."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder, accuracy=0)
    done = night(runner)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (runner.outputs["verdict"], runner.outputs["exit-code"]) == ("fail", "1")
    assert "::error" in done.stdout
    assert end(runner) == 1


def test_what_cannot_be_told_fails_the_job_only_if_that_is_wanted(tmp_path: Path) -> None:
    """Inconclusive is a notice, and with strict a failure."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder, "{metric: quality, worse_by: 2 points, mode: history}")
    night(runner)
    assert (runner.outputs["verdict"], runner.outputs["exit-code"]) == ("inconclusive", "4")
    assert end(runner) == 0
    assert end(runner, STRICT="true") == 4


def test_a_mistake_is_an_error_with_a_summary(tmp_path: Path) -> None:
    """A suite that is not there: exit code 2."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder)
    done = night(runner, SUITE="nihgtly")
    assert done.returncode == 0, done.stderr
    assert "Did you mean nightly" in done.stderr
    assert (runner.outputs["verdict"], runner.outputs["exit-code"]) == ("error", "2")
    assert "did not run to its end (exit code 2)" in runner.file("summary").read_text()
    assert end(runner) == 2


def test_without_a_gate_the_report_is_what_is_shown(tmp_path: Path) -> None:
    """In the summary and in the comment."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder, "")
    night(runner)
    assert (runner.outputs["verdict"], runner.outputs["exit-code"]) == ("none", "0")
    step = "Write the report"
    done = runner.run(SCRIPTS[step], **defaults(step, SUITE="ci/night.yaml", RUN=runner.outputs["run"]))
    assert done.returncode == 0, done.stderr
    assert "quick/sim-small" in runner.file("summary").read_text()
    comment = (runner.folder / "harness-output" / "comment.md").read_text()
    assert comment.startswith("<!-- endpoint-harness: night -->\n")


def test_on_the_simulator_nothing_is_judged(tmp_path: Path) -> None:
    """And the summary says why."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder, accuracy=0)
    night(runner, SIMULATED="true", ENDPOINTS="steady-vendor/sim-small")
    assert (runner.outputs["verdict"], runner.outputs["exit-code"]) == ("simulated", "0")
    assert "nothing about real endpoints" in runner.file("summary").read_text()


def test_names_are_words_and_never_commands(tmp_path: Path) -> None:
    """An input that looks like one is an endpoint that there is not."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder)
    done = night(runner, ENDPOINTS="$(touch${IFS}owned) ;touch owned *")
    assert not (runner.folder / "owned").exists()
    assert runner.outputs["exit-code"] == "2"
    assert done.returncode == 0


# --- the comment -----------------------------------------------------------------------------------------


class _Comments(http.server.BaseHTTPRequestHandler):
    """As much of an API of comments as is needed."""

    rows: list[dict[str, Any]]
    asked: list[tuple[str, str, str]]
    status = 200

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        self.asked.append((self.command, self.path, self.headers["authorization"]))
        if self.command in ("POST", "PATCH") and self.status == 200:
            if self.command == "POST":
                self.rows.append({"id": 900 + len(self.rows), "user": {"type": "Bot"}, **json.loads(body)})
            else:
                next(row for row in self.rows if self.path.endswith(f"/{row['id']}")).update(json.loads(body))
        page = int((re.search(r"[?&]page=(\d+)", self.path) or ["", "1"])[1])
        data = json.dumps(self.rows[(page - 1) * 100 : page * 100]).encode()
        self.send_response(self.status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Nothing."""


@pytest.fixture
def comments() -> Iterator[tuple[str, type[_Comments]]]:
    """An address, and what is kept there."""
    handler: type[_Comments] = type("Made", (_Comments,), {"rows": [], "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def renew(runner: Runner, url: str, text: str) -> subprocess.CompletedProcess[str]:
    """The step that writes the comment."""
    output = runner.folder / "harness-output"
    output.mkdir(exist_ok=True)
    (output / "comment.md").write_text(text)
    step = "Renew the comment"
    env = {"GITHUB_API_URL": url, "GITHUB_REPOSITORY": "o/y", "TOKEN": "made-up-token"}
    return runner.run(SCRIPTS[step], **defaults(step, **env))


def test_a_pull_request_has_one_comment_that_is_renewed(tmp_path: Path, comments: tuple[str, type[_Comments]]) -> None:
    """Found by its marker among those of bots, however many there are; a person's is never touched."""
    url, made = comments
    mark = "<!-- endpoint-harness: night -->"
    made.rows += [{"id": n, "user": {"type": "User"}, "body": f"{mark} quoted {n}"} for n in range(130)]
    runner = Runner(tmp_path / "w", OWN)
    for text in ('first `x` "quoted"', "second"):
        done = renew(runner, url, f"{mark}\n{text}\n")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [row["body"] for row in made.rows if row["user"]["type"] == "Bot"] == [f"{mark}\nsecond\n"]
    assert [command for command, _, _ in made.asked if command != "GET"] == ["POST", "PATCH"]
    assert {key for _, _, key in made.asked} == {"Bearer made-up-token"}
    assert made.asked[-1][1] == "/repos/o/y/issues/comments/1030"


def test_a_comment_that_may_not_be_written_fails_nothing(tmp_path: Path, comments: tuple[str, type[_Comments]]) -> None:
    """It is a warning, which names the permission."""
    url, made = comments
    made.status = 403
    done = renew(Runner(tmp_path / "w", OWN), url, "<!-- endpoint-harness: night -->\nx\n")
    assert done.returncode == 0
    assert "::warning title=endpoint-harness::The comment could not be written" in done.stdout
    assert "made-up-token" not in done.stdout + done.stderr


# --- GitLab ----------------------------------------------------------------------------------------------


def gitlab(runner: Runner, **said: str) -> subprocess.CompletedProcess[str]:
    """The script of the template's job; GitLab's shell ends at the first error too."""
    usual = dict(GITLAB["variables"])
    usual |= {"HARNESS_SUITE": "ci/night.yaml", "HARNESS_ENDPOINTS": "quick/sim-small", "HARNESS_OPTIONS": ""}
    script = "\n".join(GITLAB["endpoint-harness"]["script"])
    return runner.run(script, ("bash", "-e"), **(usual | {"HARNESS_NEEDS": ""} | said))


def test_the_template_keeps_everything_and_reads_junit() -> None:
    """Whatever the verdict; an inconclusive one is a warning; the version is pinned."""
    job = GITLAB["endpoint-harness"]
    assert job["artifacts"]["when"] == job["cache"]["when"] == "always"
    assert job["artifacts"]["reports"] == {"junit": "harness-output/junit.xml"}
    assert job["allow_failure"] == {"exit_codes": 4}
    install = " ".join(job["before_script"])
    assert '--branch "$HARNESS_REF"' in install
    assert "--constraint .endpoint-harness/constraints.txt" in install


def test_the_template_runs_and_ends_with_the_verdict(tmp_path: Path) -> None:
    """As the action does."""
    good, bad = Runner(tmp_path / "good"), Runner(tmp_path / "bad")
    work_in(good.folder)
    work_in(bad.folder, accuracy=0)
    done = gitlab(good)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (good.folder / "harness-output" / "junit.xml").exists()
    assert (good.folder / "harness-output" / "report.html").stat().st_size
    assert gitlab(bad).returncode == 1


def test_the_template_asks_the_simulator_for_a_fork(tmp_path: Path) -> None:
    """And says so; on a schedule a missing key is a mistake."""
    runner = Runner(tmp_path / "w")
    work_in(runner.folder, accuracy=0)
    done = gitlab(runner, HARNESS_NEEDS="A_KEY", CI_MERGE_REQUEST_IID="7", HARNESS_ENDPOINTS="acme/acme-large")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not set: A_KEY. The simulator is asked" in done.stdout
    done = gitlab(runner, HARNESS_NEEDS="A_KEY")
    assert (done.returncode, "Not set: A_KEY. Give them" in done.stdout) == (2, True)
