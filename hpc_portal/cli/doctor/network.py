"""Looks at what the portal speaks with: slurmrestd, Dask's scheduler, identity provider, mail server."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import httpx

from hpc_portal.app.controller_wiring import slurm_client
from hpc_portal.app.notices.send_mail import connect
from hpc_portal.app.settings import Settings, SlurmSettings
from hpc_portal.cli.doctor.certificates import (
    PATIENCE_SECONDS,
    look_at_certificate,
    look_at_shown,
    what_to_do,
)
from hpc_portal.cli.doctor.collector import look_at_collector
from hpc_portal.cli.doctor.finding import Finding, Level, doubt, well, wrong
from hpc_portal.cli.doctor.identity import look_at_identity
from hpc_portal.cli.language import gettext as _
from schedulers.errors import SchedulerError

_HTTPS = 443


def look_at_network(settings: Settings) -> Iterator[Finding]:
    """Each of them that settings name."""
    if settings.tracing:
        yield look_at_collector(settings.tracing)
    if settings.slurm:
        yield from _slurmrestd(settings.slurm)
    if settings.identity:
        yield from look_at_identity(settings.identity)
    if settings.dask_enabled and settings.dask_scheduler:
        yield _dask(settings)
    if settings.smtp:
        about = _("Mail server")
        try:
            with connect(settings.smtp):
                yield well(about, _("{host} lets us in.", host=settings.smtp.host))
        except ssl.SSLCertVerificationError as problem:
            address = f"{settings.smtp.host}:{settings.smtp.port}"
            yield wrong(about, what_to_do(problem, address, authority="HPC_PORTAL_SMTP__TLS_CA"))
        except (OSError, smtplib.SMTPException) as problem:
            yield wrong(about, f"{settings.smtp.host}: {problem}")


def _slurmrestd(slurm: SlurmSettings) -> Iterator[Finding]:
    """Its certificate first: what else there is to say, it says to whomever it can trust."""
    address = urlsplit(slurm.url)
    if address.scheme == "https":
        try:
            trusted = ssl.create_default_context(cafile=str(slurm.tls_ca)) if slurm.tls_ca else None
        except OSError as problem:
            yield wrong(_about(slurm), f"{slurm.tls_ca}: {problem.strerror or problem}")
            return
        found = look_at_certificate(
            _about(slurm),
            address.hostname or "",
            address.port or _HTTPS,
            trusted or httpx.create_ssl_context(),
            authority="HPC_PORTAL_SLURM__TLS_CA",
        )
        yield found
        if found.level is Level.WRONG:
            return
    yield from asyncio.run(_slurm(slurm))


def _about(slurm: SlurmSettings) -> str:
    return _("Slurm {cluster}", cluster=slurm.cluster_name)


async def _slurm(slurm: SlurmSettings) -> list[Finding]:
    """Does it answer, in which version, and has each of our two users the rights that it needs?"""
    about = _about(slurm)
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
            found.append(_unknown_version(about, slurm))
        await client.states()
        found.append(well(about, _("{user} may look at jobs.", user=slurm.polling_user)))
        users = {user.name: user for user in await client.users()}
        found.append(_rights(about, slurm, users))
    except SchedulerError as problem:
        found.append(wrong(about, str(problem)))
    finally:
        await client.close()
    return found


def _unknown_version(about: str, slurm: SlurmSettings) -> Finding:
    said = _("This API is newer than the portal knows.")
    if slurm.allow_unknown_api_version:
        return doubt(about, said)
    setting = "HPC_PORTAL_SLURM__ALLOW_UNKNOWN_API_VERSION"
    refused = _("Nothing is submitted: upgrade the portal, or confirm this API with {name}.", name=setting)
    return wrong(about, f"{said} {refused}")


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
        with socket.create_connection((host, port), PATIENCE_SECONDS) as plain:
            if address.scheme == "tls":
                return _certificate(settings, plain, about, f"{host}:{port}")
    except (OSError, ssl.SSLError) as problem:
        return wrong(about, f"{settings.dask_scheduler}: {problem}")
    return doubt(about, _("It answers, without TLS: whoever reaches it can run code on the nodes."))


def _certificate(settings: Settings, plain: socket.socket, about: str, address: str) -> Finding:
    trusted = ssl.create_default_context(cafile=str(settings.dask_tls_ca))
    trusted.check_hostname = False  # Dask checks who signed, not for which host
    trusted.load_cert_chain(str(settings.dask_tls_cert), str(settings.dask_tls_key))
    return look_at_shown(about, address, plain, trusted, authority="HPC_PORTAL_DASK_TLS_CA")
