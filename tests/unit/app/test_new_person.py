"""What is said of a person's names, and what a password that the portal makes looks like."""

import re

import pytest

from hpc_portal.app.accounts.checks import password_problem
from hpc_portal.app.accounts.create_user import NewUser, require_sensible
from hpc_portal.app.accounts.secret import new_password
from hpc_portal.app.errors import InvalidEntry


@pytest.mark.parametrize(
    ("username", "cluster_user", "fields"),
    [
        ("", "", ["username"]),
        ("Đà Nẵng", "", ["username"]),
        ("root", "", ["cluster_user"]),
        ("1st", "no good", ["username", "cluster_user"]),
    ],
)
def test_a_bad_user_name_is_said_once_and_the_account_that_follows_from_a_good_one(
    username: str, cluster_user: str, fields: list[str]
) -> None:
    new = NewUser(username, "Lan", "correct horse battery", cluster_user=cluster_user)
    with pytest.raises(InvalidEntry) as refused:
        require_sensible(new)
    assert [problem.field for problem in refused.value.problems] == fields


def test_a_made_password_can_be_read_out_and_is_taken() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", one) for one in made)
    assert all(password_problem(one, username="ab") is None for one in made)
