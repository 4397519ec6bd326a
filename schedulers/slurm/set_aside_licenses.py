"""Licences that jobs may not take, as reservations of Slurm.

slurmrestd makes no reservations before API v0.0.43, so `scontrol` does it, wherever it runs. Slurm's other
means, `lastconsumed` of `sacctmgr`, is for licences that slurmdbd counts, and sets off what its own jobs
took meanwhile against what others have.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence

from schedulers.errors import SchedulerRefused, SchedulerUnavailable
from schedulers.set_aside_licenses import SetAside
from schedulers.slurm.license_reservations import (
    LicenseReservation,
    lowered,
    read_reservations,
    reservations_for,
    write_licenses,
)

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

    async def set_aside(self, wanted: SetAside) -> Mapping[str, str]:
        """See schedulers/set_aside_licenses.py. What Slurm has already is asked of Slurm."""
        code, shown = await self._run("--oneliner", "show", "reservation")
        if code:
            raise SchedulerRefused(shown)
        reservations = reservations_for(wanted)
        refused: dict[str, str] = {}
        for name, found in read_reservations(shown).items():
            least = lowered(found, reservations[name].licenses if name in reservations else {})
            if least != found:
                refused |= await self._lower(name, found, least)
        for reservation in reservations.values():
            refused |= await self._reserve(reservation)
        return refused

    async def _lower(self, name: str, found: Mapping[str, int], least: Mapping[str, int]) -> dict[str, str]:
        """By name, what Slurm refused with.

        One that jobs run in cannot be deleted: it is left with 0 licences, and takes in no more jobs.
        """
        called = f"ReservationName={name}"
        if least:
            code, said = await self._run("update", called, f"Licenses={write_licenses(least)}")
            return {name: said} if code else {}
        code, said = await self._run("delete", called)
        if not code or _NO_SUCH_RESERVATION in said:
            return {}
        none = write_licenses(dict.fromkeys(found, 0))
        code, said = await self._run("update", called, f"Licenses={none}", "Flags-=MAGNETIC")
        return {name: said} if code else {}

    async def _reserve(self, wanted: LicenseReservation) -> dict[str, str]:
        """By name, what Slurm refused with."""
        name = f"ReservationName={wanted.name}"
        facts = (f"Licenses={write_licenses(wanted.licenses)}", f"EndTime=now+{wanted.minutes}minutes")
        code, said = await self._run("update", name, *facts, *wanted.again)
        if code and _NO_SUCH_RESERVATION in said:
            new = (name, "StartTime=now", *facts, *wanted.whose, "NodeCnt=0")
            code, said = await self._run("create", "reservation", *new)
        return {wanted.name: said} if code else {}

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
