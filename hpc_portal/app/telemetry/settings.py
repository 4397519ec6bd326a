"""The settings of traces; part of `app/settings.py`, where the others are."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TracingSettings(BaseModel):
    """Where traces go; without it none are made. Needs the extra `otel` of the portal's package."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str
    """An OpenTelemetry collector that takes OTLP over HTTP, such as `http://collector:4318`; traces go to
    `/v1/traces` below it. Headers with secrets: the standard variable `OTEL_EXPORTER_OTLP_HEADERS`."""
    sampling_ratio: float = Field(default=1.0, ge=0, le=1)
    """The share of requests that are traced, and with them the jobs that they submit."""
    trust_callers: bool = False
    """Go on with the trace, and the decision to sample it, that the header `traceparent` of a request names:
    only behind a proxy that sets the header itself. Otherwise the caller's trace is linked."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = "endpoint: must start with http:// or https:// and name a host"
            raise ValueError(message)
        if "@" in parts.netloc or parts.query or parts.fragment:
            message = "endpoint: give scheme, host, port and path; secrets go into OTEL_EXPORTER_OTLP_HEADERS"
            raise ValueError(message)
        return self
