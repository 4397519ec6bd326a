"""`hpc-portal doctor` says what to do about certificates and clocks of the servers that the portal needs."""

import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import IdentitySettings, Settings, SlurmSettings, SmtpSettings
from hpc_portal.cli.doctor.finding import Finding, Level
from hpc_portal.cli.doctor.network import look_at_network
from tests.e2e.chaos.clocks import Clock, right_clock, sweep
from tests.forked_programs import BIN
from tests.integration.dask_backend.authority import Authority, Certificate

HERE = "IP:127.0.0.1"


@contextmanager
def listening(certificate: Certificate | None = None, *, clock: timedelta = timedelta()) -> Iterator[str]:
    """A web server that describes an identity provider, whatever it is asked; its clock may be off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ends = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            body = json.dumps({"issuer": url, **{end: f"{url}/{end}" for end in ends}}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            assert timestamp is None
            return super().date_time_string(time.time() + clock.total_seconds())

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - http.server's
            """Tests need no access log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    yield right_clock(tmp_path, "machine")
    sweep()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def slurm_of(url: str, trusted: Path, folder: Path) -> Settings:
    key = folder / "jwt.key"
    key.write_bytes(b"0" * 32)
    return Settings(slurm=SlurmSettings(url=url, jwt_key=key, tls_ca=trusted))


def one(findings: Iterator[Finding]) -> Finding:
    """What ends the look."""
    return list(findings)[-1]


@pytest.mark.parametrize(
    ("days_ago", "words"), [(5, "has expired: renew it there"), (-5, "is not good yet: this machine's clock")]
)
def test_a_certificate_of_another_time_is_told_with_what_to_do(
    days_ago: int, words: str, authority: Authority, clock: Clock, tmp_path: Path
) -> None:
    clock.step(round(-timedelta(days=days_ago).total_seconds()))
    with listening(authority.issue("then", names=HERE, prefix=clock.prefix)) as url:
        found = one(look_at_network(slurm_of(url, authority.certificate, tmp_path)))
    assert found.level is Level.WRONG
    assert words in found.said
    assert url.removeprefix("https://") in found.said


def test_an_authority_that_nobody_named_and_another_ones_name_are_told(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger")
    with listening(stranger.issue("slurmrestd", names=HERE)) as url:
        found = one(look_at_network(slurm_of(url, authority.certificate, tmp_path)))
    assert found.level is Level.WRONG
    assert "HPC_PORTAL_SLURM__TLS_CA" in found.said
    with listening(authority.issue("elsewhere", names="DNS:elsewhere.example.vn")) as url:
        found = one(look_at_network(slurm_of(url, authority.certificate, tmp_path)))
    assert found.level is Level.WRONG
    assert "not for this name" in found.said


def test_a_server_that_speaks_no_tls_and_an_authority_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    found = one(look_at_network(slurm_of("https://127.0.0.1:1", missing, tmp_path)))
    assert (found.level, str(missing) in found.said) == (Level.WRONG, True)
    authority = Authority(tmp_path / "authority")
    with listening() as url:
        told = look_at_network(slurm_of(url.replace("http", "https"), authority.certificate, tmp_path))
        assert one(told).level is Level.WRONG


def test_a_certificate_that_ends_soon_is_doubtful_and_told_before_what_slurmrestd_says(
    authority: Authority, tmp_path: Path
) -> None:
    with listening(authority.issue("slurmrestd", names=HERE)) as url:
        first = next(look_at_network(slurm_of(url, authority.certificate, tmp_path)))
    assert first.level is Level.DOUBT
    assert "good for 1 days" in first.said


def test_a_mail_server_whose_authority_nobody_named_is_told(authority: Authority) -> None:
    with listening(authority.issue("mail", names=HERE)) as url:
        port = int(url.rpartition(":")[2])
        smtp = SmtpSettings(host="127.0.0.1", port=port, security="tls", sender="hpc@example.vn")
        found = one(look_at_network(Settings(smtp=smtp)))
    assert found.level is Level.WRONG
    assert "HPC_PORTAL_SMTP__TLS_CA" in found.said


def identity_of(issuer: str) -> Settings:
    return Settings(identity=IdentitySettings(issuer=issuer, client_id="portal"))


def test_an_identity_provider_is_told_that_is_not_trusted_then_is_and_then_is_gone(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(authority.issue("id", names=HERE)) as url:
        found = one(look_at_network(identity_of(url)))
        assert found.level is Level.WRONG
        assert "SSL_CERT_FILE" in found.said
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        assert one(look_at_network(identity_of(url))) == Finding(
            "Identity provider", Level.WELL, f"{url} says what it is."
        )
        found = one(look_at_network(identity_of(f"{url}/realms/city")))
        assert found.level is Level.WRONG
        assert "HPC_PORTAL_IDENTITY__ISSUER" in found.said
    assert one(look_at_network(identity_of(url))).level is Level.WRONG


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, Level.WELL), (40, Level.DOUBT), (-40, Level.DOUBT), (90, Level.WRONG)]
)
def test_an_identity_provider_whose_clock_is_off_is_told(seconds: int, level: Level) -> None:
    with listening(clock=timedelta(seconds=seconds)) as url:
        found = one(look_at_network(identity_of(url)))
    assert found.level is level
    assert ("chrony" in found.said) == (level is Level.WRONG)


def test_a_machine_whose_clock_is_not_the_databases_is_told(
    postgres_url: str, clock: Clock, tmp_path: Path
) -> None:
    upgrade(Settings(state_dir=tmp_path / "state", database_url=postgres_url))
    environment = {
        **{name: os.environ[name] for name in ("PATH",)},
        "HPC_PORTAL_STATE_DIR": str(tmp_path / "state"),
        "HPC_PORTAL_DATABASE_URL": postgres_url,
    }
    told = {}
    for seconds in (0, 90, -90):
        clock.step(seconds)
        ran = subprocess.run(
            [*clock.prefix, str(BIN / "hpc-portal"), "doctor", "--quick", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        [told[seconds]] = [one for one in json.loads(ran.stdout) if one["about"] == "Clock"]
    assert {seconds: found["level"] for seconds, found in told.items()} == {
        0: "well",
        90: "wrong",
        -90: "wrong",
    }
    assert "chrony" in told[90]["said"]
