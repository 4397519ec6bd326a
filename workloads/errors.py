"""What can go wrong with a workload before a job exists.

WorkloadError
├── TemplateNotFound       no template of that name
├── InvalidParameters      one or more parameters are wrong; `problems` names each field
└── InvalidSiteTemplate    a document of an administrator is wrong; `problems` names each line and key
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute


class WorkloadError(Exception):
    """Base of everything this package raises on purpose."""


class TemplateNotFound(WorkloadError):
    """No template has this name; `known` lists those that exist."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        choice = f" Choose one of: {', '.join(known)}." if known else ""
        super().__init__(f"There is no template {name!r}.{choice}")
        self.name = name
        self.known = tuple(known)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong parameter: where it is (dotted), what is wrong, and what is needed to say it in another way.

    `kind` and `facts` are pydantic's: the type of its error and the limits in it. What a JobSpec says
    about itself is a `text` with its own facts.
    """

    field: str
    message: str
    kind: str
    text: str = ""
    facts: Mapping[str, object] = attribute(default_factory=dict)
    place: str = ""
    """Where in the field's text, in no language: `3: --hint=x`."""

    @property
    def placed_message(self) -> str:
        """The message after its place, where it has one."""
        return f"{self.place}: {self.message}" if self.place else self.message


def field_problem(field: str, kind: str, sentence: str, **facts: object) -> FieldProblem:
    """A problem in a sentence that is marked for translation, with its facts."""
    return FieldProblem(field, sentence % facts, kind, sentence, facts)


class InvalidParameters(WorkloadError):
    """The parameters do not fit the template's model."""

    def __init__(self, template: str, problems: Sequence[FieldProblem]) -> None:
        listed = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        super().__init__(f"Template {template}: {listed}")
        self.template = template
        self.problems = tuple(problems)


class InvalidSiteTemplate(WorkloadError):
    """A site template's document cannot be published; a problem's place is its line, its field the key."""

    def __init__(self, source: str, problems: Sequence[FieldProblem]) -> None:
        listed = "\n".join(
            ":".join(filter(None, (source, problem.place))) + f": {problem.field}: {problem.message}"
            for problem in problems
        )
        super().__init__(listed)
        self.source = source
        self.problems = tuple(problems)
