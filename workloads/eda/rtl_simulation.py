"""An RTL simulation regression: tests x configurations x seeds as one array job, built once for all."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from schedulers.array_tasks import compact
from schedulers.jobspec import ArraySpec, InputFile, JobSpec
from workloads.campaign import summary
from workloads.eda.sources import (
    compiled,
    design_files,
    lines_file,
)
from workloads.eda.task_facts import ended_tasks
from workloads.errors import FieldProblem, InvalidParameters, field_problem
from workloads.regression.coverage import read_coverage
from workloads.regression.file import (
    RegressionFile,
    expand,
    group_problems,
    read_regression,
)
from workloads.regression.parameters import RtlRegressionParameters
from workloads.regression.plan import LARGEST_SEED, MOST_TASKS, Block, Configuration, Plan, block_line
from workloads.regression.results import RESULTS, read_tasks
from workloads.scripts import shipped
from workloads.template import (
    N_,
    CampaignCell,
    Metric,
    Results,
    StopRule,
    TaskResult,
    Template,
    Verdict,
)

_EXAMPLE = {name: f"fifo/{name}" for name in ("fifo.sv", "tb.sv")}
_COCOTB_EXAMPLE = {name: f"fifo/{name}" for name in ("fifo.sv", "test_fifo.py")}
_PROGRAMS = {"icarus": ("iverilog", "vvp"), "verilator": ("verilator", "g++", "make")}


class RtlRegression(Template[RtlRegressionParameters]):
    """Tests x configurations x seeds; a regression file decides all of these where there is one."""

    name: ClassVar[str] = "rtl-regression"
    title: ClassVar[str] = N_("RTL simulation regression")
    summary: ClassVar[str] = N_("Run tests with many random seeds on Icarus or Verilator; group what fails.")
    domain: ClassVar[str] = "verification"
    parameters = RtlRegressionParameters

    def render(self, params: RtlRegressionParameters) -> JobSpec:
        """One array task for each run; the script is the same text for all parameters."""
        asked = _Asked.of(params)
        self._refuse_contradictions(params, asked)
        with self._refusing({"array": "only_tasks"}):
            return JobSpec(
                name=params.name,
                script=shipped("rtl_task.sh"),
                environment={
                    "RTL_TOP": asked.top,
                    "RTL_TOOL": asked.tool,
                    "RTL_COVERAGE": str(int(asked.coverage)),
                    "RTL_WAVES": str(int(params.waves)),
                    "RTL_COCOTB": ",".join(asked.cocotb),
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                array=ArraySpec(expression=_array_expression(params, asked.plan)),
                stdout_path="regression/task-%a.out",
                programs=(*_PROGRAMS[asked.tool], *(("cocotb-config",) if asked.cocotb else ())),
                inputs=_inputs(params, asked),
            )

    def campaign(self, params: RtlRegressionParameters) -> Sequence[CampaignCell]:
        """Tests (in each configuration) are rows, seeds are columns."""
        plan = _Asked.of(params).plan
        runs = map(plan.run, _task_indices(params, plan))
        return [CampaignCell(run.task_index, plan.row(run), str(run.seed)) for run in runs]

    def stop_rule(self, params: RtlRegressionParameters) -> StopRule:
        """The file's, or the form's where the file says nothing."""
        file = _Asked.of(params).file
        return StopRule(
            failures=(file and file.stop.failures) or params.stop_failures,
            cost_vnd=(file and file.stop.cost_vnd) or params.stop_cost_vnd,
        )

    def rerun(
        self, params: RtlRegressionParameters, indices: Sequence[int], *, new_seeds: int, waves: bool
    ) -> RtlRegressionParameters:
        """The same tasks of the same design; other seeds lie above all that were used before.

        Raises:
            InvalidParameters: there are no seeds left above them.
        """
        first = params.model_copy(update={"seed_offset": 0})
        span = _Asked.of(first).plan.last_seed + 1
        offset = new_seeds * span if new_seeds else params.seed_offset
        changes = {"only_tasks": sorted(indices), "waves": waves, "seed_offset": offset}
        return self.validate({**params.model_dump(), **changes})

    def parse(self, workspace: Path, params: RtlRegressionParameters) -> Results:
        """A result for every task that has ended by itself; a task that was killed left none."""
        asked = _Asked.of(params)
        ended = ended_tasks(workspace, _task_indices(params, asked.plan), RESULTS)
        tasks = tuple(read_tasks(workspace, asked.plan, ended, waves=params.waves))
        covered = read_coverage(workspace) if asked.coverage else ()
        return Results(tasks=tasks, metrics=(*summary(tasks), *covered))

    def parse_tasks(
        self, workspace: Path, params: RtlRegressionParameters, indices: Collection[int]
    ) -> Sequence[TaskResult]:
        """Only these; nothing else is read."""
        plan = _Asked.of(params).plan
        known = [index for index in sorted(indices) if index < plan.task_count]
        return list(read_tasks(workspace, plan, known, waves=params.waves))

    def parse_run(self, workspace: Path, params: RtlRegressionParameters) -> Sequence[Metric]:
        """Coverage merged over all passing tasks."""
        return read_coverage(workspace) if _Asked.of(params).coverage else ()

    def _refuse_contradictions(self, params: RtlRegressionParameters, asked: "_Asked") -> None:
        problems = [*_plan_problems(params, asked), *_design_problems(params, asked)]
        if problems:
            raise InvalidParameters(self.name, problems)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What file and form ask for together."""

    file: RegressionFile | None
    plan: Plan
    """With the seeds as they are used."""
    top: str
    tool: str
    coverage: bool
    cocotb: tuple[str, ...]

    @classmethod
    def of(cls, params: RtlRegressionParameters) -> "_Asked":
        if not params.regression.strip():
            plan = _plan_of_form(params).shifted(params.seed_offset)
            return cls(None, plan, params.top, params.tool, params.coverage, tuple(params.cocotb))
        file = read_regression(params.regression)
        plan = expand(file, groups=params.groups).shifted(params.seed_offset)
        coverage = params.coverage if file.coverage is None else file.coverage
        cocotb = params.cocotb if file.cocotb is None else file.cocotb
        return cls(file, plan, file.top or params.top, file.tool or params.tool, coverage, tuple(cocotb))


def rerun_failures(params: RtlRegressionParameters, results: Results) -> RtlRegressionParameters:
    """The parameters of a job that runs again what did not pass: same seeds, same sources, with waveforms."""
    failed = [task.task_index for task in results.tasks if task.verdict is not Verdict.PASS]
    return params.model_copy(update={"only_tasks": failed, "waves": True})


def _plan_of_form(params: RtlRegressionParameters) -> Plan:
    blocks = (
        Block(
            first_task=number * params.seeds,
            count=params.seeds,
            test=test,
            configuration="default",
            first_seed=params.first_seed,
            timeout_seconds=params.timeout_seconds or 0,
            plusargs=(f"n={params.transactions}",),
        )
        for number, test in enumerate(params.tests)
    )
    return Plan((Configuration("default", tuple(params.defines)),), tuple(blocks))


def _plan_problems(params: RtlRegressionParameters, asked: _Asked) -> Iterable[FieldProblem]:
    total = asked.plan.task_count
    if asked.file is None:
        if len(set(params.tests)) != len(params.tests):
            yield field_problem("tests", "duplicate", N_("Each test may be named once."))
        if total > MOST_TASKS:
            text = N_("%(count)s tasks; a regression can have %(most)s.")
            yield field_problem("seeds", "too_large", text, count=total, most=MOST_TASKS)
        if params.groups:
            yield field_problem("groups", "needs_file", N_("Only a regression file has groups."))
    else:
        unknown = list(group_problems(asked.file, params.groups))
        yield from unknown
        if unknown:
            return
        if not total:
            yield field_problem("regression", "empty", N_("No test runs in any configuration."))
    if asked.plan.last_seed > LARGEST_SEED:
        field = "seed_offset" if params.seed_offset else "first_seed"
        yield field_problem(field, "too_large", N_("The last seed would pass %(most)s."), most=LARGEST_SEED)
    if any(index >= total for index in params.only_tasks):
        yield field_problem("only_tasks", "too_large", N_("The last task is %(last)s."), last=total - 1)
    longest = max((block.timeout_seconds for block in asked.plan.blocks), default=0)
    if longest > params.resources.walltime_seconds:
        text = N_("A simulation may take %(longest)s s, but the walltime of its task ends before.")
        yield field_problem("resources.walltime_seconds", "too_small", text, longest=longest)


def _design_problems(params: RtlRegressionParameters, asked: _Asked) -> Iterable[FieldProblem]:
    if params.sources and not compiled(params.sources):
        yield field_problem("sources", "no_source", N_("There is no .sv or .v file to compile."))
    for path in asked.file.sources if asked.file else ():
        if path not in params.sources:
            text = N_("%(path)s, which the regression file names, is missing.")
            yield field_problem("sources", "no_file", text, path=path)
    for module in asked.cocotb:
        path = module.replace(".", "/") + ".py"
        if path not in (params.sources or _COCOTB_EXAMPLE):
            text = N_("%(path)s, which cocotb is to run, is missing.")
            yield field_problem("sources", "missing", text, path=path)
    if asked.cocotb and not params.sources and asked.top == "tb":
        text = N_("cocotb drives the design itself, which is fifo in the example.")
        yield field_problem("top", "missing", text)
    if asked.coverage and asked.tool != "verilator":
        yield field_problem("coverage", "needs_verilator", N_("Only Verilator tells coverage."))


def _task_indices(params: RtlRegressionParameters, plan: Plan) -> Sequence[int]:
    return sorted(set(params.only_tasks)) or range(plan.task_count)


def _array_expression(params: RtlRegressionParameters, plan: Plan) -> str:
    members = compact(_task_indices(params, plan))
    return f"{members}%{params.max_parallel}" if params.max_parallel else members


def _inputs(params: RtlRegressionParameters, asked: _Asked) -> tuple[InputFile, ...]:
    file, plan = asked.file, asked.plan
    design = design_files(params.sources, _COCOTB_EXAMPLE if asked.cocotb else _EXAMPLE)
    ordered = [f"design/{path}" for path in file.sources] if file else []
    sources = ordered or compiled({one.path: one.content for one in design})
    several = [lines_file("regression/several", ["yes"])] if len(plan.configurations) > 1 else []
    main = shipped("cocotb/main.cpp" if asked.cocotb else "rtl_main.cpp")
    return (
        lines_file("regression/blocks.txt", [block_line(block) for block in plan.blocks]),
        *(_compile_file(one, sources, asked) for one in plan.configurations),
        lines_file(
            "regression/pass.txt",
            [] if asked.cocotb else (file and file.pass_patterns) or params.pass_patterns,
        ),
        lines_file(
            "regression/fail.txt",
            params.fail_patterns if file is None or file.fail_patterns is None else file.fail_patterns,
        ),
        *several,
        *(
            [InputFile(path="regression/verilator/main.cpp", content=main)]
            if asked.tool == "verilator"
            else []
        ),
        *(
            InputFile(path=f"regression/cocotb/{name}", content=shipped(f"cocotb/{name}"))
            for name in (("waves.v", "find.py", "read_results.py") if asked.cocotb else ())
        ),
        *design,
    )


def _compile_file(configuration: Configuration, sources: Sequence[str], asked: _Asked) -> InputFile:
    """Sources that name no unit of time get one: triggers of cocotb are in ns."""
    options = ["+incdir+design", *(f"+define+{define}" for define in configuration.defines)]
    if asked.cocotb and asked.tool == "icarus":
        options.append("+timescale+1ns/1ps")
    return lines_file(f"regression/{configuration.name}.f", [*options, *sources])
