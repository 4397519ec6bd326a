"""The shipped site templates, with parameters that a test can run."""

import os
from pathlib import Path
from typing import Any

from tests.integration.workloads.site.fake_tool import wrap
from workloads.site.read_document import read_document
from workloads.site.template import SiteTemplate

FOLDER = Path(__file__).parents[4] / "workloads/site/examples"
LOGS = Path(__file__).parent / "logs"
FAKE = Path(__file__).parent / "fake_tool.py"

_REGRESSION: dict[str, Any] = {
    "sources": {"fifo.sv": "module fifo; endmodule\n", "tb.sv": "module tb; endmodule\n", "defs.svh": "\n"},
    "defines": ["DEPTH=4", "FAST"],
    "tests": ["smoke_test", "burst_test"],
    "seeds": 2,
    "coverage": True,
}
_SYNTHESIS: dict[str, Any] = {"sources": {"counter.sv": "module counter; endmodule\n"}, "top": "counter"}
_TIMING: dict[str, Any] = {
    "netlist": {"counter.v": "module counter; endmodule\n"},
    "top": "counter",
    "constraints": "create_clock -period 2 clk\n",
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "vcs-regression": _REGRESSION,
    "xcelium-regression": _REGRESSION,
    "questa-regression": _REGRESSION,
    "design-compiler": _SYNTHESIS,
    "genus": _SYNTHESIS,
    "primetime": _TIMING | {"parasitics": {"counter.spef": "*SPEF\n"}},
    "tempus": _TIMING,
    "innovus": _TIMING,
    "spectre-corners": {"circuit": "tran tran stop=10n\n", "accelerate": True},
    "calibre": {"layout": "/projects/chip/counter.gds", "top": "counter"},
}


def load(name: str) -> SiteTemplate:
    """The example of that template name."""
    for path in FOLDER.glob("*.toml"):
        document = read_document(path.read_text("utf-8"), source=path.name)
        if document.name == name:
            return SiteTemplate(document, version=1)
    raise AssertionError(name)


def tools(folder: Path, template: SiteTemplate, *, tag: str = "pass") -> str:
    """A PATH with fakes of the template's commands before the machine's own."""
    for command in template.document.tool.commands:
        wrap(folder / command, command, FAKE, LOGS / template.name, tag)
    return f"{folder}:{os.environ['PATH']}"
