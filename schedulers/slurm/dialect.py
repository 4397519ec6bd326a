"""Finds out which API version slurmrestd speaks, speaks it, and reads replies in the newest shape."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from pydantic import TypeAdapter, ValidationError

from schedulers.errors import SchedulerUnavailable
from schedulers.slurm import versions
from schedulers.slurm.answers import Answer
from schedulers.slurm.errors import EndpointMissing, VersionUnconfirmed
from schedulers.slurm.transport import Params, Request, RestTransport
from schedulers.slurm.versions import Kind, Record
from schedulers.slurm.wire import WireModel

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=WireModel)


class Dialect:
    """Asks in the version that was found; when a URL is gone, Slurm was upgraded and it looks again."""

    def __init__(self, transport: RestTransport, *, polling_user: str, allow_unknown_version: bool) -> None:
        self._transport = transport
        self._polling_user = polling_user
        self._allow_unknown_version = allow_unknown_version
        self._version: int | None = None
        self._discovering = asyncio.Lock()

    async def version(self) -> int:
        """The version spoken, 42 for v0.0.42."""
        if self._version is not None:
            return self._version
        async with self._discovering:
            if self._version is None:
                self._version = await self._find()
                log.info("slurm.version_found", api=versions.api_name(self._version))
            return self._version

    async def read(
        self, part: str, path: Sequence[str], kind: Kind, params: Params | None = None
    ) -> tuple[list[Record], Answer]:
        """Ask for records as the polling user; they come lifted to the newest shape, beside the reply.

        Args:
            part: `slurm` (slurmctld) or `slurmdb` (slurmdbd).
            path: the parts of the URL behind the version.
            kind: what the records are.
            params: the URL's query.
        """
        answer, version = await self._ask("GET", part, path, self._polling_user, params=params)
        return versions.lift(kind, rows(answer, kind.key), version), answer

    async def write(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        part: str,
        path: Sequence[str],
        *,
        user: str | None,
        body: Mapping[str, object] | None = None,
        params: Params | None = None,
        may_repeat: bool = True,
        traceparent: str | None = None,
    ) -> Answer:
        """Change something as a cluster user; None is the polling user.

        Raises:
            VersionUnconfirmed: only versions newer than all known ones are spoken, and no setting allows it.
            SubmitUncertain: sent, and no answer came; never where it may be repeated.
        """
        answer, _ = await self._ask(
            method,
            part,
            path,
            user or self._polling_user,
            body=body,
            params=params,
            may_repeat=may_repeat,
            is_write=True,
            traceparent=traceparent,
        )
        return answer

    async def _ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        part: str,
        path: Sequence[str],
        user: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Params | None = None,
        may_repeat: bool = True,
        is_write: bool = False,
        traceparent: str | None = None,
    ) -> tuple[Answer, int]:
        tail = "/".join(quote(name, safe="") for name in path)
        while True:
            version = await self.version()
            if is_write and version > versions.NEWEST and not self._allow_unknown_version:
                raise VersionUnconfirmed(versions.api_name(version), versions.api_name(versions.NEWEST))
            url = f"/{part}/{versions.api_name(version)}/{tail}"
            try:
                asked = Request(method, url, user, may_repeat, params, body, traceparent)
                return await self._transport.ask(asked), version
            except EndpointMissing:
                if not await self._has_moved_on_from(version):
                    raise

    async def _has_moved_on_from(self, version: int) -> bool:
        async with self._discovering:
            if self._version == version:
                self._version = await self._find()
                log.info("slurm.version_found", api=versions.api_name(self._version))
            return self._version != version

    async def _find(self) -> int:
        for number in versions.candidates():
            url = f"/slurm/{versions.api_name(number)}/ping"
            try:
                await self._transport.ask(Request("GET", url, self._polling_user, may_repeat=True))
            except EndpointMissing:
                continue
            return number
        message = (
            f"slurmrestd speaks no version of its API that the portal knows "
            f"({versions.api_name(versions.OLDEST)} to {versions.api_name(versions.NEWEST)}) or could try"
        )
        raise SchedulerUnavailable(message)


def rows(answer: Answer, key: str) -> list[Record]:
    """The objects in a list of a reply; [] when the list is missing or null."""
    found = (answer.body or {}).get(key) or []
    return [row for row in found if isinstance(row, dict)]


def read_models(model: type[M], records: Sequence[Record]) -> list[M]:
    """Records as models; one that cannot be read is logged and left out, and spoils no other."""
    adapter = _list_of(model)
    try:
        read: list[M] = adapter.validate_python(records)
    except ValidationError:
        read = [one for record in records if (one := _read_one(model, record)) is not None]
    return read


def sort_out(model: type[M], records: Sequence[Record]) -> tuple[list[M], list[Record]]:
    """Records as models, and those that cannot be read: one of them may be what is looked for."""
    read = read_models(model, records)
    if len(read) == len(records):
        return read, []
    return read, [record for record in records if _read_one(model, record) is None]


@cache
def _list_of(model: type[WireModel]) -> TypeAdapter[Any]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def _read_one(model: type[M], record: Record) -> M | None:
    try:
        return model.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        log.warning("slurm.record_unreadable", model=model.__name__, field=first["loc"], problem=first["msg"])
        return None
