"""Tokens are minted as Slurm reads them, read again when they change, and never shown."""

import base64
import hashlib
import hmac
import json
import logging
import traceback
from pathlib import Path

import pytest

from schedulers.errors import SchedulerUnavailable
from schedulers.slurm.errors import SlurmRefused
from schedulers.slurm.tokens import MintedTokens, ProxyToken, TokenFile, TokenSource

KEY = bytes(range(32))
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdW4iOiJhbGljZSJ9.c2VjcmV0"
NAME, SECRET = "X-SLURM-USER-NAME", "X-SLURM-USER-TOKEN"


class Now:
    def __init__(self) -> None:
        self.seconds = 1_790_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwt_hs256.key"
    path.write_bytes(KEY)
    return path


def part(text: str) -> object:
    read: object = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return read


def replaced(path: Path, content: str | bytes) -> None:
    """As `mv` does: another file takes the name."""
    new = path.with_suffix(".new")
    new.write_bytes(content.encode() if isinstance(content, str) else content)
    new.replace(path)


def test_a_minted_token_carries_the_claims_that_slurm_reads_signed_with_the_keys_bytes(
    key_file: Path, now: Now
) -> None:
    token = MintedTokens(key_file, lifetime_seconds=300, clock=now).headers("alice")[SECRET]
    head, claims, signature = token.split(".")
    assert part(head) == {"alg": "HS256", "typ": "JWT"}
    assert part(claims) == {"sun": "alice", "iat": 1_790_000_000, "exp": 1_790_000_300}
    expected = hmac.new(KEY, f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "==") == expected


def test_each_user_has_a_token_of_their_own(key_file: Path, now: Now) -> None:
    tokens = MintedTokens(key_file, clock=now)
    alice, bob = tokens.headers("alice"), tokens.headers("bob")
    assert (alice[NAME], bob[NAME]) == ("alice", "bob")
    claims = part(bob[SECRET].split(".")[1])
    assert isinstance(claims, dict)
    assert claims["sun"] == "bob"


def test_a_token_serves_until_half_of_its_life_is_over(key_file: Path, now: Now) -> None:
    tokens = MintedTokens(key_file, lifetime_seconds=300, clock=now)
    first = tokens.headers("alice")
    now.seconds += 149
    assert tokens.headers("alice") == first
    now.seconds += 1
    assert tokens.headers("alice") != first


def test_a_clock_that_was_set_back_makes_a_new_token(key_file: Path, now: Now) -> None:
    tokens = MintedTokens(key_file, clock=now)
    first = tokens.headers("alice")
    now.seconds -= 3600
    assert tokens.headers("alice") != first


def test_a_new_key_makes_new_tokens_at_once(key_file: Path, now: Now) -> None:
    tokens = MintedTokens(key_file, clock=now)
    first = tokens.headers("alice")
    replaced(key_file, KEY[::-1])
    assert tokens.headers("alice") != first


def test_tokens_of_users_long_gone_are_not_kept(key_file: Path, now: Now) -> None:
    tokens = MintedTokens(key_file, lifetime_seconds=300, clock=now)
    for number in range(50):
        tokens.headers(f"user{number}")
    now.seconds += 200
    tokens.headers("alice")
    assert len(tokens._minted) == 1


def test_a_token_file_is_read_again_when_it_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    tokens = TokenFile(path)
    assert tokens.headers("alice")[SECRET] == TOKEN
    replaced(path, f"SLURM_JWT={TOKEN}x\n")
    assert tokens.headers("alice")[SECRET] == f"{TOKEN}x"


def test_a_path_with_a_user_in_it_names_one_file_for_each(tmp_path: Path) -> None:
    (tmp_path / "alice.jwt").write_text(f"{TOKEN}a")
    (tmp_path / "bob.jwt").write_text(f"{TOKEN}b")
    tokens = TokenFile(tmp_path / "{user}.jwt")
    assert [tokens.headers(user)[SECRET][-1] for user in ("alice", "bob")] == ["a", "b"]


def test_a_proxy_token_is_used_in_the_name_of_every_user(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    tokens = ProxyToken(path)
    assert tokens.headers("alice") == {NAME: "alice", SECRET: TOKEN}
    assert tokens.headers("bob") == {NAME: "bob", SECRET: TOKEN}


@pytest.mark.parametrize("user", ["", "../alice", "alice\nX-SLURM-USER-NAME: root", "a b", "{user}", "đào"])
def test_what_is_no_user_name_is_refused_before_it_gets_into_a_path_or_header(
    user: str, key_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    sources: tuple[TokenSource, ...] = (
        MintedTokens(key_file),
        TokenFile(tmp_path / "{user}.jwt"),
        ProxyToken(tmp_path / "token"),
    )
    for tokens in sources:
        with pytest.raises(SlurmRefused, match="cluster user"):
            tokens.headers(user)


def test_a_secret_that_is_missing_or_empty_is_said_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "key"
    tokens = MintedTokens(path)
    with pytest.raises(SchedulerUnavailable, match=f"{path}: No such file"):
        tokens.headers("alice")
    path.write_bytes(b"")
    with pytest.raises(SchedulerUnavailable, match=f"{path} is empty"):
        tokens.headers("alice")
    path.write_bytes(KEY)
    assert tokens.headers("alice")


def test_a_file_with_something_else_than_a_token_never_gets_into_a_header(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\nand more")
    with pytest.raises(SchedulerUnavailable, match="does not hold a token") as caught:
        ProxyToken(path).headers("alice")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_no_source_of_tokens_shows_them(
    key_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with caplog.at_level(logging.DEBUG):
        minted = MintedTokens(key_file)
        secret = minted.headers("alice")[SECRET]
        from_file = TokenFile(tmp_path / "token")
        from_file.headers("alice")
    shown = f"{minted!r} {minted} {from_file!r} {caplog.text}"
    for hidden in (secret, TOKEN, KEY.hex(), repr(KEY)):
        assert hidden not in shown
