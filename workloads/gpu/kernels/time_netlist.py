"""Statistical timing of a netlist: `python -m workloads.gpu.kernels.time_netlist PARAMETERS.json`.

Writes timing.json. Exit codes: 0 done, 64 wrong parameters, 65 a design file is wrong, 69 a package or a GPU
is missing.
"""

import time
from typing import Any

from workloads.gpu.kernels.program import (
    EXIT_DATA,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    fail,
    fail_missing,
    read_input,
    read_parameters,
    say,
    write_result,
)

try:
    import numpy as np

    from workloads.gpu.kernels.array_module import NoGpu, choose_array_module
    from workloads.gpu.kernels.monte_carlo import Sampled, Sampling, sample_timing
except ImportError as error:
    fail_missing(error)

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.liberty import read_library
from workloads.gpu.kernels.netlist import read_netlist
from workloads.gpu.kernels.statistics import wilson_interval
from workloads.gpu.kernels.timing_graph import TimingGraph, build_timing_graph

_POINTS_OF_CURVE = 101
_MOST_ENDPOINTS_SHOWN = 10
_QUANTILES = (0.5, 0.9, 0.99, 0.9987)


def main() -> None:
    """Read, sample, write."""
    given = read_parameters()
    try:
        xp = choose_array_module(gpus=given["gpus"])
        graph = _read_graph(given)
        began = time.perf_counter()
        wanted = Sampling(given["global_sigma"], given["local_sigma"], given["samples"], given["seed"])
        sampled = sample_timing(xp, graph, wanted, memory_bytes=given["memory_mib"] * 2**20)
    except NoGpu as missing:
        fail(EXIT_UNAVAILABLE, str(missing), missing="gpu")
    except (KeyError, TypeError) as wrong:
        fail(EXIT_USAGE, f"cannot use the parameters: {wrong!r}")
    seconds = time.perf_counter() - began
    result = summarize(graph, sampled, period_ns=given["period_ns"])
    result |= {"backend": xp.__name__, "samples_per_second": given["samples"] / seconds}
    write_result("timing.json", result)
    say(
        f"yield {result['yield']:.5f} ({result['yield_low']:.5f} to {result['yield_high']:.5f}) at "
        f"{given['period_ns']} ns; mean {result['mean_ns']:.4f} ns, sd {result['sd_ns']:.4f} ns, "
        f"nominal {graph.nominal_ns:.4f} ns; {given['samples']} samples in {seconds:.2f} s on {xp.__name__}"
    )


def summarize(graph: TimingGraph, sampled: Sampled, *, period_ns: float) -> dict[str, Any]:
    """The numbers that people ask for: yield with its interval, moments, quantiles, who is to blame."""
    latest = np.sort(sampled.latest_ns.astype(np.float64))
    samples = len(latest)
    passed = int(np.searchsorted(latest, period_ns, side="right"))
    low, high = wilson_interval(passed, samples)
    periods = np.linspace(latest[0], latest[-1], _POINTS_OF_CURVE)
    shares = np.searchsorted(latest, periods, side="right") / samples
    worst = sampled.is_latest.argsort()[::-1][:_MOST_ENDPOINTS_SHOWN]
    return {
        "samples": samples,
        "stages": graph.stages,
        "levels": len(graph.levels),
        "nominal_ns": graph.nominal_ns,
        "period_ns": period_ns,
        "yield": passed / samples,
        "yield_low": low,
        "yield_high": high,
        "mean_ns": float(latest.mean()),
        "sd_ns": float(latest.std(ddof=1)) if samples > 1 else 0.0,
        "quantiles_ns": {str(q): float(np.quantile(latest, q)) for q in _QUANTILES},
        "yield_curve": [[float(at), float(share)] for at, share in zip(periods, shares, strict=True)],
        "latest_endpoints": [
            {"name": graph.endpoints[index].name, "share": float(sampled.is_latest[index]) / samples}
            for index in worst
            if sampled.is_latest[index]
        ],
    }


def _read_graph(given: dict[str, Any]) -> TimingGraph:
    name = given["liberty"]
    try:
        library = read_library(read_input(name))
        name = given["netlist"]
        netlist = read_netlist(read_input(name))
        return build_timing_graph(
            netlist,
            library,
            input_slew_ns=given["input_slew_ns"],
            wire_capacitance_pf=given["wire_capacitance_ff"] / 1000,
            output_load_pf=given["output_load_ff"] / 1000,
        )
    except DesignError as wrong:
        fail(EXIT_DATA, f"{name}: {wrong}")


if __name__ == "__main__":
    main()
