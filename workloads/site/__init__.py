"""Site templates: workloads that an administrator writes as TOML, above all for commercial tools."""
