"""What a search finds, over HTTP."""

from hpc_portal.api.schemas import Reply
from hpc_portal.app.search import FoundKind


class FoundReply(Reply):
    """One thing that can be opened."""

    kind: FoundKind
    name: str
    hint: str
    """Of the same kind and name there may be many: whose it is, or what a template is called in calls."""
    path: str
    """Of its page."""
