"""A script with #SBATCH lines becomes a job, or every reason is told why not."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers.directives import reasons
from schedulers.directives.sbatch_options import OPTIONS
from schedulers.directives.script import translate_script
from schedulers.directives.translation import Dialect, Translation
from schedulers.jobspec import Dependency, DependencyKind, JobSpec, Launch

JOB = UUID("01890000-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def translation(*lines: str, options: tuple[str, ...] = ()) -> Translation:
    script = "\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), "true", ""])
    return translate_script(script, name="job.sh", now=NOW, options=options)


def spec(*lines: str, options: tuple[str, ...] = ()) -> JobSpec:
    found = translation(*lines, options=options)
    assert found.spec is not None, found.problems
    return found.spec


def problems(*lines: str, options: tuple[str, ...] = ()) -> list[str]:
    found = translation(*lines, options=options)
    assert found.spec is None
    return [str(problem) for problem in found.problems]


def test_every_supported_option_reaches_its_field() -> None:
    made = spec(
        "--job-name=sim -A vlsi -p eda -q high --comment='for Ha' --nice=5 --hold --exclusive",
        "-N 2 -n 8 --ntasks-per-node=4 -c 2 --mem=4G --gres=gpu:h100:2 -L vcs:1 -t 1:00:00",
        "-C 'icelake&ib' -w n1 -x n[2-3] --reservation=tapeout --begin=2027-01-20T12:34:00",
        "-a 0-9%2 --signal=B:USR1@120 --no-requeue --export=ALL,A=1",
        f"-D run -o out/%x.%j -e err.%a --dependency=afterok:{JOB},afterany:{JOB}",
    )
    assert made.model_dump(mode="json", exclude_defaults=True, exclude={"script"}) == {
        "name": "sim",
        "account": "vlsi",
        "partition": "eda",
        "qos": "high",
        "comment": "for Ha",
        "nice": 5,
        "hold": True,
        "exclusive": True,
        "resources": {
            "nodes": 2,
            "ntasks": 8,
            "ntasks_per_node": 4,
            "cpus_per_task": 2,
            "memory_mib_per_node": 4096,
            "gpus_per_node": {"h100": 2},
            "licenses": {"vcs": 1},
            "walltime_seconds": 3600,
        },
        "constraint": "icelake&ib",
        "nodelist": ["n1"],
        "exclude_nodes": ["n2", "n3"],
        "reservation": "tapeout",
        "begin_at": "2027-01-20T12:34:00Z",
        "array": {"expression": "0-9%2"},
        "warning_signal": {"seconds_before_end": 120},
        "requeue": {"on_node_fail": False},
        "environment": {"A": "1"},
        "working_directory": "run",
        "stdout_path": "run/out/%x.%j",
        "stderr_path": "run/err.%a",
        "dependencies": [
            {"kind": "afterok", "job_id": str(JOB)},
            {"kind": "afterany", "job_id": str(JOB)},
        ],
        "launch": "first_node",
    }


@pytest.mark.parametrize("option", [option.name for option in OPTIONS if option.key or option.note])
def test_no_option_is_both_translated_and_refused(option: str) -> None:
    found = next(one for one in OPTIONS if one.name == option)
    assert not found.refusal
    assert bool(found.key) == bool(found.field)


@pytest.mark.parametrize("option", [option.name for option in OPTIONS if not option.key])
def test_an_option_without_a_field_says_why(option: str) -> None:
    found = next(one for one in OPTIONS if one.name == option)
    assert bool(found.refusal) != bool(found.note)


HUGE = ("9" * 5000, "a:" + "9" * 5000, "9" * 400 + ".5G", "a*" + "9" * 5000, "0-9%" + "9" * 5000)


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
def test_a_number_without_end_is_refused_and_no_failure(text: str) -> None:
    for option in OPTIONS:
        if option.key:
            translation(f"--{option.name}={text}")
    for words in ("-M", "-W", "-n", "-gpu num=", "-R rusage[mem=", "-J a[1-", "-b", "-sp", "-m"):
        script = f"#!/bin/bash\n#BSUB '{words} {text}'\n#BSUB {words}{text}\n#BSUB {words} {text}\ntrue\n"
        assert translate_script(script, name="job.sh", now=NOW).problems


def test_the_script_itself_is_left_as_it_is() -> None:
    script = "#!/bin/bash\n#SBATCH -t 5\necho '#SBATCH -n 4'\n"
    made = translate_script(script, name="job.sh", now=NOW).spec
    assert made is not None
    assert (made.script, made.name, made.resources.ntasks) == (script, "job.sh", 1)


def test_what_is_shown_is_what_the_job_will_ask_for() -> None:
    found = translation(
        "-n 4 -c 2 --mem-per-cpu=2G",
        "--time=5 --mail-type=END,FAIL --mail-user=a@b.vn",
        options=("--time=10",),
    )
    assert [(row.line, row.option, row.field, row.value) for row in found.options] == [
        (2, "-n 4", "resources.ntasks", "4"),
        (2, "-c 2", "resources.cpus_per_task", "2"),
        (2, "--mem-per-cpu=2G", "resources.memory_mib_per_node", "16 GiB"),
        (3, "--time=5", "", ""),
        (3, "--mail-type=END,FAIL", "mail_on", "end,fail"),
        (3, "--mail-user=a@b.vn", "", ""),
        (0, "--time=10", "resources.walltime_seconds", "00:10:00"),
    ]
    assert "another option" in found.options[3].note
    assert "your account" in found.options[5].note


def test_a_line_behind_the_first_command_is_shown_as_overlooked() -> None:
    script = "#!/bin/bash\n#SBATCH -t 5\nset -e\n#SBATCH --mem=4G\n"
    found = translate_script(script, name="job.sh", now=NOW)
    assert [(row.line, row.option, row.field) for row in found.options][-1] == (4, "#SBATCH --mem=4G", "")
    assert "overlooks" in found.options[-1].note


def test_every_problem_is_told_at_once_with_its_line() -> None:
    told = problems("--hint=nomultithread -N 2-4", "--bogus", "--time=0", options=("--qoss=x",))
    assert [text.partition(": ")[0] for text in told] == ["--qoss=x", *["line 2"] * 2, "line 3", "line 4"]
    assert told[1:3] == [
        f"line 2: --hint=nomultithread: {reasons.NO_PINNING}",
        "line 2: -N 2-4: 2-4 may become few nodes or many, and the price is held before: give one number",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-a 1-5%0", "line 2: -a 1-5%0: %0 would never start a task"),
        ("--signal=USR1@0", "greater than or equal to 1"),
        ("-c 9999", "line 2: -c 9999: Input should be less than or equal to 4096"),
        ("-J a/b", "line 2: -J a/b: "),
        ("-C 'a&&b'", "is not an expression"),
        ("-N 1 -w n[1-2]", "2 nodes are named and only 1 asked for"),
        ("-w n1 -x n1 -N 1", "n1 is asked for, too"),
        ("-n 3 -N 2 --gpus-per-task=1", "3 cannot be shared out evenly among 2"),
        ("--gpus=3 -N 2", "3 cannot be shared out evenly among 2"),
        ("--gres=gpu:2 --gpus-per-node=1", "different numbers of GPUs"),
        ("--mem=1G --mem-per-cpu=1G", "not several of them"),
        ("--cpus-per-gpu=2", "no GPU is asked for"),
        ("--gpus=1 --cpus-per-gpu=2 -c 2", "not both"),
        ("-n 9 -N 2 --ntasks-per-node=4", "9 tasks are more than 2 x 4"),
        ("-o ../up", "must be a relative path inside"),
        ("-d afterok:123", "'123' is no job of the portal"),
        (f"-d singleton,afterok:{JOB}", "does not know 'singleton'"),
        (f"-d 'afterok:{JOB}?afterany:{JOB}'", "not for any of them"),
        ("-d afterok", "needs a job"),
        ("--export=HPC_JOB_ID=1", "not a variable name that a job may set"),
    ],
)
def test_what_contradicts_itself_is_told_at_its_option(line: str, told: str) -> None:
    assert told in " ".join(problems(line))


@pytest.mark.parametrize(
    ("line", "nodes", "ntasks"),
    [
        ("-n 8", 1, 8),
        ("-N 2", 2, 2),
        ("-N 2 --ntasks-per-node=4", 2, 8),
        ("-n 6 --ntasks-per-node=4", 2, 6),
        ("-N 3 -n 2", 2, 2),
        ("-w n[1-2]", 2, 2),
        ("--gpus=4 --gpus-per-task=2", 1, 2),
    ],
)
def test_nodes_and_tasks_follow_from_each_other_as_with_sbatch(line: str, nodes: int, ntasks: int) -> None:
    asked = spec(line).resources
    assert (asked.nodes, asked.ntasks) == (nodes, ntasks)


@pytest.mark.parametrize(
    ("line", "gpus", "cpus_per_node", "memory"),
    [
        ("-N 2 --gpus=h100:4", {"h100": 2}, 1, 1024),
        ("-n 4 --gpus-per-task=2", {"": 8}, 4, 1024),
        ("--gpus-per-node=2 --mem-per-gpu=4G --cpus-per-gpu=3", {"": 2}, 6, 8192),
        ("-n 4 -c 2 --mem-per-cpu=100", {}, 8, 800),
        ("--gres=gpu:2 --gres=none", {}, 1, 1024),
    ],
)
def test_totals_become_what_each_node_gets(
    line: str, gpus: dict[str, int], cpus_per_node: int, memory: int
) -> None:
    asked = spec(line).resources
    assert (asked.gpus_per_node, asked.cpus_per_node, asked.memory_mib_per_node) == (
        gpus,
        cpus_per_node,
        memory,
    )


@pytest.mark.parametrize(
    ("line", "options", "memory", "gpus"),
    [
        ("--mem=8G", ("--mem-per-cpu=1G",), 1024, {}),
        ("--mem-per-gpu=8G --gpus=1", ("--mem=2G",), 2048, {"": 1}),
        ("--gres=gpu:h100:2", ("-G", "1"), 1024, {"": 1}),
        ("--gpus-per-task=1 --mem=2G", ("--gres=none",), 2048, {}),
    ],
)
def test_an_option_takes_back_what_the_script_said_in_another_way(
    line: str, options: tuple[str, ...], memory: int, gpus: dict[str, int]
) -> None:
    asked = spec(line, options=options).resources
    assert (asked.memory_mib_per_node, asked.gpus_per_node) == (memory, gpus)


def test_a_job_to_wait_for_may_be_called_as_the_caller_knows_it() -> None:
    script = "#!/bin/sh\n#SBATCH -d aftercorr:0001\n"
    made = translate_script(script, name="x", now=NOW, resolve={"0001": JOB}.get).spec
    assert made is not None
    assert made.dependencies == (Dependency(kind=DependencyKind.AFTERCORR, job_id=JOB),)


def test_a_script_without_header_lines_starts_on_every_node_and_takes_options() -> None:
    found = translate_script("#!/bin/sh\ntrue\n", name="job", now=NOW, options=["-N", "2"])
    assert found.spec is not None
    assert (found.dialect, found.spec.launch, found.spec.resources.nodes) == (
        Dialect.NONE,
        Launch.EVERY_NODE,
        2,
    )


def test_windows_line_ends_and_pbs_lines_are_told() -> None:
    windows = translate_script("#!/bin/sh\r\n#SBATCH -t 5\r\n", name="x", now=NOW)
    assert "dos2unix" in windows.problems[0].message
    pbs = translate_script("#!/bin/sh\n#PBS -l nodes=1\n", name="x", now=NOW)
    assert [(problem.line, problem.option) for problem in pbs.problems] == [(2, "#PBS -l nodes=1")]


_WORD = st.one_of(
    st.sampled_from([f"--{option.name}" for option in OPTIONS]),
    st.builds("--{}={}".format, st.sampled_from([option.name for option in OPTIONS]), st.text(max_size=8)),
    st.builds("-{}".format, st.text("aAbcCdDeGJLNnopqtwx0123456789", max_size=4)),
    st.text(max_size=6),
)


@given(st.lists(st.lists(_WORD, max_size=4), max_size=4))
def test_no_script_makes_the_translation_crash(lines: list[list[str]]) -> None:
    header = "\n".join("#SBATCH " + " ".join(words) for words in lines)
    found = translate_script(f"#!/bin/sh\n{header}\n", name="x", now=NOW)
    assert bool(found.problems) == (found.spec is None)
