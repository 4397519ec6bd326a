"""Which requests are traced, and what FastAPI is told about it: its own spans, and nothing beside them."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig

from hpc_portal.app.telemetry import spans

_NOT_TRACED = ("/static/", "/healthz", "/readyz")
_STREAM = "/stream"


def request_traces() -> TelemetryConfig:
    """For `FastAPI(telemetry=...)`.

    Its metrics are ours already, and its logs would tell exceptions' messages to a collector. Whatever stands
    in the environment, it sets nothing up by itself: only what goes through `private_spans` may leave.
    """
    provider = spans.provider()
    return {
        "tracing": provider is not None,
        "tracer_provider": provider,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": is_not_traced,
    }


def is_not_traced(scope: MutableMapping[str, Any]) -> bool:
    """Files of pages and looks at our health are many and all alike; streams end when somebody leaves."""
    path = str(scope["path"])
    return path.startswith(_NOT_TRACED) or path.endswith(_STREAM)
