"""What the portal refuses, and why.

    PortalError
    ├── NotFound                   no such thing, or none that this person may see: never told apart
    │   ├── JobNotFound
    │   ├── ProjectNotFound
    │   └── FileNotInWorkspace
    ├── NotAllowed                 visible, but this person's role may not do that
    ├── InvalidSubmission          one or more fields are wrong; `problems` names each
    ├── ChangeImpossible           a job under way cannot be changed so, as it stands now
    ├── InvalidEntry               the same for a person, project or other record that is not a job
    ├── NameTaken                  someone has that name already
    ├── IdempotencyKeyReused       the same key came with another request
    ├── TenantNotActive            the organisation or project is suspended or closed
    ├── ClusterNotSeenYet          no controller has reported the cluster so far
    └── WrongCredentials           sign-in failed; does not say which part was wrong

quotas.errors (BudgetExceeded, LimitExceeded) and workloads.errors (TemplateNotFound, InvalidParameters)
pass through the app unchanged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute


class PortalError(Exception):
    """Base of everything the application raises on purpose."""


class NotFound(PortalError):
    """No such thing, or none that this person may see."""

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"There is no {kind} {name} that you can see.")
        self.kind = kind
        self.name = str(name)


class JobNotFound(NotFound):
    """No such job, or none that this person may see."""

    def __init__(self, job_id: object) -> None:
        super().__init__("job", job_id)


class ProjectNotFound(NotFound):
    """No such project, or none that this person may see."""

    def __init__(self, project: object) -> None:
        super().__init__("project", project)


class FileNotInWorkspace(NotFound):
    """The workspace holds no such regular file."""

    def __init__(self, path: str) -> None:
        super().__init__("file", path)


class NotAllowed(PortalError):
    """The role table says no."""

    def __init__(self, action: str, who_may: str) -> None:
        super().__init__(f"Your role does not allow this ({action}). Ask {who_may}.")
        self.action = action
        self.who_may = who_may


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field: where, what is wrong with the limit in it, and what to do."""

    field: str
    text: str
    """With %(name)s where one of the facts goes, so that whoever shows it can translate it."""
    facts: Mapping[str, str | int] = attribute(default_factory=dict)

    @property
    def message(self) -> str:
        """The whole sentence in English."""
        return self.text % self.facts if self.facts else self.text


class InvalidSubmission(PortalError):
    """The job as asked can never run; nothing was stored."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class ChangeImpossible(PortalError):
    """A job under way cannot be changed so, as it stands now; nothing was."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class InvalidEntry(PortalError):
    """A person, project or other record cannot be stored as entered; nothing was."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class NameTaken(PortalError):
    """Names are unique, and someone has this one already."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is already a {kind} {name!r}. Choose another name.")
        self.kind = kind
        self.name = name


class IdempotencyKeyReused(PortalError):
    """The same Idempotency-Key came with another request."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {key!r} was used for another request. "
            "Send the same request again, or choose a new key."
        )
        self.key = key


class TenantNotActive(PortalError):
    """The organisation or project takes no submissions now."""

    def __init__(self, name: str, state: str, reason: str = "") -> None:
        why = f" Reason: {reason.rstrip('.')}." if reason else ""
        super().__init__(f"{name} is {state}: it cannot submit jobs.{why} Ask the city's administrators.")
        self.name = name
        self.state = state
        self.reason = reason
        """In the words of whoever suspended or closed it."""


class ClusterNotSeenYet(PortalError):
    """No controller has reported the cluster so far."""

    def __init__(self) -> None:
        super().__init__("The cluster has not reported yet. Try again in a few seconds.")


class WrongCredentials(PortalError):
    """Sign-in failed; the message does not tell which part was wrong."""

    def __init__(self) -> None:
        super().__init__("The user name or the password is wrong.")
