"""What a webhook receives: a notice as JSON, signed with the secret that only its owner and the portal know.

The signature is that of `<seconds>.<body>` by HMAC-SHA256, beside the time at which it was made, as Stripe
does it: a receiver that refuses old times cannot be sent yesterday's notice again by somebody who listened.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hpc_portal.app.notices.say import say

SIGNATURE = "X-HPC-Signature"
DELIVERY = "X-HPC-Delivery"
KIND = "X-HPC-Notice"


@dataclass(frozen=True, slots=True)
class OutgoingDelivery:
    """One delivery that is due, and where it goes."""

    id: UUID
    user_id: UUID
    url: str
    secret: str
    kind: str
    facts: Mapping[str, Any]
    locale: str
    created_at: datetime


def body_of(delivery: OutgoingDelivery, *, public_url: str) -> bytes:
    """The notice with its words in the owner's language, and its facts for programs."""
    said = say(delivery.kind, delivery.facts, delivery.locale)
    url = public_url.rstrip("/")
    content = {
        "id": str(delivery.id),
        "kind": delivery.kind,
        "at": delivery.created_at.isoformat(),
        "title": said.title,
        "body": said.body,
        "url": f"{url}{said.path}" if said.path and url else said.path,
        "facts": delivery.facts,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(delivery: OutgoingDelivery, body: bytes, *, at: datetime) -> dict[str, str]:
    """With the signature; made anew for each try, for it carries the time."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "hpc-portal",
        DELIVERY: str(delivery.id),
        KIND: delivery.kind,
        SIGNATURE: sign(delivery.secret, body, seconds=int(at.timestamp())),
    }


def sign(secret: str, body: bytes, *, seconds: int) -> str:
    """`t=<seconds>,v1=<hexadecimal HMAC-SHA256>`."""
    made = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={made}"
