"""Looks at the collector that traces are sent to."""

from hpc_portal.app.telemetry.settings import TracingSettings
from hpc_portal.cli.doctor.finding import Finding, doubt, well, wrong
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.tracing import extra_is_missing, is_extra_installed, sdk_refuses

_PATIENCE_SECONDS = 5


def look_at_collector(tracing: TracingSettings) -> Finding:
    """Would the portal start, and does the collector take what is sent, with our headers?"""
    about = _("Traces")
    if not is_extra_installed():
        return wrong(about, extra_is_missing())
    try:  # the SDK reads its variables when it is loaded
        from hpc_portal.app.telemetry import otlp  # noqa: PLC0415 - it is not always installed

        is_lost = otlp.takes_nothing(tracing, seconds=_PATIENCE_SECONDS)
    except (ValueError, OSError) as error:
        return wrong(about, sdk_refuses(error))
    if is_lost:
        lost = _("{endpoint} does not take them: they are lost, all else goes on.", endpoint=tracing.endpoint)
        return doubt(about, lost)
    return well(about, _("{endpoint} takes them.", endpoint=tracing.endpoint))
