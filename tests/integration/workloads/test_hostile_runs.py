"""Hostile parameters in jobs that really run: nothing they say is executed."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.workloads.runner import prepare, run_task
from workloads.catalog import CATALOG
from workloads.template import Verdict

INJECTIONS = (
    "$(touch INJECTED)",
    "`touch INJECTED`",
    "'; touch INJECTED; '",
    "-f INJECTED",
    "x > INJECTED",
    "*",
)


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lambda text: {"pass_patterns": [text]}, id="pass text"),
        pytest.param(lambda text: {"fail_patterns": [text]}, id="fail text"),
        pytest.param(lambda text: {"name": text}, id="name"),
        pytest.param(
            lambda text: {
                "sources": {
                    "tb.sv": f'module tb; initial $display("TB_STAT {text}\\nTB_ERROR {text}"); endmodule\n'
                }
            },
            id="what the design prints",
        ),
    ],
)
def test_text_that_a_regression_carries_is_never_run(tmp_path: Path, raw: Any, text: str) -> None:  # noqa: ANN401
    template = CATALOG["rtl-regression"]
    params = template.validate({"tests": ["random"], "seeds": 1, **raw(text)})
    spec = template.render(params)
    prepare(tmp_path, spec)
    run_task(tmp_path, spec)
    assert not list(tmp_path.rglob("INJECTED*"))
    assert len(template.parse(tmp_path, params).tasks) == 1


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_script_s_variable_arrives_as_it_is(tmp_path: Path, text: str) -> None:
    template = CATALOG["script"]
    raw = {"script": '#!/bin/bash\nprintf %s "$GIVEN"\n', "environment": {"GIVEN": text}}
    spec = template.render(template.validate(raw))
    prepare(tmp_path, spec)
    ended = run_task(tmp_path, spec)
    assert (ended.exit_code, ended.output) == (0, text)
    assert not list(tmp_path.rglob("INJECTED*"))


HOSTILE_NAMES = r"""module a(input clk, input \[exit] , output reg \$(touch${IFS}INJECTED) ,
    output reg \";touch${IFS}INJECTED;" , output reg \`touch${IFS}INJECTED` );
  always @(posedge clk) begin
    \$(touch${IFS}INJECTED) <= \[exit] ;
    \";touch${IFS}INJECTED;" <= \$(touch${IFS}INJECTED) ;
    \`touch${IFS}INJECTED` <= \";touch${IFS}INJECTED;" ;
  end
`ifdef FORMAL
  always @* assert (\[exit] || !\[exit] );
`endif
endmodule
"""
"""An escaped identifier of Verilog may hold anything but white space; tools print these names to us."""


@pytest.mark.parametrize("name", ["lint", "formal", "synthesis", "fpga"])
def test_names_of_a_design_are_read_as_names_by_every_tool(tmp_path: Path, name: str) -> None:
    template = CATALOG[name]
    params = template.validate({"sources": {"a.sv": HOSTILE_NAMES}, "top": "a"})
    spec = template.render(params)
    prepare(tmp_path, spec)
    ended = run_task(tmp_path, spec)
    assert not list(tmp_path.rglob("INJECTED*"))
    assert ended.exit_code == 0
    assert template.parse(tmp_path, params).tasks[0].verdict is Verdict.PASS
