"""What people can be told; each kind has its words in texts.py."""

from enum import StrEnum


class NoticeKind(StrEnum):
    """A kind of notice; stored as its value, so that new kinds need no migration."""

    REQUEST_SUBMITTED = "request.submitted"
    """To the administrators: somebody asks for budget."""
    REQUEST_UNDER_REVIEW = "request.under_review"
    REQUEST_APPROVED = "request.approved"
    REQUEST_PARTLY_APPROVED = "request.partly_approved"
    REQUEST_DENIED = "request.denied"
    REQUEST_RETURNED = "request.returned"
    REQUEST_WITHDRAWN = "request.withdrawn"
    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_RESUMED = "tenant.resumed"
    TENANT_CLOSED = "tenant.closed"
    INVITATION = "invitation"
    """By mail only, to an address that may belong to nobody here."""
    LEADERSHIP_HANDED_OVER = "leadership.handed_over"
    SEAT_GIVEN = "class.seat_given"
    CLASS_ENDED = "class.ended"
    PRICES_PUBLISHED = "prices.published"
    """To every organisation's managers."""
