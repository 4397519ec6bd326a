"""Where `hpc` keeps the token."""

import stat
from pathlib import Path

import pytest

from hpc_portal.cli.credentials import Credentials, credentials_path, load_credentials, store_credentials
from hpc_portal.cli.errors import CliError, NotSignedIn

SAVED = Credentials(url="https://hpc.danang.gov.vn", token='a"b\\c', username="lan", token_id="7")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_what_was_stored_is_loaded_again(environment: dict[str, str]) -> None:
    store_credentials(SAVED, credentials_path(environment))
    assert load_credentials(environment) == SAVED


def test_only_the_owner_can_read_the_file(environment: dict[str, str]) -> None:
    path = credentials_path(environment)
    store_credentials(SAVED, path)
    store_credentials(SAVED, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [found.name for found in path.parent.iterdir()] == ["credentials.toml"]


def test_without_a_file_nobody_is_signed_in(environment: dict[str, str]) -> None:
    with pytest.raises(NotSignedIn, match="hpc login"):
        load_credentials(environment)


def test_variables_need_no_file(environment: dict[str, str]) -> None:
    found = load_credentials({**environment, "HPC_URL": "https://other/", "HPC_TOKEN": "t"})
    assert found == Credentials(url="https://other", token="t")


def test_a_token_is_never_sent_to_another_portal(environment: dict[str, str]) -> None:
    store_credentials(SAVED, credentials_path(environment))
    with pytest.raises(NotSignedIn):
        load_credentials({**environment, "HPC_URL": "https://evil.example"})


def test_a_broken_file_says_what_to_do(environment: dict[str, str]) -> None:
    path = credentials_path(environment)
    store_credentials(SAVED, path)
    path.write_text("url = ")
    with pytest.raises(CliError, match="hpc login"):
        load_credentials(environment)
