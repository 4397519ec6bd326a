"""`hpc-portal` as the person uses it who runs the portal."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from sqlmodel import Session, select

from hpc_portal.app.accounts import queries
from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.errors import WrongCredentials
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.notices.tables import Notice
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine
from hpc_portal.auth.sessions import open_session, user_of_session
from tests.forked_programs import BIN
from tests.integration.cli.conftest import Ran, run_program
from tests.portal_processes import all_processes
from tests.small_city import SilentWake

pytestmark = pytest.mark.xdist_group("cli-operator")

PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 90


def operator(state_dir: Path, *arguments: str, **variables: str) -> Ran:
    environment = {"HPC_PORTAL_STATE_DIR": str(state_dir), "HPC_PASSWORD": PASSWORD, **variables}
    return run_program("hpc-portal", *arguments, environment=environment)


@contextmanager
def opened(state_dir: Path) -> Iterator[Services]:
    settings = Settings(state_dir=state_dir)
    engine = build_engine(settings)
    commits = GroupCommit(engine)
    yield Services(settings, engine, commits, SilentWake(), SystemClock())
    commits.close()
    engine.dispose()


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@contextmanager
def serving(state_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`hpc-portal serve` on a free port; whatever it leaves behind is gone afterwards."""
    log = state_dir.parent / "serve.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(BIN / "hpc-portal"), "serve", "--port", "0"],
            env=os.environ | {"HPC_PORTAL_STATE_DIR": str(state_dir)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: b"web.listening" in log.read_bytes(), "the portal listens")
        yield process
    finally:
        process.kill()
        process.wait()
        for left in all_processes():
            if str(state_dir) in " ".join(left.info["cmdline"] or []):
                with suppress(psutil.NoSuchProcess):
                    left.kill()


def controllers(log: Path) -> list[int]:
    return [int(pid) for pid in re.findall(rb'"pid": (\d+), "event": "controller.started"', log.read_bytes())]


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_people_projects_and_budgets_are_set_up_from_the_command_line(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for command in (
        ("db", "upgrade"),
        ("user", "add", "lan", "--name", "Lan"),
        ("org", "add", "dut", "--name", "Bách khoa", "--kind", "university"),
        ("project", "add", "dut-ai", "--org", "dut", "--name", "AI"),
        ("member", "set", "lan", "--org", "dut", "--role", "member"),
        ("member", "set", "lan", "--project", "dut-ai", "--role", "lead"),
        ("grant", "dut-ai", "--vnd", "5000", "--hours", "gres/gpu:h100=2", "--reason", "test", "--key", "k"),
        ("grant", "dut-ai", "--vnd", "5000", "--hours", "gres/gpu:h100=2", "--reason", "test", "--key", "k"),
    ):
        done = operator(state, *command)
        assert done.code == 0, (command, done.stderr)
    with opened(state) as services, Session(services.engine) as session:
        authenticate(services, "lan", PASSWORD)
        [lead] = queries.list_project_members(session, OPERATOR, "dut-ai")
        assert (lead.username, lead.role) == ("lan", "lead")
        found = queries.project_balance(session, OPERATOR, "dut-ai", at=services.clock.now()).by_asset
        assert {asset: amounts.granted for asset, amounts in found.items()} == {
            "VND": 5000,
            "gres/gpu:h100": 2 * 3600,
        }


def test_who_is_locked_out_is_given_a_password_that_is_printed_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for command in (("db", "upgrade"), ("user", "add", "lan", "--name", "Lan", "--role", "administrator")):
        assert operator(state, *command).code == 0
    with opened(state) as services:
        secret = open_session(services, authenticate(services, "lan", PASSWORD))
    done = operator(state, "user", "set-password", "lan")
    assert (done.code, done.stderr) == (
        0,
        "lan has another password now, and is signed out everywhere.\n",
    )
    password = done.stdout.removesuffix("\n")
    with opened(state) as services, Session(services.engine) as session:
        lan = authenticate(services, "lan", password)
        with pytest.raises(WrongCredentials):
            authenticate(services, "lan", PASSWORD)
        assert user_of_session(services, session.connection(), secret) is None
        newest = list_audit(session, OPERATOR).items[0]
        told = session.exec(select(Notice.user_id, Notice.kind)).all()
    assert (newest.username, newest.action, newest.subject) == (None, "user.password_set", "lan")
    assert password not in str(newest)
    assert [tuple(one) for one in told] == [(lan, "password.reset")]
    assert operator(state, "user", "set-password", "nobody").code == 1


def test_a_process_waits_for_the_tables_until_somebody_has_upgraded_them(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    early = operator(state, "db", "wait", "--seconds", "1")
    assert early.code == 1
    assert "must be upgraded" in early.stderr
    assert operator(state, "db", "upgrade").code == 0
    assert operator(state, "db", "wait", "--seconds", "1").code == 0


def test_what_the_portal_refuses_fails_the_command_and_names_the_field(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert operator(state, "db", "upgrade").code == 0
    done = operator(state, "user", "add", "lan", "--name", "Lan", HPC_PASSWORD="short")
    assert done.code == 1
    assert "password: Use at least 12 characters." in done.stderr
    assert operator(state, "member", "set", "nobody", "--org", "dut", "--role", "member").code == 1
    assert operator(state, "member", "set", "lan", "--org", "dut", "--role", "king").code == 2


def test_what_the_portal_refuses_is_said_in_the_language_of_the_command(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert operator(state, "db", "upgrade").code == 0
    short = operator(state, "--lang", "vi", "user", "add", "lan", "--name", "Lan", HPC_PASSWORD="short")
    assert (short.code, "password: Hãy dùng ít nhất 12 ký tự." in short.stderr) == (1, True), short.stderr
    nobody = operator(state, "--lang", "vi", "member", "set", "lan", "--org", "dut", "--role", "member")
    assert nobody.code == 1
    assert "Ở đây không có gì bạn xem được." in nobody.stderr


def test_settings_are_shown_without_the_databases_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://portal:hunter2@db/portal"
    done = operator(tmp_path, "settings", "--json", HPC_PORTAL_DATABASE_URL=url)
    assert done.code == 0
    assert done.json["HPC_PORTAL_DATABASE_URL"] == "postgresql+psycopg://portal:********@db/portal"
    assert "hunter2" not in done.stdout


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = operator(tmp_path, "settings", HPC_PORTAL_PORT="many")
    assert done.code == 2
    assert "HPC_PORTAL_PORT" in done.stderr


def test_a_taken_port_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = operator(tmp_path / "state", "serve", "--port", port)
    assert done.code == 1
    assert f"127.0.0.1:{port} cannot be used" in done.stderr
    assert "controller.started" not in done.stderr


def test_the_controller_comes_back_and_ends_with_its_killed_parent(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with serving(tmp_path / "state") as process:
        [first] = controllers(log)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(controllers(log)) == 2, "another controller")
        second = controllers(log)[1]
        process.kill()
        process.wait()
        wait_until(lambda: not is_running(second), "the controller's end")


def test_a_sigterm_ends_the_portal_in_order(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with serving(tmp_path / "state") as process:
        wait_until(lambda: b"controller.active" in log.read_bytes(), "an active controller")
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
        assert not is_running(controllers(log)[0])
        assert b"controller.killed" not in log.read_bytes()
