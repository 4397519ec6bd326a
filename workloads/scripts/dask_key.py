"""The key of a job's own Dask cluster: made once for a run, shown by every part of it to every other."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed.security import Security

SKEW = timedelta(days=1)
"""How far the clocks of the nodes may be apart."""
LONGEST_JOB = timedelta(days=366)


def make_key(folder: Path) -> Security:
    """A key and its certificate, which is its own authority: who does not have the key is let in nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask cluster of one job")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LONGEST_JOB + SKEW)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for file, content in (
        ("key", secret),
        ("certificate", certificate.public_bytes(serialization.Encoding.PEM)),
    ):
        descriptor = os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            written.write(content)
    return known_key(folder)


def known_key(folder: Path) -> Security:
    """The same for every part of the cluster; no connection without it, in either direction."""
    key, certificate = str(folder / "key"), str(folder / "certificate")
    roles = {
        f"tls_{role}_{what}": path
        for role in ("scheduler", "worker", "client")
        for what, path in (("key", key), ("cert", certificate))
    }
    return Security(  # type: ignore[no-untyped-call]
        require_encryption=True, tls_ca_file=certificate, **roles
    )
