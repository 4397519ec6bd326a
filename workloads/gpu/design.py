"""The design that timing and fault simulation work on: a netlist and the library of its cells."""

from importlib.resources import files
from typing import Annotated

from pydantic import Field

from schedulers.jobspec import InputFile
from workloads.errors import FieldProblem
from workloads.resources import JobName
from workloads.template import N_, Parameters

LIBERTY = "gpu/library.lib"
NETLIST = "gpu/netlist.v"

DesignText = Annotated[str, Field(max_length=1024 * 1024)]


class DesignParameters(Parameters):
    """A netlist and its library, as text or as files on the node."""

    name: JobName = "design"
    netlist: DesignText = Field(
        default="",
        title=N_("Netlist"),
        description=N_(
            "One flat module of structural Verilog, as synthesis writes it. "
            "Empty takes the 16-bit adder that comes with the portal."
        ),
        json_schema_extra={"widget": "textarea", "group": N_("Design")},
    )
    liberty: DesignText = Field(
        default="",
        title=N_("Liberty library"),
        description=N_("Empty takes the small library that comes with the portal."),
        json_schema_extra={"widget": "textarea", "group": N_("Design")},
    )
    liberty_path: str | None = Field(
        default=None,
        max_length=1024,
        pattern=r"^/[^\x00-\x1f\x7f]+$",
        title=N_("Library on the node"),
        description=N_("An absolute path instead of the text, for large or confidential libraries."),
        json_schema_extra={"group": N_("Design")},
    )


def design_problems(params: DesignParameters) -> list[FieldProblem]:
    """What the fields contradict each other in."""
    if params.liberty and params.liberty_path:
        text = N_("give the library's text or its path on the node, not both")
        return [FieldProblem("liberty_path", text, "value_error", text)]
    return []


def design_inputs(params: DesignParameters) -> tuple[InputFile, ...]:
    """The files of the design."""
    netlist = InputFile(path=NETLIST, content=params.netlist or _example("adder16.v"))
    if params.liberty_path:
        return (netlist,)
    return (netlist, InputFile(path=LIBERTY, content=params.liberty or _example("example45.lib")))


def design_paths(params: DesignParameters) -> dict[str, str]:
    """Where the program finds them."""
    return {"netlist": NETLIST, "liberty": params.liberty_path or LIBERTY}


def _example(name: str) -> str:
    return files("workloads.gpu.examples").joinpath(name).read_text(encoding="utf-8")
