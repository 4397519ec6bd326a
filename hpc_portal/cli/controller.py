"""Run the controller: the loops that dispatch, track and settle jobs."""

import asyncio
import gc
import signal

from hpc_portal.app.controller_wiring import build_controllers
from hpc_portal.app.controllers import run_controllers
from hpc_portal.app.settings import Settings
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.machine_port import Pulse, machine_port
from hpc_portal.cli.parent import end_with_parent
from hpc_portal.cli.process_options import DaskScheduler, ParentFd, Verbose
from hpc_portal.cli.tracing import tracing


def controller(
    *, dask_scheduler: DaskScheduler = None, verbose: Verbose = False, parent_fd: ParentFd = None
) -> None:
    """Only the loops that dispatch, track and settle jobs; a second one stands by until the first ends."""
    configure_log(verbose=verbose)
    settings = load_settings(dask_scheduler=dask_scheduler)
    with tracing(settings, "hpc-portal-controller"):
        asyncio.run(_control(settings, parent_fd))


async def _control(settings: Settings, parent_fd: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if parent_fd is not None:
        end_with_parent(parent_fd)
    controllers = build_controllers(settings)
    gc.collect()
    gc.freeze()  # the code stays for good: to walk through it took a tenth of the time of a burst of jobs
    shared, pulse = controllers[0], Pulse()
    beating = asyncio.create_task(pulse.beat())
    try:
        with machine_port(settings, shared.engine, shared.clock, alive=pulse.look):
            await run_controllers(controllers, stop)
    finally:
        beating.cancel()
