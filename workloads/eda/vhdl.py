"""VHDL simulation on GHDL: variants x seeds as one array, analysed once for all; assertions decide."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from schedulers.array_tasks import compact
from schedulers.jobspec import ArraySpec, InputFile, JobSpec
from workloads.eda.sources import design_files, lines_file
from workloads.eda.task_facts import task_script
from workloads.eda.vhdl_parameters import MOST_TASKS, VhdlParameters
from workloads.eda.vhdl_results import Run, read_results
from workloads.errors import InvalidParameters, field_problem
from workloads.regression.plan import LARGEST_SEED
from workloads.template import N_, CampaignCell, Results, StopRule, Template

_EXAMPLE = {name: f"vhdl/{name}" for name in ("gray_counter.vhd", "gray_counter_tb.vhd")}


class Vhdl(Template[VhdlParameters]):
    """Task index = variant number x seeds + seed number."""

    name: ClassVar[str] = "vhdl"
    title: ClassVar[str] = N_("VHDL simulation")
    summary: ClassVar[str] = N_("Run VHDL benches on GHDL with many seeds; group failed assertions.")
    domain: ClassVar[str] = "verification"
    parameters = VhdlParameters

    def render(self, params: VhdlParameters) -> JobSpec:
        """One array task for each run; the script is the same text for all parameters."""
        self._refuse_contradictions(params)
        members = compact(_task_indices(params))
        throttle = f"%{params.max_parallel}" if params.max_parallel else ""
        with self._refusing({"array": "only_tasks"}):
            return JobSpec(
                name=params.name,
                script=task_script("vhdl_task.sh"),
                environment={
                    "VHDL_TOP": params.top,
                    "VHDL_STANDARD": params.standard,
                    "VHDL_SYNOPSYS": str(int(params.synopsys_packages)),
                    "VHDL_SEED_GENERIC": params.seed_generic or "",
                    "VHDL_STOP_TIME": (params.stop_time or "").replace(" ", ""),
                    "VHDL_TIMEOUT": str(params.timeout_seconds or 0),
                    "VHDL_FAIL_LEVEL": params.fail_level,
                    "VHDL_WAVES": params.waves,
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("ghdl", "flock"),
                array=ArraySpec(expression=f"{members}{throttle}"),
                stdout_path="logs/task-%a.out",
                inputs=_inputs(params),
            )

    def campaign(self, params: VhdlParameters) -> Sequence[CampaignCell]:
        """Variants are rows, seeds are columns."""
        runs = _runs(params)
        chosen = [runs[index] for index in _task_indices(params)]
        return [CampaignCell(run.index, run.variant or params.top, str(run.seed)) for run in chosen]

    def stop_rule(self, params: VhdlParameters) -> StopRule:
        """After so many failures, if the form says so."""
        return StopRule(failures=params.stop_failures)

    def rerun(
        self, params: VhdlParameters, indices: Sequence[int], *, new_seeds: int, waves: bool
    ) -> VhdlParameters:
        """The same tasks of the same design; other seeds lie above all that were used before.

        Raises:
            InvalidParameters: there are no seeds left above them.
        """
        offset = new_seeds * (params.first_seed + params.seeds) if new_seeds else params.seed_offset
        kept = params.waves if params.waves != "none" else "fst"
        changes = {"only_tasks": sorted(indices), "waves": kept if waves else "none", "seed_offset": offset}
        return self.validate({**params.model_dump(), **changes})

    def parse(self, workspace: Path, params: VhdlParameters) -> Results:
        """A result for every task that has ended by itself."""
        return read_results(workspace, _runs(params), _task_indices(params), params)

    def _refuse_contradictions(self, params: VhdlParameters) -> None:
        problems = []
        if len(set(params.variants)) != len(params.variants):
            problems.append(field_problem("variants", "duplicate", N_("Each value may be given once.")))
        total = _task_count(params)
        if total > MOST_TASKS:
            text = N_("%(count)s tasks; a campaign can have %(most)s.")
            problems.append(field_problem("seeds", "too_large", text, count=total, most=MOST_TASKS))
        if params.first_seed + params.seed_offset + params.seeds - 1 > LARGEST_SEED:
            field = "seed_offset" if params.seed_offset else "first_seed"
            text = N_("The last seed would pass %(most)s.")
            problems.append(field_problem(field, "too_large", text, most=LARGEST_SEED))
        if any(index >= total for index in params.only_tasks):
            text = N_("The last task is %(last)s.")
            problems.append(field_problem("only_tasks", "too_large", text, last=total - 1))
        if params.seeds > 1 and params.seed_generic is None:
            text = N_("Without a generic for the seed all runs would be the same.")
            problems.append(field_problem("seeds", "too_large", text))
        if (params.timeout_seconds or 0) > params.resources.walltime_seconds:
            text = N_("A simulation may take %(limit)s s, but the walltime of its task ends before.")
            facts = {"limit": params.timeout_seconds}
            problems.append(field_problem("resources.walltime_seconds", "too_small", text, **facts))
        if problems:
            raise InvalidParameters(self.name, problems)


def _task_count(params: VhdlParameters) -> int:
    return max(len(params.variants), 1) * params.seeds


def _task_indices(params: VhdlParameters) -> Sequence[int]:
    return sorted(set(params.only_tasks)) or range(_task_count(params))


def _runs(params: VhdlParameters) -> list[Run]:
    first = params.first_seed + params.seed_offset
    each = [
        (variant, first + number) for variant in (params.variants or [""]) for number in range(params.seeds)
    ]
    return [Run(index, *values) for index, values in enumerate(each)]


def _inputs(params: VhdlParameters) -> tuple[InputFile, ...]:
    design = design_files(params.sources, _EXAMPLE)
    lines = [f"{run.index}\t{run.seed}\t{run.variant}" for run in _runs(params)]
    return (
        lines_file("vhdl/tasks.txt", lines),
        lines_file("vhdl/sources.txt", [one.path for one in design]),
        lines_file("vhdl/pass.txt", params.pass_patterns),
        *design,
    )
