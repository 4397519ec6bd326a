"""Which request a job came with: what becomes of it days later is found in logs and traces by that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.tables import Job
from hpc_portal.app.telemetry import spans

ORIGIN = (col(Job.request_id), col(Job.traceparent))
"""The columns that `origin_of` reads."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one job."""

    request_id: str | None = None
    """As in the log of the web process and in the answer's X-Request-Id; None: no request submitted it."""
    traceparent: str | None = None
    """The span that submitted it, in the form of W3C Trace Context; None: it was not traced."""

    @property
    def facts(self) -> dict[str, str]:
        """For a line of the log."""
        trace_id = spans.trace_id_of(self.traceparent)
        found = {"request_id": self.request_id, "trace_id": trace_id}
        return {name: value for name, value in found.items() if value}

    @property
    def columns(self) -> dict[str, Any]:
        """Of the table of jobs."""
        return {"request_id": self.request_id, "traceparent": self.traceparent}


NO_ORIGIN = Origin()


def origin_here() -> Origin:
    """Of a job that is submitted here and now."""
    return Origin(structlog.contextvars.get_contextvars().get("request_id"), spans.traceparent())


def origin_of(row: AnyRow) -> Origin:
    """As stored."""
    return Origin(row.request_id, row.traceparent)


def told_origins(origins: Mapping[UUID, Origin]) -> dict[str, dict[str, str]]:
    """By the job's id, for one line of the log about many jobs."""
    return {str(job_id): origin.facts for job_id, origin in origins.items() if origin.facts}
