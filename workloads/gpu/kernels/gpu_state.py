"""What nvidia-smi tells of each GPU: memory errors, temperature, why its clocks are low."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_TIMEOUT_SECONDS = 60
_HARMFUL = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown")
"""Other reasons are harmless: idle, a power cap or clocks that somebody set."""


@dataclass(frozen=True)
class GpuState:
    """One GPU. None where it does not tell, as consumer boards do not for memory errors."""

    name: str
    bus_id: str
    """On the PCI bus, such as 00000000:19:00.0."""
    temperature_celsius: int | None
    uncorrectable_errors: int | None
    """Since the driver was loaded, of all memories."""
    correctable_errors: int | None
    row_remap_pending: bool | None
    row_remap_failed: bool | None
    slowed_by: tuple[str, ...]
    """Reasons for low clocks that point to trouble, in nvidia-smi's words."""


class NoGpuState(Exception):
    """nvidia-smi is missing, hangs or says nothing useful."""


def read_gpu_states(command: str = "nvidia-smi") -> tuple[GpuState, ...]:
    """Every GPU that this job may see.

    Raises:
        NoGpuState: with what was wrong.
    """
    try:
        said = subprocess.run(  # noqa: S603 - our own word, no shell
            [command, "-q", "-x"], capture_output=True, timeout=_TIMEOUT_SECONDS, check=False, text=True
        )
    except FileNotFoundError:
        raise NoGpuState(f"the program {command} is missing on this node") from None
    except subprocess.TimeoutExpired:
        raise NoGpuState(f"{command} did not answer within {_TIMEOUT_SECONDS} s: the driver hangs") from None
    if said.returncode != 0:
        raise NoGpuState(f"{command} failed: {(said.stdout + said.stderr).strip()[:300]}")
    return parse_gpu_states(said.stdout)


def parse_gpu_states(xml: str) -> tuple[GpuState, ...]:
    """From what `nvidia-smi -q -x` prints, of old drivers (throttle reasons) and new ones (event reasons).

    Raises:
        NoGpuState: this is not it.
    """
    try:
        root = ET.fromstring(xml)  # noqa: S314 - the node's own driver wrote it
    except ET.ParseError as error:
        raise NoGpuState(f"nvidia-smi's answer cannot be read: {error}") from error
    return tuple(map(_state, root.findall("gpu")))


def _state(gpu: ET.Element) -> GpuState:
    return GpuState(
        name=gpu.findtext("product_name", ""),
        bus_id=gpu.get("id", ""),
        temperature_celsius=_number(gpu.findtext("temperature/gpu_temp")),
        uncorrectable_errors=_sum(gpu, r"(sram|dram)_uncorrectable\w*|double_bit"),
        correctable_errors=_sum(gpu, r"(sram|dram)_correctable|single_bit"),
        row_remap_pending=_flag(gpu.findtext("remapped_rows/remapped_row_pending")),
        row_remap_failed=_flag(gpu.findtext("remapped_rows/remapped_row_failure")),
        slowed_by=tuple(dict.fromkeys(_reasons(gpu))),
    )


def _sum(gpu: ET.Element, names: str) -> int | None:
    """Of volatile counters; boards before Ampere give the total of a kind below `double_bit`."""
    found = [
        _number(counter.findtext("total") if len(counter) else counter.text)
        for counter in gpu.findall("ecc_errors/volatile/*")
        if re.fullmatch(names, counter.tag)
    ]
    known = [number for number in found if number is not None]
    return sum(known) if known else None


def _reasons(gpu: ET.Element) -> Iterator[str]:
    for group in ("clocks_event_reasons", "clocks_throttle_reasons"):
        for reason in gpu.findall(f"{group}/*"):
            name = re.sub(r"^clocks_(event|throttle)_reason_", "", reason.tag)
            if name in _HARMFUL and (reason.text or "").strip() == "Active":
                yield name


def _number(text: str | None) -> int | None:
    match = re.match(r"\s*(\d+)", text or "")
    return int(match[1]) if match else None


def _flag(text: str | None) -> bool | None:
    return {"Yes": True, "No": False}.get((text or "").strip())
