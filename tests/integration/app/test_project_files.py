"""A project's shared files: what arrives is whole, nothing leads out of it, what destroys is recorded."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.read import AuditFilter, list_audit
from hpc_portal.app.errors import (
    FileExists,
    FileNotInWorkspace,
    InvalidEntry,
    NoRoomForFile,
    NotAllowed,
    ProjectNotFound,
    TenantNotActive,
    UploadOutOfStep,
)
from hpc_portal.app.files.list_files import list_files
from hpc_portal.app.files.shared_folder import keep_only, let_pass
from hpc_portal.app.project_files.make_folder import make_folder
from hpc_portal.app.project_files.move import move_file
from hpc_portal.app.project_files.place import files_to_see
from hpc_portal.app.project_files.receive import (
    Receipt,
    WantedPart,
    begin_part,
    cancel_upload,
    received_bytes,
)
from hpc_portal.app.project_files.remove import remove_file, what_is_there
from hpc_portal.app.project_files.search import search_files
from hpc_portal.app.storage.queries import project_storage
from hpc_portal.app.tables import GlobalRole
from hpc_portal.app.tenants.change_state import StateChange, change_project_state
from quotas.errors import StorageExceeded
from quotas.tables import TenantState
from tests.integration.app.conftest import Story
from tests.integration.app.test_storage import GIB, give, lies_there, measure_all


def send(story: Story, path: str, content: bytes, *, actor: Actor | None = None, **how: Any) -> Receipt:  # noqa: ANN401
    """Upload a file in one part."""
    wanted = WantedPart(how.pop("upload_id", None) or uuid4(), path, len(content), **how)
    part = begin_part(story.city.services, actor or story.city.chips.member, "chips", wanted)
    try:
        part.write(content)
        return part.end()
    finally:
        part.close()


def folder_of(story: Story) -> Path:
    place = files_to_see(story.city.services, story.city.chips.member, "chips")
    return place.root / place.folder


def names_in(story: Story) -> list[str]:
    return sorted(one.name for one in folder_of(story).iterdir())


def uploads_of(story: Story) -> list[str]:
    return [one.name for one in folder_of(story).with_name("uploads").iterdir()]


def deeds(story: Story) -> list[tuple[str, Any]]:
    admin = replace(story.city.chips.lead, global_role=GlobalRole.ADMINISTRATOR)
    with story.city.services.reading() as session:
        found = list_audit(session, admin, wanted=AuditFilter(action="file"))
    return [(entry.action, entry.facts) for entry in found.items]


def test_a_file_is_there_whole_and_others_who_work_in_the_project_see_it(story: Story) -> None:
    receipt = send(story, "rtl/core/top.v", b"module top;\n")
    place = files_to_see(story.city.services, story.city.chips.lead, "chips")

    assert receipt == Receipt("rtl/core/top.v", 12, is_complete=True)
    assert [one.path for one in list_files(place.root, place.folder, "rtl/core").entries] == [
        "rtl/core/top.v"
    ]
    assert (folder_of(story) / "rtl/core/top.v").read_bytes() == b"module top;\n"
    assert uploads_of(story) == []
    assert search_files(place.root, place.folder, "TOP.v")[0][0].path == "rtl/core/top.v"
    assert deeds(story) == []


def test_an_upload_in_parts_is_seen_only_when_it_is_complete_and_resumes_where_it_broke(story: Story) -> None:
    services, member, upload = story.city.services, story.city.chips.member, uuid4()
    first = begin_part(services, member, "chips", WantedPart(upload, "big.bin", 10))
    first.write(b"01234")
    with pytest.raises(UploadOutOfStep):  # another request writes it now
        begin_part(services, member, "chips", WantedPart(upload, "big.bin", 10, offset=5))
    assert not first.end().is_complete
    first.close()

    assert received_bytes(services, member, "chips", upload) == 5
    assert received_bytes(services, story.city.chips.lead, "chips", upload) == 0, "an upload is its sender's"
    assert not (folder_of(story) / "big.bin").exists()
    with pytest.raises(UploadOutOfStep) as refused:
        begin_part(services, member, "chips", WantedPart(upload, "big.bin", 10, offset=7))
    assert refused.value.received_bytes == 5
    rest = begin_part(services, member, "chips", WantedPart(upload, "big.bin", 10, offset=5))
    rest.write(b"56789")
    assert rest.end().is_complete
    rest.close()
    assert (folder_of(story) / "big.bin").read_bytes() == b"0123456789"


def test_the_same_file_sent_again_is_no_conflict_and_another_one_is(story: Story) -> None:
    send(story, "top.v", b"same")
    assert send(story, "top.v", b"same").is_complete
    with pytest.raises(FileExists):
        send(story, "top.v", b"shorter or longer")
    with pytest.raises(FileExists):
        send(story, "top.v", b"diff")
    assert (folder_of(story) / "top.v").read_bytes() == b"same"
    assert uploads_of(story) == []


def test_overwriting_is_asked_for_recorded_and_changes_nothing_for_whoever_reads(story: Story) -> None:
    send(story, "top.v", b"old text")
    with (folder_of(story) / "top.v").open("rb") as reader:
        send(story, "top.v", b"new", overwrite=True)
        assert reader.read() == b"old text"
    assert (folder_of(story) / "top.v").read_bytes() == b"new"
    [(action, facts)] = deeds(story)
    assert (action, facts) == ("file.overwritten", {"file": "top.v", "bytes": 3, "was": {"bytes": 8}})


def test_cancelled_and_broken_uploads_leave_nothing_visible_and_are_swept(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    for number in range(2):
        part = begin_part(services, member, "chips", WantedPart(UUID(int=number), f"{number}.bin", 10))
        part.write(b"half")
        part.close()
    cancel_upload(services, member, "chips", UUID(int=0))
    cancel_upload(services, member, "chips", UUID(int=0))
    assert [name.endswith(UUID(int=1).hex) for name in uploads_of(story)] == [True]

    story.clock.advance(3600)
    measure_all(story)
    assert len(uploads_of(story)) == 1, "it can still be gone on with"
    left = folder_of(story).with_name("uploads") / uploads_of(story)[0]
    long_ago = (story.clock.now() - timedelta(days=2)).timestamp()
    os.utime(left, (long_ago, long_ago))
    (folder_of(story).with_name("uploads") / "deleted-1").mkdir()
    os.utime(folder_of(story).with_name("uploads") / "deleted-1", (long_ago, long_ago))
    story.clock.advance(3600)
    measure_all(story)
    assert uploads_of(story) == []
    assert list_files(folder_of(story).parent, "files").entries == ()


BAD_PATHS = (
    *("", ".", "/etc/passwd", "../up", "a/../../b"),
    *("line\nbreak", "tab\there", "\x1b[31mred", "evil\u202egnp.exe", "half\udcff"),
    *("đ" * 128, "/".join("a" * 40), "x/" * 600 + "x"),
)
STRANGE_NAMES = ("<img src=x onerror=alert(1)>.v", "a b'\"&.v", "%2e%2e", "-rf", "…", "C:\\x")


def test_paths_that_lead_out_break_or_mislead_are_refused(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    send(story, "here", b"1")
    for path in BAD_PATHS:
        deeds_with_it: tuple[Callable[[str], object], ...] = (
            lambda path: send(story, path, b"x"),
            lambda path: make_folder(services, member, "chips", path),
            lambda path: move_file(services, member, "chips", "here", path),
        )
        for deed in deeds_with_it:
            with pytest.raises(InvalidEntry):
                deed(path)
    assert names_in(story) == ["here"]


def test_names_that_are_only_strange_are_kept_as_they_are(story: Story) -> None:
    assert [send(story, name, b"x").path for name in STRANGE_NAMES] == list(STRANGE_NAMES)
    assert names_in(story) == sorted(STRANGE_NAMES)


def test_vietnamese_names_from_macos_are_composed(story: Story) -> None:
    assert send(story, "đo\u0302\u0300ng.v", b"x").path == "đồng.v"


def test_no_link_is_followed_by_whatever_verb(story: Story, tmp_path: Path) -> None:
    services, member = story.city.services, story.city.chips.member
    send(story, "here", b"1")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (folder_of(story) / "door").symlink_to(outside)
    (folder_of(story) / "window").symlink_to(outside / "secret")

    for path in ("door/new", "door/secret", "window/x"):
        with pytest.raises((FileExists, FileNotInWorkspace)):
            send(story, path, b"x", overwrite=True)
        with pytest.raises((FileExists, FileNotInWorkspace)):
            move_file(services, member, "chips", "here", path)
        with pytest.raises(FileNotInWorkspace):
            remove_file(services, member, "chips", path)
    with pytest.raises((FileExists, OSError)):
        make_folder(services, member, "chips", "door/inner")
    send(story, "window", b"mine", overwrite=True)
    remove_file(services, member, "chips", "door")
    assert {one.name: one.read_text() for one in outside.iterdir()} == {"secret": "secret"}
    assert not (folder_of(story) / "window").is_symlink()


def test_a_folder_that_becomes_a_link_while_a_file_arrives_leads_nowhere(
    story: Story, tmp_path: Path
) -> None:
    make_folder(story.city.services, story.city.chips.member, "chips", "rtl")
    wanted = WantedPart(uuid4(), "rtl/top.v", 1)
    part = begin_part(story.city.services, story.city.chips.member, "chips", wanted)
    part.write(b"x")
    (folder_of(story) / "rtl").rmdir()
    (folder_of(story) / "rtl").symlink_to(tmp_path)
    with pytest.raises(FileExists):
        part.end()
    part.close()
    assert not (tmp_path / "top.v").exists()
    assert uploads_of(story) == []


def test_a_folder_and_a_file_never_take_each_others_place(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    send(story, "rtl/top.v", b"x")
    for deed in (
        lambda: send(story, "rtl", b"x", overwrite=True),
        lambda: send(story, "rtl/top.v/inner", b"x"),
        lambda: make_folder(services, member, "chips", "rtl/top.v"),
        lambda: move_file(services, member, "chips", "rtl/top.v", "rtl"),
    ):
        with pytest.raises(FileExists):
            deed()
    with pytest.raises(InvalidEntry):
        move_file(services, member, "chips", "rtl", "rtl/rtl")
    assert (folder_of(story) / "rtl/top.v").read_bytes() == b"x"


def test_renaming_never_overwrites_and_is_recorded(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    send(story, "a.v", b"a")
    send(story, "b.v", b"b")
    with pytest.raises(FileExists):
        move_file(services, member, "chips", "a.v", "b.v")
    with pytest.raises(FileNotInWorkspace):
        move_file(services, member, "chips", "c.v", "d.v")
    move_file(services, member, "chips", "a.v", "old/a.v")
    assert sorted(one.name for one in folder_of(story).rglob("*.v")) == ["a.v", "b.v"]
    assert deeds(story) == [("file.moved", {"file": "old/a.v", "was": {"file": "a.v"}})]


def test_deleting_a_folder_says_before_what_it_destroys_and_leaves_a_record(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    for name in ("a.v", "b.v"):
        send(story, f"rtl/{name}", b"x" * 5000)
    there = what_is_there(files_to_see(services, member, "chips"), "rtl")
    assert (there.is_folder, there.files, there.size_bytes >= 10_000) == (True, 3, True)

    remove_file(services, member, "chips", "rtl")
    with pytest.raises(FileNotInWorkspace):
        remove_file(services, member, "chips", "rtl")
    with pytest.raises(FileNotInWorkspace):
        remove_file(services, member, "chips", "")
    assert (names_in(story), uploads_of(story)) == ([], [])
    [(action, facts)] = deeds(story)
    assert (action, facts["file"], facts["entries"]) == ("file.deleted", "rtl", 3)


def test_files_count_into_the_projects_storage_and_a_full_project_takes_none(story: Story) -> None:
    give(story, 1)
    send(story, "wave.fst", b"x" * 1_000_000)
    measure_all(story)
    with story.city.services.reading() as session:
        found = project_storage(session, story.city.chips.lead, "chips", at=story.clock.now())
    assert found.standing.allocated_bytes >= 1_000_000
    lies_there(story, GIB - 100)
    with pytest.raises(NoRoomForFile):
        send(story, "more", b"x" * 101)
    assert send(story, "less", b"x" * 100).is_complete
    lies_there(story, GIB)
    with pytest.raises(StorageExceeded, match="Delete what nobody needs"):
        send(story, "more", b"x")
    assert names_in(story) == ["less", "wave.fst"]


def test_more_bytes_than_announced_and_files_above_the_limit_are_refused(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    part = begin_part(services, member, "chips", WantedPart(uuid4(), "a", 3))
    with pytest.raises(InvalidEntry):
        part.write(b"1234")
    part.close()
    with pytest.raises(InvalidEntry):
        begin_part(services, member, "chips", WantedPart(uuid4(), "a", 101 * GIB))
    assert (names_in(story), uploads_of(story)) == ([], [])


def test_only_those_who_work_in_the_project_change_files_and_others_see_none(story: Story) -> None:
    services, stranger = story.city.services, story.city.rivals.lead
    send(story, "a", b"1")
    auditor = replace(stranger, global_role=GlobalRole.AUDITOR)
    deeds_of: list[Callable[[Actor], object]] = [
        lambda actor: send(story, "b", b"1", actor=actor),
        lambda actor: make_folder(services, actor, "chips", "b"),
        lambda actor: move_file(services, actor, "chips", "a", "b"),
        lambda actor: remove_file(services, actor, "chips", "a"),
        lambda actor: cancel_upload(services, actor, "chips", uuid4()),
    ]
    for deed in deeds_of:
        with pytest.raises(ProjectNotFound):
            deed(stranger)
        with pytest.raises(NotAllowed):
            deed(auditor)
    with pytest.raises(ProjectNotFound):
        files_to_see(services, stranger, "chips")
    assert names_in(story) == ["a"]


def test_a_suspended_project_takes_no_uploads(story: Story) -> None:
    admin = replace(story.city.chips.lead, global_role=GlobalRole.ADMINISTRATOR)
    change_project_state(story.city.services, admin, "chips", StateChange(TenantState.SUSPENDED, "unpaid"))
    story.clock.advance(2)
    with pytest.raises(TenantNotActive):
        send(story, "a", b"1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_the_gate_lets_pass_the_accounts_of_members_and_nobody_else(story: Story, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    send(story, "a", b"1")
    place = files_to_see(story.city.services, story.city.chips.member, "chips")

    def can_read(uid: int) -> bool:
        child = os.fork()
        if not child:
            try:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                (folder_of(story) / "a").read_bytes()
                os._exit(0)
            except OSError:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    with place.gate() as gate:
        let_pass(gate, 4001)
        let_pass(gate, 4002)
        assert [can_read(uid) for uid in (4001, 4002, 4003)] == [True, True, False]
        keep_only(gate, {4002, 4003})
        assert [can_read(uid) for uid in (4001, 4002, 4003)] == [False, True, False]
