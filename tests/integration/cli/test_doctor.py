"""`hpc-portal doctor` names what is wrong, and changes nothing."""

import multiprocessing
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from multiprocessing import Queue
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings, SlurmSettings, SmtpSettings
from hpc_portal.app.telemetry.settings import TracingSettings
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.doctor.data import look_at_data
from hpc_portal.cli.doctor.files import look_at_machine
from hpc_portal.cli.doctor.finding import Finding, Level
from hpc_portal.cli.doctor.network import look_at_network
from tests.integration.cli.conftest import run_program
from tests.ports import free_port
from tests.small_collector import Mood, small_collector

NOBODY = 65_534


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    settings = Settings(state_dir=tmp_path / "state", database_url=database_url)
    upgrade(settings)
    return settings


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = build_engine(settings)
    yield engine
    engine.dispose()


def wrong(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.about: finding.said for finding in findings if finding.level is Level.WRONG}


def test_a_new_portal_lacks_a_controller_and_nothing_else(settings: Settings, engine: Engine) -> None:
    assert wrong(look_at_data(settings, engine, quick=False)) == {
        "Controller of danang": "None is active: is hpc-portal controller running somewhere?"
    }


def test_tables_that_somebody_changed_are_named(settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_job_queue"))

    assert "ix_job_queue" in wrong(look_at_data(settings, engine, quick=True))["Schema"]


def test_a_balance_that_somebody_changed_is_found_unless_in_a_hurry(
    settings: Settings, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ledger_account (owner_kind, owner_id, kind, asset, balance, overdraft) "
                "VALUES ('programme', '00000000000070008000000000000000', 'programme', 'VND', 1000, 0)"
            )
        )

    assert "Ledger" in wrong(look_at_data(settings, engine, quick=False))
    assert "Ledger" not in wrong(look_at_data(settings, engine, quick=True))


def test_an_old_schema_and_a_database_out_of_reach_end_the_looks(settings: Settings, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "hpc-portal db upgrade" in wrong(look_at_data(settings, engine, quick=False))["Schema"]

    nowhere = Settings(database_url=f"postgresql://portal@127.0.0.1:{free_port()}/portal")
    gone = build_engine(nowhere)
    assert [finding.about for finding in look_at_data(nowhere, gone, quick=False)] == ["Database"]


def test_what_the_portal_speaks_with_and_does_not_answer_is_named(tmp_path: Path) -> None:
    port = free_port()
    key = tmp_path / "jwt.key"
    key.write_bytes(b"0" * 32)
    settings = Settings(
        slurm=SlurmSettings(url=f"http://127.0.0.1:{port}", jwt_key=key),
        smtp=SmtpSettings(host="127.0.0.1", port=port, security="none", sender="hpc@example.vn"),
        dask_scheduler=f"tcp://127.0.0.1:{port}",
    )

    assert set(wrong(look_at_network(settings))) == {"Slurm slurm", "Mail server", "Dask scheduler"}


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "jwt.key"
    settings = Settings(slurm=SlurmSettings(url="http://127.0.0.1:1", jwt_key=missing))

    assert str(missing) in " ".join(wrong(look_at_network(settings)).values())


def test_folders_that_others_read_and_full_or_missing_ones_are_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    state.chmod(0o777)
    settings = Settings(state_dir=state, public_url="http://hpc.example.vn", site_templates=tmp_path / "none")

    found = {finding.about: finding for finding in look_at_machine(settings)}

    assert found["Address"].level is Level.DOUBT
    assert found["State folder"].level is Level.WRONG
    assert found["Site templates"].level is Level.WRONG
    assert found["Workspaces"].level is Level.DOUBT


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that other accounts may pass through, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="hpc-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def look_as_somebody_else(settings: Settings, found: "Queue[dict[str, str]]") -> None:
    """Root may write everywhere."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    found.put(wrong(look_at_machine(settings)))


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_folders_that_this_account_may_not_write_or_even_see_are_told_with_what_to_do(
    passable: Path, mode: int
) -> None:
    owned = passable / "owned"
    workspaces = owned / "workspaces"
    workspaces.mkdir(parents=True, mode=0o555)
    owned.chmod(mode if os.geteuid() == 0 else mode & 0o511)
    settings = Settings(state_dir=owned, workspace_root=workspaces, site_templates=workspaces)
    processes = multiprocessing.get_context("spawn")
    told: Queue[dict[str, str]] = processes.Queue()
    process = processes.Process(target=look_as_somebody_else, args=(settings, told))
    process.start()
    found = told.get(timeout=60)
    process.join()
    owned.chmod(0o700)
    assert f"{workspaces} cannot be written: Permission denied" in found["Workspaces"]
    assert f"chown {somebody_else()} {workspaces}" in found["Workspaces"]
    assert ("Site templates" in found) == (mode == 0o700)


def somebody_else() -> str:
    return pwd.getpwuid(NOBODY if os.geteuid() == 0 else os.geteuid()).pw_name


def test_the_command_says_it_in_words_as_json_and_by_its_exit_code(tmp_path: Path) -> None:
    environment = {"HPC_PORTAL_STATE_DIR": str(tmp_path / "state")}
    early = run_program("hpc-portal", "--lang", "vi", "doctor", environment=environment)
    assert early.code == 1
    assert "hpc-portal db upgrade" in early.stdout

    assert run_program("hpc-portal", "db", "upgrade", environment=environment).code == 0
    done = run_program("hpc-portal", "doctor", "--json", environment=environment)

    assert done.code == 1
    levels = {finding["about"]: finding["level"] for finding in done.json}
    assert levels["Ledger"] == "well"
    assert levels["Controller of danang"] == "wrong"


def test_a_collector_that_takes_nothing_is_doubtful_and_one_that_takes_traces_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=let-us-in")
    with small_collector() as collector:
        tracing = TracingSettings(endpoint=collector.url)
        levels = []
        for collector.mood in (Mood.TAKES, Mood.REFUSES):
            (found,) = look_at_network(Settings(tracing=tracing))
            assert found.about == "Traces"
            assert collector.url in found.said
            levels.append(found.level)
        assert collector.headers[0]["x-collector-key"] == "let-us-in"
    (found,) = look_at_network(Settings(tracing=tracing))
    assert [*levels, found.level] == [Level.WELL, Level.DOUBT, Level.DOUBT]


@pytest.mark.parametrize("command", [["web"], ["controller"], ["serve"], ["doctor", "--quick"]])
def test_without_the_extra_nothing_starts_that_should_send_traces(command: list[str], tmp_path: Path) -> None:
    """The packages are there; a folder in front of them makes their import fail as if they were not."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['opentelemetry.sdk'] = None\n", encoding="utf-8"
    )
    environment = {
        "PYTHONPATH": str(tmp_path),
        "HPC_PORTAL_STATE_DIR": str(tmp_path / "state"),
        "HPC_PORTAL_PORT": "0",
        "HPC_PORTAL_TRACING__ENDPOINT": "http://127.0.0.1:9",
    }
    ran = run_program("hpc-portal", *command, environment=environment)
    assert ran.code == 1
    assert "pip install 'hpc-portal[otel]'" in " ".join((ran.stdout + ran.stderr).split())
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "state" / "portal.db").exists()


def test_a_wrong_variable_of_the_sdk_is_said_and_no_traceback(tmp_path: Path) -> None:
    environment = {
        "HPC_PORTAL_STATE_DIR": str(tmp_path / "state"),
        "HPC_PORTAL_PORT": "0",
        "HPC_PORTAL_TRACING__ENDPOINT": "http://127.0.0.1:9",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "soon",
    }
    ran = run_program("hpc-portal", "web", environment=environment)
    assert ran.code == 1
    assert "OTEL_*" in ran.stderr
    assert "soon" in ran.stderr
    assert "Traceback" not in ran.stderr
