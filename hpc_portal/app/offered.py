"""One of the values that a form or page offers, or what is said of any other."""

from enum import StrEnum
from typing import TypeVar

from hpc_portal.app.errors import InvalidEntry, Problem
from workloads.template import N_

Choice = TypeVar("Choice", bound=StrEnum)

OFFERED = N_("Choose one of the offered values.")


def chosen(kind: type[Choice], text: str, field: str) -> Choice:
    """The value that this text means.

    Raises:
        InvalidEntry: at the field; there is no such value.
    """
    try:
        return kind(text)
    except ValueError as error:
        raise not_offered(field) from error


def not_offered(field: str) -> InvalidEntry:
    """What to raise where a field holds anything else."""
    return InvalidEntry([Problem(field, OFFERED)])
