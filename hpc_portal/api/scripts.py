"""Translate a batch script: what its #SBATCH or #BSUB lines ask for, as a specification to submit."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from hpc_portal.api.schemas import Body, Reply, Text
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.directives.script import translate_script
from schedulers.directives.translation import Dialect
from schedulers.jobspec import JobSpec, Launch
from schedulers.units import CITY_TIME

router = APIRouter(tags=["jobs"])


class TranslateBody(Body):
    """A script, and options that go before those in it."""

    script: Annotated[str, StringConstraints(max_length=4 * 1024 * 1024)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=128)] = "script.sh"
    """The job's name where the script gives none, as sbatch takes the file's name."""
    options: Annotated[list[Text], Field(default_factory=list, max_length=200)]
    """As on sbatch's command line: `["--time=1:00:00", "-p", "gpu"]`."""
    launch: Launch | None = None
    """Null is the first node for a script with header lines, as with sbatch, else every node."""


class OptionReply(Reply):
    """One option and what it comes to."""

    line: int
    """0 for one of the body's options."""
    option: str
    field: str
    """The specification's field that it sets; "" when it has no effect."""
    value: str
    note: str
    """Why it has no effect."""


class DirectiveProblemReply(Reply):
    """Why a line cannot be translated."""

    line: int
    """0 for one of the body's options, and for the job as a whole."""
    option: str
    message: str


class TranslationReply(Reply):
    """What a script asks for. With problems there is no specification."""

    dialect: Dialect
    options: list[OptionReply]
    problems: list[DirectiveProblemReply]
    spec: JobSpec | None


@router.post("/scripts/translate")
def translate(services: PortalServices, actor: CurrentActor, body: TranslateBody) -> TranslationReply:
    """Translate a script with #SBATCH or #BSUB lines; nothing is submitted and nothing stored.

    Submit the reply's `spec` with `POST /jobs`, whose `project` is the spec's `account`. Header lines in the
    script of a specification are comments: only this endpoint reads them. Jobs to wait for are named by their
    whole ids.
    """
    del actor  # whoever is signed in may ask
    found = translate_script(
        body.script,
        name=body.name,
        now=services.clock.now().astimezone(CITY_TIME),
        options=body.options,
        launch=body.launch,
    )
    return TranslationReply.model_validate(found)
