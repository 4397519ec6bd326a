"""Read the portal's settings for a command, and show them without their secrets."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from hpc_portal.app.settings import Settings
from hpc_portal.cli.errors import FieldProblem, UsageProblem
from hpc_portal.cli.language import gettext as _

_PREFIX = "HPC_PORTAL_"
_MASK = "********"


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - the fields of Settings
    """The settings of this process's environment; arguments that are not None go before it.

    Raises:
        UsageProblem: a variable has a wrong value; `fields` names each.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        fields = [
            FieldProblem(
                _PREFIX + "__".join(map(str, item["loc"])).upper() if item["loc"] else _PREFIX + "*",
                item["msg"].removeprefix("Value error, "),
            )
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise UsageProblem(_("The portal's settings are wrong:"), fields) from error


def shown_settings(settings: Settings) -> dict[str, str]:
    """Every setting by its variable, as text; the database's password is masked."""
    shown = {_PREFIX + name.upper(): _shown(getattr(settings, name)) for name in type(settings).model_fields}
    for part, group in (
        ("SLURM", settings.slurm),
        ("SMTP", settings.smtp),
        ("IDENTITY", settings.identity),
        ("TRACING", settings.tracing),
        ("RETENTION", settings.retention),
    ):
        shown.pop(_PREFIX + part)
        for name in type(group).model_fields if group else ():
            shown[f"{_PREFIX}{part}__{name.upper()}"] = _shown(getattr(group, name))
    shown[_PREFIX + "DATABASE_URL"] = _without_password(settings.effective_database_url)
    shown[_PREFIX + "ATTACHMENT_ROOT"] = str(settings.effective_attachment_root)
    shown[_PREFIX + "WORKSPACE_ROOT"] = str(settings.effective_workspace_root)
    return shown


def _shown(value: Any) -> str:  # noqa: ANN401 - any field of Settings
    if isinstance(value, list):
        return ", ".join(item.model_dump_json(exclude_defaults=True) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return "" if value is None else str(value)


def _without_password(url: str) -> str:
    password = urlsplit(url).password
    return url.replace(f":{password}@", f":{_MASK}@") if password else url
