"""Licences that others use outside the cluster, as a reservation of Slurm that no job is in.

slurmrestd makes no reservations before API v0.0.43, so `scontrol` does it, wherever it runs. Slurm's other
means, `lastconsumed` of `sacctmgr`, is for licences that slurmdbd counts, and sets off what its own jobs
took meanwhile against what others have.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence

from schedulers.errors import SchedulerRefused, SchedulerUnavailable

SET_ASIDE_RESERVATION = "hpc-portal-outside"
KEPT_MINUTES = 60
"""A portal that is gone for so long keeps nothing from anybody."""
_NO_SUCH_RESERVATION = "Requested reservation is invalid"


class ReservedLicenses:
    """Runs `scontrol` as whoever may make reservations: an operator of the cluster.

    Args:
        command: how it is called: `("scontrol",)`, `("ssh", "slurm-admin", "scontrol")`.
        timeout_seconds: for each call.
    """

    def __init__(self, command: Sequence[str], *, timeout_seconds: float = 30) -> None:
        self._command = tuple(command)
        self._timeout_seconds = timeout_seconds

    async def set_aside(self, counts: Mapping[str, int]) -> None:
        """See schedulers/outside_licenses.py."""
        name = f"ReservationName={SET_ASIDE_RESERVATION}"
        if not counts:
            await self._has("delete", name)
            return
        licenses = ",".join(f"{feature}:{count}" for feature, count in sorted(counts.items()))
        facts = (f"Licenses={licenses}", f"EndTime=now+{KEPT_MINUTES}minutes")
        if not await self._has("update", name, *facts):
            new = (name, "StartTime=now", *facts, "Users=root", "NodeCnt=0", "Flags=ANY_NODES")
            code, said = await self._run("create", "reservation", *new)
            if code:
                raise SchedulerRefused(said)

    async def _has(self, *request: str) -> bool:
        """Carry it out; False where there is no such reservation."""
        code, said = await self._run(*request)
        if code and _NO_SUCH_RESERVATION not in said:
            raise SchedulerRefused(said)
        return not code

    async def _run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and what was said."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(*self._command, *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            message = f"{self._command[0]} cannot be run: {error.strerror}."
            raise SchedulerUnavailable(message) from error
        try:
            async with asyncio.timeout(self._timeout_seconds):
                output, _ = await process.communicate()
        except TimeoutError:
            message = f"{self._command[0]} did not answer within {self._timeout_seconds:g} seconds."
            raise SchedulerUnavailable(message) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output.decode("utf-8", errors="replace").strip()
