"""The portal's own address, for links in mails."""

from hpc_portal.app.services import Services


def base_url(services: Services) -> str:
    """Where people find the portal, without a slash at the end."""
    settings = services.settings
    return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
