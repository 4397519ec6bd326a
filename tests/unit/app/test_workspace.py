"""A job's folder is filled once, completely, and never through a link."""

import os
import stat
from pathlib import Path
from uuid import UUID

import pytest

from hpc_portal.app.files.workspace import layout_problems, prepare_workspace, workspace_path
from schedulers.jobspec import InputFile, JobSpec

JOB = UUID("01920000-0000-7000-8000-000000000001")
RELATIVE = workspace_path(organisation="uni", account="uni-vlsi", cluster_user="lan", job_id=JOB)
SPEC = JobSpec(
    name="regression",
    script="#!/bin/bash\necho xin chào\n",
    working_directory="run",
    stdout_path="logs/%a.out",
    inputs=(
        InputFile(path="cfg/tests.json", content="{}"),
        InputFile(path="tool", content="#!/bin/sh\n", executable=True),
    ),
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_script_and_inputs_are_there_before_the_job_starts(tmp_path: Path) -> None:
    home = prepare_workspace(tmp_path / "root", RELATIVE, SPEC)

    assert home == tmp_path / "root" / "uni" / "uni-vlsi" / "lan" / str(JOB)
    assert (home / "job.sh").read_text(encoding="utf-8") == SPEC.script
    assert (home / "cfg" / "tests.json").read_text() == "{}"
    assert mode(home / "job.sh") == 0o750
    assert mode(home / "tool") == 0o750
    assert mode(home / "cfg" / "tests.json") == 0o640
    assert (home / "run").is_dir()
    assert (home / "logs").is_dir()
    assert sorted(path.name for path in home.iterdir()) == ["cfg", "job.sh", "logs", "run", "tool"]


def test_the_folder_is_private_and_those_above_cannot_be_listed(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        home = prepare_workspace(tmp_path, RELATIVE, SPEC)
    finally:
        os.umask(umask)

    assert mode(home) == 0o700
    assert mode(home.parent) == mode(tmp_path / "uni") == 0o711


def test_a_second_preparation_changes_nothing_that_the_job_changed(tmp_path: Path) -> None:
    home = prepare_workspace(tmp_path, RELATIVE, SPEC)
    (home / "cfg" / "tests.json").write_text('{"edited": true}')
    (home / "tool").unlink()

    prepare_workspace(tmp_path, RELATIVE, SPEC)

    assert (home / "cfg" / "tests.json").read_text() == '{"edited": true}'
    assert (home / "tool").read_text() == "#!/bin/sh\n"


def test_nothing_is_written_through_a_link_that_a_job_planted(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    (root / "uni" / "uni-vlsi" / "lan").mkdir(parents=True)
    (root / "uni" / "uni-vlsi" / "lan" / str(JOB)).symlink_to(outside)

    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        prepare_workspace(root, RELATIVE, SPEC)
    assert list(outside.iterdir()) == []


def test_a_planted_link_in_place_of_an_input_stays_and_leads_nowhere(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    home = prepare_workspace(tmp_path / "root", RELATIVE, SPEC)
    (home / "tool").unlink()
    (home / "tool").symlink_to(victim)

    prepare_workspace(tmp_path / "root", RELATIVE, SPEC)

    assert victim.read_text() == "precious"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"inputs": [{"path": ".", "content": ""}]}, "names no file"),
        ({"inputs": [{"path": "a", "content": ""}, {"path": "./a", "content": ""}]}, "there twice"),
        ({"inputs": [{"path": "job.sh", "content": ""}]}, "there twice"),
        ({"inputs": [{"path": "a", "content": ""}, {"path": "a/b", "content": ""}]}, "file and a folder"),
        ({"inputs": [{"path": "run", "content": ""}], "working_directory": "run/x"}, "file and a folder"),
        ({"inputs": [{"path": "ạ" * 100, "content": ""}]}, "longer than 230 bytes"),
        ({"stdout_path": "."}, "names no file"),
    ],
)
def test_what_no_folder_can_hold_is_told_at_submit(change: dict[str, object], problem: str) -> None:
    spec = JobSpec.model_validate({"name": "a", "script": "#!/bin/sh\n", **change})
    assert [problem in found.message for found in layout_problems(spec)] == [True]


def test_an_ordinary_layout_has_no_problems() -> None:
    assert layout_problems(SPEC) == []


AS_ROOT = pytest.mark.skipif("os.geteuid() != 0", reason="only root can give a folder away")
OWNER = 54_321


def owners(home: Path) -> set[int]:
    return {path.stat().st_uid for path in (home, *home.rglob("*"))}


@AS_ROOT
def test_a_given_folder_belongs_to_its_account_and_stays_readable_for_the_portals_group(
    tmp_path: Path,
) -> None:
    home = prepare_workspace(tmp_path, RELATIVE, SPEC, owner=OWNER)
    assert owners(home) == {OWNER}
    assert home.stat().st_gid == home.parent.stat().st_gid
    assert mode(home) == mode(home / "run") == mode(home / "cfg") == 0o2770
    assert mode(home / "job.sh") == 0o750
    assert (home.parent.stat().st_uid, mode(home.parent)) == (0, 0o711)


@AS_ROOT
def test_a_folder_that_a_killed_portal_left_half_given_is_given_next_time(tmp_path: Path) -> None:
    home = prepare_workspace(tmp_path, RELATIVE, SPEC, owner=OWNER)
    for path in (home, home / "cfg", home / "run"):
        os.chown(path, 0, -1)
        path.chmod(0o700)
    (home / "cfg" / "tests.json").unlink()
    prepare_workspace(tmp_path, RELATIVE, SPEC, owner=OWNER)
    assert owners(home) == {OWNER}
    assert mode(home) == mode(home / "cfg") == mode(home / "run") == 0o2770


@AS_ROOT
def test_what_an_account_put_into_its_folder_leads_the_portal_nowhere(tmp_path: Path) -> None:
    home = prepare_workspace(tmp_path, RELATIVE, SPEC, owner=OWNER)
    outside = tmp_path / "outside"
    outside.mkdir()
    (home / "cfg" / "tests.json").unlink()
    (home / "cfg").rmdir()
    (home / "cfg").symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        prepare_workspace(tmp_path, RELATIVE, SPEC, owner=OWNER)
    assert (list(outside.iterdir()), outside.stat().st_uid) == ([], 0)
