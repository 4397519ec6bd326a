"""What a job asks for, as #SBATCH lines that ask for the same again."""

from datetime import datetime
from uuid import UUID

import pytest

from schedulers.directives.script import translate_script
from schedulers.directives.write import sbatch_options, script_with_directives
from schedulers.jobspec import (
    ArraySpec,
    Dependency,
    DependencyKind,
    JobSpec,
    MailOn,
    RequeuePolicy,
    ResourceRequest,
    SignalTarget,
    WarningSignal,
)
from schedulers.units import CITY_TIME

NOW = datetime(2026, 11, 26, 12, tzinfo=CITY_TIME)
OTHER = UUID("01932d5e-0000-7000-8000-000000000001")
PLAIN = JobSpec(name="lint", script="#!/bin/bash\nmake lint\n")
FULL = JobSpec(
    name='synth "top" $x #1',
    script="#!/usr/bin/env bash\nmake synth\n",
    environment={"CORNER": "ss_125c"},
    partition="long",
    account="npu-verif",
    qos="high",
    constraint="skylake&ib",
    exclusive=True,
    reservation="tapeout",
    nodelist=("n1", "n2"),
    exclude_nodes=("n9",),
    begin_at=datetime(2026, 12, 1, 22, 30, tzinfo=CITY_TIME),
    hold=True,
    nice=100,
    comment="tapeout of May",
    mail_on=(MailOn.END,),
    working_directory="run",
    stdout_path="run/logs/%x-%j.log",
    stderr_path="run/logs/%j.err",
    array=ArraySpec(expression="0-8:2%3"),
    dependencies=(Dependency(kind=DependencyKind.AFTEROK, job_id=OTHER),),
    requeue=RequeuePolicy(on_node_fail=False),
    warning_signal=WarningSignal(seconds_before_end=120, target=SignalTarget.SCRIPT),
    resources=ResourceRequest(
        nodes=2,
        ntasks=8,
        ntasks_per_node=4,
        cpus_per_task=3,
        memory_mib_per_node=10_000,
        gpus_per_node={"h100": 2},
        licenses={"vcs": 4},
        walltime_seconds=5400,
    ),
)


@pytest.mark.parametrize("spec", [PLAIN, FULL], ids=["plain", "everything"])
def test_what_is_written_is_read_as_the_same_job(spec: JobSpec) -> None:
    read = translate_script(script_with_directives(spec), name="file.sh", now=NOW)
    assert read.problems == ()
    assert read.spec is not None
    kept = {"launch", "script"}
    assert read.spec.model_dump(exclude=kept) == spec.model_dump(exclude=kept)


def test_the_lines_stand_below_the_interpreter_and_the_rest_is_unchanged() -> None:
    assert script_with_directives(PLAIN) == (
        "#!/bin/bash\n#SBATCH --job-name=lint\n#SBATCH --cpus-per-task=1\n#SBATCH --mem=1024M\nmake lint\n"
    )


def test_a_script_that_has_a_header_is_shown_as_it_was_given() -> None:
    script = "#!/bin/bash\n#SBATCH -c 4\nmake\n"
    assert script_with_directives(JobSpec(name="x", script=script)) == script


def test_a_command_becomes_a_script_and_a_value_with_blanks_is_left_out() -> None:
    spec = JobSpec(name="x", argv=("echo", "a b"), environment={"A": "1", "B": "two words"})
    assert script_with_directives(spec).endswith("exec echo 'a b'\n")
    assert "--export=ALL,A=1" in sbatch_options(spec)
