"""The test cluster is a real one: users, GPUs, licences, accounting, and REST on both transports."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Callable

import httpx
import pytest

from scripts.slurm_cluster import daemons
from scripts.slurm_cluster.errors import CommandFailed
from scripts.slurm_cluster.instance import Instance
from scripts.slurm_cluster.lifecycle import node_states, wait_until_idle
from scripts.slurm_cluster.people import Person, add_login, add_person

_PATIENCE_SECONDS = 60


def wait_for(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited {_PATIENCE_SECONDS} s in vain: {what}"
        time.sleep(0.1)


def submit(slurm: Instance, script: str, *options: str, user: str = "alice") -> str:
    body = f"#!/bin/sh\n{script}\n"
    return slurm.run("sbatch", "--parsable", *options, user=user, cwd=slurm.workspace, stdin=body).strip()


def job_state(slurm: Instance, job: str) -> str:
    return slurm.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T").strip()


def waiting_reasons(slurm: Instance) -> list[str]:
    return slurm.run("squeue", "--noheader", "--states=PENDING", "--format=%r").split()


def output_of(slurm: Instance, job: str) -> str:
    wait_for(lambda: job_state(slurm, job) == "COMPLETED", f"end of job {job}")
    return (slurm.workspace / f"slurm-{job}.out").read_text()


def token(slurm: Instance, user: str) -> str:
    def encode(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    claims = {"iat": int(time.time()), "exp": int(time.time()) + 300, "sun": user}
    header = {"alg": "HS256", "typ": "JWT"}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{encode(hmac.digest(slurm.jwt_key(), signed.encode(), hashlib.sha256))}"


def test_the_tests_of_this_module_share_one_process(slurm: Instance, request: pytest.FixtureRequest) -> None:
    is_grouped = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith("@slurm-test_cluster") == is_grouped


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_slurmrestd_answers_on_both_transports(slurm: Instance, transport: str) -> None:
    wire = httpx.HTTPTransport(uds=str(slurm.rest_socket) if transport == "unix" else None)
    url = "http://slurm" if transport == "unix" else slurm.rest_url
    headers = {"X-SLURM-USER-NAME": "hpcportal", "X-SLURM-USER-TOKEN": token(slurm, "hpcportal")}
    with httpx.Client(transport=wire, base_url=url, headers=headers, timeout=30) as client:
        ping = client.get("/slurm/v0.0.42/ping/").json()  # the version that 24.11 and 26.05 both speak
        database = client.get("/slurmdb/v0.0.42/accounts/").json()
    assert [one["pinged"] for one in ping["pings"]] == ["UP"]
    assert slurm.run("slurmctld", "-V").strip() == f"slurm-wlm {ping['meta']['slurm']['release']}"
    assert {account["name"] for account in database["accounts"]} >= {"chips", "lab"}


def test_a_job_runs_as_its_user_in_a_folder_that_we_see(slurm: Instance) -> None:
    job = submit(slurm, "id -un; id -u; pwd")
    assert output_of(slurm, job).split() == ["alice", "5001", str(slurm.workspace)]
    assert (slurm.workspace / f"slurm-{job}.out").stat().st_uid == 5001


def test_gpus_are_bound_to_their_job(slurm: Instance) -> None:
    first = submit(slurm, "echo $CUDA_VISIBLE_DEVICES; sleep 600", "--nodelist=gpu01", "--gres=gpu:h100:5")
    wait_for(lambda: job_state(slurm, first) == "RUNNING", "first job runs")
    second = submit(slurm, "echo $CUDA_VISIBLE_DEVICES", "--nodelist=gpu01", "--gres=gpu:3")
    typed = submit(slurm, "echo $SLURM_JOB_GPUS", "--gres=gpu:l40s:4")
    assert output_of(slurm, second) == "5,6,7\n"
    assert output_of(slurm, typed) == "4,5,6,7\n"


def test_a_job_spans_nodes(slurm: Instance) -> None:
    script = "srun sh -c 'echo $SLURMD_NODENAME:$CUDA_VISIBLE_DEVICES'"
    job = submit(slurm, script, "--partition=gpu", "--nodes=2", "--gres=gpu:h100:2")
    assert sorted(output_of(slurm, job).split()) == ["gpu01:0,1", "gpu02:0,1"]


def test_licences_are_counted(slurm: Instance) -> None:
    jobs = [submit(slurm, "sleep 600", "--licenses=vcs:2") for _ in range(3)]
    wait_for(lambda: [job_state(slurm, job) for job in jobs].count("RUNNING") == 2, "two of three run")
    assert "Total=4 Used=4 Free=0" in slurm.run("scontrol", "show", "licenses", "vcs")
    wait_for(lambda: waiting_reasons(slurm) == ["Licenses"], "the third waits for a licence")


def test_accounting_arrives(slurm: Instance) -> None:
    job = submit(slurm, "exit 3", "--comment=hpc-portal:1", "--gres=gpu:h100:1", "--account=lab")
    asked = ("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}")

    def record() -> list[str]:
        fields = "--format=state,exitcode,account,user,comment,alloctres"
        return slurm.run(*asked, fields).strip().split("|")

    wait_for(lambda: record()[0] == "FAILED", "slurmdbd knows the end")
    _, exit_code, account, user, comment, tres = record()
    assert (exit_code, account, user, comment) == ("3:0", "lab", "alice", "hpc-portal:1")
    assert "gres/gpu:h100=1" in tres


def test_a_job_can_be_cancelled_by_its_user(slurm: Instance) -> None:
    cancelled = submit(slurm, "sleep 600")
    wait_for(lambda: job_state(slurm, cancelled) == "RUNNING", "job runs")
    slurm.run("scancel", cancelled, user="alice")
    wait_for(lambda: job_state(slurm, cancelled) == "CANCELLED", "job is cancelled")


def test_nobody_without_an_association_can_submit(slurm: Instance) -> None:
    add_login(slurm, "stranger", 5999)
    with pytest.raises(CommandFailed, match="Invalid account"):
        submit(slurm, "true", user="stranger")


def test_a_new_person_can_submit_at_once(slurm: Instance) -> None:
    for _ in range(2):
        add_person(slurm, Person("carol", 5100, ("robots", "lab")))
    job = submit(slurm, "echo $SLURM_JOB_ACCOUNT", user="carol")
    assert output_of(slurm, job) == "robots\n"


def test_the_portals_two_workloads_find_their_programs(slurm: Instance) -> None:
    training = f"{sys.executable} -c 'import torch; print(torch.ones(42).sum().int().item())'"
    job = submit(slurm, f"iverilog -V | head -1; {training}")
    assert "Icarus Verilog" in output_of(slurm, job)
    assert output_of(slurm, job).endswith("42\n")


def test_jobs_run_this_machines_own_tools(slurm: Instance) -> None:
    versions = "iverilog -V 2>&1 | head -1; yosys -V; z3 --version; ngspice -v | head -2; verilator --version"
    here = subprocess.check_output(["/bin/sh", "-c", versions], text=True)
    assert output_of(slurm, submit(slurm, versions)) == here


def test_a_job_over_its_memory_is_ended(slurm: Instance) -> None:
    job = submit(slurm, "exec tail /dev/zero", "--mem=50")
    expected = "OUT_OF_MEMORY" if slurm.tells_out_of_memory else "FAILED"
    wait_for(lambda: job_state(slurm, job) == expected, f"the job is {expected}")


def test_a_stopped_controller_comes_back_with_its_jobs(slurm: Instance) -> None:
    job = submit(slurm, "sleep 600")
    wait_for(lambda: job_state(slurm, job) == "RUNNING", "job runs")
    daemons.stop(slurm, "slurmctld")
    assert not daemons.is_running(slurm, "slurmctld")
    daemons.start(slurm, "slurmctld")
    assert job_state(slurm, job) == "RUNNING"


@pytest.mark.parametrize("name", ["slurmdbd", "slurmrestd", "munged"])
def test_a_killed_daemon_can_be_started_again(slurm: Instance, name: str) -> None:
    daemons.kill(slurm, name)
    assert not daemons.is_running(slurm, name)
    daemons.start(slurm, name)
    assert daemons.is_running(slurm, name)


def test_a_node_whose_daemon_was_killed_comes_back(slurm: Instance) -> None:
    daemons.kill(slurm, "slurmd-eda02")
    slurm.run("scontrol", "update", "NodeName=eda02", "State=DOWN", "Reason=killed")
    wait_for(lambda: node_states(slurm)["eda02"].startswith("down"), "the node is down")
    daemons.start(slurm, "slurmd-eda02")
    wait_until_idle(slurm)
    assert node_states(slurm)["eda02"] == "idle"


def test_a_job_without_gpus_leaves_the_nodes_that_have_them_free(slurm: Instance) -> None:
    job = submit(slurm, "echo $SLURMD_NODENAME", "--nodes=1", "--ntasks=1")
    assert output_of(slurm, job).startswith("eda")
