"""Files of requests: what may be attached, by whom, and what becomes of hostile names."""

import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound, RequestNotOpen
from hpc_portal.app.requests.attachment_files import sweep
from hpc_portal.app.requests.attachments import (
    MOST_BYTES,
    add_attachment,
    open_attachment,
    remove_attachment,
    safe_name,
)
from hpc_portal.app.requests.draft import draft_request
from hpc_portal.app.requests.queries import get_request
from hpc_portal.app.requests.submit import submit_request
from tests.integration.requests.conftest import Asking
from tests.integration.requests.die_in_attachments import Doom, die_before_each_line

PDF = b"%PDF-1.7 plan"


@pytest.fixture
def draft(asking: Asking) -> UUID:
    return draft_request(asking.services, asking.lead, "chips", asking.wanted())


def files_on_disk(asking: Asking) -> list[Path]:
    root = asking.services.settings.effective_attachment_root
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_file_is_read_by_those_who_see_the_request(asking: Asking, draft: UUID) -> None:
    attached = add_attachment(asking.services, asking.lead, draft, name="kế hoạch.pdf", content=PDF)
    submit_request(asking.services, asking.lead, draft)
    for person in (asking.lead, asking.city.chips.member, asking.chief, asking.auditor):
        opened = open_attachment(asking.services, person, draft, attached)
        assert (opened.shown.name, b"".join(opened.pieces)) == ("kế hoạch.pdf", PDF)
    with pytest.raises(NotFound):
        open_attachment(asking.services, asking.city.rivals.lead, draft, attached)
    with pytest.raises(NotFound):
        open_attachment(asking.services, asking.lead, draft, uuid4())


def test_a_file_of_one_request_is_not_found_under_another(asking: Asking, draft: UUID) -> None:
    attached = add_attachment(asking.services, asking.lead, draft, name="plan.pdf", content=PDF)
    other = draft_request(asking.services, asking.lead, "chips", asking.wanted(days=5))
    with pytest.raises(NotFound):
        open_attachment(asking.services, asking.lead, other, attached)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.exe", b"MZ"),
        ("plan", PDF),
        ("page.html", b"<script>"),
        ("plan.pdf", b""),
        ("plan.pdf", b"MZ not a PDF"),
        ("plan.txt", b"a\0b"),
        ("plan.pdf", PDF + b"x" * MOST_BYTES),
    ],
)
def test_what_is_not_what_it_says_is_refused(asking: Asking, draft: UUID, name: str, content: bytes) -> None:
    with pytest.raises(InvalidEntry):
        add_attachment(asking.services, asking.lead, draft, name=name, content=content)
    assert files_on_disk(asking) == []


def test_an_eleventh_file_is_refused(asking: Asking, draft: UUID) -> None:
    for number in range(10):
        add_attachment(asking.services, asking.lead, draft, name=f"{number}.txt", content=b"x")
    with pytest.raises(InvalidEntry):
        add_attachment(asking.services, asking.lead, draft, name="10.txt", content=b"x")
    assert len(files_on_disk(asking)) == 10


def test_files_change_only_while_the_request_can(asking: Asking, draft: UUID) -> None:
    attached = add_attachment(asking.services, asking.lead, draft, name="plan.pdf", content=PDF)
    with pytest.raises(NotAllowed):
        add_attachment(asking.services, asking.auditor, _submitted(asking, draft), name="a.txt", content=b"x")
    with pytest.raises(RequestNotOpen):
        add_attachment(asking.services, asking.lead, draft, name="late.pdf", content=PDF)
    with pytest.raises(RequestNotOpen):
        remove_attachment(asking.services, asking.lead, draft, attached)
    assert len(files_on_disk(asking)) == 1


def _submitted(asking: Asking, draft: UUID) -> UUID:
    submit_request(asking.services, asking.lead, draft)
    return draft


def test_a_removed_file_is_gone(asking: Asking, draft: UUID) -> None:
    attached = add_attachment(asking.services, asking.lead, draft, name="plan.pdf", content=PDF)
    remove_attachment(asking.services, asking.lead, draft, attached)
    assert files_on_disk(asking) == []
    with asking.services.reading() as session:
        assert get_request(session, asking.lead, draft).attachments == ()
    with pytest.raises(NotFound):
        remove_attachment(asking.services, asking.lead, draft, attached)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\lan\\plan.pdf", "plan.pdf"),
        ("kế hoạch.pdf", "kế hoạch.pdf"),
        ('a"; filename="evil.html\r\nX: y.pdf', 'a"; filename="evil.htmlX: y.pdf'),
        ("\u202egnp.pdf", "gnp.pdf"),
        ("...", "file"),
        ("x" * 500 + ".pdf", "x" * 150 + ".pdf"),
    ],
)
def test_names_lose_what_could_mislead(given: str, kept: str) -> None:
    assert safe_name(given) == kept


def test_whoever_dies_between_two_lines_loses_no_file_and_leaves_no_row_without_one(
    asking: Asking, draft: UUID
) -> None:
    root = asking.services.settings.effective_attachment_root
    url = asking.services.engine.url.render_as_string(hide_password=False)
    process = multiprocessing.get_context("spawn").Process(
        target=die_before_each_line, args=(Doom(url, root, asking.lead, draft, PDF),)
    )
    process.start()
    process.join()
    assert process.exitcode == 0
    assert files_on_disk(asking), "some died between the file and its row"
    sweep(asking.services, unchanged_since=datetime.now(UTC) + timedelta(minutes=1))
    assert files_on_disk(asking) == []


def test_a_sweep_spares_what_belongs_to_a_request_and_what_is_young(asking: Asking, draft: UUID) -> None:
    attached = add_attachment(asking.services, asking.lead, draft, name="plan.pdf", content=PDF)
    folder = asking.services.settings.effective_attachment_root / str(draft)
    (folder / str(uuid4())).write_bytes(b"without a row")
    now = datetime.now(UTC)
    assert sweep(asking.services, unchanged_since=now - timedelta(days=7)) == 0
    assert sweep(asking.services, unchanged_since=now + timedelta(minutes=1)) == 1
    assert [path.name for path in files_on_disk(asking)] == [str(attached)]
