"""One slurmrestd: its calls as methods, its refusals and failures as the three errors of a scheduler."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schedulers.slurm.tokens import TokenSource
from schedulers.slurm.wire import (
    JobStateEntry,
    SlurmJob,
    SlurmLicense,
    SlurmNode,
    SlurmPartition,
    SlurmReservation,
)
from schedulers.slurm.wire_accounting import (
    AccountedJob,
    SlurmAccount,
    SlurmAssociation,
    SlurmQos,
    SlurmUser,
)


@dataclass(frozen=True, slots=True)
class SlurmVersion:
    """Which Slurm answers, and in which API version we speak with it."""

    release: str
    """"24.11.5"."""
    cluster: str
    api: str
    """"v0.0.42"."""
    is_known: bool
    """False: newer than every version we know; writes are refused unless a setting allows them."""


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """Slurm has the job."""

    job_id: int
    warnings: tuple[str, ...] = ()


class SlurmClient:
    """A slurmrestd behind one pool of connections.

    Every method raises SchedulerUnavailable (nothing was changed), SchedulerRefused (a definite no, in
    Slurm's own words) and, when it writes, SubmitUncertain (sent, no answer).
    """

    def __init__(  # noqa: PLR0913 - one named option for each thing a site may choose
        self,
        url: str,
        tokens: TokenSource,
        *,
        polling_user: str,
        unix_socket: Path | None = None,
        ssl_context: ssl.SSLContext | None = None,
        allow_unknown_version: bool = False,
        timeout_seconds: float = 30.0,
        most_requests_at_once: int = 16,
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Find out which API version to speak."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the connections."""
        raise NotImplementedError

    async def ping(self) -> SlurmVersion:
        """Ask whether slurmctld answers, and which Slurm it is."""
        raise NotImplementedError

    async def submit(self, job: Mapping[str, object], *, user: str) -> SubmittedJob:
        """Submit one job or array as this cluster user.

        Args:
            job: the request's "job" object in the newest version's shape, with its "script".
            user: the cluster user.
        """
        raise NotImplementedError

    async def states(self) -> list[JobStateEntry]:
        """The states of all jobs: the light call."""
        raise NotImplementedError

    async def job(self, job_id: str) -> list[SlurmJob]:
        """All records of a job (see SlurmJob): an array has several; [] when slurmctld does not know it."""
        raise NotImplementedError

    async def jobs(self) -> list[SlurmJob]:
        """Every job that slurmctld remembers: several KB each, so not for polling."""
        raise NotImplementedError

    async def cancel(self, job_ids: Sequence[str], *, user: str | None, signal: str | None = None) -> None:
        """Cancel (or signal) jobs, tasks "812_4" or ranges "812_[3-9]"; unknown and ended ones are no error.

        `user` None acts as the polling identity.
        """
        raise NotImplementedError

    async def update(self, job_id: str, changes: Mapping[str, object], *, user: str) -> None:
        """Change fields of a job (`hold`, `time_limit`, `nice` ...), as this cluster user."""
        raise NotImplementedError

    async def nodes(self) -> list[SlurmNode]:
        """All nodes."""
        raise NotImplementedError

    async def partitions(self) -> list[SlurmPartition]:
        """All partitions."""
        raise NotImplementedError

    async def licenses(self) -> list[SlurmLicense]:
        """All licences."""
        raise NotImplementedError

    async def reservations(self) -> list[SlurmReservation]:
        """All reservations."""
        raise NotImplementedError

    async def accounting(
        self,
        *,
        start: datetime,
        end: datetime,
        job_ids: Sequence[str] = (),
        user: str | None = None,
    ) -> list[AccountedJob]:
        """Runs that slurmdbd has in this window of time, each requeue as its own."""
        raise NotImplementedError

    async def qos(self) -> list[SlurmQos]:
        """All QOS."""
        raise NotImplementedError

    async def accounts(self) -> list[SlurmAccount]:
        """All accounts."""
        raise NotImplementedError

    async def users(self) -> list[SlurmUser]:
        """All users."""
        raise NotImplementedError

    async def associations(
        self, *, account: str | None = None, user: str | None = None
    ) -> list[SlurmAssociation]:
        """Associations, all or of one account or user."""
        raise NotImplementedError

    async def put_qos(self, qos: Sequence[Mapping[str, object]], *, user: str) -> None:
        """Create or change QOS; what an object leaves out stays as it is."""
        raise NotImplementedError

    async def put_accounts(self, accounts: Sequence[Mapping[str, object]], *, user: str) -> None:
        """Create or change accounts."""
        raise NotImplementedError

    async def put_users(self, users: Sequence[Mapping[str, object]], *, user: str) -> None:
        """Create or change users."""
        raise NotImplementedError

    async def put_associations(self, associations: Sequence[Mapping[str, object]], *, user: str) -> None:
        """Create or change associations."""
        raise NotImplementedError

    async def add_account_associations(self, request: Mapping[str, object], *, user: str) -> None:
        """Create accounts together with their associations (`accounts_association`)."""
        raise NotImplementedError

    async def add_user_associations(self, request: Mapping[str, object], *, user: str) -> None:
        """Create users together with their associations (`users_association`)."""
        raise NotImplementedError

    async def delete_qos(self, name: str, *, user: str) -> None:
        """Remove a QOS; one that is not there is no error."""
        raise NotImplementedError

    async def delete_association(
        self, *, account: str, member: str | None, cluster: str, partition: str | None = None, user: str
    ) -> None:
        """Remove one association (`member` None: the account's own); one that is not there is no error."""
        raise NotImplementedError
