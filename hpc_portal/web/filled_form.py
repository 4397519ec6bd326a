"""A submit form as somebody filled it in, and the submission that it means."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidSubmission, Problem
from hpc_portal.app.jobs.submit import SubmitRequest
from hpc_portal.app.services import Services
from hpc_portal.app.templates.find import find_template
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_form import UPLOAD, Pairs, read_parameters
from hpc_portal.web.stored_files import with_stored
from workloads.forms import FormField, form_fields
from workloads.template import Template

EDITED = "edited_script"
"""The control with the script, which holds the template's own until somebody edits it."""
MADE = "made_script"
"""The digest of the script that the control held when the page was made."""
_APPLY = "apply"
"""A button's name: what it sets, as a query string, wins over what the controls say."""
_MOST_FILE_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled in."""

    template: Template[Any]
    reference: str
    """How the address names it: perhaps with a version."""
    fields: Sequence[FormField]
    pairs: Pairs
    unread: Sequence[Problem] = ()
    """Why files of the project that were chosen could not be read."""

    def value(self, name: str) -> str:
        """The last of that name, which is what a browser's later control says; "" for none."""
        return next((value for key, value in reversed(self.pairs) if key == name), "")

    @property
    def edited_script(self) -> str | None:
        """None where nobody touched it, also when the template has another one by now."""
        text = self.value(EDITED).replace("\r\n", "\n")
        if self.template.fixed_script or not text.strip() or digest(text) == self.value(MADE):
            return None
        return text

    @property
    def parameters(self) -> dict[str, Any]:
        """As raw as a template takes them."""
        return read_parameters(self.fields, self.pairs)

    def request(self, *, key: str | None) -> SubmitRequest:
        """What it asks the portal for.

        Raises:
            InvalidSubmission: a file that was chosen could not be read.
        """
        if self.unread:
            raise InvalidSubmission(self.unread)
        return SubmitRequest(
            project=self.value("project"),
            template=self.reference,
            parameters=self.parameters,
            script=self.edited_script,
            idempotency_key=key,
        )

    def changed(self, changes: Pairs) -> "Filled":
        """With other values of some controls."""
        names = {name for name, _ in changes}
        return replace(self, pairs=[*(pair for pair in self.pairs if pair[0] not in names), *changes])


def digest(script: str) -> str:
    """Of a script, whatever a browser does to its line ends."""
    plain = script.replace("\r\n", "\n").strip("\n")
    return hashlib.sha256(plain.encode()).hexdigest()


async def read_filled(request: Request, actor: Actor, services: Services, name: str) -> Filled:
    """The form that came with a request.

    Raises:
        TemplateNotFound: there is no such template, or none for this person.
    """
    locale = pages_of(request).language(request).template_locale
    template = await asyncio.to_thread(find_template, services, actor, name, locale)
    async with request.form() as form:
        pairs, unread = await asyncio.to_thread(with_stored, services, actor, await _pairs(form))
        filled = Filled(template, name, form_fields(template.parameters), pairs, unread)
        applied = form.get(_APPLY)
    return filled.changed(parse_qsl(applied, keep_blank_values=True)) if isinstance(applied, str) else filled


async def _pairs(form: FormData) -> Pairs:
    """Names and texts; an uploaded file becomes a text under its own name, as if it had been typed."""
    pairs: list[tuple[str, str]] = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            pairs.append((name, value))
        elif isinstance(value, UploadFile) and value.filename and name.startswith(UPLOAD):
            content = await value.read(_MOST_FILE_BYTES)
            text = content.decode("utf-8", errors="replace")
            pairs.append((f"{name.removeprefix(UPLOAD)}.{value.filename}", text))
    return pairs
