"""Asks a licence server by running `lmstat`, which knows FlexNet's protocol; nobody else does."""

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime

from schedulers.flexnet.lmstat import LicenseReport, read_lmstat

_MOST_PROBLEM_CHARACTERS = 500


async def ask_server(
    command: Sequence[str], address: str, *, timeout_seconds: float, now: datetime
) -> LicenseReport:
    """What `COMMAND -a -c ADDRESS` says; a problem is a report that says so, never an error.

    Args:
        command: how lmstat is called: `("lmutil", "lmstat")`.
        address: `27020@lic01`, or several with commas for a redundant server.
        timeout_seconds: it hangs while a server's host is gone.
        now: see `read_lmstat`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(*command, "-a", "-c", address),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
    except OSError as error:
        return LicenseReport(problem=f"{command[0]} cannot be run: {error.strerror}.")
    try:
        async with asyncio.timeout(timeout_seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        return LicenseReport(problem=f"{address} did not answer within {timeout_seconds:g} seconds.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode("utf-8", errors="replace")
    report = read_lmstat(text, now=now)
    if report.features or report.problem:
        return report
    return LicenseReport(
        report.features,
        report.hosts_down,
        report.daemons_down,
        problem=text.strip()[-_MOST_PROBLEM_CHARACTERS:] or f"{command[0]} said nothing.",
    )
