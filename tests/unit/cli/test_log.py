"""What a log line may say."""

from hpc_portal.cli.log import mask_secrets


def test_secrets_are_masked_by_the_name_of_their_key() -> None:
    event = {"event": "user.created", "username": "lan", "password": "x", "api_token": "y", "Set-Cookie": "z"}
    assert mask_secrets(None, "info", dict(event)) == {
        "event": "user.created",
        "username": "lan",
        "password": "********",
        "api_token": "********",
        "Set-Cookie": "********",
    }
