"""Looks at what the portal speaks with: slurmrestd, the Dask scheduler, the mail server."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from hpc_portal.app.controller_wiring import slurm_client
from hpc_portal.app.notices.send_mail import connect
from hpc_portal.app.settings import Settings, SlurmSettings
from hpc_portal.cli.doctor.collector import look_at_collector
from hpc_portal.cli.doctor.finding import Finding, doubt, well, wrong
from hpc_portal.cli.language import gettext as _
from schedulers.errors import SchedulerError

_PATIENCE_SECONDS = 5
_SOON = timedelta(days=21)
_DAY_SECONDS = 86_400


def look_at_network(settings: Settings) -> Iterator[Finding]:
    """Each of them that settings name."""
    if settings.tracing:
        yield look_at_collector(settings.tracing)
    if settings.slurm:
        yield from asyncio.run(_slurm(settings.slurm))
    if settings.dask_enabled and settings.dask_scheduler:
        yield _dask(settings)
    if settings.smtp:
        about = _("Mail server")
        try:
            with connect(settings.smtp):
                yield well(about, _("{host} lets us in.", host=settings.smtp.host))
        except (OSError, smtplib.SMTPException) as problem:
            yield wrong(about, f"{settings.smtp.host}: {problem}")


async def _slurm(slurm: SlurmSettings) -> list[Finding]:
    """Does it answer, in which version, and has each of our two users the rights that it needs?"""
    about = _("Slurm {cluster}", cluster=slurm.cluster_name)
    try:
        client = slurm_client(slurm)
    except OSError as problem:
        return [wrong(about, f"{problem.filename}: {problem.strerror}")]
    found: list[Finding] = []
    try:
        version = await client.ping()
        said = _("Slurm {release} answers by API {api}.", release=version.release, api=version.api)
        found.append(well(about, said))
        if not version.is_known:
            found.append(doubt(about, _("This API is newer than the portal knows.")))
        await client.states()
        found.append(well(about, _("{user} may look at jobs.", user=slurm.polling_user)))
        users = {user.name: user for user in await client.users()}
        found.append(_rights(about, slurm, users))
    except SchedulerError as problem:
        found.append(wrong(about, str(problem)))
    finally:
        await client.close()
    return found


def _rights(about: str, slurm: SlurmSettings, users: Mapping[str, object]) -> Finding:
    levels = getattr(users.get(slurm.admin_user), "administrator_level", ())
    if slurm.admin_user == "slurm" or any(level.lower() == "administrator" for level in levels):
        return well(about, _("{user} is an administrator there.", user=slurm.admin_user))
    return wrong(
        about,
        _(
            "{user} is no administrator in slurmdbd: sacctmgr modify user {user} set AdminLevel=Admin",
            user=slurm.admin_user,
        ),
    )


def _dask(settings: Settings) -> Finding:
    about = _("Dask scheduler")
    address = urlsplit(settings.dask_scheduler)
    host, port = address.hostname or "", address.port or 8786
    try:
        with socket.create_connection((host, port), _PATIENCE_SECONDS) as plain:
            if address.scheme == "tls":
                return _certificate(settings, plain, about)
    except (OSError, ssl.SSLError) as problem:
        return wrong(about, f"{settings.dask_scheduler}: {problem}")
    return doubt(about, _("It answers, without TLS: whoever reaches it can run code on the nodes."))


def _certificate(settings: Settings, plain: socket.socket, about: str) -> Finding:
    trusted = ssl.create_default_context(cafile=str(settings.dask_tls_ca))
    trusted.check_hostname = False  # Dask checks who signed, not for which host
    trusted.load_cert_chain(str(settings.dask_tls_cert), str(settings.dask_tls_key))
    with contextlib.closing(trusted.wrap_socket(plain)) as secured:
        shown = secured.getpeercert() or {}
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    left = until - datetime.now(UTC)
    said = _("It answers; its certificate is good for {days} days.", days=left.days)
    return (well if left > _SOON else doubt)(about, said)
