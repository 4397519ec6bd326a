"""One slurmrestd: its calls as methods, its refusals and failures as the errors of a scheduler."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from schedulers.errors import SchedulerUnavailable, SubmitUncertain
from schedulers.slurm import answers, versions
from schedulers.slurm.array_tasks import ArrayTasks
from schedulers.slurm.dialect import Dialect, read_models, rows, sort_out
from schedulers.slurm.errors import SlurmRefused
from schedulers.slurm.tokens import TokenSource
from schedulers.slurm.transport import Around, Params, RestTransport, bare
from schedulers.slurm.versions import Ability, Kind, Record
from schedulers.slurm.wire import (
    JobMark,
    JobStateEntry,
    SlurmJob,
    SlurmLicense,
    SlurmNode,
    SlurmPartition,
    SlurmReservation,
    WireModel,
)
from schedulers.slurm.wire_accounting import (
    AccountedJob,
    AccountedMark,
    SlurmAccount,
    SlurmAssociation,
    SlurmQos,
    SlurmUser,
    WireTres,
)

M = TypeVar("M", bound=WireModel)
_MOST_JOBS_IN_ONE_CANCEL = 1000
_MOST_PROBLEMS_TOLD = 10
_ENDED = frozenset({answers.INVALID_JOB_ID, answers.ALREADY_DONE, answers.JOB_FINISHED})


@dataclass(frozen=True, slots=True)
class SlurmVersion:
    """Which Slurm answers, and in which API version we speak with it."""

    release: str
    """`24.11.5`."""
    cluster: str
    api: str
    """`v0.0.42`."""
    is_known: bool
    """False: newer than every version we know; writes are refused unless a setting allows them."""


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """Slurm has the job."""

    job_id: int
    warnings: tuple[str, ...] = ()
    """Among them `Job is in held state`, which is no failure."""


class SlurmClient:
    """A slurmrestd behind one pool of connections.

    Every method raises SchedulerUnavailable (nothing was changed, or asking again does no harm) and
    SlurmRefused (a definite no, in Slurm's own words); submit and requeue also SubmitUncertain.

    Args:
        url: `http(s)://host:port`, or `unix:///path/of/socket`.
        tokens: proves who asks.
        polling_user: the cluster user that reads.
        unix_socket: another way to say `unix://`; then the host of `url` does not matter.
        ssl_context: for https; None trusts the machine's authorities.
        allow_unknown_version: write also to a slurmrestd newer than all known versions.
        timeout_seconds: for one whole exchange.
        most_requests_at_once: more wait for their turn.
        around: goes around each connection, to see what is asked.
        transport: instead of one made of these.
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
        most_requests_at_once: int = 6,
        around: Around = bare,
        transport: RestTransport | None = None,
    ) -> None:
        self._transport = transport or RestTransport(
            f"unix://{unix_socket}" if unix_socket else url,
            tokens,
            ssl_context=ssl_context,
            timeout_seconds=timeout_seconds,
            most_requests_at_once=most_requests_at_once,
            around=around,
        )
        self._dialect = Dialect(
            self._transport, polling_user=polling_user, allow_unknown_version=allow_unknown_version
        )
        self._array_tasks = ArrayTasks()
        self._looking = asyncio.Lock()

    async def start(self) -> None:
        """Find out which API version to speak; may be left out, then the first call does it."""
        await self._dialect.version()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._transport.close()

    # --- Jobs ---

    async def ping(self) -> SlurmVersion:
        """Which Slurm answers.

        Raises:
            SchedulerUnavailable: also when slurmrestd answers and slurmctld does not, or does not to us.
        """
        controllers, answer = await self._dialect.read("slurm", ["ping"], Kind.PING)
        if not any(controller.get("responding") for controller in controllers):
            message = "slurmrestd answers, but slurmctld does not answer it, or does not accept our token"
            raise SchedulerUnavailable(message)
        version = await self._dialect.version()
        slurm = ((answer.body or {}).get("meta") or {}).get("slurm") or {}
        return SlurmVersion(
            release=str(slurm.get("release") or ""),
            cluster=str(slurm.get("cluster") or ""),
            api=versions.api_name(version),
            is_known=version <= versions.NEWEST,
        )

    async def submit(
        self, job: Mapping[str, object], *, user: str, traceparent: str | None = None
    ) -> SubmittedJob:
        """Submit one job or array as this cluster user.

        Args:
            job: the request's "job" object in the newest version's shape, with its "script".
            user: the cluster user.
            traceparent: the trace that the request belongs to.

        Raises:
            SubmitUncertain: sent, and no answer came: search for the job before submitting it again.
        """
        versions.require_job_fields(job, await self._dialect.version())
        answer = await self._dialect.write(
            "POST",
            "slurm",
            ["job", "submit"],
            user=user,
            body={"job": job},
            may_repeat=False,
            traceparent=traceparent,
        )
        job_id = (answer.body or {}).get("job_id")
        if not isinstance(job_id, int) or job_id <= 0:
            message = f"Slurm took the job and gave no id: {answer.reason}"
            raise SubmitUncertain(message)
        return SubmittedJob(job_id, answer.warnings)

    async def states(self) -> list[JobStateEntry]:
        """The states of all jobs: the light call, and one more for each array of which tasks started."""
        async with self._looking:
            return await self._array_tasks.entries(await self._state_lines(), self._state_lines)

    async def job(self, job_id: str) -> list[SlurmJob]:
        """All records of a job (see SlurmJob): an array has several; [] when slurmctld does not know it."""
        try:
            return await self._read("slurm", ["job", job_id], Kind.JOB, SlurmJob)
        except SlurmRefused as refused:
            if answers.INVALID_JOB_ID in refused.numbers:
                return []
            raise

    async def jobs(self) -> list[SlurmJob]:
        """Every job that slurmctld remembers: several KB each, so not for polling."""
        return await self._read("slurm", ["jobs"], Kind.JOB, SlurmJob)

    async def job_marks(self) -> tuple[list[JobMark], list[Record]]:
        """Whose every job is that slurmctld remembers, and records that cannot be read; as dear as `jobs`."""
        records, _ = await self._dialect.read("slurm", ["jobs"], Kind.JOB)
        return sort_out(JobMark, records)

    async def cancel(
        self,
        job_ids: Sequence[str],
        *,
        user: str | None = None,
        signal: str | None = None,
        script_only: bool = False,
    ) -> None:
        """Cancel (or signal) jobs, tasks `812_4` or ranges `812_[3-9]`; unknown and ended ones are no error.

        `user` None acts as the polling identity. With `script_only` the signal goes to the batch script, and
        to none of what that started.
        """
        refused: list[str] = []
        for start in range(0, len(job_ids), _MOST_JOBS_IN_ONE_CANCEL):
            body: dict[str, object] = {"jobs": list(job_ids[start : start + _MOST_JOBS_IN_ONE_CANCEL])}
            if signal is not None:
                body["signal"] = signal
            if script_only:
                body["flags"] = ["BATCH_JOB"]
            answer = await self._dialect.write("DELETE", "slurm", ["jobs"], user=user, body=body)
            refused += [text for row in rows(answer, "status") if (text := _cancel_problem(row))]
        if refused:
            raise SlurmRefused("; ".join(refused[:_MOST_PROBLEMS_TOLD]))

    async def update(self, job_id: str, changes: Mapping[str, object], *, user: str) -> None:
        """Change fields of a job (`hold`, `time_limit`, `nice` ...), as this cluster user.

        Raises:
            SlurmRefused: also when some tasks of an array could not be changed.
        """
        versions.require_job_fields(changes, await self._dialect.version())
        answer = await self._dialect.write("POST", "slurm", ["job", job_id], user=user, body=changes)
        problems = [row for row in rows(answer, "results") if row.get("error_code")]
        if problems:
            texts = dict.fromkeys(str(row.get("why") or row.get("error")) for row in problems)
            numbers = {int(row["error_code"]) for row in problems}
            raise SlurmRefused("; ".join(texts), numbers)

    async def requeue(self, job_ids: Sequence[str], *, user: str, is_held: bool = False) -> None:
        """Put jobs back into the queue, killing their runs.

        Raises:
            SlurmRefused: also when the API version cannot do this (all before v0.0.45).
            SubmitUncertain: sent, and no answer came; asked again it would kill the next run.
        """
        versions.require(Ability.REQUEUE, await self._dialect.version())
        body: dict[str, object] = {"jobs": list(job_ids)}
        if is_held:
            body["flags"] = ["Hold"]
        await self._dialect.write(
            "POST", "slurm", ["jobs", "requeue"], user=user, body=body, may_repeat=False
        )

    # --- The cluster ---

    async def nodes(self) -> list[SlurmNode]:
        """All nodes."""
        return await self._read("slurm", ["nodes"], Kind.NODE, SlurmNode)

    async def partitions(self) -> list[SlurmPartition]:
        """All partitions."""
        return await self._read("slurm", ["partitions"], Kind.PARTITION, SlurmPartition)

    async def licenses(self) -> list[SlurmLicense]:
        """All licences."""
        return await self._read("slurm", ["licenses"], Kind.LICENSE, SlurmLicense)

    async def reservations(self) -> list[SlurmReservation]:
        """All reservations."""
        return await self._read("slurm", ["reservations"], Kind.RESERVATION, SlurmReservation)

    # --- Accounting (slurmdbd) ---

    async def accounting(
        self,
        *,
        start: datetime,
        end: datetime,
        job_ids: Sequence[str] = (),
        user: str | None = None,
    ) -> list[AccountedJob]:
        """Runs that existed in this window of time, each requeue as its own, with their steps.

        Args:
            start: of the window; slurmdbd is never asked without one.
            end: of the window.
            job_ids: only these, where given.
            user: only this cluster user's, where given.
        """
        params = _window(start, end)
        if job_ids:
            params["step"] = job_ids  # repeated in the URL: slurmrestd refuses an encoded comma
        if user is not None:
            params["users"] = user
        return await self._read("slurmdb", ["jobs"], Kind.ACCOUNTED_JOB, AccountedJob, params)

    async def accounted_marks(
        self, *, start: datetime, end: datetime
    ) -> tuple[list[AccountedMark], list[Record]]:
        """Whose every run of `accounting` is, and records that cannot be read."""
        records, _ = await self._dialect.read("slurmdb", ["jobs"], Kind.ACCOUNTED_JOB, _window(start, end))
        return sort_out(AccountedMark, records)

    async def qos(self) -> list[SlurmQos]:
        """All QOS."""
        return await self._read("slurmdb", ["qos"], Kind.QOS, SlurmQos)

    async def accounts(self) -> list[SlurmAccount]:
        """All accounts."""
        return await self._read("slurmdb", ["accounts"], Kind.ACCOUNT, SlurmAccount)

    async def users(self) -> list[SlurmUser]:
        """All users."""
        return await self._read("slurmdb", ["users"], Kind.USER, SlurmUser)

    async def associations(
        self, *, account: str | None = None, user: str | None = None
    ) -> list[SlurmAssociation]:
        """Associations, all or of one account or user."""
        params = {key: value for key, value in (("account", account), ("user", user)) if value is not None}
        return await self._read("slurmdb", ["associations"], Kind.ASSOCIATION, SlurmAssociation, params)

    async def tres(self) -> list[WireTres]:
        """The resources that slurmdbd accounts."""
        return await self._read("slurmdb", ["tres"], Kind.TRES, WireTres)

    async def put_qos(self, qos: Sequence[Mapping[str, object]], *, user: str) -> None:
        """Create or change QOS; what an object leaves out stays as it is."""
        if any(_sets_group_minutes(one) for one in qos):
            versions.require(Ability.GROUP_TRES_MINUTES, await self._dialect.version())
        await self._dialect.write("POST", "slurmdb", ["qos"], user=user, body={"qos": list(qos)})

    async def put_accounts(self, accounts: Sequence[Mapping[str, object]], *, user: str) -> None:
        """Create or change accounts."""
        await self._dialect.write(
            "POST", "slurmdb", ["accounts"], user=user, body={"accounts": list(accounts)}
        )

    async def put_associations(self, associations: Sequence[Mapping[str, object]], *, user: str) -> None:
        """Create or change associations."""
        body = {"associations": list(associations)}
        await self._dialect.write("POST", "slurmdb", ["associations"], user=user, body=body)

    async def add_account_associations(self, request: Mapping[str, object], *, user: str) -> None:
        """Create accounts together with their associations (`accounts_association`)."""
        await self._dialect.write("POST", "slurmdb", ["accounts_association"], user=user, body=request)

    async def add_user_associations(self, request: Mapping[str, object], *, user: str) -> None:
        """Create users together with their associations (`users_association`)."""
        await self._dialect.write("POST", "slurmdb", ["users_association"], user=user, body=request)

    async def _read(
        self,
        part: str,
        path: Sequence[str],
        kind: Kind,
        model: type[M],
        params: Params | None = None,
    ) -> list[M]:
        records, _ = await self._dialect.read(part, path, kind, params)
        return read_models(model, records)

    async def _state_lines(self, array: int | None = None) -> list[Record]:
        params = None if array is None else {"job_id": str(array)}
        lines, _ = await self._dialect.read("slurm", ["jobs", "state"], Kind.JOB_STATE, params)
        return lines


def _window(start: datetime, end: datetime) -> dict[str, str | Sequence[str]]:
    return {
        # "uts" marks a UNIX time in every version; plain numbers are refused before v0.0.42.
        "start_time": f"uts{int(start.timestamp())}",
        "end_time": f"uts{int(end.timestamp())}",
        "show_duplicates": "true",
        # Or starts and ends outside the window would be told as the window's own.
        "disable_truncate_usage_time": "true",
    }


def _cancel_problem(row: Record) -> str | None:
    """Why one job could not be cancelled; None when it was, or needed no cancelling."""
    error = row.get("error") or {}
    if not error.get("code") or error["code"] in _ENDED:
        return None
    return f"{row.get('step_id')}: {error.get('message') or error.get('string')}"


def _sets_group_minutes(qos: Mapping[str, object]) -> bool:
    part: object = qos
    for key in ("limits", "max", "tres", "minutes", "total"):
        part = part.get(key) if isinstance(part, Mapping) else None
    return part is not None
