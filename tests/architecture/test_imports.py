"""Web processes start without the weight, and the secrets, of what only controllers talk to."""

import subprocess
import sys

FOR_CONTROLLERS = ("distributed", "schedulers.dask", "schedulers.slurm", "hpc_portal.app.controller_wiring")


def test_a_web_process_loads_neither_dask_nor_slurm() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, hpc_portal.asgi, hpc_portal.cli.web; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "hpc_portal.asgi" in loaded
    assert [
        name
        for name in loaded
        if any(name == heavy or name.startswith(f"{heavy}.") for heavy in FOR_CONTROLLERS)
    ] == []
