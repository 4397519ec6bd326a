"""Sign in whom an identity provider vouches for: find, link or make their account; set their places."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts.create_user import NewUser, insert_user
from hpc_portal.app.accounts.external_person import ExternalPerson, places_of, projects_of
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.accounts.sync_projects import organisations_of, sync_project_places
from hpc_portal.app.accounts.tables import ExternalIdentity
from hpc_portal.app.db import transact
from hpc_portal.app.errors import IdentityNotLinked, IdentityTaken, NameTaken, NobodyLeads, NotFound
from hpc_portal.app.services import Services
from hpc_portal.app.settings import IdentitySettings
from hpc_portal.app.tables import GlobalRole, OrganisationMember, OrganisationRole, User
from quotas.tables import Organisation

log = structlog.get_logger()


def sign_in_external(
    services: Services, settings: IdentitySettings, person: ExternalPerson, *, link_to: UUID | None = None
) -> UUID:
    """The id of the active person here who belongs to this identity.

    With `link_to` the identity becomes this person's. Who comes for the first time otherwise gets an account
    without a password, unless the settings say no. Places and the administrators' role follow the groups.

    Raises:
        IdentityNotLinked: nobody here belongs to it, and nobody is made; or the person is not active.
        IdentityTaken: it is linked to somebody else, or `link_to` has another one already.
    """

    def work(connection: Connection) -> UUID:
        return _find_or_make(connection, settings, person, link_to, services.clock.now())

    try:
        user_id = transact(services.engine, work)
    except IntegrityError:  # two first sign-ins at once: the other one made it
        user_id = transact(services.engine, work)
    _set_places(services, settings, person, user_id)
    return user_id


def _find_or_make(
    connection: Connection,
    settings: IdentitySettings,
    person: ExternalPerson,
    link_to: UUID | None,
    now: datetime,
) -> UUID:
    is_it = (
        col(ExternalIdentity.issuer) == person.issuer,
        col(ExternalIdentity.subject) == person.subject,
    )
    owner: UUID | None = connection.execute(select(col(ExternalIdentity.user_id)).where(*is_it)).scalar()
    if link_to is not None and owner not in {None, link_to}:
        raise IdentityTaken
    if owner is None:
        owner = _link(connection, person, link_to, now) if link_to else None
        owner = owner or _make(connection, settings, person, now)
    connection.execute(update(ExternalIdentity).where(*is_it).values(last_sign_in_at=now))
    if not connection.execute(select(col(User.is_active)).where(col(User.id) == owner)).scalar():
        raise IdentityNotLinked
    return owner


def _link(connection: Connection, person: ExternalPerson, user_id: UUID, now: datetime) -> UUID:
    has_another = select(col(ExternalIdentity.subject)).where(
        col(ExternalIdentity.user_id) == user_id, col(ExternalIdentity.issuer) == person.issuer
    )
    if connection.execute(has_another).first():
        raise IdentityTaken
    username = connection.execute(select(col(User.username)).where(col(User.id) == user_id)).scalar_one()
    _insert(connection, person, user_id, now)
    audit.record(
        connection,
        at=now,
        actor=OPERATOR,
        action="identity.linked",
        subject=username,
        issuer=person.issuer,
        identity=person.subject,
    )
    return user_id


def _make(connection: Connection, settings: IdentitySettings, person: ExternalPerson, now: datetime) -> UUID:
    if not settings.create_people:
        raise IdentityNotLinked
    for name in person.names():
        new = NewUser(name, person.display_name or name, password="", email=person.email)
        try:
            user_id = insert_user(connection, new, password_hash="", at=now)
        except NameTaken:
            continue
        _insert(connection, person, user_id, now)
        audit.record(
            connection,
            at=now,
            actor=OPERATOR,
            action="user.created",
            subject=name,
            global_role=None,
            cluster_user=new.effective_cluster_user,
            issuer=person.issuer,
        )
        return user_id
    raise IdentityNotLinked


def _insert(connection: Connection, person: ExternalPerson, user_id: UUID, now: datetime) -> None:
    values = {"issuer": person.issuer, "subject": person.subject, "user_id": user_id}
    connection.execute(insert(ExternalIdentity).values(**values, linked_at=now, last_sign_in_at=now))


def _set_places(
    services: Services, settings: IdentitySettings, person: ExternalPerson, user_id: UUID
) -> None:
    """Only what differs, by the same verbs as an administrator's, so that the same rules hold."""
    with services.engine.connect() as connection:
        user = connection.execute(
            select(col(User.username), col(User.global_role)).where(col(User.id) == user_id)
        ).one()
        present = dict(
            connection.execute(
                select(col(Organisation.slug), col(OrganisationMember.role))
                .join(OrganisationMember, col(OrganisationMember.organisation_id) == col(Organisation.id))
                .where(col(OrganisationMember.user_id) == user_id)
            ).all()
        )
        through_projects = organisations_of(connection, projects_of(person, settings))
    for slug, given in places_of(person, settings).items():
        role = given or (OrganisationRole.MEMBER if slug in through_projects else None)
        if present.get(slug) is role:
            continue
        try:
            set_organisation_membership(
                services, OPERATOR, organisation=slug, username=user.username, role=role
            )
        except (NotFound, NobodyLeads) as problem:
            log.warning(
                "identity.place_not_set", username=user.username, organisation=slug, problem=str(problem)
            )
    sync_project_places(services, settings, person, user_id)
    if settings.administrators_group:
        _set_administrator(services, settings, person, user_id, user.global_role)


def _set_administrator(
    services: Services,
    settings: IdentitySettings,
    person: ExternalPerson,
    user_id: UUID,
    present: GlobalRole | None,
) -> None:
    """Auditors stay auditors; nobody is anything beside."""
    belongs = settings.administrators_group in person.groups
    wanted = GlobalRole.ADMINISTRATOR if belongs else None
    if present is wanted or (present is GlobalRole.AUDITOR and not belongs):
        return
    now = services.clock.now()

    def work(connection: Connection) -> None:
        connection.execute(update(User).where(col(User.id) == user_id).values(global_role=wanted))
        audit.record(
            connection,
            at=now,
            actor=OPERATOR,
            action="user.role_set",
            subject=str(user_id),
            role=wanted and wanted.value,
            was=present and present.value,
        )

    transact(services.engine, work)
