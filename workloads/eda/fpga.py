"""FPGA bit-streams for Lattice's iCE40: Yosys, nextpnr and IceStorm, an array task for each seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from schedulers.jobspec import ArraySpec, InputFile, JobSpec
from workloads.eda.fpga_parameters import PACKAGES, FpgaParameters
from workloads.eda.fpga_results import read_results
from workloads.eda.sources import compiled, design_files, lines_file
from workloads.eda.task_facts import task_script
from workloads.errors import InvalidParameters, field_problem
from workloads.scripts import shipped
from workloads.template import N_, CampaignCell, Results, Template

_EXAMPLE = {"blinky.v": "fpga/blinky.v"}
_EXAMPLE_PART = ("hx8k", "ct256")


class Fpga(Template[FpgaParameters]):
    """Task k places and routes with seed `first_seed + k`; all share one synthesis."""

    name: ClassVar[str] = "fpga"
    title: ClassVar[str] = N_("FPGA bit-stream")
    summary: ClassVar[str] = N_(
        "RTL to an iCE40 bit-stream with Yosys and nextpnr; the best of several seeds."
    )
    domain: ClassVar[str] = "synthesis"
    parameters = FpgaParameters

    def render(self, params: FpgaParameters) -> JobSpec:
        """One array task for each seed; the scripts are the same text for all parameters."""
        self._refuse_contradictions(params)
        throttle = f"%{params.max_parallel}" if params.max_parallel else ""
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=task_script("fpga_task.sh"),
                environment={
                    "FPGA_TOP": params.top,
                    "FPGA_DEVICE": params.device,
                    "FPGA_PACKAGE": params.package,
                    "FPGA_FREQUENCY_MHZ": f"{params.frequency_mhz:.9g}",
                    "FPGA_FIRST_SEED": str(params.first_seed),
                    "FPGA_FREE_PINS": str(int(params.free_pins)),
                    "FPGA_FAIL_ON_TIMING": str(int(params.fail_on_timing)),
                },
                partition=params.resources.partition,
                resources=params.resources.request(),
                programs=("yosys", "nextpnr-ice40", "icepack", "icetime", "flock"),
                array=ArraySpec(expression=f"0-{params.seeds - 1}{throttle}"),
                stdout_path="logs/task-%a.out",
                inputs=_inputs(params),
            )

    def campaign(self, params: FpgaParameters) -> Sequence[CampaignCell]:
        """The part is the row, seeds are columns."""
        row = f"{params.device} {params.package}"
        return [CampaignCell(index, row, str(params.first_seed + index)) for index in range(params.seeds)]

    def parse(self, workspace: Path, params: FpgaParameters) -> Results:
        """What every seed that has ended achieved, the best first."""
        return read_results(workspace, params)

    def _refuse_contradictions(self, params: FpgaParameters) -> None:
        problems = []
        if params.sources and not compiled(params.sources):
            problems.append(field_problem("sources", "missing", N_("There is no .sv or .v file to compile.")))
        if params.package not in (known := PACKAGES[params.device]):
            text = N_("%(device)s has no package %(package)s; it has %(known)s.")
            facts = {"device": params.device, "package": params.package, "known": ", ".join(known)}
            problems.append(field_problem("package", "missing", text, **facts))
        if problems:
            raise InvalidParameters(self.name, problems)


def _inputs(params: FpgaParameters) -> tuple[InputFile, ...]:
    design = design_files(params.sources, _EXAMPLE)
    pins = params.pins
    if not pins and not params.sources and (params.device, params.package) == _EXAMPLE_PART:
        pins = shipped("fpga/blinky.pcf")
    return (
        lines_file("fpga/defines.txt", params.defines),
        lines_file("fpga/sources.txt", compiled({one.path: "" for one in design})),
        InputFile(path="fpga/synthesize.tcl", content=shipped("fpga/synthesize.tcl")),
        InputFile(path="design/pins.pcf", content=pins),
        *design,
    )
