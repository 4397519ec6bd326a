"""What the portal refuses, and why.

    PortalError
    ├── NotFound                   no such thing, or none that this person may see: never told apart
    │   ├── JobNotFound
    │   ├── CampaignNotFound
    │   ├── ProjectNotFound
    │   └── FileNotInWorkspace
    ├── NotAllowed                 visible, but this person's role may not do that
    ├── InvalidSubmission          one or more fields are wrong; `problems` names each
    ├── ChangeImpossible           a job under way cannot be changed so, as it stands now
    ├── InvalidEntry               the same for a person, project or other record that is not a job
    ├── NameTaken                  someone has that name already
    ├── IdempotencyKeyReused       the same key came with another request
    ├── TenantNotActive            the organisation or project is suspended or closed
    ├── TenantClosed               it is closed for good, and cannot be resumed
    ├── InvitationOver             the link was used, revoked or replaced, or its time is over
    ├── TooManyInvitations         one person or organisation invites more than is reasonable
    ├── NobodyLeads                a project or organisation would be left without anybody who leads it
    ├── ClassEnded                 the class is over, and what was left went back to the course
    ├── RequestNotOpen             a request for quota stands where that cannot be done with it any more
    ├── RefundCaseRefused          a refund cannot be asked for, withdrawn or decided so, as things stand
    ├── DiscrepancyDecided         somebody explained or resolved it in the meantime
    ├── FileExists                 a name in a project's files is taken
    ├── NoRoomForFile              a file is larger than what is left of a project's storage
    ├── DiskFull                   the file system itself has no room
    ├── UploadOutOfStep            a part of an upload came that does not follow what the portal has of it
    ├── WaveformUnreadable         a waveform is damaged, unfinished or asks for too much
    ├── WaveformsBusy              as many waveforms are being read as this process reads at once
    ├── ClusterNotSeenYet          no controller has reported the cluster so far
    ├── IdentityNotLinked          the identity provider vouches for them, but nobody here belongs to it
    ├── IdentityTaken              an identity belongs to somebody else here, or the person has another one
    ├── SecondFactorNeeded         the password was right; a one-time code has to come with it
    ├── WrongCode                  a one-time code is wrong, was used, or its time is over
    └── WrongCredentials           sign-in failed; does not say which part was wrong

quotas.errors (BudgetExceeded, LimitExceeded) and workloads.errors (TemplateNotFound, InvalidParameters)
pass through the app unchanged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import datetime


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


class CampaignNotFound(NotFound):
    """No such campaign, or none that this person may see; or it has no run of that number."""

    def __init__(self, campaign_id: object) -> None:
        super().__init__("campaign", campaign_id)


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


class TenantClosed(PortalError):
    """What is closed stays closed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is closed for good. Create a new one instead.")
        self.name = name


class InvitationOver(PortalError):
    """Nothing can be done with this link; the message does not tell whether it was ever good."""

    def __init__(self) -> None:
        super().__init__(
            "This invitation was used, withdrawn or replaced by a newer one, or its time is over. "
            "Ask whoever invited you for a new one."
        )


class TooManyInvitations(PortalError):
    """A limit that keeps the portal from being used to send mails to strangers."""

    def __init__(self, most: int, per: str) -> None:
        super().__init__(f"There can be at most {most} invitations {per}. Wait, or revoke some first.")
        self.most = most
        self.per = per


class NobodyLeads(PortalError):
    """Only administrators may leave a project without a lead, or an organisation without a manager."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__(f"{name} would have no {role} left. Hand that over to another member first.")
        self.name = name
        self.role = role


class ClassEnded(PortalError):
    """Nothing is given out any more in a class that is over."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The class {name} is over. Make a new one for the next term.")
        self.name = name


class RequestNotOpen(PortalError):
    """A request for quota stands where that cannot be done any more, often because somebody was faster."""

    def __init__(self, request_id: object, deed: str, state: str, *, by: str, at: datetime) -> None:
        whom = f" by {by}" if by else ""
        super().__init__(
            f"The request is {state.replace('_', ' ')} since {at:%Y-%m-%d %H:%M:%S} UTC{whom}, so this "
            f"({deed.replace('_', ' ')}) cannot be done. Nothing was changed; look at it as it is now."
        )
        self.request_id = str(request_id)
        self.deed = deed
        self.state = state
        self.by = by
        self.at = at


class DiscrepancyDecided(PortalError):
    """Somebody explained or resolved a discrepancy in the meantime."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"Discrepancy {number} is not open any more: somebody decided on it. Load the list again."
        )
        self.number = number


class FileExists(PortalError):
    """A name in a project's files is taken; nothing was changed."""

    def __init__(self, path: str, *, is_folder: bool = False) -> None:
        what = "a folder" if is_folder else "a file"
        advice = "Choose another name." if is_folder else "Choose another name, or ask to overwrite it."
        super().__init__(f"There is {what} {path!r} already. {advice}")
        self.path = path
        self.is_folder = is_folder


class NoRoomForFile(PortalError):
    """A file is larger than what is left of a project's storage."""

    def __init__(self, project: str, *, size_bytes: int, left_bytes: int) -> None:
        super().__init__(
            f"Project {project} has {left_bytes:,} bytes of its storage left, and the file has "
            f"{size_bytes:,}. Delete what nobody needs and have it measured again, or request more storage."
        )
        self.project = project
        self.size_bytes = size_bytes
        self.left_bytes = left_bytes


class DiskFull(PortalError):
    """The file system that holds the workspaces has no room; nothing of the file was kept."""

    def __init__(self) -> None:
        super().__init__(
            "The city's file system has no room for the file now. Tell the administrators, and try later."
        )


class UploadOutOfStep(PortalError):
    """A part of an upload does not follow what the portal has of it, or another part is coming in now."""

    def __init__(self, received_bytes: int) -> None:
        super().__init__(
            f"The portal has {received_bytes} bytes of this upload. Go on from there once nothing else sends."
        )
        self.received_bytes = received_bytes


class WaveformUnreadable(PortalError):
    """No picture of this waveform; the file itself can still be downloaded."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be shown: {why}. Download it to look at it in a viewer of your own.")
        self.path = path
        self.why = why
        """In English, without a full stop."""


class WaveformsBusy(PortalError):
    """Others are having waveforms read; nothing is wrong with this one."""

    def __init__(self) -> None:
        super().__init__("Too many waveforms are being read at the moment. Try again in a few seconds.")


class ClusterNotSeenYet(PortalError):
    """No controller has reported the cluster so far."""

    def __init__(self) -> None:
        super().__init__("The cluster has not reported yet. Try again in a few seconds.")


class IdentityNotLinked(PortalError):
    """The identity provider vouches for a person to whom no active account here belongs."""

    def __init__(self) -> None:
        super().__init__("No account of the portal belongs to this identity. Ask the city's administrators.")


class IdentityTaken(PortalError):
    """An identity and an account cannot be linked: one of them is linked already."""

    def __init__(self) -> None:
        super().__init__("This identity, or this account, is linked already.")


class SecondFactorNeeded(PortalError):
    """The password was right, and a one-time code has to come with it."""

    def __init__(self) -> None:
        super().__init__("Send the one-time code of your authenticator app, too.")


class WrongCode(PortalError):
    """A one-time code that is not good (any more)."""

    def __init__(self) -> None:
        super().__init__("This code is wrong, was used already, or its time is over.")


class WrongCredentials(PortalError):
    """Sign-in failed; the message does not tell which part was wrong."""

    def __init__(self) -> None:
        super().__init__("The user name or the password is wrong.")


class RefundCaseRefused(PortalError):
    """A refund case cannot be raised, withdrawn or decided so, as things stand now."""

    def __init__(self, job_id: object, why: str) -> None:
        super().__init__(f"No refund of job {job_id} now. {why}")
        self.job_id = str(job_id)
        self.why = why
