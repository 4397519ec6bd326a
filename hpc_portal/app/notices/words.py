"""What the words of a notice are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One notice in one language; `%(name)s` is where a fact goes."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class NoticeText:
    """One kind in both languages, and the page that it is about."""

    vi: Words
    en: Words
    path: str = ""
    """A path of the portal with facts in braces, such as `/requests/{request_id}`."""
