"""For which licences a job waits, and who has them."""

from dataclasses import dataclass

from sqlalchemy import Connection

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.queries import JobDetail
from hpc_portal.app.licenses.queries import FeatureUse, free_of, license_use

_REASONS = ("Licenses", "LicensesReserved")


@dataclass(frozen=True, slots=True)
class LicenseWait:
    """One feature that is short."""

    asked: int
    free: int
    use: FeatureUse

    @property
    def feature(self) -> str:
        """Its name."""
        return self.use.name

    @property
    def total(self) -> int:
        """How many there are."""
        return self.use.total

    @property
    def outside(self) -> int:
        """In use by people and machines that are not the clusters'."""
        return self.use.outside

    @property
    def others(self) -> int:
        """Held by jobs that the reader may not see."""
        return self.use.others


def licenses_waited_for(connection: Connection, actor: Actor, job: JobDetail) -> list[LicenseWait]:
    """Of a visible job that waits for licences; [] for every other."""
    if job.state_reason not in _REASONS or job.is_over:
        return []
    asked = job.spec.resources.licenses
    waits = [
        LicenseWait(asked[use.name], free_of(use), use)
        for use in license_use(connection, actor)
        if use.name in asked
    ]
    short = [wait for wait in waits if wait.free < wait.asked]
    return short or waits
