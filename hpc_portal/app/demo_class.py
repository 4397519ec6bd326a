"""The demo's class: a course of the training centre, some of whose students have joined."""

import contextlib
from datetime import timedelta

from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import IdempotencyKeyReused, NameTaken
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.tenants.make_class import NewClass, make_class
from hpc_portal.app.tenants.seats import Share
from quotas.money import VND
from schedulers import tres

ORGANISATION = "dsac"
COURSE = "dsac-rtl"
NAME = "Thiết kế vi mạch số, khóa 1"
_TERM = timedelta(days=100)
_EACH = {VND: 2_000_000, tres.CPU: 2_000 * 3600}
_STUDENTS = (
    ("anhthu", "Lê Anh Thư"),
    ("quocbao", "Phan Quốc Bảo"),
    ("minhchau", "Nguyễn Minh Châu"),
)
_INVITED = ("hoc.vien1@dsac.example", "hoc.vien2@dsac.example", "hoc.vien3@dsac.example")


def seed_class(services: Services, *, teacher: Actor, password: str) -> None:
    """Make the class and the people of three of its seats; what exists already stays as it is."""
    for username, name in _STUDENTS:
        new = NewUser(username, name, password, f"{username}@{ORGANISATION}.example")
        with contextlib.suppress(NameTaken):
            create_user(services, OPERATOR, new)
            set_organisation_membership(
                services,
                OPERATOR,
                organisation=ORGANISATION,
                username=username,
                role=OrganisationRole.MEMBER,
            )
    students = [Share(student) for student in (*(username for username, _ in _STUDENTS), *_INVITED)]
    wanted = NewClass(COURSE, NAME, students, _EACH, services.clock.now() + _TERM)
    with contextlib.suppress(IdempotencyKeyReused):  # made by an earlier run, with another end
        make_class(services, teacher, wanted, key="demo")
