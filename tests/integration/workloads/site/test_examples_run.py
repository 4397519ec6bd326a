"""Each shipped site template runs its tool's command line for real, and reads what such a tool leaves."""

import json
from pathlib import Path

import pytest

from schedulers.jobspec import ArraySpec, JobSpec
from tests.integration.workloads.runner import Ended, prepare, run_task
from tests.integration.workloads.site.examples import FOLDER, PARAMETERS, load, tools
from workloads.errors import InvalidParameters
from workloads.site.template import SiteTemplate
from workloads.template import Parameters, TaskResult, Verdict

METRICS = {
    "vcs-regression": {"sim_time_ns": 12345, "cpu_seconds": 0.48, "data_mib": 0.2, "uvm_warnings": 2},
    "xcelium-regression": {
        "sim_time_ns": 12345,
        "cpu_seconds": 1.5,
        "peak_memory_mib": 50.1,
        "uvm_warnings": 2,
    },
    "questa-regression": {"warnings": 3, "sim_time_ns": 12345, "uvm_warnings": 2},
    "design-compiler": {
        "area_um2": 12444.56,
        "combinational_area_um2": 8123.44,
        "sequential_area_um2": 4321.12,
        "cells": 98,
        "setup_wns_ns": -0.11,
        "setup_tns_ns": -0.32,
        "violating_paths": 4,
        "warnings": 1,
    },
    "genus": {
        "area_um2": 12444.56,
        "total_area_um2": 14789.66,
        "cells": 1234,
        "sequential_cells": 210,
        "setup_wns_ps": 52,
        "setup_tns_ps": 0,
        "warnings": 1,
    },
    "primetime": {
        "setup_wns_ns": -0.035,
        "hold_wns_ns": 0.021,
        "setup_violations": 1,
        "hold_violations": 0,
        "setup_tns_ns": -0.035,
        "warnings": 1,
    },
    "tempus": {
        "setup_wns_ns": -0.021,
        "setup_tns_ns": -0.145,
        "setup_violations": 7,
        "hold_wns_ns": 0.034,
        "hold_violations": 0,
        "errors": 0,
        "warnings": 3,
    },
    "innovus": {
        "setup_wns_ns": 0.012,
        "setup_tns_ns": 0,
        "drc_violations": 3,
        "wire_length_um": 11876,
        "density_percent": 71.23,
        "errors": 0,
        "warnings": 12,
    },
    "spectre-corners": {
        "tphl_s": 2.63e-11,
        "tplh_s": 4.04e-11,
        "warnings": 2,
        "tran_cpu_seconds": 1.25,
        "peak_memory_mib": 120,
    },
    "calibre": {"drc_results": 0, "rule_checks": 512, "cpu_seconds": 12, "real_seconds": 5},
}

SIGNATURES = {
    "vcs-regression": "UVM_ERROR design/tb.sv(*) @ *: uvm_test_top.env.sb [SCOREBOARD] data mismatch: "
    "got * expected *",
    "xcelium-regression": "xmsim: *E,ASRTST (design/tb.sv,*): (time *) Assertion "
    "tb.dut.no_overflow has failed",
    "questa-regression": "# ** Error: fifo level mismatch: got * expected *",
    "design-compiler": "Error: Cannot find the design 'counter' in the library 'WORK'. (LBR-*)",
    "genus": "Error : Could not find an HDL design. [ELAB-*] [elaborate]",
    "primetime": "Error: Cannot read link_path file '/tools/tech/stdcells_typical.db'. (LNK-*)",
    "tempus": "**ERROR: (TCLCMD-*): Cannot find 'ports' that match 'clock'",
    "innovus": "**ERROR: (IMPLF-*): Error found when processing LEF file '/tools/tech/stdcells.lef'.",
    "spectre-corners": "Error found by spectre during circuit read-in.",
    "calibre": "--- TOTAL RESULTS GENERATED = * (*)",
}


def run(
    folder: Path, name: str, tag: str, index: int = 0
) -> tuple[SiteTemplate, Parameters, JobSpec, Ended, list[list[str]]]:
    template = load(name)
    params = template.validate(PARAMETERS[name])
    spec = template.render(params)
    calls = folder / "calls.jsonl"
    spec = spec.model_copy(update={"environment": {**spec.environment, "CALLS": str(calls)}})
    prepare(folder / "workspace", spec)
    path = tools(folder / "bin", template, tag=tag)
    ended = run_task(folder / "workspace", spec, index, path)
    lines = calls.read_text().splitlines() if calls.exists() else []
    return template, params, spec, ended, [json.loads(line) for line in lines]


def result(template: SiteTemplate, params: Parameters, folder: Path) -> TaskResult:
    (found,) = template.parse(folder / "workspace", params).tasks
    return found


def test_every_shipped_example_is_tried_here() -> None:
    assert len(list(FOLDER.glob("*.toml"))) == len(PARAMETERS) == len(METRICS) == len(SIGNATURES)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_good_run_passes_with_its_numbers(tmp_path: Path, name: str) -> None:
    template, params, _, ended, calls = run(tmp_path, name, "pass")
    assert ended.exit_code == 0, ended.output
    assert [call[0] for call in calls][: len(template.document.tool.commands)] == list(
        template.document.tool.commands
    )
    found = result(template, params, tmp_path)
    assert (found.verdict, found.failure) == (Verdict.PASS, None)
    assert {metric.name: metric.value for metric in found.metrics} == METRICS[name]
    assert found.artefacts[0].kind == "log"


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_bad_run_fails_with_a_signature(tmp_path: Path, name: str) -> None:
    template, params, *_ = run(tmp_path, name, "fail")
    found = result(template, params, tmp_path)
    assert found.verdict is Verdict.FAIL
    assert found.failure
    assert found.failure.signature == SIGNATURES[name]
    assert found.failure.line_number > 0


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_missing_tool_is_named_and_ends_the_job_at_once(tmp_path: Path, name: str) -> None:
    template = load(name)
    params = template.validate(PARAMETERS[name])
    spec = template.render(params)
    prepare(tmp_path / "workspace", spec)
    ended = run_task(tmp_path / "workspace", spec)
    assert ended.exit_code == 127
    assert f"tool missing: {template.document.tool.commands[0]}" in ended.output
    failure = result(template, params, tmp_path).failure
    assert failure
    assert failure.signature == f"tool missing: {template.document.tool.commands[0]}"


def test_an_array_runs_each_test_with_each_seed_and_compiles_once(tmp_path: Path) -> None:
    template, params, spec, *_ = run(tmp_path, "vcs-regression", "pass", 0)
    path = tools(tmp_path / "bin", template)
    for index in (1, 2, 3):
        assert run_task(tmp_path / "workspace", spec, index, path).exit_code == 0
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert [call[0] for call in calls] == ["vcs", "simv", "simv", "simv", "simv"]
    assert calls[0][-5:] == ["-Mdir=build/csrc", "-o", "build/simv", "design/fifo.sv", "design/tb.sv"]
    assert [call[-4:-2] for call in calls[1:]] == [
        [f"+ntb_random_seed={seed}", f"+UVM_TESTNAME={test}"]
        for test in ("smoke_test", "burst_test")
        for seed in (1, 2)
    ]
    labels = [task.label for task in template.parse(tmp_path / "workspace", params).tasks]
    cells = [f"{cell.row} {cell.column}" for cell in template.campaign(params)]
    assert labels == cells == ["smoke_test 1", "smoke_test 2", "burst_test 1", "burst_test 2"]
    (only,) = template.parse_tasks(tmp_path / "workspace", params, [2])
    assert only.label == "burst_test 1"


def test_lists_switches_and_options_become_words(tmp_path: Path) -> None:
    *_, calls = run(tmp_path, "vcs-regression", "pass")
    words = calls[0]
    assert words[1:5] == ["-full64", "-sverilog", "-timescale=1ns/1ps", "-ntb_opts"]
    assert words[5:9] == ["uvm-1.2", "-licqueue", "-cm", "line+cond+fsm+tgl+branch+assert"]
    assert words[9:12] == ["+define+DEPTH=4", "+define+FAST", "+incdir+design"]


def test_resources_and_licences_follow_the_parameters() -> None:
    template = load("primetime")
    small = template.render(template.validate(PARAMETERS["primetime"])).resources
    large = template.render(template.validate(PARAMETERS["primetime"] | {"cores": "16"})).resources
    assert (small.cpus_per_task, small.memory_mib_per_node, small.licenses) == (4, 12288, {"PrimeTime": 1})
    assert (large.cpus_per_task, large.memory_mib_per_node, large.licenses) == (16, 36864, {"PrimeTime": 4})


def test_what_failed_runs_again_with_the_same_or_with_seeds_that_none_had_before(tmp_path: Path) -> None:
    template = load("vcs-regression")
    params = template.validate(PARAMETERS["vcs-regression"])
    same = template.rerun(params, [3, 1], new_seeds=0, waves=True)
    assert template.render(same).array == ArraySpec(expression="1,3")
    assert [cell.column for cell in template.campaign(same)] == ["2", "2"]
    assert template.render(same).environment["PARAM_WAVES"] == "1"
    seeds = []
    for attempt in (1, 2, 3):
        same = template.rerun(same, [3, 1], new_seeds=attempt, waves=False)
        seeds += [cell.column for cell in template.campaign(same)]
    assert seeds == ["4", "4", "6", "6", "8", "8"]
    spec = template.render(same)
    calls = tmp_path / "calls.jsonl"
    spec = spec.model_copy(update={"environment": {**spec.environment, "CALLS": str(calls)}})
    prepare(tmp_path / "workspace", spec)
    run_task(tmp_path / "workspace", spec, 3, tools(tmp_path / "bin", template))
    (task,) = template.parse(tmp_path / "workspace", same).tasks
    assert (task.label, task.verdict) == ("burst_test 8", Verdict.PASS)


def test_a_task_that_the_matrix_does_not_have_is_refused() -> None:
    template = load("vcs-regression")
    params = template.validate(PARAMETERS["vcs-regression"] | {"only_tasks": [4]})
    with pytest.raises(InvalidParameters, match="the last task is 3"):
        template.render(params)


def test_corners_have_no_other_seeds() -> None:
    template = load("spectre-corners")
    params = template.validate(PARAMETERS["spectre-corners"])
    assert template.rerun(params, [1], new_seeds=0, waves=False)
    with pytest.raises(InvalidParameters, match="no other seeds"):
        template.rerun(params, [1], new_seeds=1, waves=False)
