"""What a job was submitted with: its template in its version, and the parameters under their titles."""

from typing import Any

from sqlmodel import Session

from hpc_portal.app.jobs.queries import JobDetail
from hpc_portal.app.templates.find import template_of_job
from hpc_portal.web.language import Language
from workloads.errors import WorkloadError
from workloads.site.template import SiteTemplate
from workloads.template import N_, Template


def show_parameters(session: Session, job: JobDetail, language: Language) -> list[tuple[str, str]]:
    """Titles and values, nested ones flat; [] without a template. Long texts are left to the script.

    The name is the job's own: the header of a script may give another one than the form did.
    """
    if job.template is None or job.parameters is None:
        return []
    try:
        template = template_of_job(session.connection(), job.template, language.template_locale)
    except WorkloadError:
        return []
    fields = template.parameters.model_fields
    found = [(N_("Template"), _named(template, language))]
    for name, asked in job.parameters.items():
        value = job.name if name == "name" else asked
        field = fields.get(name)
        if isinstance(value, dict) or value in (None, "", [], {}):
            continue
        text = _shown(value, language)
        if "\n" not in text:
            found.append(((field.title if field else None) or name, text))
    return found


def _named(template: Template[Any], language: Language) -> str:
    title = language.text(template.title)
    if not isinstance(template, SiteTemplate):
        return title
    return language.gettext(
        N_("%(title)s (%(name)s, version %(version)s)"),
        title=title,
        name=template.name,
        version=template.version,
    )


def _shown(value: object, language: Language) -> str:
    match value:
        case bool():
            return language.gettext(N_("Yes") if value else N_("No"))
        case list():
            return ", ".join(map(str, value))
    return str(value)
