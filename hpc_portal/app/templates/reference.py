"""What names a template in a job, a link or a request: `script`, `vcs-regression`, `vcs-regression@3`."""

import re
from dataclasses import dataclass

_REFERENCE = re.compile(r"^([a-z][a-z0-9-]{0,47})(?:@([1-9][0-9]{0,8}))?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """A name, and a version where one is meant; those that come with the portal have none."""

    name: str
    version: int | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


def read_reference(text: str) -> Reference | None:
    """None when the text cannot name a template."""
    found = _REFERENCE.match(text)
    if found is None or text.endswith("\n"):
        return None
    return Reference(found[1], int(found[2]) if found[2] else None)
