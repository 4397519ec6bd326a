"""The words of every kind of notice, in Vietnamese and English: for pages, commands and mails alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from hpc_portal.app.notices.kinds import NoticeKind


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


_REQUEST = "/requests/{request_id}"

TEXTS: Mapping[NoticeKind, NoticeText] = {
    NoticeKind.REQUEST_SUBMITTED: NoticeText(
        vi=Words(
            "%(project)s đề nghị cấp hạn mức",
            "%(by)s đề nghị cho dự án %(project)s: %(lines)s. Mục đích: %(purpose)s",
        ),
        en=Words(
            "%(project)s asks for quota", "%(by)s asks for %(project)s: %(lines)s. Purpose: %(purpose)s"
        ),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_UNDER_REVIEW: NoticeText(
        vi=Words("Đề nghị của %(project)s đang được xét", "%(by)s đã bắt đầu xét đề nghị."),
        en=Words("The request of %(project)s is under review", "%(by)s has started to review it."),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_APPROVED: NoticeText(
        vi=Words("Đề nghị của %(project)s đã được duyệt", "Được cấp: %(lines)s, dùng được ngay. %(message)s"),
        en=Words(
            "The request of %(project)s was approved", "Granted: %(lines)s, ready to be used. %(message)s"
        ),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_PARTLY_APPROVED: NoticeText(
        vi=Words("Đề nghị của %(project)s được duyệt một phần", "Được cấp: %(lines)s. Lý do: %(message)s"),
        en=Words("The request of %(project)s was approved partly", "Granted: %(lines)s. Why: %(message)s"),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_DENIED: NoticeText(
        vi=Words("Đề nghị của %(project)s bị từ chối", "Lý do: %(message)s"),
        en=Words("The request of %(project)s was denied", "Why: %(message)s"),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_RETURNED: NoticeText(
        vi=Words("Cần bổ sung cho đề nghị của %(project)s", "%(by)s hỏi: %(message)s"),
        en=Words("A question about the request of %(project)s", "%(by)s asks: %(message)s"),
        path=_REQUEST,
    ),
    NoticeKind.REQUEST_WITHDRAWN: NoticeText(
        vi=Words("%(project)s đã rút đề nghị", "%(by)s đã rút đề nghị. %(message)s"),
        en=Words("%(project)s withdrew its request", "%(by)s withdrew it. %(message)s"),
        path=_REQUEST,
    ),
}
"""Every kind has its words; a test compares the facts that both languages name."""
