"""The people of the matrix: what each is towards one startup, its project and one member's job in it."""

from enum import StrEnum


class Person(StrEnum):
    """Whoever may call. All that is called for belongs to the startup `chips`, the job to the owner."""

    NOBODY = "nobody"
    """No session and no token."""
    DISABLED = "disabled"
    """Was an administrator until the account was disabled; the session is still in the browser."""
    EXPIRED = "expired token"
    """An administrator's token whose time is over."""
    NEWCOMER = "newcomer"
    """Signed in, belongs to nothing."""
    RIVAL = "rival"
    """Manages another organisation and leads its project."""
    NEIGHBOUR = "neighbour"
    """Leads another project of the same organisation."""
    COLLEAGUE = "colleague"
    """Another member of the project."""
    OWNER = "owner"
    """The member of the project whose job and account it is."""
    LEAD = "lead"
    """Leads the project."""
    MANAGER = "manager"
    """Manages the organisation, without a place in the project."""
    AUDITOR = "auditor"
    """Sees the whole city and changes nothing."""
    ADMINISTRATOR = "administrator"
    """Runs the city."""
    READ_TOKEN = "token to look"
    """The administrator's token of scope `read`."""
    JOBS_TOKEN = "token for jobs"
    """The administrator's token of scope `jobs`."""
    PROJECT_TOKEN = "token of the project"
    """The lead's token that is good for this project only."""
    ELSEWHERE_TOKEN = "token of another"
    """Another lead's token for another project; its owner manages this organisation, too."""
    SERVICE_TOKEN = "token of a service account"
    """Of one of the project, for which its lead answers; for jobs."""
    SERVICE_READ_TOKEN = "token of a service account to look"
    """Of the same one, to look."""
    SERVICE_ELSEWHERE_TOKEN = "token of a rival's service account"
    """For jobs, in the rival's project."""


STRANGERS = frozenset({Person.NOBODY, Person.DISABLED, Person.EXPIRED})
"""They are nobody, whatever they were."""
ROLES = tuple(person for person in Person if person not in STRANGERS and "token" not in person.value)
"""Signed-in people, by what they are."""
TOKENS = tuple(person for person in Person if person not in {*STRANGERS, *ROLES})
