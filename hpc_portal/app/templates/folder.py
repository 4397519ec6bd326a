"""Publish what lies in the site's folder: each document once, so that what is retired stays retired."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.templates.publish import PublishedVersion, publish
from hpc_portal.app.templates.tables import SiteTemplateVersion
from workloads.errors import FieldProblem, InvalidSiteTemplate
from workloads.site.read_document import LONGEST_DOCUMENT
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class FolderOutcome:
    """What became of one file."""

    path: Path
    published: PublishedVersion | None = None
    refusal: InvalidSiteTemplate | None = None


def publish_folder(engine: Engine, folder: Path, *, at: datetime) -> Iterator[FolderOutcome]:
    """Publish every *.toml of the folder whose document was never published under its name.

    One that is wrong stops none of the others. A folder that does not exist holds nothing.
    """
    for path in sorted(folder.glob("*.toml")):
        try:
            yield FolderOutcome(path, published=_publish_file(engine, path, at))
        except InvalidSiteTemplate as refusal:
            yield FolderOutcome(path, refusal=refusal)


def read_file(path: Path) -> str:
    """A document's text.

    Raises:
        InvalidSiteTemplate: it cannot be read, or is no UTF-8.
    """
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_DOCUMENT + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        text = N_("This file cannot be read: %(problem)s.")
        facts = {"problem": str(error)}
        problem = FieldProblem("document", text % facts, "unreadable", text, facts)
        raise InvalidSiteTemplate(str(path), [problem]) from error


def _publish_file(engine: Engine, path: Path, at: datetime) -> PublishedVersion:
    return publish(engine, OPERATOR, read_file(path), source=str(path), at=at, is_wanted=_is_news)


def _is_news(connection: Connection, name: str, digest: str) -> bool:
    statement = select(func.count()).where(
        col(SiteTemplateVersion.name) == name, col(SiteTemplateVersion.digest) == digest
    )
    return connection.execute(statement).scalar_one() == 0
