"""A script with #BSUB lines becomes the same fields as one with #SBATCH lines."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers.directives.bsub_options import OPTIONS
from schedulers.directives.script import translate_script
from schedulers.directives.translation import Dialect, Translation
from schedulers.jobspec import JobSpec

JOB = UUID("01890000-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def translation(*lines: str) -> Translation:
    script = "\n".join(["#!/bin/bash", *(f"#BSUB {line}" for line in lines), "true", ""])
    return translate_script(script, name="job.sh", now=NOW)


def spec(*lines: str) -> JobSpec:
    found = translation(*lines)
    assert found.spec is not None, found.problems
    return found.spec


def test_a_regression_as_designers_write_it() -> None:
    made = spec(
        '-J "sim[1-100]%10"',
        "-q regress -P vlsi",
        "-n 4 -W 10:00",
        '-R "span[hosts=1] rusage[mem=4000,vcs_lic=1]"',
        "-R 'select[type==any && icelake && mem>2000] order[ut]'",
        "-oo logs/%J.%I.log -e logs/%J.%I.err",
        "-cwd run -x -r -B -N -u ha@songhan.example",
    )
    assert made.model_dump(mode="json", exclude_defaults=True, exclude={"script"}) == {
        "name": "sim",
        "array": {"expression": "1-100%10"},
        "partition": "regress",
        "account": "vlsi",
        "resources": {
            "ntasks": 4,
            "walltime_seconds": 36_000,
            "memory_mib_per_node": 4000,
            "licenses": {"vcs_lic": 1},
        },
        "constraint": "icelake",
        "stdout_path": "run/logs/%j.%a.log",
        "stderr_path": "run/logs/%j.%a.err",
        "working_directory": "run",
        "exclusive": True,
        "mail_on": ["begin", "end"],
        "launch": "first_node",
    }


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("-n4", "resources.ntasks", 4),
        ("-W90", "resources.walltime_seconds", 5400),
        ("-M 8G", "resources.memory_mib_per_node", 8192),
        ("-M 4194304", "resources.memory_mib_per_node", 4096),
        ("-M 8G -R 'rusage[mem=4G]'", "resources.memory_mib_per_node", 8192),
        ("-M 2G -R 'rusage[mem=4G]'", "resources.memory_mib_per_node", 4096),
        ("-n 16 -R 'span[ptile=8]'", "resources.nodes", 2),
        ('-gpu "num=2:gmodel=h100:mode=exclusive_process"', "resources.gpus_per_node", {"h100": 2}),
        ("-R 'rusage[ngpus_excl_p=1]'", "resources.gpus_per_node", {"": 1}),
        ("-R icelake", "constraint", "icelake"),
        ("-R 'select[icelake||genoa]'", "constraint", "(icelake|genoa)"),
        ("-m eda01", "nodelist", ("eda01",)),
        ("-rn", "requeue.on_node_fail", False),
        ("-H", "hold", True),
        ("-B -N", "mail_on", ("begin", "end")),
        ("-Jd 'what for'", "comment", "what for"),
        ("-env 'all, A=1'", "environment", {"A": "1"}),
        ("-J '[1-5]'", "name", "job.sh"),
    ],
)
def test_an_option_sets_its_field(line: str, field: str, value: object) -> None:
    found: object = spec(line)
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value


def test_conditions_name_jobs_by_id() -> None:
    made = spec(f'-w "done({JOB}) && ended({JOB})"')
    assert [item.kind for item in made.dependencies] == ["afterok", "afterany"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('-w "done(compile)"', "not for its name 'compile'"),
        (f'-w "done({JOB}) || ended({JOB})"', "|| and !"),
        ('-w "started(x)"', "done(ID), ended(ID) or exit(ID)"),
        ("-sp 70", "hpc submit --nice"),
        ("-wa USR1", "hpc submit --signal"),
        ('-m "a b"', "name one"),
        ("-n 4,8", "give one number"),
        ('-q "a b"', "name one"),
        ("-R 'rusage[mem=4G:duration=10]'", "leave out duration"),
        ("-R 'select[mem>4000||maxmem>1]'", "cannot select hosts by"),
        ("-R 'select[tmp>100]'", "cannot select hosts by"),
        ("-R 'affinity[core(2)]'", "does not know affinity[...]"),
        ("-R 'span[ptile=x]'", "span[hosts=1] and span[ptile=N]"),
        ("-R 'rusage[tmp=1]'", "no resource 'tmp'"),
        ("-R 'rusage[mem'", "is not like rusage"),
        ("-R 'rusage[mem]'", "is not like mem=4GB"),
        ("-J 'a[1-5'", "is not like name"),
        ("-L /bin/tcsh", "does not see the shell"),
        ("-Zz", "no such option"),
        ("-n", "needs a value"),
        ("-o /scratch/x", "outside the job's own folder"),
        ("-I", "no standard input"),
        ("stray", "no such option"),
    ],
)
def test_what_has_no_field_is_refused_with_its_line(line: str, told: str) -> None:
    found = translation(line)
    assert found.spec is None
    assert {problem.line for problem in found.problems} == {2}
    assert told in found.problems[0].message


def test_a_line_behind_the_first_command_is_refused_for_bsub_would_read_it() -> None:
    found = translate_script("#!/bin/sh\n#BSUB -n 1\ntrue\n#BSUB -n 2\n", name="x", now=NOW)
    assert [problem.line for problem in found.problems] == [4]


def test_sbatch_lines_go_before_bsub_lines() -> None:
    found = translate_script("#!/bin/sh\n#BSUB -n 9\n#SBATCH -n 2\n", name="x", now=NOW)
    assert found.spec is not None
    assert (found.dialect, found.spec.resources.ntasks) == (Dialect.SBATCH, 2)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([f"-{option.name}" for option in OPTIONS]),
            st.text(max_size=8),
            st.text("selctruagpn[]=&|,:0123456789 ", max_size=20).map(lambda text: f"-R '{text}'"),
        ),
        max_size=6,
    )
)
def test_no_script_makes_the_translation_crash(words: list[str]) -> None:
    found = translate_script(f"#!/bin/sh\n#BSUB {' '.join(words)}\n", name="x", now=NOW)
    assert bool(found.problems) == (found.spec is None)
