"""Looks at the certificates of servers: who signed them, whose they are, and for how long they are good."""

import contextlib
import socket
import ssl
from datetime import UTC, datetime, timedelta

from hpc_portal.cli.doctor.finding import Finding, doubt, well, wrong
from hpc_portal.cli.language import gettext as _

PATIENCE_SECONDS = 5
_SOON = timedelta(days=21)
_NOT_YET, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = (18, 19, 20, 21)
_OTHER_NAME = (62, 64)
"""X509_V_ERR_* of OpenSSL's x509_vfy.h."""


def look_at_certificate(
    about: str, host: str, port: int, trusted: ssl.SSLContext, *, authority: str
) -> Finding:
    """Shake hands, and nothing more; `authority` is the variable that names whom we trust."""
    address = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), PATIENCE_SECONDS) as plain:
            return look_at_shown(about, address, plain, trusted, authority=authority)
    except OSError as problem:
        return wrong(about, f"{address}: {problem}")


def look_at_shown(
    about: str, address: str, plain: socket.socket, trusted: ssl.SSLContext, *, authority: str
) -> Finding:
    """The same on a connection that is there.

    Raises:
        OSError: it broke, or whoever is there speaks no TLS.
    """
    try:
        name = address.rpartition(":")[0]
        with contextlib.closing(trusted.wrap_socket(plain, server_hostname=name)) as secured:
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as problem:
        return wrong(about, what_to_do(problem, address, authority=authority))
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    left = until - datetime.now(UTC)
    said = _("It answers; its certificate is good for {days} days.", days=left.days)
    return (well if left > _SOON else doubt)(about, said)


def what_to_do(problem: ssl.SSLCertVerificationError, address: str, *, authority: str) -> str:
    """In words of operators instead of OpenSSL's."""
    match problem.verify_code:
        case code if code == _EXPIRED:
            return _(
                "The certificate of {address} has expired: renew it there. If it has not, this machine's "
                "clock is wrong: run chrony.",
                address=address,
            )
        case code if code == _NOT_YET:
            return _(
                "The certificate of {address} is not good yet: this machine's clock is wrong, or theirs "
                "was: run chrony on both.",
                address=address,
            )
        case code if code in _UNKNOWN_AUTHORITY:
            return _(
                "Nobody whom this machine trusts signed the certificate of {address}: name the file with "
                "the certificate of its authority in {setting}.",
                address=address,
                setting=authority,
            )
        case code if code in _OTHER_NAME:
            return _(
                "The certificate of {address} is not for this name: use the name that it is for. {problem}",
                address=address,
                problem=problem.verify_message,
            )
        case _:
            return f"{address}: {problem.verify_message}"
