"""Site templates as administrators send and see them."""

from datetime import datetime

from pydantic import Field

from hpc_portal.api.schemas import Body, Reply
from workloads.site.read_document import LONGEST_DOCUMENT


class TemplateBody(Body):
    """A document to check or to publish."""

    document: str = Field(max_length=LONGEST_DOCUMENT)
    """TOML."""
    source: str = Field(default="template.toml", max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")
    """What messages call it: the file's name."""


class CheckedReply(Reply):
    """A document in which nothing is wrong."""

    name: str
    title: str


class PublishedReply(Reply):
    """What is in force now."""

    name: str
    version: int
    is_new: bool
    """False: the same document was current already."""


class WhoMayUseReply(Reply):
    """Who may use a template; all empty: everybody."""

    organisation_kinds: list[str]
    organisations: list[str]
    projects: list[str]


class TemplateVersionReply(Reply):
    """One published version."""

    name: str
    version: int
    title: str
    who_may_use: WhoMayUseReply
    published_at: datetime
    published_by: str | None
    """null: the operator, or the site's folder."""
    is_current: bool
    retired_at: datetime | None


class TemplateDocumentReply(TemplateVersionReply):
    """The same with its document."""

    document: str
