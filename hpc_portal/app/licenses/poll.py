"""Asks the licence servers from time to time, and keeps what they said."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Engine, insert, select, update
from sqlmodel import col

from hpc_portal.app.clock import Clock
from hpc_portal.app.db import transact
from hpc_portal.app.licenses.tables import LicenseServer
from hpc_portal.app.settings import LicenseServerSettings
from schedulers.flexnet.ask import ask_server
from schedulers.flexnet.lmstat import LicenseReport
from schedulers.units import CITY_TIME

log = structlog.get_logger()

_REPORT = TypeAdapter(LicenseReport)


class PollLicensesStep:
    """One round over all servers, several at once: each of them may hang."""

    def __init__(self, engine: Engine, clock: Clock, servers: Sequence[LicenseServerSettings]) -> None:
        self._engine = engine
        self._clock = clock
        self._servers = servers

    async def __call__(self) -> bool:
        """Ask and store; there is never more to do at once."""
        await asyncio.gather(*map(self._ask, self._servers))
        return False

    async def _ask(self, server: LicenseServerSettings) -> None:
        at = self._clock.now()
        report = await ask_server(
            server.command,
            server.address,
            timeout_seconds=server.timeout_seconds,
            now=at.astimezone(CITY_TIME),
        )
        if report.problem:
            log.warning("licenses.no_answer", server=server.address, problem=report.problem)
        await asyncio.to_thread(
            transact, self._engine, lambda connection: store(connection, server.address, report, at=at)
        )


def store(connection: Connection, address: str, report: LicenseReport, *, at: datetime) -> None:
    """Keep it; of a server that did not answer, what it said before stays, and its age shows."""
    values = {"asked_at": at, "problem": report.problem}
    if not report.problem:
        values |= {"answered_at": at, "report": _REPORT.dump_python(report, mode="json")}
    is_it = col(LicenseServer.address) == address
    if not connection.execute(update(LicenseServer).where(is_it).values(values)).rowcount:
        connection.execute(insert(LicenseServer).values(address=address, **{"report": {}, **values}))


def load_reports(connection: Connection) -> dict[str, tuple[LicenseReport, datetime, str]]:
    """By address: what it said last, when, and why it has not answered since ("" when it has)."""
    rows = connection.execute(
        select(
            col(LicenseServer.address),
            col(LicenseServer.report),
            col(LicenseServer.answered_at),
            col(LicenseServer.asked_at),
            col(LicenseServer.problem),
        ).order_by(col(LicenseServer.address))
    )
    return {
        row.address: (_readable(row.report), row.answered_at or row.asked_at, row.problem) for row in rows
    }


def _readable(stored: object) -> LicenseReport:
    """Nothing, where another version of the portal wrote it: the next round is near."""
    try:
        return _REPORT.validate_python(stored)
    except ValidationError:
        return LicenseReport()
