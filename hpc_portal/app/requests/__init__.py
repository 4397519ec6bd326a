"""Requests for quota: from a draft over the review to a grant, or to a no with its reason."""
