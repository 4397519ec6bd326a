"""Writes the schema of the Helm chart's values: its own, and the portal's settings as they are."""

import json
from pathlib import Path
from typing import Any

from hpc_portal.app.settings import Settings
from scripts.write_docs import ROOT, field_docstrings

CHART = ROOT / "helm" / "hpc-portal"
SCHEMA = CHART / "values.schema.json"

DECIDED_BY_THE_CHART = {
    *("host", "port", "metrics_host", "metrics_port", "state_dir", "workspace_root", "attachment_root"),
    *("database_url", "dask_enabled", "dask_scheduler", "dask_tls_ca", "dask_tls_cert", "dask_tls_key"),
}
"""Settings that follow from other values; the embedded node's are for the embedded mode only, and stay."""
DECIDED_IN_SLURM = {"jwt_key", "token_file", "tls_ca"}
DECIDED_IN_SMTP = {"password"}
DECIDED_IN_IDENTITY = {"client_secret"}

Schema = dict[str, Any]


def chart_schema() -> Schema:
    """The whole schema: draft 7, which Helm checks values by."""
    own = json.loads((CHART / "own-values.schema.json").read_text("utf-8"))
    own["properties"]["settings"] = settings_schema()
    return {"$schema": "http://json-schema.org/draft-07/schema#", **own}


def settings_schema() -> Schema:
    """Every setting that a site chooses, by its name without the prefix."""
    whole = Settings.model_json_schema()
    parts = whole.pop("$defs")
    said = field_docstrings(Path("hpc_portal/app/settings.py"), "Settings")
    for name in DECIDED_BY_THE_CHART:
        del whole["properties"][name]
    for name, field in whole["properties"].items():
        field["description"] = " ".join(said[name].split())
    for part, names in (
        ("SlurmSettings", DECIDED_IN_SLURM),
        ("SmtpSettings", DECIDED_IN_SMTP),
        ("IdentitySettings", DECIDED_IN_IDENTITY),
    ):
        for name in names:
            del parts[part]["properties"][name]
    found: Schema = _plain(whole, parts)
    return {**found, "additionalProperties": False}


def _plain(value: Any, parts: Schema) -> Any:  # noqa: ANN401 - any part of a JSON schema
    """Without references, titles and formats, which Helm's checker does not need."""
    if isinstance(value, list):
        return [_plain(item, parts) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _plain(parts[value["$ref"].rpartition("/")[2]], parts)
    if "properties" in value:
        fields = {name: _plain(field, parts) for name, field in value["properties"].items()}
        rest = {key: item for key, item in value.items() if key not in {"properties", "title"}}
        return {**rest, "properties": fields}
    return {key: _plain(item, parts) for key, item in value.items() if key not in {"title", "format"}}


def written() -> str:
    """The file's text."""
    return json.dumps(chart_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(written(), "utf-8")
    print(f"Wrote {SCHEMA.relative_to(ROOT)}.")
