"""What can go wrong with slurmrestd beyond what every scheduler knows.

SchedulerRefused
└── SlurmRefused            Slurm's own no, with its error numbers
SchedulerUnavailable
├── TokenRefused            slurmrestd or slurmctld does not take our token: the site must mend it
├── VersionUnconfirmed      a newer API than this portal knows: nothing is written until a setting says so
└── EndpointMissing         slurmrestd has no such URL: perhaps Slurm was upgraded
"""

from collections.abc import Collection

from schedulers.errors import SchedulerRefused, SchedulerUnavailable


class SlurmRefused(SchedulerRefused):
    """Slurm said no; `numbers` are those of slurm_errno.h."""

    def __init__(self, reason: str, numbers: Collection[int] = ()) -> None:
        super().__init__(reason)
        self.args = (f"Slurm refused: {reason}",)
        self.numbers = frozenset(numbers)


class TokenRefused(SchedulerUnavailable):
    """Nobody's job is at fault: it waits until the site has mended the key, the token or the clock."""

    def __init__(self, user: str, answer: str) -> None:
        super().__init__(
            f"Slurm does not accept the portal's token for the cluster user {user!r}: {answer}. "
            "Check the JWT key or token file, whom the token may act for, and the clocks."
        )
        self.user = user


class VersionUnconfirmed(SchedulerUnavailable):
    """The only API versions that slurmrestd speaks are newer than those this portal was tested with."""

    def __init__(self, found: str, newest_known: str) -> None:
        super().__init__(
            f"slurmrestd speaks {found} and the portal knows versions up to {newest_known}: jobs are "
            "followed, but nothing is submitted or changed. Upgrade the portal, or confirm this version "
            "with the setting allow_unknown_api_version."
        )
        self.found = found


class EndpointMissing(SchedulerUnavailable):
    """A URL that slurmrestd does not know."""

    def __init__(self, path: str) -> None:
        super().__init__(f"slurmrestd has no {path}")
        self.path = path
