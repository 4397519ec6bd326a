"""What can go wrong between us and a scheduler.

SchedulerError
├── SchedulerRefused        a no: asking again will not help
├── SchedulerUnavailable    nothing was learned: ask again later
├── SubmitUncertain         sent, no answer: `find` before any second submit
├── SchedulerBroken         what it remembers is wrong: only one made anew is of use
└── InvalidJobSpec          the request contradicts itself (also a ValueError)
"""


class SchedulerError(Exception):
    """Base of everything a scheduler backend raises on purpose."""


class SchedulerRefused(SchedulerError):
    """The scheduler said no to this request; `reason` is its own text."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The scheduler refused the job: {reason}")
        self.reason = reason


class SchedulerUnavailable(SchedulerError):
    """The scheduler could not be reached or did not answer; nothing was changed."""


class SubmitUncertain(SchedulerError):
    """The request was sent and no answer came: the scheduler may or may not have the job."""


class SchedulerBroken(SchedulerError):
    """What the backend remembers contradicts itself or what is stored; nothing that it says can be believed.

    One that is made anew learns everything again.
    """


class InvalidJobSpec(SchedulerError, ValueError):
    """A JobSpec or one of its parts contradicts itself; `field` names the part.

    `text` says why, with %(name)s where one of the `facts` goes, so that whoever shows it can translate it;
    `problem` is the whole sentence in English.
    """

    def __init__(self, field: str, text: str, /, **facts: str | int) -> None:
        self.field = field
        self.text = text
        self.facts = facts
        self.problem = text % facts if facts else text
        super().__init__(f"{field}: {self.problem}")
