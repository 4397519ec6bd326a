"""The regression template: what it renders, refuses and reads back."""

from pathlib import Path
from typing import Any

import pytest

from workloads.eda.rtl_simulation import RtlRegression, rerun_failures
from workloads.errors import InvalidParameters
from workloads.regression.parameters import RtlRegressionParameters
from workloads.template import Artefact, Failure, Metric, TaskResult, Verdict

TEMPLATE = RtlRegression()
SCRIPT = TEMPLATE.render(TEMPLATE.validate({})).script


def params(**raw: Any) -> RtlRegressionParameters:  # noqa: ANN401 - as untyped as a form
    return TEMPLATE.validate(raw)


def inputs(**raw: Any) -> dict[str, str]:  # noqa: ANN401
    return {one.path: one.content for one in TEMPLATE.render(params(**raw)).inputs}


def problem_fields(**raw: Any) -> set[str]:  # noqa: ANN401
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(params(**raw))
    return {problem.field for problem in refused.value.problems}


def test_tests_times_seeds_are_one_array() -> None:
    spec = TEMPLATE.render(params(tests=["a", "b", "c"], seeds=4, max_parallel=5))
    assert spec.array
    assert spec.array.expression == "0-11%5"
    assert spec.task_count == 12


def test_a_cell_s_index_is_test_number_times_seeds_plus_seed_number() -> None:
    cells = TEMPLATE.campaign(params(tests=["a", "b"], seeds=2, first_seed=7))
    assert [(cell.task_index, cell.row, cell.column) for cell in cells] == [
        (0, "a", "7"),
        (1, "a", "8"),
        (2, "b", "7"),
        (3, "b", "8"),
    ]


def test_only_some_tasks_keep_their_indices() -> None:
    chosen = params(tests=["a", "b"], seeds=5, only_tasks=[9, 2, 3, 4, 2])
    spec = TEMPLATE.render(chosen)
    assert spec.array
    assert spec.array.expression == "2-4,9"
    assert [cell.task_index for cell in TEMPLATE.campaign(chosen)] == [2, 3, 4, 9]


def test_the_script_is_the_same_text_for_all_parameters() -> None:
    spec = TEMPLATE.render(params(tests=["other"], seeds=3, top="bench", defines=["A=1"], waves=True))
    assert spec.script == SCRIPT


def test_no_sources_mean_the_example_design_with_its_bench() -> None:
    assert {"design/fifo.sv", "design/tb.sv"} <= inputs().keys()


def test_sources_are_compiled_in_their_order_and_headers_are_not() -> None:
    files = inputs(
        sources={"rtl/z.sv": "\n\nmodule z;", "rtl/defs.svh": "`define X", "a.v": ""}, defines=["B=2"]
    )
    assert files["regression/default.f"] == "+incdir+design\n+define+B=2\ndesign/rtl/z.sv\ndesign/a.v\n"
    assert files["design/rtl/z.sv"] == "\n\nmodule z;", "line numbers in messages must stay true"


def test_contradictions_are_all_named() -> None:
    assert problem_fields(tests=["a", "a"], first_seed=2**31 - 1, seeds=2, only_tasks=[4]) == {
        "tests",
        "first_seed",
        "only_tasks",
    }
    assert problem_fields(tests=[f"t{n}" for n in range(20)], seeds=100_000) == {"seeds"}
    assert problem_fields(sources={"only.svh": ""}) == {"sources"}


@pytest.mark.parametrize("field", ["tests", "defines"])
@pytest.mark.parametrize(
    "text", ["", "a b", "a;b", "$(id)", "../a", "-o", "a\n", "a\nb", "đ", "\u0661", "x" * 200]
)
def test_names_are_plain_words(field: str, text: str) -> None:
    raw: dict[str, Any] = {field: [text]}
    try:
        accepted = TEMPLATE.validate(raw)
    except InvalidParameters as refused:
        assert refused.problems[0].field.startswith(field)  # noqa: PT017 - either outcome is right
    else:
        assert getattr(accepted, field) == ["a"], "only the surrounding space may be taken away"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/x.sv",
        "../x.sv",
        "a/../x.sv",
        "a//x.sv",
        "-x.sv",
        "a/-x.sv",
        "x",
        "x.sh",
        "$(id).sv",
        "a b.sv",
        "x\n.sv",
    ],
)
def test_a_source_stays_inside_the_design_folder(path: str) -> None:
    assert len(problem_fields(sources={path: ""})) == 1


def write_result(workspace: Path, index: int, **facts: object) -> None:
    folder = workspace / "regression/results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(index)).write_text("".join(f"{name}={value}\n" for name, value in facts.items()))


def test_an_empty_workspace_has_no_results_yet(tmp_path: Path) -> None:
    found = TEMPLATE.parse(tmp_path, params())
    assert (found.tasks, found.metrics) == ((), ())


def test_a_failing_task_shows_its_line_signature_numbers_and_files(tmp_path: Path) -> None:
    write_result(
        tmp_path,
        1,
        stage="simulation",
        exit_code=1,
        fail_line_number=3,
        fail_line="TB_ERROR [LEVEL] t=95000 level mismatch: got 8 expected 7",
        pass_seen="no",
        microseconds=1_500_000,
        statistics="TB_STAT cycles=40 pushes=16 ratio=-0.5",
    )
    (tmp_path / "waves").mkdir()
    (tmp_path / "waves/a-2.fst").touch()
    [task] = TEMPLATE.parse(tmp_path, params(tests=["a"], seeds=2, waves=True)).tasks
    assert task == TaskResult(
        task_index=1,
        label="a seed 2",
        verdict=Verdict.FAIL,
        metrics=(
            Metric("cycles", 40),
            Metric("pushes", 16),
            Metric("ratio", -0.5),
            Metric("wall_seconds", 1.5, "s"),
        ),
        failure=Failure(
            "TB_ERROR [LEVEL] t=* level mismatch: got * expected *",
            "TB_ERROR [LEVEL] t=95000 level mismatch: got 8 expected 7",
            "logs/a-2.log",
            3,
        ),
        artefacts=(Artefact("logs/a-2.log", "log"), Artefact("waves/a-2.fst", "waveform")),
    )


def test_exit_code_zero_without_the_pass_text_is_no_verdict(tmp_path: Path) -> None:
    write_result(tmp_path, 0, stage="simulation", exit_code=0, pass_seen="no", last_line="Timeout: Exiting")
    [task] = TEMPLATE.parse(tmp_path, params()).tasks
    assert task.verdict is Verdict.NO_VERDICT
    assert task.failure
    assert task.failure.line == "Timeout: Exiting"


def test_a_crash_is_its_own_signature(tmp_path: Path) -> None:
    write_result(
        tmp_path, 0, stage="simulation", exit_code=139, pass_seen="yes", last_line="Segmentation fault"
    )
    [task] = TEMPLATE.parse(tmp_path, params()).tasks
    assert task.failure
    assert task.failure.signature == "the simulator ended with exit code 139"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "exit_code=\n",
        "exit_code=-1",
        "exit_code=" + "9" * 6000,
        "\0" * 100,
        "exit_code=x\n",
        "x" * 100_000,
    ],
)
def test_a_result_that_is_none_is_left_out(tmp_path: Path, content: str) -> None:
    write_result(tmp_path, 1, exit_code=0, pass_seen="yes")
    (tmp_path / "regression/results/0").write_text(content)
    assert [task.task_index for task in TEMPLATE.parse(tmp_path, params()).tasks] == [1]


def test_results_of_tasks_that_the_job_has_not_are_left_out(tmp_path: Path) -> None:
    for index in (0, 30, 4_000_000):
        write_result(tmp_path, index, exit_code=0, pass_seen="yes")
    (tmp_path / "regression/results/1.new").write_text("exit_code=0\n")
    assert [task.task_index for task in TEMPLATE.parse(tmp_path, params()).tasks] == [0]


def test_absurd_numbers_in_a_result_do_no_harm(tmp_path: Path) -> None:
    write_result(
        tmp_path,
        0,
        exit_code=1,
        fail_line="x",
        fail_line_number="9" * 5000,
        microseconds="²",
        statistics="a=1e999 b=nan c=" + "9" * 500 + " d=7",
    )
    [task] = TEMPLATE.parse(tmp_path, params()).tasks
    assert task.metrics == (Metric("d", 7),)
    assert task.failure
    assert task.failure.line_number == 0


def test_what_did_not_pass_runs_again_with_the_same_seeds_and_waveforms(tmp_path: Path) -> None:
    original = params(tests=["a", "b"], seeds=2)
    write_result(tmp_path, 0, exit_code=0, pass_seen="yes")
    write_result(tmp_path, 1, exit_code=1)
    write_result(tmp_path, 3, exit_code=0, pass_seen="no")
    again = rerun_failures(original, TEMPLATE.parse(tmp_path, original))
    spec = TEMPLATE.render(again)
    assert spec.array
    assert (spec.array.expression, spec.environment["RTL_WAVES"]) == ("1,3", "1")
    assert TEMPLATE.validate(again.model_dump(mode="json")) == again


def test_a_linked_result_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("exit_code=1\nfail_line=password\n")
    workspace = tmp_path / "workspace"
    (workspace / "regression/results").mkdir(parents=True)
    (workspace / "regression/results/0").symlink_to(secret)
    assert TEMPLATE.parse(workspace, params()).tasks == ()


COCOTB: dict[str, Any] = {"cocotb": ["benches.test_it"], "top": "it"}
COCOTB_SOURCES = {"it.sv": "module it; endmodule\n", "benches/test_it.py": "import cocotb\n"}


def test_cocotb_compiles_the_design_alone_and_its_results_need_no_pass_text() -> None:
    files = inputs(**COCOTB, sources=COCOTB_SOURCES)
    assert files["regression/default.f"] == "+incdir+design\n+timescale+1ns/1ps\ndesign/it.sv\n"
    assert files["regression/pass.txt"] == ""
    assert files["design/benches/test_it.py"] == "import cocotb\n"
    spec = TEMPLATE.render(params(**COCOTB, sources=COCOTB_SOURCES))
    assert spec.environment["RTL_COCOTB"] == "benches.test_it"
    assert "cocotb-config" in spec.programs
    assert spec.script == SCRIPT


def test_cocotb_s_modules_are_files_and_the_example_has_its_own_top() -> None:
    assert problem_fields(**COCOTB, sources={"it.sv": ""}) == {"sources"}
    assert problem_fields(cocotb=["test_fifo"]) == {"top"}
    assert {"design/fifo.sv", "design/test_fifo.py"} <= inputs(cocotb=["test_fifo"], top="fifo").keys()


@pytest.mark.parametrize("module", ["a/b", "a b", "a;b", "a..b", "os,sys", "a-b"])
def test_a_module_of_cocotb_is_a_python_name(module: str) -> None:
    with pytest.raises(InvalidParameters):
        params(cocotb=[module])


def test_a_regression_file_names_its_cocotb_modules() -> None:
    text = 'cocotb = ["benches.test_it"]\ntop = "it"\n[tests.quick]\n'
    spec = TEMPLATE.render(params(regression=text, sources=COCOTB_SOURCES))
    assert spec.environment["RTL_COCOTB"] == "benches.test_it"
    assert spec.environment["RTL_TOP"] == "it"
