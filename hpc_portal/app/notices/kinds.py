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
