"""The GPU templates: what their jobs carry, and results that a tenant wrote by hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from workloads.errors import InvalidParameters
from workloads.gpu.fault_simulation import FaultSimulation
from workloads.gpu.node_health import NodeHealth
from workloads.gpu.statistical_timing import StatisticalTiming
from workloads.template import Results, Template, Verdict

TEMPLATES: list[Template[Any]] = [StatisticalTiming(), FaultSimulation(), NodeHealth()]
FILES = {"statistical-timing": "timing.json", "fault-simulation": "faults.json", "gpu-health": "health.json"}


def carried(template: Template[Any], **raw: Any) -> dict[str, str]:  # noqa: ANN401
    return {one.path: one.content for one in template.render(template.validate(raw)).inputs}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_a_job_carries_every_kernel_that_its_program_imports_and_no_other_package(
    template: Template[Any],
) -> None:
    files = carried(template)
    imported = {
        f"{name.replace('.', '/')}.py"
        for text in files.values()
        for name in re.findall(r"^ *from (workloads[\w.]*) import", text, re.MULTILINE)
    }
    assert imported <= set(files)
    assert not any("pydantic" in text for path, text in files.items() if path.endswith(".py"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_gpus_are_asked_of_the_scheduler_and_of_the_program(template: Template[Any]) -> None:
    spec = template.render(template.validate({"gpus": 1, "gpu_type": "h100"}))
    assert spec.resources.gpus_per_node == {"h100": 1}
    assert json.loads(spec.inputs[0].content)["gpus"] == 1
    assert template.render(template.validate({})).resources.gpus_per_node == {}


@pytest.mark.parametrize(("raw", "mib"), [({}, 64), ({"gpus": 1}, 1024), ({"gpus": 1, "array_mib": 8}, 8)])
def test_a_gpu_s_memory_is_measured_with_arrays_that_keep_it_busy(raw: dict[str, int], mib: int) -> None:
    assert json.loads(carried(NodeHealth(), **raw)["gpu/parameters.json"])["array_mib"] == mib


def test_a_node_to_check_is_named_to_the_scheduler_and_may_be_taken_whole() -> None:
    template = NodeHealth()
    spec = template.render(template.validate({"node": "gpu03", "exclusive": True, "gpus": 8}))
    assert (spec.nodelist, spec.exclusive, spec.resources.gpus_per_node) == (("gpu03",), True, {"": 8})


def test_a_library_is_given_as_text_or_as_a_path() -> None:
    template = StatisticalTiming()
    with pytest.raises(InvalidParameters) as refused:
        template.render(template.validate({"liberty": "library (x) {}", "liberty_path": "/pdk/x.lib"}))
    assert [problem.field for problem in refused.value.problems] == ["liberty_path"]
    files = carried(template, liberty_path="/pdk/x.lib")
    assert "gpu/library.lib" not in files
    assert json.loads(files["gpu/parameters.json"])["liberty"] == "/pdk/x.lib"


def test_a_working_gpu_in_trouble_is_a_failure_that_names_its_cause(tmp_path: Path) -> None:
    finding = {"code": "too hot", "text": "91 °C under load, at most 87", "health": "degraded"}
    device = {
        "name": "gpu 0 NVIDIA H100",
        "copy_bytes_per_second": 2.8e12,
        "triad_bytes_per_second": 2.7e12,
        "gemm_flops_per_second": 45e12,
        "products": 12,
        "health": "degraded",
        "findings": [finding],
        "state": {"temperature_celsius": 91, "uncorrectable_errors": 0, "correctable_errors": None},
    }
    result = {"node": "gpu03", "health": "degraded", "devices": [device]}
    (tmp_path / "health.json").write_text(json.dumps(result))
    results = parse(NodeHealth(), tmp_path)
    failure = results.tasks[0].failure
    assert failure
    assert (failure.signature, failure.line) == ("degraded: too hot", finding["text"])
    assert results.tables[0].rows == (("gpu 0 NVIDIA H100", "degraded", 2800, 2700, 45_000, 91, 0, "-"),)


def parse(template: Template[Any], workspace: Path) -> Results:
    return template.parse(workspace, template.validate({}))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"yield": NaN}', "[" * 100_000, '{"health": "well"}', "\0", "1" * 10_000]
)
def test_a_result_that_is_none_is_no_result_yet(tmp_path: Path, template: Template[Any], text: str) -> None:
    for name in (FILES[template.name], "failure.json"):
        (tmp_path / name).write_text(text)
    assert parse(template, tmp_path) == Results()


def test_a_program_s_last_word_is_one_line_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "failure.json").write_text(json.dumps({"exit_code": 65, "line": "line 7: <b>x</b>"}))
    [task] = parse(StatisticalTiming(), tmp_path).tasks
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert task.failure.signature == "line *: <b>x</b>"
