"""What is wrong with a header line, with its facts apart so that whoever shows it can translate it first."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DirectiveProblem:
    """Why a header line, or an option of the command line, cannot be translated."""

    line: int
    """From 1; 0 is the command line, or the job as a whole."""
    option: str
    """As it is written: `--gres=gpu:h100:2`."""
    text: str
    """With %(name)s where a fact goes."""
    facts: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The whole sentence in English."""
        return self.text % self.facts if self.facts else self.text

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.option}: {self.message}" if self.option else f"{place}{self.message}"
