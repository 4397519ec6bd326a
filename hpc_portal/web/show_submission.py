"""Beside a form: the script that it would run, and how to submit the same from a terminal."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpc_portal.web.show_commands import changed_parameters, curl_command, hpc_command, request_body
from workloads.forms import FormField
from workloads.template import Template


@dataclass(frozen=True, slots=True)
class ShownSubmission:
    """What a filled-in form comes to. Made of what was typed alone: nothing of the portal's own is in it."""

    script: str
    command: str
    """For a shell, with `hpc`."""
    call: str
    """For a shell, with `curl`."""


def show_submission(  # noqa: PLR0913 - what a submission is made of
    template: Template[Any],
    reference: str,
    fields: Sequence[FormField],
    raw: Mapping[str, Any],
    *,
    project: str,
    address: str,
) -> ShownSubmission:
    """Render without looking anything up; `address` is the portal's.

    Raises:
        InvalidParameters: from the template.
    """
    parameters = template.validate(raw)
    spec = template.render(parameters)
    changed = changed_parameters(fields, parameters)
    return ShownSubmission(
        script=spec.script or shlex.join(spec.argv or ()),
        command=hpc_command(project, reference, fields, changed),
        call=curl_command(address, request_body(project, reference, changed)),
    )
