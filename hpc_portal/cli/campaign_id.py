"""Which campaign a command is about: its id, or the end of it."""

import uuid
from typing import Annotated

import typer

from hpc_portal.cli.errors import NotFound, UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.portal import Portal

CampaignId = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="Its id, or any end of it of 4 characters or more.")
]
_SEARCHED = 500


def resolve(portal: Portal, text: str) -> str:
    """The whole id; an end of it is searched among the newest 500.

    Raises:
        NotFound: no campaign fits.
        UsageProblem: several do, or it is a sweep or corners, of which only the job is shown.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        pass
    ends = [
        item
        for item in read_pages(portal, "/campaigns", most=_SEARCHED)
        if len(text) >= 4 and str(item["id"]).endswith(text.lower())  # noqa: PLR2004 - as for jobs
    ]
    match ends:
        case [one] if one["kind"] == "regression":
            return str(one["id"])
        case [one]:
            raise UsageProblem(
                _(
                    "{text} is no regression. Its results: hpc results {job}",
                    text=text,
                    job=one["id"],
                )
            )
        case []:
            raise NotFound(_("There is no campaign whose id ends in {text}.", text=text))
        case _:
            raise UsageProblem(_("{text} fits several campaigns. Give more of it.", text=text))
