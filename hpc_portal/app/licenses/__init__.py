"""Licences: what their servers say, what clusters may use of them, who has them, for whom some are kept."""
