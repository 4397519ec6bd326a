"""Settings that contradict each other are refused at start, by name."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hpc_portal.app.settings import Settings

PEM = Path("/etc/hpc/some.pem")


@pytest.mark.parametrize("missing", ["dask_tls_ca", "dask_tls_cert", "dask_tls_key"])
def test_a_tls_scheduler_needs_authority_certificate_and_key(missing: str) -> None:
    given = {"dask_tls_ca": PEM, "dask_tls_cert": PEM, "dask_tls_key": PEM}
    del given[missing]
    with pytest.raises(ValidationError, match="needs all three"):
        Settings.model_validate({"dask_scheduler": "tls://scheduler:8786", **given})


def test_certificates_with_a_scheduler_in_the_clear_are_refused_instead_of_left_unused() -> None:
    with pytest.raises(ValidationError, match="must start with tls://"):
        Settings.model_validate({"dask_scheduler": "tcp://scheduler:8786", "dask_tls_ca": PEM})


SMTP = {"host": "mail.example.vn", "sender": "hpc@example.vn"}
SLURM = {"url": "http://slurm:6820", "jwt_key": PEM}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"slurm": {**SLURM, "url": "slurm:6820"}}, "must start with http"),
        ({"slurm": {"url": "http://slurm:6820"}}, "jwt_key: needed"),
        ({"slurm": SLURM | {"runtime_paths": ["opt/py"]}}, "runtime_paths: must be absolute"),
        ({"slurm": SLURM | {"runtime_paths": ["/a:/b"]}}, "without a colon"),
        ({"slurm": {**SLURM, "auth": "proxy_token"}}, "token_file: needed"),
        ({"slurm": {**SLURM, "tls_ca": PEM}}, "must start with https"),
        ({"slurm": {**SLURM, "cluster_name": "danang"}}, "must differ"),
        ({"smtp": {**SMTP, "username": "portal", "security": "none"}}, "a password needs starttls or tls"),
        ({"smtp": {**SMTP, "sender": "nobody"}}, "smtp.sender"),
        ({"slurm": SLURM, "default_cluster": "nowhere"}, "must be one of slurm, danang"),
        ({"dask_enabled": False}, "needs a cluster"),
        ({"tracing": {"endpoint": "collector:4318"}}, "endpoint: must start with http"),
        ({"tracing": {"endpoint": "http://"}}, "name a host"),
        ({"tracing": {"endpoint": "http://user:secret@collector:4318"}}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"tracing": {"endpoint": "http://collector:4318?key=secret"}}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"tracing": {"endpoint": "http://collector:4318", "sampling_ratio": 1.1}}, "sampling_ratio"),
        ({"tracing": {"sampling_ratio": 0.5}}, "tracing.endpoint"),
    ],
)
def test_a_slurm_cluster_that_cannot_work_is_refused_by_name(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Settings.model_validate(given)


def test_the_default_cluster_comes_first() -> None:
    assert Settings().cluster_names == ("danang",)
    assert Settings.model_validate({"slurm": SLURM}).cluster_names == ("slurm", "danang")
    chosen = Settings.model_validate({"slurm": SLURM, "default_cluster": "danang"})
    assert chosen.cluster_names == ("danang", "slurm")
    alone = Settings.model_validate({"slurm": SLURM, "dask_enabled": False})
    assert alone.cluster_names == ("slurm",)


def test_a_slurm_cluster_is_described_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPC_PORTAL_SLURM__URL", "unix:///run/slurmrestd.sock")
    monkeypatch.setenv("HPC_PORTAL_SLURM__JWT_KEY", str(PEM))
    slurm = Settings().slurm
    assert slurm
    assert (slurm.url, slurm.jwt_key, slurm.auth) == ("unix:///run/slurmrestd.sock", PEM, "jwt_key")
