"""From a mail in the outbox to the message that a server is given; pure."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.say import SaidNotice, say
from hpc_portal.app.settings import SmtpSettings

_FOOTERS = {
    "vi": "Cổng tính toán hiệu năng cao Đà Nẵng. Thư này được gửi tự động.",
    "en": "The HPC portal of Da Nang. This mail was sent automatically.",
}
_SWITCHES = {
    "vi": "Chọn thông báo nào được gửi qua thư: {url}/settings#notices",
    "en": "Choose which notices come by mail: {url}/settings#notices",
}


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail of the outbox."""

    id: UUID
    address: str
    locale: str
    kind: str
    facts: dict[str, Any]
    created_at: datetime
    has_account: bool


def compose(mail: OutgoingMail, smtp: SmtpSettings, *, public_url: str) -> EmailMessage:
    """The message, whose Message-ID is the mail's own: sent twice, it is still the same one.

    Raises:
        ValueError: the address is none.
    """
    url = public_url.rstrip("/")
    said = say(mail.kind, mail.facts, mail.locale)
    locale = "vi" if mail.locale == "vi" else "en"
    message = EmailMessage()
    message["Subject"] = " ".join(said.title.split())
    message["From"] = Address(smtp.sender_name, addr_spec=smtp.sender)
    message["To"] = Address(addr_spec=mail.address)
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{smtp.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if mail.kind == NoticeKind.DIGEST:
        parts = [_say_whole(say(one["kind"], one["facts"], mail.locale), url) for one in mail.facts["items"]]
    else:
        parts = [said.body, f"{url}{said.path}" if said.path and url else ""]
    footer = [_FOOTERS[locale]]
    if mail.has_account and url:
        footer.append(_SWITCHES[locale].format(url=url))
    parts.append("-- \n" + "\n".join(footer))
    message.set_content("\n\n".join(part for part in parts if part), charset="utf-8")
    return message


def _say_whole(said: SaidNotice, url: str) -> str:
    """One notice among others of a mail."""
    lines = (said.title, said.body, f"{url}{said.path}" if said.path and url else "")
    return "\n".join(line for line in lines if line)
