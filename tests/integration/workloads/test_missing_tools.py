"""A task whose node lacks a tool ends at once, names it, and says what to install."""

import shutil
from pathlib import Path

import pytest

from schedulers.programs import LOOKED_FOR
from tests.integration.workloads.runner import prepare, run_task
from workloads.catalog import CATALOG

BASICS = ("bash", "mkdir", "rm", "mv", "sed", "flock", "timeout", "awk", "iverilog", "vvp")
COCOTB = {"cocotb": ["test_fifo"], "top": "fifo", "tests": ["balanced"], "seeds": 1}


@pytest.mark.parametrize(
    ("name", "raw", "tool", "package"),
    [
        ("fpga", {"seeds": 1}, "yosys", "yosys"),
        ("vhdl", {"seeds": 1}, "ghdl", "ghdl"),
        ("characterisation", {"cells": ["inv_x1 y=!a"]}, "ngspice", "ngspice"),
        ("rtl-regression", COCOTB, "cocotb-config", "cocotb"),
    ],
)
def test_a_missing_tool_is_the_failure_and_nodes_look_for_it(
    tmp_path: Path, name: str, raw: dict[str, object], tool: str, package: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for program in BASICS:
        (tools / program).symlink_to(shutil.which(program) or "")
    template = CATALOG[name]
    params = template.validate(raw)
    spec = template.render(params)
    prepare(tmp_path / "workspace", spec)
    ended = run_task(tmp_path / "workspace", spec, 0, str(tools))
    assert ended.exit_code == 127
    assert f"tool missing: {tool}" in ended.output
    assert f"package {package}" in ended.output
    [task] = template.parse(tmp_path / "workspace", params).tasks
    assert task.failure
    assert task.failure.signature == f"tool missing: {tool}"
    assert tool in spec.programs
    assert set(spec.programs) <= set(LOOKED_FOR), "so that no job is sent to a node without it"
