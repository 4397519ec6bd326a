"""The form of the place-and-route template: a design, its technology and floorplan, and how far to go."""

from typing import Annotated, Literal

from pydantic import Field

from workloads.eda.sources import Define, SourcePath, SourceText, Word
from workloads.eda.synthesis_parameters import ParameterSet
from workloads.resources import JobName, Resources
from workloads.template import N_, Parameters

ROUTING_LAYERS = {"osu018": 6, "osu035": 4, "osu050": 3}
"""Metal layers of each technology."""

Density = Annotated[float, Field(ge=0.1, le=1, allow_inf_nan=False)]


class PlaceAndRouteParameters(Parameters):
    """What to lay out, in which technology, and how tightly."""

    name: JobName = "place-and-route"
    sources: dict[SourcePath, SourceText] = Field(
        default_factory=dict,
        max_length=1000,
        title=N_("Source files"),
        description=N_(
            "SystemVerilog, or a netlist of the technology's cells, by path, read in this order; "
            ".svh and .vh are for `include only. Empty takes the FIFO example that comes with the portal."
        ),
        json_schema_extra={"widget": "files", "group": N_("Design")},
    )
    top: Word = Field(
        default="fifo",
        title=N_("Top module"),
        description=N_("Its ports have plain names: letters, digits and _."),
        json_schema_extra={"group": N_("Design")},
    )
    parameter_set: ParameterSet | None = Field(
        default=None,
        title=N_("Parameters of the top module"),
        description=N_("NAME=value NAME=value; empty keeps those of the sources."),
        json_schema_extra={"group": N_("Design")},
    )
    defines: list[Define] = Field(
        default_factory=list,
        max_length=100,
        title=N_("Defines"),
        description=N_("NAME or NAME=value, one a line."),
        json_schema_extra={"group": N_("Design")},
    )
    technology: Literal["osu018", "osu035", "osu050"] = Field(
        default="osu018",
        title=N_("Technology"),
        description=N_("Open standard cells of 0.18, 0.35 and 0.5 µm with 6, 4 and 3 metal layers."),
        json_schema_extra={"group": N_("Floorplan")},
    )
    density: Density = Field(
        default=0.8,
        title=N_("Density"),
        description=N_(
            "The part of the rows that cells take; fillers take the rest and leave room to route."
        ),
        json_schema_extra={"group": N_("Floorplan")},
    )
    aspect_ratio: float = Field(
        default=1,
        ge=0.1,
        le=10,
        allow_inf_nan=False,
        title=N_("Aspect ratio"),
        description=N_("Height over width, as near as whole rows come to it."),
        json_schema_extra={"advanced": True, "group": N_("Floorplan")},
    )
    routing_layers: int | None = Field(
        default=None,
        ge=2,
        le=6,
        title=N_("Routing layers"),
        description=N_("Metal layers that the router may use; empty takes all of the technology."),
        json_schema_extra={"advanced": True, "group": N_("Floorplan")},
    )
    seed: int = Field(
        default=12345,
        ge=1,
        le=2**31 - 1,
        title=N_("Seed"),
        description=N_("Of the placer: another one gives another placement, the same one the same."),
        json_schema_extra={"group": N_("Floorplan")},
    )
    last_step: Literal["placement", "routing", "checks"] = Field(
        default="checks",
        title=N_("Go on until"),
        description=N_("Placement, routing with its timing, or DRC, LVS and GDS as well."),
        json_schema_extra={"group": N_("Goal")},
    )
    clock_period_ns: float | None = Field(
        default=None,
        ge=0.001,
        le=1e6,
        allow_inf_nan=False,
        title=N_("Clock period"),
        description=N_("The routed design fails when its registers need longer; empty only reports it."),
        json_schema_extra={"unit": "ns", "group": N_("Goal")},
    )
    cells: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        title=N_("Cells, about"),
        description=N_(
            "If given, memory and walltime are raised to what such a design needs: for each 1,000 cells "
            "100 MiB and a minute, three times that to be safe. More cores do not help: "
            "one step follows another."
        ),
        json_schema_extra={"group": N_("Goal")},
    )
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=512, walltime_seconds=1800), title=N_("Resources")
    )

    def sized_resources(self) -> Resources:
        """The resources, raised to what `cells` needs.

        Measured on one core: 148 cells 5 s, 1,298 cells 31 s and 80 MiB; most of it is the placer's, whose
        time grows faster than the design.
        """
        if self.cells is None:
            return self.resources
        return self.resources.model_copy(
            update={
                "memory_mib": max(self.resources.memory_mib, 256 + self.cells * 3 // 10),
                "walltime_seconds": max(self.resources.walltime_seconds, 120 + self.cells * 18 // 100),
            }
        )
