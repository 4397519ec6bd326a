"""A small city to try the portal with: tenants that compete, people of every role, budgets and prices."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import col, select

from hpc_portal.app.accounts.create_organisation import create_organisation
from hpc_portal.app.accounts.create_project import create_project
from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.find import find_project
from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.demo_class import seed_class
from hpc_portal.app.demo_prices import seed_prices
from hpc_portal.app.demo_requests import seed_requests
from hpc_portal.app.errors import NameTaken
from hpc_portal.app.prices.publish import publish_prices
from hpc_portal.app.services import Services
from hpc_portal.app.tables import GlobalRole, OrganisationRole, ProjectRole, User
from quotas.amounts import STORAGE
from quotas.balance import balance
from quotas.errors import NoPriceList
from quotas.money import VND
from quotas.pricing import PriceItem
from quotas.publish_prices import current_price_list
from quotas.tables import OrganisationKind
from schedulers import tres
from schedulers.tres import gpu_tres, license_tres

PASSWORD = "da-nang-2026"  # noqa: S105 - everybody's, printed by the demo, which listens on 127.0.0.1 only

TEACHER = "thao"
DESIGNER = "binh"
"""Verifies chips at a startup."""
RESEARCHER = "tuan"
"""Trains networks at the university."""

_FIRST_UID = 61_001
"""Of the people's accounts on a cluster that gives out accounts; far from those of people."""
_HOUR = 3600
_GRANTED_FOR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class DemoOrganisation:
    """One tenant."""

    slug: str
    name: str
    kind: OrganisationKind


@dataclass(frozen=True, slots=True)
class DemoProject:
    """One project with what it is granted."""

    account: str
    organisation: str
    name: str
    vnd: int
    hours: dict[str, int]
    """By TRES."""
    storage_gib: int = 0
    """0: not limited."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody to sign in as; everybody's password is PASSWORD."""

    username: str
    name: str
    role: str
    """What the person shows, in English; translated where it is printed."""
    organisation: str
    project: str = ""
    global_role: GlobalRole | None = None
    organisation_role: OrganisationRole = OrganisationRole.MEMBER
    project_role: ProjectRole = ProjectRole.MEMBER

    @property
    def cluster_user(self) -> str:
        """What the person's jobs run as."""
        return f"demo_{self.username}"


ORGANISATIONS = (
    DemoOrganisation("danang", "Sở Khoa học và Công nghệ Đà Nẵng", OrganisationKind.CITY),
    DemoOrganisation("dut", "Trường Đại học Bách khoa – ĐHĐN", OrganisationKind.UNIVERSITY),  # noqa: RUF001 - its name
    DemoOrganisation(
        "dsac",
        "Trung tâm Vi mạch bán dẫn và Trí tuệ nhân tạo Đà Nẵng (DSAC)",
        OrganisationKind.TRAINING_CENTRE,
    ),
    DemoOrganisation("songhan", "Sông Hàn Silicon", OrganisationKind.STARTUP),
    DemoOrganisation("mykhe", "Mỹ Khê Microsystems", OrganisationKind.STARTUP),
)

PROJECTS = (
    DemoProject(
        "dut-ai",
        "dut",
        "Phòng thí nghiệm Trí tuệ nhân tạo",
        400_000_000,
        {tres.GPU: 8_000, tres.CPU: 100_000},
    ),
    DemoProject("dut-vlsi", "dut", "Nhóm nghiên cứu thiết kế vi mạch", 250_000_000, {tres.CPU: 200_000}),
    DemoProject("dsac-rtl", "dsac", "Lớp kiểm chứng RTL khóa 12", 80_000_000, {tres.CPU: 60_000}),
    DemoProject(
        "songhan-fifo", "songhan", "Kiểm chứng FIFO cho SoC cảm biến", 150_000_000, {tres.CPU: 120_000}, 200
    ),
    DemoProject("mykhe-riscv", "mykhe", "Vi điều khiển RISC-V", 150_000_000, {tres.CPU: 120_000}),
)

PEOPLE = (
    DemoPerson("ha", "Nguyễn Thu Hà", "administrator", "danang", global_role=GlobalRole.ADMINISTRATOR),
    DemoPerson("kiem", "Trần Văn Kiểm", "auditor", "danang", global_role=GlobalRole.AUDITOR),
    DemoPerson(
        "quan",
        "Lê Minh Quân",
        "organisation manager",
        "dut",
        organisation_role=OrganisationRole.MANAGER,
    ),
    DemoPerson("lan", "Phạm Thị Lan", "project lead", "dut", "dut-ai", project_role=ProjectRole.LEAD),
    DemoPerson(RESEARCHER, "Hoàng Anh Tuấn", "member, AI researcher", "dut", "dut-ai"),
    DemoPerson(TEACHER, "Đỗ Phương Thảo", "project lead", "dsac", "dsac-rtl", project_role=ProjectRole.LEAD),
    DemoPerson(
        "vy", "Huỳnh Tường Vy", "project lead", "songhan", "songhan-fifo", project_role=ProjectRole.LEAD
    ),
    DemoPerson(DESIGNER, "Võ Thanh Bình", "member, chip designer", "songhan", "songhan-fifo"),
    DemoPerson("mai", "Đặng Ngọc Mai", "member of the competing startup", "mykhe", "mykhe-riscv"),
)

PRICES = (
    PriceItem(tres.CPU, 1_200),
    PriceItem(tres.MEM, 130),
    PriceItem(tres.GPU, 90_000),
    PriceItem(gpu_tres("l40s"), 22_000),
    PriceItem(gpu_tres("a100"), 42_000),
    PriceItem(gpu_tres("h100"), 75_000),
    PriceItem(gpu_tres("h200"), 90_000),
    PriceItem(license_tres("vcs"), 30_000),
    PriceItem(license_tres("spectre"), 35_000),
    PriceItem(license_tres("dc"), 55_000),
    PriceItem(license_tres("primetime"), 50_000),
)
"""An hour of one unit, of `mem` one GiB; of the order that public clouds charge in Viet Nam."""


def seed_city(services: Services) -> None:
    """Make all of the above; what exists already stays as it is, so that a demo can be run again.

    On clusters that give out accounts people are mapped to those of `accounts_there`, which the cluster must
    have.
    """
    _publish_prices(services)
    for organisation in ORGANISATIONS:
        _seed_organisation(services, organisation)
    for project in PROJECTS:
        _seed_project(services, project)
    for person in PEOPLE:
        _seed_person(services, person)
    for cluster in services.settings.clusters_with_accounts:
        for username, account in accounts_there().items():
            map_cluster_user(services, OPERATOR, username, cluster=cluster, account=account)
    seed_prices(services)
    seed_requests(services, administrator=PEOPLE[0].username)
    teacher = _find(services, TEACHER)
    assert teacher  # noqa: S101 - one of the people above
    seed_class(services, teacher=teacher, password=PASSWORD)


def accounts_there() -> dict[str, AccountThere]:
    """Everybody's account on a cluster that gives out accounts, by user name."""
    return {
        person.username: AccountThere(person.cluster_user, uid)
        for uid, person in enumerate(PEOPLE, start=_FIRST_UID)
    }


def _publish_prices(services: Services) -> None:
    with services.engine.connect() as connection, contextlib.suppress(NoPriceList):
        current_price_list(connection, at=services.clock.now())
        return
    publish_prices(services, OPERATOR, PRICES)


def _seed_organisation(services: Services, organisation: DemoOrganisation) -> None:
    _unless_taken(
        lambda: create_organisation(
            services, OPERATOR, slug=organisation.slug, name=organisation.name, kind=organisation.kind
        )
    )


def _seed_project(services: Services, project: DemoProject) -> None:
    _unless_taken(
        lambda: create_project(
            services, OPERATOR, organisation=project.organisation, account=project.account, name=project.name
        )
    )
    now = services.clock.now()
    with services.engine.connect() as connection:
        found = find_project(connection, project.account)
        has_budget = bool(balance(connection, found.id, now).allocations)
    if not has_budget:
        lines = {VND: project.vnd} | {name: hours * _HOUR for name, hours in project.hours.items()}
        if project.storage_gib:
            lines[STORAGE] = project.storage_gib
        wanted = BudgetGrant(lines=lines, valid_from=now, valid_to=now + _GRANTED_FOR, reason="demo")
        grant_budget(services, OPERATOR, project.account, wanted, key=f"demo:{project.account}:{now:%Y%m%d}")


def _seed_person(services: Services, person: DemoPerson) -> None:
    known = _find(services, person.username)
    if known is None:
        create_user(
            services,
            OPERATOR,
            NewUser(
                username=person.username,
                display_name=person.name,
                password=PASSWORD,
                email=f"{person.username}@{person.organisation}.example",
                global_role=person.global_role,
                cluster_user=person.cluster_user,
            ),
        )
    if known is None or not known.organisations:
        set_organisation_membership(
            services,
            OPERATOR,
            organisation=person.organisation,
            username=person.username,
            role=person.organisation_role,
        )
    if person.project and (known is None or not known.projects):
        set_project_membership(
            services, OPERATOR, account=person.project, username=person.username, role=person.project_role
        )


def _find(services: Services, username: str) -> Actor | None:
    with services.reading() as session:
        user_id = session.exec(select(col(User.id)).where(col(User.username) == username)).first()
        return load_actor(session, user_id) if user_id else None


def _unless_taken(create: Callable[[], object]) -> None:
    with contextlib.suppress(NameTaken):
        create()
