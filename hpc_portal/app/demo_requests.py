"""The demo's requests for quota: one that waits for a decision, and one with a question to answer."""

from dataclasses import dataclass
from datetime import timedelta

from hpc_portal.app.accounts.find import find_user
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.errors import PortalError
from hpc_portal.app.requests.checks import WantedQuota, first_today
from hpc_portal.app.requests.draft import draft_request
from hpc_portal.app.requests.queries import get_request
from hpc_portal.app.requests.review import return_request
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import RequestKind, RequestState
from hpc_portal.app.services import Services
from quotas.money import VND
from schedulers.tres import CPU, gpu_tres, license_tres

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """One request, and what an administrator asked about it."""

    username: str
    account: str
    kind: RequestKind
    days: int
    lines: dict[str, int]
    purpose: str
    question: str = ""


REQUESTS = (
    DemoRequest(
        "thao",
        "dsac-rtl",
        RequestKind.SURGE,
        45,
        {CPU: 12_000 * _HOUR, license_tres("vcs"): 900 * _HOUR},
        "Đợt hồi quy cuối của lớp thiết kế vi mạch khoá 3: 24 nhóm, mỗi nhóm chạy 200 seed trước khi nộp "
        "thiết kế đi sản xuất thử.",
    ),
    DemoRequest(
        "lan",
        "dut-ai",
        RequestKind.NEW,
        90,
        {gpu_tres("h100"): 800 * _HOUR, VND: 40_000_000},
        "Huấn luyện mô hình nhận dạng chữ viết tay tiếng Việt cho hồ sơ của thành phố.",
        "Lần trước nhóm dùng hết bao nhiêu giờ GPU, và vì sao lần này cần H100?",
    ),
)


def seed_requests(services: Services, administrator: str) -> None:
    """Make them, unless they are there; as the people themselves, so that the history reads as it would."""
    now = services.clock.now()
    for demo in REQUESTS:
        actor = _person(services, demo.username)
        begin = first_today(now)
        wanted = WantedQuota(demo.kind, demo.lines, begin, begin + timedelta(days=demo.days), demo.purpose)
        request_id = draft_request(
            services, actor, demo.account, wanted, key=f"demo:{demo.username}:{demo.kind}"
        )
        with services.reading() as session:
            state = get_request(session, actor, request_id).summary.state
        if state is not RequestState.DRAFT:
            continue
        submit_request(services, actor, request_id)
        if demo.question:
            return_request(services, _person(services, administrator), request_id, message=demo.question)


def _person(services: Services, username: str) -> Actor:
    with services.reading() as session:
        actor = load_actor(session, find_user(session.connection(), username))
    if actor is None:
        message = f"{username} cannot sign in any more"
        raise PortalError(message)
    return actor
