"""Starts and ends the tracing of a process, where settings name a collector."""

import contextlib
import importlib.util
from collections.abc import Iterator

import structlog

from hpc_portal.app.settings import Settings
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import gettext as _

log = structlog.get_logger(__name__)

_EXPORTER = "opentelemetry.exporter.otlp.proto.http"


def is_extra_installed() -> bool:
    """Whether the packages of the extra `otel` are there; loads none of them."""
    try:
        return all(importlib.util.find_spec(name) for name in ("opentelemetry.sdk.trace", _EXPORTER))
    except ModuleNotFoundError:
        return False


def extra_is_missing() -> str:
    """What to do about it."""
    return _(
        "HPC_PORTAL_TRACING__ENDPOINT is set, and the packages that make traces are not installed: "
        "pip install 'hpc-portal[otel]', or unset the variable."
    )


def sdk_refuses(error: Exception) -> str:
    """What the SDK says of the variables that it reads by itself."""
    return _("Traces cannot be sent: a variable OTEL_* has a wrong value ({problem}).", problem=str(error))


def require_extra(settings: Settings) -> None:
    """Traces that an operator asked for must not be missing in silence.

    Raises:
        CliError: settings name a collector, and the extra `otel` is not installed.
    """
    if settings.tracing and not is_extra_installed():
        raise CliError(extra_is_missing())


@contextlib.contextmanager
def tracing(settings: Settings, service: str) -> Iterator[None]:
    """Trace this process under the service's name; at the end what is left is sent, for a few seconds.

    Raises:
        CliError: see `require_extra`; or a variable of OpenTelemetry's own is wrong.
    """
    if settings.tracing is None:
        yield
        return
    require_extra(settings)
    try:  # the SDK reads its variables when it is loaded
        from hpc_portal.app.telemetry import otlp  # noqa: PLC0415 - a tenth of a second, not always installed

        started = otlp.start(settings.tracing, service=service)
    except (ValueError, OSError) as error:
        raise CliError(sdk_refuses(error)) from error
    log.info("traces.started", endpoint=settings.tracing.endpoint, ratio=settings.tracing.sampling_ratio)
    try:
        yield
    finally:
        otlp.stop(started)
