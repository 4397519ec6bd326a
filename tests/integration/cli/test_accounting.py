"""`hpc-portal accounting`: an operator closes a month, checks the books and works off the list."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.settings import Settings
from quotas.discrepancies import Finding, report
from quotas.usage_tables import DiscrepancyKind
from tests.integration.cli.test_operator import operator

pytestmark = pytest.mark.xdist_group("cli-accounting")

LOST = Finding(DiscrepancyKind.NO_RECORD, "no_record:lost", {"cluster": "dask", "task_index": 0})


def test_an_operator_keeps_the_books(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert operator(state, "db", "upgrade").code == 0
    good = operator(state, "accounting", "verify", "--json")
    assert (good.code, good.json["ledger"]) == (0, [])
    assert operator(state, "accounting", "close", "2026-13").code == 2
    closed = operator(state, "accounting", "close", "2020-01")
    assert (closed.code, len(closed.stdout.strip())) == (0, 64)
    assert operator(state, "accounting", "close", "2020-01").code == 1
    [month] = [
        month for month in operator(state, "accounting", "months", "--json").json if month["is_closed"]
    ]
    assert (month["month"], month["sha256"]) == ("2020-01-01", closed.stdout.strip())

    engine = create_engine(Settings(state_dir=state).effective_database_url)
    transact(engine, lambda connection: report(connection, [LOST], at=SystemClock().now()))
    engine.dispose()
    [item] = operator(state, "accounting", "list", "--json").json
    number = str(item["found"]["id"])
    assert operator(state, "accounting", "explain", number, "--reason", "The node burnt.").code == 0
    assert operator(state, "accounting", "resolve", number, "--reason", "again").code == 1
    assert operator(state, "accounting", "list", "--json").json == []
    [decided] = operator(state, "accounting", "list", "--all", "--json").json
    assert (decided["found"]["state"], decided["found"]["reason"]) == ("explained", "The node burnt.")
