"""Where `hpc` keeps who you are: one TOML file that only you can read; HPC_URL and HPC_TOKEN override it."""

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpc_portal.cli.errors import CliError, NotSignedIn
from hpc_portal.cli.language import gettext as _


@dataclass(frozen=True, slots=True)
class Credentials:
    """A portal, and the token that it gave."""

    url: str
    token: str
    username: str = ""
    token_id: str = ""
    """Lets `hpc logout` revoke the token; "" when it came from HPC_TOKEN."""


def credentials_path(environment: Mapping[str, str] = os.environ) -> Path:
    """`hpc/credentials.toml` in XDG_CONFIG_HOME, or in ~/.config."""
    base = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "hpc" / "credentials.toml"


def load_credentials(environment: Mapping[str, str] = os.environ) -> Credentials:
    """The stored credentials with HPC_URL and HPC_TOKEN laid over them.

    A token that was stored for one portal is never sent to another one that HPC_URL names.

    Raises:
        NotSignedIn: there is no token for this portal.
        CliError: the file cannot be read as TOML.
    """
    stored = _read(credentials_path(environment))
    url = environment.get("HPC_URL", "").rstrip("/") or (stored.url if stored else "")
    token = environment.get("HPC_TOKEN", "")
    if url and token:
        return Credentials(url=url, token=token)
    if stored and stored.url == url:
        return stored
    raise NotSignedIn(_("You are not signed in. Run: hpc login --url https://the-portal"))


def store_credentials(credentials: Credentials, path: Path) -> None:
    """Replace the file in one step; at no instant can another user read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = {
        "url": credentials.url,
        "username": credentials.username,
        "token": credentials.token,
        "token_id": credentials.token_id,
    }
    # A TOML basic string may hold whatever a JSON string may hold.
    text = "".join(f"{name} = {json.dumps(value, ensure_ascii=True)}\n" for name, value in facts.items())
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:  # created with mode 0600
        file.write(text)
    Path(file.name).replace(path)


def _read(path: Path) -> Credentials | None:
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
        return Credentials(
            url=str(facts["url"]),
            token=str(facts["token"]),
            username=str(facts.get("username", "")),
            token_id=str(facts.get("token_id", "")),
        )
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, KeyError, OSError, UnicodeDecodeError) as error:
        message = _("{path} cannot be read ({problem}). Sign in again: hpc login", path=path, problem=error)
        raise CliError(message) from error
