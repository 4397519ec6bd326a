"""Burn-in: one wrong bit is found and located, and each limit has its verdict."""

import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from workloads.gpu.kernels.array_module import NoGpu, choose_array_module, to_host
from workloads.gpu.kernels.bandwidth import copy_bytes_per_second, triad_bytes_per_second
from workloads.gpu.kernels.checked_gemm import WrongSums, check_product, run_gemm
from workloads.gpu.kernels.gpu_state import GpuState, NoGpuState, parse_gpu_states, read_gpu_states
from workloads.gpu.kernels.verdict import Health, Limits, Measured, judge

LIMITS = Limits(
    least_bandwidth_gb_per_s={"h100": 2000, "h100 pcie": 1400, "cpu": 1},
    least_gemm_gflops={"h100": 30_000},
    most_celsius=85,
    most_correctable_errors=10,
)
STATE = GpuState("NVIDIA H100 80GB HBM3", "00000000:19:00.0", 60, 0, 0, False, False, ())
GOOD = Measured("gpu 0 NVIDIA H100 80GB HBM3", 2.8e12, 2.8e12, 45e12, 9, (), (), STATE)


@pytest.mark.parametrize("bit", range(32))
def test_one_wrong_bit_of_a_product_is_found_and_located(bit: int) -> None:
    random = np.random.default_rng(bit)
    left, right = (random.integers(1, 4, (48, 48)).astype(np.float32) for _ in "ab")
    product = left @ right
    assert check_product(np, left, right, product).is_right
    product.view(np.uint32)[17, 31] ^= np.uint32(1 << bit)
    assert check_product(np, left, right, product) == WrongSums((17,), (31,))


def test_a_product_is_repeated_checked_and_timed() -> None:
    run = run_gemm(np, side=64, seconds=0, seed=1)
    assert run.wrong.is_right
    assert run.products == 2
    assert run.flops_per_second > 0


def test_bandwidth_counts_what_is_moved() -> None:
    assert copy_bytes_per_second(np, 2**20) > 0
    assert triad_bytes_per_second(np, 2**20) > 0


def test_bandwidth_is_measured_for_as_long_as_an_idle_gpu_takes_to_raise_its_clocks() -> None:
    began = time.perf_counter()
    copy_bytes_per_second(np, 2**10)
    assert time.perf_counter() - began >= 0.3


@pytest.mark.parametrize(
    ("change", "health", "code"),
    [
        ({}, Health.HEALTHY, None),
        ({"wrong_rows": (3,)}, Health.SICK, "wrong result"),
        ({"copy_bytes_per_second": 1.9e12}, Health.DEGRADED, "memory is slow"),
        ({"gemm_flops_per_second": 29e12}, Health.DEGRADED, "arithmetic is slow"),
        ({"state": replace(STATE, uncorrectable_errors=1)}, Health.SICK, "uncorrectable memory errors"),
        ({"state": replace(STATE, row_remap_failed=True)}, Health.SICK, "row remapping failed"),
        ({"state": replace(STATE, row_remap_pending=True)}, Health.DEGRADED, "row remapping pending"),
        ({"state": replace(STATE, correctable_errors=11)}, Health.DEGRADED, "correctable memory errors"),
        ({"state": replace(STATE, temperature_celsius=86)}, Health.DEGRADED, "too hot"),
        ({"state": replace(STATE, slowed_by=("hw_slowdown",))}, Health.DEGRADED, "clocks are low"),
        ({"state": None}, Health.HEALTHY, None),
        ({"name": "gpu 0 NVIDIA H100 PCIe", "copy_bytes_per_second": 1.5e12}, Health.HEALTHY, None),
        ({"name": "gpu 0 NVIDIA T4", "copy_bytes_per_second": 1}, Health.HEALTHY, None),
    ],
)
def test_each_limit_has_its_verdict(change: dict[str, object], health: Health, code: str | None) -> None:
    found, findings = judge(replace(GOOD, **change), LIMITS)  # type: ignore[arg-type]
    assert (found, [one.code for one in findings]) == (health, [code] if code else [])


def test_the_worst_finding_decides() -> None:
    found, findings = judge(replace(GOOD, wrong_rows=(1,), gemm_flops_per_second=1), LIMITS)
    assert (found, len(findings)) == (Health.SICK, 2)


NEW_DRIVER = """<?xml version="1.0" ?><!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log><driver_version>550.54.15</driver_version>
<gpu id="00000000:19:00.0"><product_name>NVIDIA H100 80GB HBM3</product_name>
<clocks_event_reasons>
<clocks_event_reason_gpu_idle>Active</clocks_event_reason_gpu_idle>
<clocks_event_reason_hw_thermal_slowdown>Active</clocks_event_reason_hw_thermal_slowdown>
<clocks_event_reason_hw_slowdown>Not Active</clocks_event_reason_hw_slowdown>
</clocks_event_reasons>
<ecc_errors><volatile><sram_correctable>1</sram_correctable>
<sram_uncorrectable_parity>0</sram_uncorrectable_parity>
<sram_uncorrectable_secded>2</sram_uncorrectable_secded><dram_correctable>3</dram_correctable>
<dram_uncorrectable>4</dram_uncorrectable></volatile>
<aggregate><dram_uncorrectable>99</dram_uncorrectable></aggregate></ecc_errors>
<remapped_rows><remapped_row_pending>Yes</remapped_row_pending>
<remapped_row_failure>No</remapped_row_failure></remapped_rows>
<temperature><gpu_temp>41 C</gpu_temp></temperature></gpu></nvidia_smi_log>"""
OLD_DRIVER = """<nvidia_smi_log><gpu id="0000:04:00.0"><product_name>Tesla V100</product_name>
<clocks_throttle_reasons><clocks_throttle_reason_hw_slowdown>Active</clocks_throttle_reason_hw_slowdown>
</clocks_throttle_reasons><ecc_errors><volatile><single_bit><total>5</total></single_bit>
<double_bit><total>6</total></double_bit></volatile></ecc_errors>
<temperature><gpu_temp>70 C</gpu_temp></temperature></gpu></nvidia_smi_log>"""
H100_580 = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v13.dtd">
<nvidia_smi_log>
<driver_version>580.159.04</driver_version>
<cuda_version>13.0</cuda_version>
<attached_gpus>1</attached_gpus>
<gpu id="00000000:00:06.0">
<product_name>NVIDIA H100 80GB HBM3</product_name>
<clocks_event_reasons>
<clocks_event_reason_gpu_idle>Active</clocks_event_reason_gpu_idle>
<clocks_event_reason_applications_clocks_setting>Not Active</clocks_event_reason_applications_clocks_setting>
<clocks_event_reason_sw_power_cap>Not Active</clocks_event_reason_sw_power_cap>
<clocks_event_reason_hw_slowdown>Not Active</clocks_event_reason_hw_slowdown>
<clocks_event_reason_hw_thermal_slowdown>Not Active</clocks_event_reason_hw_thermal_slowdown>
<clocks_event_reason_hw_power_brake_slowdown>Not Active</clocks_event_reason_hw_power_brake_slowdown>
<clocks_event_reason_sync_boost>Not Active</clocks_event_reason_sync_boost>
<clocks_event_reason_sw_thermal_slowdown>Not Active</clocks_event_reason_sw_thermal_slowdown>
<clocks_event_reason_display_clocks_setting>Not Active</clocks_event_reason_display_clocks_setting>
</clocks_event_reasons>
<clocks_event_reasons_counters>
<clocks_event_reasons_counters_hw_therm_slowdown>0 us</clocks_event_reasons_counters_hw_therm_slowdown>
</clocks_event_reasons_counters>
<ecc_errors>
<volatile>
<sram_correctable>0</sram_correctable>
<sram_uncorrectable_parity>0</sram_uncorrectable_parity>
<sram_uncorrectable_secded>0</sram_uncorrectable_secded>
<dram_correctable>0</dram_correctable>
<dram_uncorrectable>0</dram_uncorrectable>
</volatile>
<aggregate>
<sram_correctable>0</sram_correctable>
<dram_uncorrectable>0</dram_uncorrectable>
<sram_threshold_exceeded>No</sram_threshold_exceeded>
</aggregate>
<channel_repair_pending>No</channel_repair_pending>
<unrepairable_memory>No</unrepairable_memory>
</ecc_errors>
<remapped_rows>
<remapped_row_corr>0</remapped_row_corr>
<remapped_row_pending>No</remapped_row_pending>
<remapped_row_failure>No</remapped_row_failure>
</remapped_rows>
<temperature>
<gpu_temp>45 C</gpu_temp>
<gpu_temp_tlimit>42 C</gpu_temp_tlimit>
<memory_temp>48 C</memory_temp>
</temperature>
</gpu>
</nvidia_smi_log>
"""
"""What a real one said, less what nobody reads."""
CONSUMER = """<nvidia_smi_log><gpu><product_name>GeForce</product_name>
<ecc_errors><volatile><dram_uncorrectable>N/A</dram_uncorrectable></volatile></ecc_errors>
<temperature><gpu_temp>N/A</gpu_temp></temperature></gpu></nvidia_smi_log>"""


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (
            NEW_DRIVER,
            GpuState(
                "NVIDIA H100 80GB HBM3", "00000000:19:00.0", 41, 6, 4, True, False, ("hw_thermal_slowdown",)
            ),
        ),
        (OLD_DRIVER, GpuState("Tesla V100", "0000:04:00.0", 70, 6, 5, None, None, ("hw_slowdown",))),
        (H100_580, GpuState("NVIDIA H100 80GB HBM3", "00000000:00:06.0", 45, 0, 0, False, False, ())),
        (CONSUMER, GpuState("GeForce", "", None, None, None, None, None, ())),
    ],
)
def test_the_driver_s_words_are_read_for_old_and_new_ones(xml: str, expected: GpuState) -> None:
    assert parse_gpu_states(xml) == (expected,)


def test_a_driver_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    program.chmod(0o755)
    with pytest.raises(NoGpuState, match="No devices were found"):
        read_gpu_states(str(program))
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{CONSUMER}\nEND\n")
    assert read_gpu_states(str(program))[0].name == "GeForce"
    with pytest.raises(NoGpuState, match="is missing on this node"):
        read_gpu_states(str(tmp_path / "none"))
    with pytest.raises(NoGpuState, match="cannot be read"):
        parse_gpu_states("<half")


def test_no_gpu_means_numpy_and_a_wished_one_is_never_quietly_left_out() -> None:
    assert choose_array_module(gpus=0) is np
    assert to_host(np.ones(2)).sum() == 2
    missing = "cupy is missing" if find_spec("cupy") is None else "sees"
    with pytest.raises(NoGpu, match=missing):
        choose_array_module(gpus=99)
