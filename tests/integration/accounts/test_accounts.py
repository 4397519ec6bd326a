"""People, organisations and projects: what administrators and leads do, and what the audit log keeps."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Connection, update
from sqlmodel import col, select

from hpc_portal.app.accounts import queries
from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.change_settings import change_appearance, change_password
from hpc_portal.app.accounts.create_organisation import create_organisation
from hpc_portal.app.accounts.create_project import create_project
from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user, unmap_cluster_user
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import ClusterAccountRecord
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.errors import (
    InvalidEntry,
    NameTaken,
    NotAllowed,
    NotFound,
    ProjectNotFound,
    WrongCredentials,
)
from hpc_portal.app.services import Services
from hpc_portal.app.settings import SlurmSettings
from hpc_portal.app.tables import OrganisationRole, ProjectRole, User
from quotas.errors import InvalidAmount
from quotas.tables import OrganisationKind
from tests.small_city import City, build_city

PASSWORD = "correct horse battery"


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def person(services: Services, username: str = "lan", **more: str) -> Actor:
    new = NewUser(username=username, display_name="Trần Thị Lan", password=PASSWORD, **more)  # type: ignore[arg-type]
    with services.reading() as session:
        actor = load_actor(session, create_user(services, OPERATOR, new))
    assert actor
    return actor


def deeds(services: Services) -> list[tuple[str, str]]:
    with services.reading() as session:
        return [(entry.action, entry.subject) for entry in list_audit(session, OPERATOR).items]


def test_a_new_tenant_is_set_up_and_every_step_is_in_the_audit_log(city: City) -> None:
    services = city.services
    create_organisation(services, OPERATOR, slug="dut", name="ĐH Bách khoa", kind=OrganisationKind.UNIVERSITY)
    create_project(services, OPERATOR, organisation="dut", account="dut-vlsi", name="VLSI lab")
    lan = person(services)
    set_organisation_membership(
        services, OPERATOR, organisation="dut", username="lan", role=OrganisationRole.MANAGER
    )
    set_project_membership(services, OPERATOR, account="dut-vlsi", username="lan", role=ProjectRole.LEAD)
    now = datetime.now(UTC)
    budget = BudgetGrant({"VND": 5000}, now, now + timedelta(days=1), "thesis")
    first = grant_budget(services, OPERATOR, "dut-vlsi", budget, key="g1")
    assert grant_budget(services, OPERATOR, "dut-vlsi", budget, key="g1") == first

    with services.reading() as session:
        actor = load_actor(session, lan.user_id)
        assert actor
        [project] = queries.list_visible_projects(session, actor)
        left = queries.project_balance(session, actor, "dut-vlsi", at=now).by_asset["VND"]
        members = queries.list_project_members(session, actor, "dut-vlsi")
    assert (project.account, project.role, project.may_submit) == ("dut-vlsi", ProjectRole.LEAD, True)
    assert (left.granted, left.available) == (5000, 5000)
    assert [(member.username, member.role) for member in members] == [("lan", "lead")]
    assert deeds(services) == [
        ("budget.granted", "dut-vlsi"),
        ("project.member_set", "dut-vlsi/lan"),
        ("organisation.member_set", "dut/lan"),
        ("user.created", "lan"),
        ("project.created", "dut-vlsi"),
        ("organisation.created", "dut"),
    ]


def test_names_are_unique_and_well_formed(city: City) -> None:
    services = city.services
    person(services)
    with pytest.raises(NameTaken, match="user 'lan'"):
        person(services)
    with pytest.raises(NameTaken, match="cluster account 'lan'"):
        person(services, "lan2", cluster_user="lan")
    with pytest.raises(NameTaken, match="project 'chips'"):
        create_project(services, OPERATOR, organisation="rivals-org", account="chips", name="Again")
    with pytest.raises(NotFound):
        create_project(services, OPERATOR, organisation="nobody", account="new", name="New")
    with pytest.raises(InvalidEntry, match="slug") as error:
        create_organisation(services, OPERATOR, slug="../x", name=" ", kind=OrganisationKind.CITY)
    assert [problem.field for problem in error.value.problems] == ["slug", "name"]


NONSENSE = (
    ({"username": "Lan"}, "username"),
    ({"username": "a/b"}, "username"),
    ({"display_name": "a\nb"}, "display_name"),
    ({"password": "short"}, "password"),
    ({"password": "x" * 2000}, "password"),
    ({"username": "nguyenvanlan", "password": "nguyenvanlan1"}, "password"),
    ({"email": "no address"}, "email"),
    ({"cluster_user": "root"}, "cluster_user"),
    ({"cluster_user": "bin"}, "cluster_user"),
    ({"cluster_user": "a b"}, "cluster_user"),
)


def test_a_person_that_makes_no_sense_is_not_stored(city: City) -> None:
    good = {"username": "lan", "display_name": "Lan", "password": PASSWORD}
    for change, field in NONSENSE:
        with pytest.raises(InvalidEntry) as error:
            create_user(city.services, OPERATOR, NewUser(**{**good, **change}))  # type: ignore[arg-type]
        assert (change, [problem.field for problem in error.value.problems]) == (change, [field])


def test_people_created_at_once_get_numbers_of_their_own(city: City) -> None:
    services = city.services

    def create(number: int) -> None:
        create_user(services, OPERATOR, NewUser(f"user{number}", "Somebody", PASSWORD))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(8)))
    with services.reading() as session:
        numbers = session.exec(select(User.cluster_number)).all()
    assert len(numbers) == len(set(numbers)) == 12


def test_only_the_right_password_of_an_active_person_lets_in(city: City) -> None:
    services = city.services
    lan = person(services)

    assert authenticate(services, "lan", PASSWORD) == lan.user_id
    for username, password in (
        ("lan", "wrong"),
        ("nobody", PASSWORD),
        ("chips-lead", ""),
        ("lan", "x" * 5000),
    ):
        with pytest.raises(WrongCredentials):
            authenticate(services, username, password)
    _update_user(services, lan, is_active=False)
    with pytest.raises(WrongCredentials):
        authenticate(services, "lan", PASSWORD)


def test_a_hash_of_an_older_cost_is_upgraded_at_sign_in(city: City) -> None:
    services = city.services
    lan = person(services)
    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)).hash(PASSWORD)
    _update_user(services, lan, password_hash=cheap)

    authenticate(services, "lan", PASSWORD)

    with services.reading() as session:
        kept = session.exec(select(User.password_hash).where(col(User.id) == lan.user_id)).one()
    assert kept != cheap
    assert authenticate(services, "lan", PASSWORD) == lan.user_id


def _update_user(services: Services, actor: Actor, **values: object) -> None:
    def work(connection: Connection) -> None:
        connection.execute(update(User).where(col(User.id) == actor.user_id).values(**values))

    transact(services.engine, work)


def test_a_password_is_changed_by_who_knows_it(city: City) -> None:
    services = city.services
    lan = person(services)
    with pytest.raises(InvalidEntry, match="present"):
        change_password(services, lan, present="wrong", new="another good one")
    change_password(services, lan, present=PASSWORD, new="another good one")
    assert authenticate(services, "lan", "another good one") == lan.user_id
    with pytest.raises(InvalidEntry, match="theme"):
        change_appearance(services, lan, theme="pink")


def test_a_lead_manages_members_of_the_organisation_and_cannot_probe_for_others(city: City) -> None:
    services, lead, member = city.services, city.chips.lead, city.chips.member
    set_project_membership(services, lead, account="chips", username="chips-member", role=ProjectRole.LEAD)
    set_project_membership(services, lead, account="chips", username="chips-member", role=None)

    told = set()
    for stranger in ("rivals-lead", "nobody"):
        with pytest.raises(InvalidEntry) as error:
            set_project_membership(
                services, lead, account="chips", username=stranger, role=ProjectRole.MEMBER
            )
        told.add(str(error.value).replace(stranger, "X"))
    assert len(told) == 1, "whether somebody has an account elsewhere must not be told"
    with pytest.raises(ProjectNotFound):
        set_project_membership(services, lead, account="rivals", username="chips-member", role=None)
    with pytest.raises(NotAllowed):
        set_project_membership(services, member, account="chips", username="chips-lead", role=None)


def test_who_leaves_an_organisation_leaves_its_projects(city: City) -> None:
    services = city.services
    set_organisation_membership(
        services, OPERATOR, organisation="chips-org", username="chips-member", role=None
    )
    with services.reading() as session:
        actor = load_actor(session, city.chips.member.user_id)
        assert actor
        assert queries.list_visible_projects(session, actor) == []


def test_grants_need_a_time_zone_a_reason_and_sensible_amounts(city: City) -> None:
    services, now = city.services, datetime.now(UTC)
    later = now + timedelta(days=1)
    with pytest.raises(InvalidEntry, match="valid_from"):
        grant_budget(
            services,
            OPERATOR,
            "chips",
            BudgetGrant({"VND": 1}, now.replace(tzinfo=None), later, "x"),
            key="a",
        )
    with pytest.raises(InvalidEntry, match="reason"):
        grant_budget(services, OPERATOR, "chips", BudgetGrant({"VND": 1}, now, later, " "), key="a")
    with pytest.raises(InvalidAmount):
        grant_budget(services, OPERATOR, "chips", BudgetGrant({"gold": 1}, now, later, "x"), key="a")


def test_secrets_are_neither_stored_nor_logged(city: City) -> None:
    services = city.services
    token = issue_token(services, city.chips.lead, name="laptop")
    assert token.secret.startswith("hpc_")
    assert token.secret not in repr(token)
    with services.reading() as session:
        facts = [str(row.facts) + row.subject for row in session.exec(select(AuditRecord)).all()]
        [kept] = queries.list_tokens(session, city.chips.lead)
    assert kept.name == "laptop"
    assert not any(token.secret in text for text in facts)


@pytest.fixture
def slurm_city(database_url: str, tmp_path: Path) -> Iterator[City]:
    slurm = SlurmSettings(url="http://127.0.0.1:1", jwt_key=Path("/nowhere"))
    city = build_city(database_url, tmp_path, clock=SystemClock(), slurm=slurm)
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def test_an_account_on_a_cluster_is_given_changed_and_taken_away_on_the_record(slurm_city: City) -> None:
    services = slurm_city.services
    lan = person(services)

    def accounts() -> dict[str, str]:
        with services.reading() as session:
            actor = load_actor(session, lan.user_id)
        assert actor
        return dict(actor.cluster_accounts)

    for account in (AccountThere("lan_tt", 5001), AccountThere("lan_tt", 5001), AccountThere("lan", 5002)):
        map_cluster_user(services, OPERATOR, "lan", cluster="slurm", account=account)
    assert accounts() == {"slurm": "lan"}
    with services.reading() as session:
        listed = queries.list_cluster_accounts(session, OPERATOR)
    assert listed == [ClusterAccountRecord("slurm", "lan", "lan", 5002)]
    unmap_cluster_user(services, OPERATOR, "lan", cluster="slurm")
    assert accounts() == {}
    with pytest.raises(NotFound):
        unmap_cluster_user(services, OPERATOR, "lan", cluster="slurm")
    assert deeds(services)[:3] == [
        ("user.cluster_account_removed", "lan"),
        ("user.cluster_account_set", "lan"),
        ("user.cluster_account_set", "lan"),
    ]


@pytest.mark.parametrize(
    ("cluster", "account", "field"),
    [
        ("slurm", AccountThere("root", 5001), "cluster_user"),
        ("slurm", AccountThere("lan", 0), "uid"),
        ("slurm", AccountThere("lan", 999), "uid"),
        ("slurm", AccountThere("nobody_knows_me"), "uid"),
        ("memory", AccountThere("lan", 5001), "cluster"),
    ],
)
def test_an_account_that_must_not_be_is_refused(
    slurm_city: City, cluster: str, account: AccountThere, field: str
) -> None:
    with pytest.raises(InvalidEntry) as error:
        map_cluster_user(slurm_city.services, OPERATOR, "chips-member", cluster=cluster, account=account)
    assert [problem.field for problem in error.value.problems] == [field]


def test_an_account_is_one_persons_and_only_administrators_say_whose(slurm_city: City) -> None:
    services, account = slurm_city.services, AccountThere("shared", 5001)
    map_cluster_user(services, OPERATOR, "chips-member", cluster="slurm", account=account)
    with pytest.raises(NameTaken, match="cluster account 'shared'"):
        map_cluster_user(services, OPERATOR, "rivals-member", cluster="slurm", account=account)
    with pytest.raises(NotAllowed):
        map_cluster_user(
            services, slurm_city.chips.lead, "chips-lead", cluster="slurm", account=AccountThere("x", 5002)
        )
    with pytest.raises(NotAllowed):
        unmap_cluster_user(services, slurm_city.chips.lead, "chips-member", cluster="slurm")
