"""Certificate authorities as an operator makes them: with the openssl command."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = ("-days", "2")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of PEM files: a certificate, its key, and the authority that its owner trusts."""

    authority: Path
    certificate: Path
    key: Path

    def as_options(self) -> list[str]:
        """For `dask scheduler` and `dask worker`."""
        trust = ["--tls-ca-file", str(self.authority)]
        return [*trust, "--tls-cert", str(self.certificate), "--tls-key", str(self.key)]


class Authority:
    """One authority and its folder; its keys can be read by their owner alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        files = ("-keyout", self._key, "-out", self.certificate)
        _openssl("req", "-x509", *_NEW_KEY, *_DAYS, "-subj", "/CN=authority", *files)
        self._key.chmod(0o600)

    def issue(self, name: str, *, names: str = "", prefix: Sequence[str] = ()) -> Certificate:
        """A certificate and its key; `names` are those that clients check, such as `IP:127.0.0.1`.

        `prefix` is what openssl is run with when it signs, such as a clock of another day.
        """
        key, request, certificate = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        also = ("-addext", f"subjectAltName={names}") if names else ()
        _openssl("req", "-new", *_NEW_KEY, "-subj", f"/CN={name}", *also, "-keyout", key, "-out", request)
        key.chmod(0o600)
        signer = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial")
        kept = ("-copy_extensions", "copy") if names else ()
        signed = ("x509", "-req", "-in", request, *signer, *kept, *_DAYS, "-out", certificate)
        _openssl(*signed, prefix=prefix)
        return Certificate(self.certificate, certificate, key)


def _openssl(*arguments: str | Path, prefix: Sequence[str] = ()) -> None:
    done = subprocess.run([*prefix, "openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
