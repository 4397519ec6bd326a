"""Requests for quota: every way from a draft to a grant or a no, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound, ProjectNotFound, RequestNotOpen
from hpc_portal.app.notices.tables import Notice
from hpc_portal.app.requests.checks import WantedQuota
from hpc_portal.app.requests.decide import approve_partly, approve_request, deny_request
from hpc_portal.app.requests.draft import draft_request, edit_request, wanted_for_shortage
from hpc_portal.app.requests.queries import (
    RequestFilter,
    count_inbox,
    get_request,
    list_inbox,
    list_requests,
)
from hpc_portal.app.requests.review import return_request, start_review
from hpc_portal.app.requests.submit import submit_request, withdraw_request
from hpc_portal.app.requests.tables import RequestEvent
from hpc_portal.app.requests.transitions import Deed, RequestKind, RequestState
from hpc_portal.app.tables import ProjectMember
from quotas.balance import balance
from quotas.tables import Allocation, AllocationState, Project, TenantState, Transfer
from tests.integration.requests.conftest import H100, HOUR, Asking


def submitted(asking: Asking, wanted: WantedQuota | None = None) -> UUID:
    request_id = draft_request(asking.services, asking.lead, "chips", wanted or asking.wanted())
    submit_request(asking.services, asking.lead, request_id)
    return request_id


def state_of(asking: Asking, request_id: UUID) -> RequestState:
    with asking.services.reading() as session:
        return get_request(session, asking.lead, request_id).summary.state


def available(asking: Asking, asset: str, at: datetime | None = None) -> int:
    with asking.services.reading() as session:
        project = asking.city.chips.project_id
        found = balance(session.connection(), project, at or asking.clock.at).by_asset
    return found[asset].available if asset in found else 0


def told(asking: Asking, person: Actor) -> list[str]:
    with asking.services.reading() as session:
        return list(
            session.connection().scalars(
                select(col(Notice.kind)).where(col(Notice.user_id) == person.user_id).order_by(col(Notice.id))
            )
        )


def fields_of(error: InvalidEntry) -> set[str]:
    return {problem.field for problem in error.problems}


def current_allocation(asking: Asking) -> UUID:
    with asking.services.reading() as session:
        found: UUID = session.connection().scalars(
            select(col(Allocation.id))
            .where(col(Allocation.project_id) == asking.city.chips.project_id)
            .order_by(col(Allocation.valid_to).desc())
        ).first() or UUID(int=0)
    return found


def count(asking: Asking, table: type) -> int:
    with asking.services.reading() as session:
        return int(session.connection().execute(select(func.count()).select_from(table)).scalar_one())


def test_from_a_draft_over_a_question_to_a_part_of_it(asking: Asking) -> None:
    services = asking.services
    request_id = draft_request(services, asking.lead, "chips", asking.wanted())
    submit_request(services, asking.lead, request_id)
    start_review(services, asking.chief, request_id)
    return_request(services, asking.chief, request_id, message="How many epochs?")
    edit_request(
        services,
        asking.lead,
        request_id,
        replace(asking.wanted(), lines={H100: 400 * HOUR, "cpu": 80 * HOUR}),
    )
    submit_request(services, asking.lead, request_id, message="Ninety.")
    approve_partly(
        services, asking.deputy, request_id, granted={H100: 300 * HOUR}, message="The cluster is full."
    )

    assert available(asking, H100) == 300 * HOUR
    with services.reading() as session:
        request = get_request(session, asking.lead, request_id)
    assert request.summary.state is RequestState.PARTLY_APPROVED
    assert {line.asset: (line.asked, line.granted) for line in request.summary.lines} == {
        H100: (400 * HOUR, 300 * HOUR),
        "cpu": (80 * HOUR, 0),
    }
    assert request.decided_by == "Deputy"
    assert [(event.deed, event.state_after, event.message) for event in request.events] == [
        (Deed.DRAFT, RequestState.DRAFT, ""),
        (Deed.SUBMIT, RequestState.SUBMITTED, ""),
        (Deed.START_REVIEW, RequestState.UNDER_REVIEW, ""),
        (Deed.RETURN, RequestState.RETURNED, "How many epochs?"),
        (Deed.EDIT, RequestState.RETURNED, ""),
        (Deed.SUBMIT, RequestState.SUBMITTED, "Ninety."),
        (Deed.APPROVE_PARTLY, RequestState.PARTLY_APPROVED, "The cluster is full."),
    ]
    assert told(asking, asking.lead) == [
        "request.under_review",
        "request.returned",
        "request.partly_approved",
    ]
    assert told(asking, asking.chief) == ["request.submitted", "request.submitted"]
    assert told(asking, asking.city.chips.member) == []


def test_who_left_since_they_asked_is_not_told_what_was_granted(asking: Asking) -> None:
    request_id = submitted(asking)

    def leave(connection: Connection) -> None:
        connection.execute(delete(ProjectMember).where(col(ProjectMember.user_id) == asking.lead.user_id))

    transact(asking.services.engine, leave)
    approve_request(asking.services, asking.chief, request_id)
    assert told(asking, asking.lead) == []


def test_two_administrators_decide_at_once_and_one_wins(asking: Asking) -> None:
    request_id = submitted(asking)

    def decide(actor: Actor) -> UUID | RequestNotOpen | None:
        try:
            return approve_request(asking.services, actor, request_id)
        except RequestNotOpen as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(decide, [asking.chief, asking.deputy] * 4))
    losers = [outcome for outcome in outcomes if isinstance(outcome, RequestNotOpen)]
    assert len(losers) == 7
    assert {error.by for error in losers} <= {"Chief", "Deputy"}
    assert "approved since" in str(losers[0])
    assert available(asking, H100) == 500 * HOUR


def test_approval_and_denial_at_once_do_one_of_them(asking: Asking) -> None:
    request_id = submitted(asking)

    def attempt(yes: bool) -> bool:  # noqa: FBT001 - which of the two
        try:
            if yes:
                approve_request(asking.services, asking.chief, request_id)
            else:
                deny_request(asking.services, asking.deputy, request_id, message="No.")
        except RequestNotOpen:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(attempt, [True, False]))
    assert sum(done) == 1
    assert available(asking, H100) == (500 * HOUR if done[0] else 0)
    assert state_of(asking, request_id) is (RequestState.APPROVED if done[0] else RequestState.DENIED)


def test_a_request_that_changed_since_it_was_read_is_not_decided(asking: Asking) -> None:
    request_id = submitted(asking)
    with asking.services.reading() as session:
        read = get_request(session, asking.chief, request_id).version
    return_request(asking.services, asking.deputy, request_id, message="Twice as much?")
    edit_request(
        asking.services, asking.lead, request_id, replace(asking.wanted(), lines={H100: 1000 * HOUR})
    )
    submit_request(asking.services, asking.lead, request_id, message="Yes.")
    with pytest.raises(RequestNotOpen):
        approve_request(asking.services, asking.chief, request_id, version=read)
    assert available(asking, H100) == 0


def test_an_increase_and_an_extension_change_the_allocation_itself(asking: Asking) -> None:
    allocation_id = current_allocation(asking)
    before = available(asking, "VND")
    more = submitted(
        asking, WantedQuota(RequestKind.INCREASE, {"VND": 5_000_000}, purpose="more of the same")
    )
    assert approve_request(asking.services, asking.chief, more) == allocation_id
    assert available(asking, "VND") == before + 5_000_000

    with asking.services.reading() as session:
        ends = session.connection().scalar(
            select(col(Allocation.valid_to)).where(col(Allocation.id) == allocation_id)
        )
    assert isinstance(ends, datetime)
    longer = submitted(
        asking,
        WantedQuota(RequestKind.EXTEND, valid_to=ends + timedelta(days=60), purpose="the foundry is late"),
    )
    approve_request(asking.services, asking.chief, longer)
    assert available(asking, "VND", ends + timedelta(days=59)) == before + 5_000_000


def test_only_what_an_allocation_has_can_be_increased(asking: Asking) -> None:
    wanted = WantedQuota(RequestKind.INCREASE, {H100: 10 * HOUR}, purpose="a GPU where there was money")
    with pytest.raises(InvalidEntry) as refused:
        draft_request(asking.services, asking.lead, "chips", wanted)
    assert fields_of(refused.value) == {f"lines.{H100}"}


def test_a_renewal_begins_where_the_old_allocation_ends(asking: Asking) -> None:
    with asking.services.reading() as session:
        ends = session.connection().scalar(
            select(col(Allocation.valid_to)).where(col(Allocation.id) == current_allocation(asking))
        )
    assert isinstance(ends, datetime)
    wanted = replace(
        asking.wanted(RequestKind.RENEW),
        valid_from=ends - timedelta(days=1),
        valid_to=ends + timedelta(days=90),
    )
    with pytest.raises(InvalidEntry) as refused:
        draft_request(asking.services, asking.lead, "chips", wanted)
    assert fields_of(refused.value) == {"valid_from"}
    approve_request(asking.services, asking.chief, submitted(asking, replace(wanted, valid_from=ends)))
    assert available(asking, H100, ends + timedelta(days=1)) == 500 * HOUR


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": {}}, "lines"),
        ({"lines": {H100: 0}}, f"lines.{H100}"),
        ({"lines": {H100: -HOUR}}, f"lines.{H100}"),
        ({"lines": {H100: 10**18}}, f"lines.{H100}"),
        ({"lines": {H100: 1.5}}, f"lines.{H100}"),
        ({"lines": {"gres/gpu:b300": HOUR}}, "lines.gres/gpu:b300"),
        ({"lines": {"gpus": HOUR}}, "lines.gpus"),
        ({"lines": {f"license/f{n}": HOUR for n in range(41)}}, "lines"),
        ({"valid_to": None}, "valid_to"),
        ({"valid_from": datetime(2026, 3, 2)}, "valid_from"),  # noqa: DTZ001 - that is the mistake
        ({"valid_to": datetime.fromisoformat("2026-03-01T00:00:00Z")}, "valid_to"),
        ({"valid_from": datetime.fromisoformat("2026-02-01T00:00:00Z")}, "valid_from"),
        ({"valid_to": datetime.fromisoformat("2036-02-01T00:00:00Z")}, "valid_to"),
        ({"kind": RequestKind.SURGE, "valid_to": datetime.fromisoformat("2026-09-01T00:00:00Z")}, "valid_to"),
        ({"kind": RequestKind.EXTEND}, "lines"),
        ({"kind": RequestKind.INCREASE, "allocation_id": UUID(int=7)}, "allocation_id"),
        ({"purpose": "x" * 4001}, "purpose"),
        ({"purpose": "tape\0out"}, "purpose"),
        ({"reasons": {H100: "x" * 4001}}, f"reason.{H100}"),
    ],
)
def test_what_makes_no_sense_names_its_field_and_stores_nothing(
    asking: Asking, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidEntry) as refused:
        draft_request(asking.services, asking.lead, "chips", replace(asking.wanted(), **changes))  # type: ignore[arg-type]
    assert field in fields_of(refused.value)
    assert count(asking, RequestEvent) == 0


def test_a_draft_may_lack_its_purpose_but_is_not_submitted_so(asking: Asking) -> None:
    request_id = draft_request(asking.services, asking.lead, "chips", asking.wanted(purpose=""))
    with pytest.raises(InvalidEntry) as refused:
        submit_request(asking.services, asking.lead, request_id)
    assert fields_of(refused.value) == {"purpose"}
    assert state_of(asking, request_id) is RequestState.DRAFT
    assert told(asking, asking.chief) == []


def test_a_draft_that_grew_old_is_not_submitted(asking: Asking) -> None:
    request_id = draft_request(asking.services, asking.lead, "chips", asking.wanted(days=3))
    asking.clock.at += timedelta(days=5)
    with pytest.raises(InvalidEntry) as refused:
        submit_request(asking.services, asking.lead, request_id)
    assert fields_of(refused.value) == {"valid_to"}


def test_the_same_is_not_asked_twice_for_a_time_that_overlaps(asking: Asking) -> None:
    first = submitted(asking)
    second = draft_request(asking.services, asking.lead, "chips", asking.wanted(days=10))
    with pytest.raises(InvalidEntry) as refused:
        submit_request(asking.services, asking.lead, second)
    assert str(first) in str(refused.value)
    withdraw_request(asking.services, asking.lead, first)
    submit_request(asking.services, asking.lead, second)
    assert state_of(asking, second) is RequestState.SUBMITTED


@pytest.mark.parametrize(
    "granted",
    [{}, {H100: 0}, {H100: 500 * HOUR}, {H100: 501 * HOUR}, {H100: -1}, {"cpu": HOUR}],
)
def test_a_part_is_less_than_all_and_more_than_nothing(asking: Asking, granted: dict[str, int]) -> None:
    request_id = submitted(asking)
    with pytest.raises(InvalidEntry):
        approve_partly(asking.services, asking.chief, request_id, granted=granted, message="so be it")
    assert state_of(asking, request_id) is RequestState.SUBMITTED
    assert available(asking, H100) == 0


def test_all_of_it_for_a_shorter_time_is_a_part(asking: Asking) -> None:
    request_id = submitted(asking)
    end = asking.clock.at + timedelta(days=10)
    approve_partly(
        asking.services,
        asking.chief,
        request_id,
        granted={H100: 500 * HOUR},
        valid_to=end,
        message="until maintenance",
    )
    assert available(asking, H100) == 500 * HOUR
    assert available(asking, H100, end) == 0


def test_a_no_or_a_question_needs_words(asking: Asking) -> None:
    request_id = submitted(asking)
    for decide in (deny_request, return_request):
        with pytest.raises(InvalidEntry) as refused:
            decide(asking.services, asking.chief, request_id, message="  ")
        assert fields_of(refused.value) == {"message"}
    assert state_of(asking, request_id) is RequestState.SUBMITTED


def test_a_period_that_ended_while_it_waited_is_not_granted(asking: Asking) -> None:
    request_id = submitted(asking, asking.wanted(days=3))
    asking.clock.at += timedelta(days=5)
    with pytest.raises(InvalidEntry) as refused:
        approve_request(asking.services, asking.chief, request_id)
    assert fields_of(refused.value) == {"valid_to"}
    assert state_of(asking, request_id) is RequestState.SUBMITTED


def test_what_the_ledger_refuses_leaves_the_request_open(asking: Asking) -> None:
    wanted = WantedQuota(RequestKind.INCREASE, {"VND": 5_000_000}, purpose="more of the same")
    request_id = submitted(asking, wanted)
    transact(
        asking.services.engine,
        lambda connection: connection.execute(update(Allocation).values(state=AllocationState.CLOSED)),
    )
    transfers = count(asking, Transfer)
    with pytest.raises(Exception, match="closed"):
        approve_request(asking.services, asking.chief, request_id)
    assert state_of(asking, request_id) is RequestState.SUBMITTED
    assert count(asking, Transfer) == transfers
    assert told(asking, asking.lead) == []


def test_only_those_who_lead_ask_and_only_administrators_decide(asking: Asking) -> None:
    services = asking.services
    with pytest.raises(NotAllowed):
        draft_request(services, asking.city.chips.member, "chips", asking.wanted())
    with pytest.raises(ProjectNotFound):
        draft_request(services, asking.city.rivals.lead, "chips", asking.wanted())
    request_id = submitted(asking)
    with pytest.raises(NotFound):
        withdraw_request(services, asking.city.rivals.lead, request_id)
    for person in (asking.lead, asking.city.chips.member, asking.auditor):
        with pytest.raises(NotAllowed):
            approve_request(services, person, request_id)
    with pytest.raises(NotFound):
        approve_request(services, asking.city.rivals.lead, request_id)
    with pytest.raises(NotAllowed):
        withdraw_request(services, asking.city.chips.member, request_id)
    assert state_of(asking, request_id) is RequestState.SUBMITTED


def test_a_draft_is_seen_by_those_who_may_submit_it_and_nobody_elses_is_seen(asking: Asking) -> None:
    draft = draft_request(asking.services, asking.lead, "chips", asking.wanted())
    with asking.services.reading() as session:
        seen = {
            person.username: [item.id for item in list_requests(session, person).items]
            for person in (asking.lead, asking.city.chips.member, asking.city.rivals.lead, asking.auditor)
        }
        assert count_inbox(session) == 0
    assert seen == {"chips-lead": [draft], "chips-member": [], "rivals-lead": [], "auditor": []}
    submit_request(asking.services, asking.lead, draft)
    with asking.services.reading() as session:
        assert [item.id for item in list_inbox(session, asking.chief)] == [draft]
        assert [item.id for item in list_requests(session, asking.city.chips.member).items] == [draft]
        assert list_requests(session, asking.city.rivals.lead).items == ()
        assert list_requests(session, asking.lead, RequestFilter(states=[RequestState.DENIED])).items == ()
        with pytest.raises(NotAllowed):
            list_inbox(session, asking.lead)


def test_what_is_over_cannot_be_done_again(asking: Asking) -> None:
    request_id = submitted(asking)
    deny_request(asking.services, asking.chief, request_id, message="Not for mining.")
    attempts: list[Callable[[], object]] = [
        lambda: submit_request(asking.services, asking.lead, request_id),
        lambda: withdraw_request(asking.services, asking.lead, request_id),
        lambda: edit_request(asking.services, asking.lead, request_id, asking.wanted()),
        lambda: approve_request(asking.services, asking.deputy, request_id),
        lambda: deny_request(asking.services, asking.deputy, request_id, message="Again."),
        lambda: start_review(asking.services, asking.deputy, request_id),
    ]
    for attempt in attempts:
        with pytest.raises(RequestNotOpen, match="denied since"):
            attempt()


def test_a_list_is_read_page_by_page(asking: Asking) -> None:
    made = [draft_request(asking.services, asking.lead, "chips", asking.wanted(days=n)) for n in range(1, 6)]
    with asking.services.reading() as session:
        first = list_requests(session, asking.lead, limit=3)
        assert first.next_cursor
        rest = list_requests(session, asking.lead, limit=3, before=UUID(first.next_cursor))
    assert [item.id for item in (*first.items, *rest.items)] == made[::-1]
    assert rest.next_cursor is None


def test_the_same_key_drafts_once(asking: Asking) -> None:
    wanted = asking.wanted()
    first = draft_request(asking.services, asking.lead, "chips", wanted, key="k1")
    assert draft_request(asking.services, asking.lead, "chips", wanted, key="k1") == first
    assert count(asking, RequestEvent) == 1


def test_the_same_key_sent_twice_at_once_drafts_once(asking: Asking) -> None:
    wanted = asking.wanted()
    with ThreadPoolExecutor(6) as pool:
        made = list(
            pool.map(
                lambda _: draft_request(asking.services, asking.lead, "chips", wanted, key="k1"), range(6)
            )
        )
    assert len(set(made)) == 1
    assert count(asking, RequestEvent) == 1


def test_of_two_that_ask_for_the_same_at_once_one_is_submitted(asking: Asking) -> None:
    drafts = [
        draft_request(asking.services, asking.lead, "chips", asking.wanted(days=days)) for days in (5, 6, 7)
    ]

    def attempt(request_id: UUID) -> bool:
        try:
            submit_request(asking.services, asking.lead, request_id)
        except InvalidEntry:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(attempt, drafts)) == 1


def test_nothing_is_granted_to_what_was_closed_meanwhile(asking: Asking) -> None:
    request_id = submitted(asking)
    transact(
        asking.services.engine,
        lambda connection: connection.execute(
            update(Project)
            .where(col(Project.id) == asking.city.chips.project_id)
            .values(state=TenantState.CLOSED)
        ),
    )
    with pytest.raises(InvalidEntry) as refused:
        approve_request(asking.services, asking.chief, request_id)
    assert fields_of(refused.value) == {"project"}
    deny_request(asking.services, asking.chief, request_id, message="The project is closed.")


def test_the_history_cannot_be_rewritten(asking: Asking) -> None:
    submitted(asking)
    with pytest.raises(IntegrityError):
        transact(
            asking.services.engine,
            lambda connection: connection.execute(update(RequestEvent).values(message="It was not me.")),
        )


def test_storage_is_granted_as_a_line_of_an_allocation(asking: Asking) -> None:
    request_id = submitted(asking, asking.wanted(lines={"storage": 2048}))
    transfers = count(asking, Transfer)
    approve_request(asking.services, asking.chief, request_id)
    assert state_of(asking, request_id) is RequestState.APPROVED
    assert count(asking, Transfer) == transfers + 1
    with asking.services.engine.connect() as connection:
        found = balance(connection, asking.city.chips.project_id, asking.clock.now()).by_asset
    assert (found["storage"].available, found["storage"].held, found["storage"].consumed) == (2048, 0, 0)


def test_a_shortage_becomes_the_request_that_mends_it(asking: Asking) -> None:
    services = asking.services
    wanted = wanted_for_shortage(services, asking.lead, "chips", {"VND": 1_234_567})
    assert (wanted.kind, wanted.lines) == (RequestKind.INCREASE, {"VND": 1_235_000})
    assert wanted.allocation_id == current_allocation(asking)
    first = wanted_for_shortage(services, asking.lead, "chips", {H100: HOUR + 1})
    assert (first.kind, first.lines, first.allocation_id) == (RequestKind.NEW, {H100: 2 * HOUR}, None)
    both = wanted_for_shortage(services, asking.lead, "chips", {"VND": 1, H100: 1})
    assert (both.kind, both.lines) == (RequestKind.NEW, {"VND": 1000, H100: HOUR}), "no allocation has both"
    for one in (wanted, first, both):
        draft_request(services, asking.lead, "chips", one)
    with pytest.raises(ProjectNotFound):
        wanted_for_shortage(services, asking.city.rivals.lead, "chips", {"VND": 1})
