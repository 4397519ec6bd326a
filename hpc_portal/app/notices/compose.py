"""From a mail in the outbox to the message that a server is given; pure."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from hpc_portal.app.notices.say import say
from hpc_portal.app.settings import SmtpSettings

_FOOTERS = {
    "vi": "Cổng tính toán hiệu năng cao Đà Nẵng. Thư này được gửi tự động.",
    "en": "The HPC portal of Da Nang. This mail was sent automatically.",
}
_SWITCHES = {
    "vi": "Không muốn nhận thông báo qua thư nữa: {url}/notices",
    "en": "To have no more notices by mail: {url}/notices",
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
    said = say(mail.kind, mail.facts, mail.locale)
    locale = "vi" if mail.locale == "vi" else "en"
    message = EmailMessage()
    message["Subject"] = " ".join(said.title.split())
    message["From"] = Address(smtp.sender_name, addr_spec=smtp.sender)
    message["To"] = Address(addr_spec=mail.address)
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{smtp.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    url = public_url.rstrip("/")
    parts = [said.body]
    if said.path and url:
        parts.append(f"{url}{said.path}")
    footer = [_FOOTERS[locale]]
    if mail.has_account and url:
        footer.append(_SWITCHES[locale].format(url=url))
    parts.append("-- \n" + "\n".join(footer))
    message.set_content("\n\n".join(part for part in parts if part), charset="utf-8")
    return message
