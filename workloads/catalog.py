"""The templates that this portal offers, by name: the only file that names them all."""

from typing import Any

from workloads.ai.dask_cluster import DaskCluster
from workloads.ai.inference import Inference
from workloads.ai.notebook import Notebook
from workloads.ai.sweep import Sweep
from workloads.ai.training import Training
from workloads.eda.characterisation import Characterisation
from workloads.eda.formal import Formal
from workloads.eda.fpga import Fpga
from workloads.eda.layout_check import LayoutCheck
from workloads.eda.layout_rules import LayoutRules
from workloads.eda.lint import Lint
from workloads.eda.place_and_route import PlaceAndRoute
from workloads.eda.rtl_simulation import RtlRegression
from workloads.eda.spice import Spice
from workloads.eda.synthesis import Synthesis
from workloads.eda.vhdl import Vhdl
from workloads.errors import TemplateNotFound
from workloads.gpu.fault_simulation import FaultSimulation
from workloads.gpu.node_health import NodeHealth
from workloads.gpu.statistical_timing import StatisticalTiming
from workloads.script import Script
from workloads.template import Template

CATALOG: dict[str, Template[Any]] = {
    template.name: template
    for template in (
        RtlRegression(),
        Vhdl(),
        Lint(),
        Formal(),
        Synthesis(),
        PlaceAndRoute(),
        LayoutCheck(),
        LayoutRules(),
        Fpga(),
        Spice(),
        Characterisation(),
        StatisticalTiming(),
        FaultSimulation(),
        Training(),
        Sweep(),
        Inference(),
        DaskCluster(),
        Notebook(),
        NodeHealth(),
        Script(),
    )
}
"""In the order in which people see them."""


def template(name: str) -> Template[Any]:
    """The template of that name.

    Raises:
        TemplateNotFound: there is none.
    """
    try:
        return CATALOG[name]
    except KeyError:
        raise TemplateNotFound(name, tuple(CATALOG)) from None


def titles() -> dict[str, str]:
    """Untranslated title by name, in the order in which people see them."""
    return {name: found.title for name, found in CATALOG.items()}
