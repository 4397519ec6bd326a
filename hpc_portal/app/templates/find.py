"""Find a template for somebody who asks, for a project that pays, or for a job that has run; reads only."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidSubmission, Problem
from hpc_portal.app.paying_projects import PayingProject
from hpc_portal.app.services import Services
from hpc_portal.app.templates.published import Published, template_from
from hpc_portal.app.templates.reference import Reference, read_reference
from hpc_portal.app.templates.tables import SiteTemplateVersion
from workloads import catalog
from workloads.errors import TemplateNotFound
from workloads.site.template import SiteTemplate
from workloads.site.words import Locale
from workloads.template import N_, Template


def offered(services: Services, actor: Actor, locale: Locale = "en") -> Iterator[Template[Any]]:
    """What this person can submit: what comes with the portal, then what was published for them."""
    yield from catalog.CATALOG.values()
    for published in services.templates.get().values():
        if published.is_seen_by(actor) and (template := published.template(locale)):
            yield template


def find_template(services: Services, actor: Actor, text: str, locale: Locale = "en") -> Template[Any]:
    """The template that a reference names: its current version, or the one that it says.

    Raises:
        TemplateNotFound: there is none, it is retired, or it is not for this person, who is told no more.
    """
    reference = read_reference(text)
    if reference and reference.version is None and reference.name in catalog.CATALOG:
        return catalog.CATALOG[reference.name]
    published = services.templates.get().get(reference.name) if reference else None
    if reference and published and published.is_seen_by(actor):
        template = _of_version(services, published, reference, locale)
        if template is not None:
            return template
    raise TemplateNotFound(text[:100], tuple(one.name for one in offered(services, actor)))


def template_to_run(
    services: Services, actor: Actor, text: str, project: PayingProject
) -> tuple[Template[Any], str]:
    """The template, and the reference that its job keeps, checked for the project that pays.

    Raises:
        TemplateNotFound: see `find_template`.
        InvalidSubmission: the person may use it, but not for this project.
    """
    template = find_template(services, actor, text)
    if not isinstance(template, SiteTemplate):
        return template, template.name
    published = services.templates.get().get(template.name)
    if published is None or not published.serves(
        project_id=project.id, organisation_id=project.organisation_id
    ):
        problem = N_(
            "The template %(template)s is not for the project %(project)s. Choose another project, or ask "
            "the city's administrators."
        )
        facts = {"template": template.name, "project": project.account}
        raise InvalidSubmission([Problem("template", problem, facts)])
    return template, reference_of(template)


def template_of_job(connection: Connection, text: str, locale: Locale = "en") -> Template[Any]:
    """The template of a job, in the version that it was submitted with, also when that is retired.

    Who may see the job may see this: the caller has asked.

    Raises:
        TemplateNotFound: this portal does not know it.
    """
    reference = read_reference(text)
    if reference and reference.version is not None:
        template = stored_template(connection, reference, locale)
        if template is not None:
            return template
    return catalog.template(text)


def stored_template(connection: Connection, reference: Reference, locale: Locale) -> SiteTemplate | None:
    """The published version; None when there is none that this portal can read."""
    text = connection.execute(
        select(col(SiteTemplateVersion.document)).where(
            col(SiteTemplateVersion.name) == reference.name,
            col(SiteTemplateVersion.version) == reference.version,
        )
    ).scalar_one_or_none()
    return template_from(text, reference.version or 0, locale) if text is not None else None


def reference_of(template: Template[Any]) -> str:
    """What names the template in links and jobs: with its version where the site has published it."""
    version = template.version if isinstance(template, SiteTemplate) else None
    return str(Reference(template.name, version))


def _of_version(
    services: Services, published: Published, reference: Reference, locale: Locale
) -> SiteTemplate | None:
    if reference.version in (None, published.version):
        return published.template(locale)
    with services.engine.connect() as connection:
        return stored_template(connection, reference, locale)
