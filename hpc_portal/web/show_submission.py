"""Beside a form: the script that it would run with its edits marked, and how to submit the same elsewhere."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpc_portal.app.jobs.edit_script import Change, ScriptLine, compare, edited_spec
from hpc_portal.web.filled_form import Filled
from hpc_portal.web.show_commands import changed_parameters, curl_command, hpc_command, request_body

_CONTEXT = 3


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line of the comparison; `skipped` lines that are the same stand in its place when it is not 0."""

    change: Change
    text: str
    number: int | None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class ShownSubmission:
    """What a filled-in form comes to. Made of what was typed alone: nothing of the portal's own is in it."""

    script: str
    changes: Sequence[ShownLine]
    """What was edited by hand, with lines around it; [] where nothing was."""
    added: int
    removed: int
    command: str
    """For a shell, with `hpc`."""
    call: str
    """For a shell, with `curl`."""


def show_submission(filled: Filled, *, project: str, address: str) -> ShownSubmission:
    """Render without looking anything up; `address` is the portal's.

    Raises:
        InvalidParameters: from the template.
        InvalidSubmission: the script as it was edited could not be started.
    """
    template = filled.template
    parameters = template.validate(filled.parameters)
    made = template.render(parameters)
    spec = edited_spec(template, made, filled.edited_script)
    edited = spec.script if spec is not made else None
    lines = compare(made.script or "", edited) if edited else ()
    changed = changed_parameters(filled.fields, parameters)
    body = request_body(project, filled.reference, changed)
    return ShownSubmission(
        script=spec.script or shlex.join(spec.argv or ()),
        changes=list(around_changes(lines)),
        added=sum(line.change is Change.ADDED for line in lines),
        removed=sum(line.change is Change.REMOVED for line in lines),
        command=hpc_command(project, filled.reference, filled.fields, changed, script=edited),
        call=curl_command(address, body | ({"script": edited} if edited else {})),
    )


def around_changes(lines: Sequence[ScriptLine], context: int = _CONTEXT) -> Iterator[ShownLine]:
    """The lines that differ with a few around them; what lies between is only counted."""
    near = {
        place
        for at, line in enumerate(lines)
        if line.change is not Change.SAME
        for place in range(at - context, at + context + 1)
    }
    skipped = 0
    for at, line in enumerate(lines):
        if at not in near:
            skipped += 1
            continue
        if skipped:
            yield ShownLine(Change.SAME, "", None, skipped)
            skipped = 0
        yield ShownLine(line.change, line.text, line.number)
    if skipped and near:
        yield ShownLine(Change.SAME, "", None, skipped)
