"""Bring a batch script: what each #SBATCH or #BSUB line becomes, and the form filled in from it."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_form import default_pairs
from hpc_portal.web.show_translation import show_translation
from schedulers.directives.script import translate_script
from schedulers.directives.translation import Dialect, Translation
from schedulers.units import CITY_TIME
from workloads.catalog import CATALOG
from workloads.forms import form_fields
from workloads.script import ScriptParameters
from workloads.script_header import form_of, payer_of
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_MOST_BYTES = 1024**2
_TEXT = "script"
_FILE = "script_file"
_EMPTY: dict[str, Any] = {"text": "", "shown": None, "problem": ""}


@router.get("/translate")
def show(request: Request, actor: CurrentActor) -> Response:
    """A place for a script."""
    del actor
    return pages_of(request).render(request, "submit/translation.html", _EMPTY)


@router.post("/translate")
async def translate(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """The script line by line; nothing is submitted and nothing stored."""
    del actor
    text, name, problem = await _script(request)
    if problem or not text.strip():
        wrong = _EMPTY | {"problem": problem or N_("Choose a file, or paste a script.")}
        return pages_of(request).render(
            request, "submit/translation.html", wrong, status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    now = services.clock.now().astimezone(CITY_TIME)
    translation = await asyncio.to_thread(translate_script, text, name=name, now=now)
    language = pages_of(request).language(request)
    facts = _EMPTY | {
        "text": text,
        "shown": show_translation(text, translation, language),
        "pairs": _pairs(text, translation),
    }
    return pages_of(request).render(request, "submit/translation.html", facts)


async def _script(request: Request) -> tuple[str, str, str]:
    """The text, what to call its job, and what is wrong with it, untranslated; a file wins over a text."""
    async with request.form() as form:
        file, pasted = form.get(_FILE), form.get(_TEXT)
        if not isinstance(file, UploadFile) or not file.filename:
            text = pasted.replace("\r\n", "\n") if isinstance(pasted, str) else ""
            return text, ScriptParameters().name, ""
        content = await file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            return "", "", N_("The file is larger than 1 MB: that is no batch script.")
        if b"\0" in content:
            return "", "", N_("The file is no text: a program cannot be translated.")
        return content.decode("utf-8", errors="replace"), file.filename[:128], ""


def _pairs(text: str, translation: Translation) -> list[tuple[str, str]]:
    """The controls of the form that asks for the same job."""
    parameters: dict[str, Any] = {_TEXT: text}
    if not translation.problems:
        parameters = form_of(text, translation)
    fields = form_fields(CATALOG["script"].parameters)
    defaults = ScriptParameters().model_dump(mode="json")
    merged = defaults | parameters | {"resources": defaults["resources"] | parameters.get("resources", {})}
    if translation.dialect is Dialect.NONE and translation.spec:
        merged["name"] = translation.spec.name
    payer = payer_of(translation)
    return [*([("project", payer)] if payer else []), *default_pairs(fields, merged)]
