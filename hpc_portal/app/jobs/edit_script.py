"""A template's script, edited by hand for one job: whether it may be, what runs then, and what differs."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.errors import InvalidSubmission, Problem
from hpc_portal.app.jobs.tables import EditedScript
from schedulers.directives.script import dialect_of
from schedulers.directives.translation import Dialect
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import JobSpec
from workloads.template import N_, Template

MOST_CHARACTERS = 100_000


class Change(StrEnum):
    """What became of a line of the template's script."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """A line of both scripts together."""

    change: Change
    text: str
    number: int | None
    """In the edited script, from 1; None for a line that was removed."""


def edited_spec(template: Template[Any], spec: JobSpec, script: str | None) -> JobSpec:
    """The job with the edited script; the job as it is where nothing, or nothing new, was given.

    Line ends of browsers are made plain, and what differs in the last line's end alone is no edit.

    Raises:
        InvalidSubmission: the template's script is fixed, or no scheduler would start this one.
    """
    if script is None:
        return spec
    text = script.replace("\r\n", "\n")
    if text.rstrip("\n") == (spec.script or "").rstrip("\n"):
        return spec
    if template.fixed_script or spec.script is None:
        raise InvalidSubmission([Problem("script", template.fixed_script or _NO_SCRIPT)])
    if len(text) > MOST_CHARACTERS:
        raise InvalidSubmission(
            [Problem("script", "The script has more than %(most)s characters.", {"most": MOST_CHARACTERS})]
        )
    try:
        return JobSpec.model_validate({**dict(spec), "script": text.rstrip("\n") + "\n"})
    except ValidationError as error:
        raise InvalidSubmission(list(_problems(error))) from error


def notes_on(spec: JobSpec) -> Iterator[Problem]:
    """What of an edited script will be otherwise than it reads."""
    if dialect_of(spec.script or "") is not Dialect.NONE:
        yield Problem(
            "script",
            "The #SBATCH and #BSUB lines of an edited script are comments: what the job asks for is what the "
            "template's parameters say.",
        )


def compare(generated: str, edited: str) -> tuple[ScriptLine, ...]:
    """Every line of both, in order; of lines that were replaced the old ones stand before the new ones."""
    before, after = generated.splitlines(), edited.splitlines()
    found: list[ScriptLine] = []
    for kind, start, end, begin, stop in difflib.SequenceMatcher(None, before, after).get_opcodes():
        if kind != "equal":
            found += [ScriptLine(Change.REMOVED, line, None) for line in before[start:end]]
        change = Change.SAME if kind == "equal" else Change.ADDED
        found += [ScriptLine(change, line, begin + at) for at, line in enumerate(after[begin:stop], 1)]
    return tuple(found)


def generated_script(connection: Connection, job_id: UUID) -> str | None:
    """What the template had made of a job whose script was edited by hand; None: it runs what was made."""
    found: str | None = connection.execute(
        select(col(EditedScript.generated)).where(col(EditedScript.job_id) == job_id)
    ).scalar_one_or_none()
    return found


_NO_SCRIPT = N_("This template runs a command and no script: there is nothing to edit.")


def _problems(error: ValidationError) -> Iterator[Problem]:
    for item in error.errors(include_url=False, include_input=False):
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, InvalidJobSpec):
            yield Problem("script", cause.text, cause.facts)
        else:
            said = item["msg"]  # by itself: what looks for texts to translate would take the key for one
            yield Problem("script", said)
