"""Tenants of one node see nothing of each other and nothing of the node."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from schedulers.dask.messages import Tenant
from schedulers.dask.node import NodeConfig
from tests.integration.dask_node.node_under_test import (
    ALICE,
    BINH,
    NodeUnderTest,
    processes_with,
    unique_seconds,
    wait_until,
)

SOURCE = Path(__file__).resolve().parents[3]
AS_ROOT = pytest.mark.skipif("os.geteuid() != 0", reason="only root can choose the user of a run")
NOBODY = 65533

START = """
import json, sys
from schedulers.dask.node import NodeConfig
from schedulers.dask.start_supervisor import ensure_supervisor
ensure_supervisor(NodeConfig.from_json(json.load(sys.stdin)))
"""


@pytest.fixture(params=["own user", "another user"])
def sandboxed(
    request: pytest.FixtureRequest, config: NodeConfig, folder: Path, start_node: Callable[..., NodeUnderTest]
) -> NodeUnderTest:
    """A sandboxing node run by us and, when we are root, one run by a user without any right."""
    if request.param == "own user":
        return start_node(isolation="sandbox")
    if os.geteuid() != 0:
        pytest.skip("we are a user without rights already")
    started = start_as_nobody(replace(config, isolation="sandbox", runtime_paths=()), folder)
    if started.returncode != 0:
        pytest.skip(f"a user without rights cannot start a node here: {started.stderr.decode()[-300:]}")
    os.umask(0o022)
    node = start_node(isolation="sandbox", runtime_paths=())
    for job, tenant in (("job", ALICE), ("theirs", BINH)):
        node.workspace(job, tenant).mkdir(parents=True)
    for path in Path(config.workspace_root).rglob("*"):
        os.chown(path, NOBODY, NOBODY)
    return node


def start_as_nobody(config: NodeConfig, folder: Path) -> subprocess.CompletedProcess[bytes]:
    os.chown(folder, NOBODY, NOBODY)
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return subprocess.run(
        ["setpriv", *user, "/usr/bin/python3", "-c", START],
        input=json.dumps(config.to_json()).encode(),
        capture_output=True,
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]},
        cwd="/",
        check=False,
    )


def test_a_tenant_reads_nothing_of_another(sandboxed: NodeUnderTest) -> None:
    sandboxed.launch(sandboxed.lane("theirs", "echo trade secret; exec sleep 600", tenant=BINH))
    sandboxed.wait_for_output("trade secret", "theirs", tenant=BINH)
    theirs = sandboxed.workspace("theirs", BINH)

    report = sandboxed.run(
        f"cat {theirs}/0.out; ls {theirs} {theirs.parents[2]} {sandboxed.config.state_dir};"
        "grep -rl 'trade secret' /tmp /dev/shm /run /var /home 2>/dev/null; true"
    )

    assert report.state == "COMPLETED"
    assert "secret" not in sandboxed.output()
    assert "startup-b" not in sandboxed.output()
    assert "supervisor" not in sandboxed.output()


def test_a_tenant_sees_no_process_of_another(sandboxed: NodeUnderTest) -> None:
    seconds = unique_seconds()
    sandboxed.launch(sandboxed.lane("theirs", f"echo here; exec sleep {seconds}", tenant=BINH))
    sandboxed.wait_for_output("here", "theirs", tenant=BINH)
    (theirs,) = processes_with(f"sleep\0{seconds}")

    sandboxed.run(
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done;"
        f"kill -9 {theirs} 2>/dev/null; ls /proc/1/fd /proc/1/cwd/"
    )

    output = sandboxed.output()
    assert "executor" in output
    assert seconds not in output
    assert "supervisor" not in output
    assert "pipe" not in output
    assert sandboxed.listed()["job/0/0/0"].key
    assert processes_with(f"sleep\0{seconds}") == [theirs]


def test_a_tenant_writes_its_own_folder_only(sandboxed: NodeUnderTest) -> None:
    report = sandboxed.run(
        "echo mine > mine && echo tmp > $TMPDIR/x && echo shm > /dev/shm/x || exit 1;"
        "for folder in / /usr /etc /usr/bin /sys /run; do"
        "  touch $folder/x 2>/dev/null && echo wrote to $folder; done; true"
    )
    assert report.state == "COMPLETED"
    assert not sandboxed.output()


def test_a_run_gains_no_rights(sandboxed: NodeUnderTest) -> None:
    sandboxed.run("grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status; id -u")
    *status, uid = sandboxed.output().split("\n")[:-1]
    facts = dict(line.split(":\t") for line in status)
    assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0
    assert facts["NoNewPrivs"] == "1"
    assert uid != "0"


def test_declared_data_is_read_only(start_node: Callable[..., NodeUnderTest], folder: Path) -> None:
    data = folder / "kits"
    data.mkdir()
    (data / "kit").write_text("45 nm")
    node = start_node(isolation="sandbox", data_paths=(str(data),))
    node.run(f"cat {data}/kit; echo; touch {data}/x || echo refused")
    assert node.output() == "45 nm\nrefused\n"


def test_the_nodes_own_state_stays_hidden_below_declared_data(
    start_node: Callable[..., NodeUnderTest], folder: Path
) -> None:
    node = start_node(isolation="sandbox", data_paths=(str(folder),))
    node.launch(node.lane("theirs", "exec sleep 600", tenant=BINH))
    node.run(f"cd {folder} && find .")
    assert "journal" not in node.output()
    assert "startup-b" not in node.output()
    assert "chip-a/cpu-core/alice/job" in node.output()


def test_the_python_of_the_node_serves_its_jobs(start_node: Callable[..., NodeUnderTest]) -> None:
    node = start_node(isolation="sandbox")
    node.run("python -c 'import sys, pydantic; print(sys.version_info[:2])'")
    assert node.output().startswith("(3, ")


def test_a_second_organisation_is_refused_where_nothing_keeps_them_apart(
    start_node: Callable[..., NodeUnderTest],
) -> None:
    if os.geteuid() == 0:
        pytest.skip("as root, a node without isolation runs nothing at all: see the next test")
    node = start_node(isolation="none")
    assert not node.status["serves_several_organisations"]
    assert node.run("true").state == "COMPLETED"
    node.launch(node.lane("second", "true", tenant=BINH))
    report = node.wait_for_end("second/0/0/0")
    assert report.state == "BOOT_FAIL"
    assert "cannot keep organisations apart" in report.reason


@AS_ROOT
def test_a_second_organisation_is_refused_also_when_another_user_runs_the_node(
    config: NodeConfig, folder: Path
) -> None:
    alone = replace(config, isolation="none", runtime_paths=())
    started = start_as_nobody(alone, folder)
    if started.returncode != 0:
        pytest.skip(f"a user without rights cannot start a node here: {started.stderr.decode()[-300:]}")
    node = NodeUnderTest(alone)
    for tenant in (ALICE, BINH):
        node.workspace("job", tenant).mkdir(parents=True)
        node.workspace("second", tenant).mkdir(parents=True)
    for path in Path(config.workspace_root).rglob("*"):
        os.chown(path, NOBODY, NOBODY)
    try:
        assert node.run("true").state == "COMPLETED"
        node.kill_supervisor()
        node.disconnect()
        assert start_as_nobody(alone, folder).returncode == 0
        node.connect()
        node.launch(node.lane("second", "true", tenant=BINH))
        assert "cannot keep organisations apart" in node.wait_for_end("second/0/0/0").reason
        node.request("configure", config=replace(alone, allow_unisolated_tenants=True).to_json())
        again = node.lane("second", "true", tenant=BINH, tasks=range(1, 2))
        node.launch(again)
        assert node.wait_for_end(again.runs[0].key).state == "COMPLETED"
    finally:
        node.stop()


@AS_ROOT
def test_root_without_isolation_runs_nothing(config: NodeConfig) -> None:
    node = NodeUnderTest(replace(config, isolation="none", allow_unisolated_tenants=True))
    try:
        assert node.run("true").state == "BOOT_FAIL"
    finally:
        node.stop()


@AS_ROOT
@pytest.mark.parametrize(
    ("user", "uid", "complaint"),
    [
        ("no-such-user", None, "There is no account"),
        ("no-such-user", 0, "belongs to the system"),
        ("no-such-user", 33, "belongs to the system"),
        ("root", None, "belongs to the system"),
        ("daemon", 61007, "belongs to the system"),
        ("x:y", 61007, "not the name of an account"),
    ],
)
def test_no_run_without_an_account_of_its_own(
    node: NodeUnderTest, user: str, uid: int | None, complaint: str
) -> None:
    report = node.run("true", tenant=Tenant("o", "p", user, uid))
    assert (report.state, report.started_at) == ("BOOT_FAIL", None)
    assert complaint in report.reason


@AS_ROOT
def test_the_jobs_folder_becomes_the_tenants_and_links_are_not_followed(
    node: NodeUnderTest, folder: Path
) -> None:
    precious = folder / "precious"
    precious.write_text("the node's")
    workspace = node.workspace()
    (workspace / "inputs").mkdir(parents=True)
    (workspace / "inputs/netlist.v").write_text("module m; endmodule")
    (workspace / "link").symlink_to(precious)
    (workspace / "hard").hardlink_to(precious)

    report = node.run("id -u; id -g; echo more >> inputs/netlist.v && rm link")

    assert report.state == "COMPLETED"
    assert node.output().split() == ["61001", "61001"]
    assert (workspace / "inputs/netlist.v").stat().st_uid == 61001
    assert precious.stat().st_uid == 0
    output = (workspace / "0.out").stat()
    assert (output.st_uid, output.st_gid, output.st_mode & 0o777) == (61001, os.getegid(), 0o640)


def test_a_folder_elsewhere_is_refused(node: NodeUnderTest, folder: Path) -> None:
    lane = node.lane("job", "true")
    (folder / "elsewhere").mkdir()
    moved = replace(lane, command=replace(lane.command, workspace=str(folder / "elsewhere")))
    node.launch(moved)
    assert "not a job's folder" in node.wait_for_end(lane.runs[0].key).reason


def test_a_folder_that_was_lost_is_a_clear_failure(node: NodeUnderTest) -> None:
    lane = node.lane("job", "true")
    shutil.rmtree(node.workspace())
    node.launch(lane)
    report = node.wait_for_end(lane.runs[0].key)
    assert report.state == "BOOT_FAIL"
    assert "does not exist on this node" in report.reason


def test_an_executor_stopped_by_its_own_job_is_ended(start_node: Callable[..., NodeUnderTest]) -> None:
    if os.geteuid() != 0:
        pytest.skip("without a sandbox the job would share our user")
    seconds = unique_seconds()
    node = start_node(isolation="user")
    report = node.run(f"kill -STOP $PPID; exec sleep {seconds}")
    assert (report.state, report.signal) == ("FAILED", 9)
    wait_until(lambda: not processes_with(seconds), "the end of the run")
