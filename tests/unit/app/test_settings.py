"""Settings that contradict each other are refused at start, by name."""

from pathlib import Path

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
