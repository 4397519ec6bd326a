"""Fold runs into the roll-ups, in the transaction that charges them: three statements, however many runs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import add
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from quotas.amounts import Asset
from quotas.money import VND
from quotas.periods import month_of, share_open_months
from quotas.slice_run import RecordedRun, Slice, licence_seconds, slice_run
from quotas.tables import Project, table_of
from quotas.usage_tables import (
    ANY_STATE,
    NOBODY,
    Grain,
    UsageAsset,
    UsageDay,
    UsageMeasures,
    UsageSum,
)
from schedulers import tres

Upsert: TypeAlias = postgresql.Insert | sqlite.Insert
Measures: TypeAlias = Sequence[int]
"""In the order of MEASURES."""
DayKey: TypeAlias = tuple[date, date, UUID, UUID, UUID, UUID, str, str, str, str, str]
"""The primary key of `usage_day`."""
SumKey: TypeAlias = tuple[str, date, date, UUID, UUID, UUID, UUID, str, str, str, str, str]
"""The primary key of `usage_sum`."""
AssetKey: TypeAlias = tuple[date, bool, UUID, UUID, Asset]
"""The primary key of `usage_asset`."""

MEASURES = tuple(UsageMeasures.model_fields)
_PROJECTS = table_of(Project)
_ORGANISATIONS = select(_PROJECTS.c.id, _PROJECTS.c.organisation_id).where(
    _PROJECTS.c.id.in_(bindparam("projects", expanding=True))
)
_PROJECTS_PER_QUERY = 500


class UsageBatch:
    """What the runs of one transaction add to the roll-ups, until `fold` writes it once.

    Whoever opens a batch folds it last, in the same transaction: roll-ups are locked in the order of their
    keys and after all accounts, so that no two transactions wait for each other in a circle.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[RecordedRun, int]] = []
        self._open_from: date | None = None

    def open_from(self, conn: Connection) -> date:
        """The first open month; it stays open until the transaction ends."""
        if self._open_from is None:
            self._open_from = share_open_months(conn)
        return self._open_from

    def add(self, run: RecordedRun) -> None:
        """Count a run."""
        self._runs.append((run, 1))

    def take_back(self, run: RecordedRun) -> None:
        """Count a run no more: where it was counted, or in the first open month if that one is closed."""
        self._runs.append((run, -1))

    def fold(self, conn: Connection) -> None:
        """Write what was added, and begin anew."""
        if not self._runs:
            return
        runs, self._runs = self._runs, []
        posted = [(run, sign, self.open_from(conn)) for run, sign in runs]
        write_usage(conn, *sum_usage(posted, organisations_of(conn, {run.project_id for run, _ in runs})))


def organisations_of(conn: Connection, projects: Iterable[UUID]) -> dict[UUID, UUID]:
    """Whose projects they are; a project never changes hands."""
    ids = sorted(projects)
    found: dict[UUID, UUID] = {}
    for start in range(0, len(ids), _PROJECTS_PER_QUERY):
        rows = conn.execute(_ORGANISATIONS, {"projects": ids[start : start + _PROJECTS_PER_QUERY]})
        found |= {row.id: row.organisation_id for row in rows}
    return found


def sum_usage(
    runs: Iterable[tuple[RecordedRun, int, date]], organisations: Mapping[UUID, UUID]
) -> tuple[dict[DayKey, Measures], dict[AssetKey, Measures]]:
    """What runs add to `usage_day` and `usage_asset`: each with its sign and the first open month."""
    days: dict[DayKey, Measures] = {}
    assets: dict[AssetKey, list[int]] = defaultdict(lambda: [0, 0])
    for run, sign, open_from in runs:
        gpu_type, organisation = run.gpu_type, organisations[run.project_id]
        for part in slice_run(run):
            posted_on = max(part.day, open_from)
            key = (
                posted_on,
                part.day,
                organisation,
                run.project_id,
                run.allocation_id,
                run.user_id,
                run.cluster,
                run.partition,
                run.workload,
                str(run.state),
                gpu_type,
            )
            measures = _measures(run, part)
            if sign < 0:
                measures = [-amount for amount in measures]
            known = days.get(key)
            days[key] = measures if known is None else list(map(add, known, measures))
            for asset, used, charged in _assets(run, part):
                of = assets[
                    month_of(posted_on), posted_on != part.day, run.project_id, run.allocation_id, asset
                ]
                of[0] += sign * used
                of[1] += sign * charged
    return days, dict(assets)


def coarser(days: Mapping[DayKey, Measures]) -> dict[SumKey, Measures]:
    """What these days add to `usage_sum`, at every grain."""
    sums: dict[SumKey, Measures] = {}
    for key, measures in days.items():
        for coarse in _sum_keys(key):
            known = sums.get(coarse)
            sums[coarse] = measures if known is None else list(map(add, known, measures))
    return sums


def write_usage(
    conn: Connection, days: Mapping[DayKey, Measures], assets: Mapping[AssetKey, Measures]
) -> None:
    """Add to the roll-ups, in the order of their keys."""
    _upsert(conn, _ADD_DAYS, _DAY_COLUMNS, days)
    _upsert(conn, _ADD_SUMS, _SUM_COLUMNS, coarser(days))
    _upsert(conn, _ADD_ASSETS, _ASSET_COLUMNS, assets)


def _measures(run: RecordedRun, part: Slice) -> Measures:
    """In the order of MEASURES."""
    cpu = part.tres_seconds.get(tres.CPU, 0)
    gpu = part.tres_seconds.get(tres.GPU, 0)
    mem = part.tres_seconds.get(tres.MEM, 0)
    is_free = not run.is_charged
    has_wait = part.is_last and run.waited_seconds is not None
    return (
        int(part.is_last),
        int(part.is_last and is_free),
        part.elapsed_seconds,
        cpu,
        gpu,
        mem,
        licence_seconds(part.tres_seconds),
        cpu if is_free else 0,
        gpu if is_free else 0,
        cpu if run.used_cpu_seconds is not None else 0,
        part.used_cpu_seconds,
        gpu if run.gpu_busy_seconds is not None else 0,
        part.gpu_busy_seconds,
        int(part.is_last and run.has_measured_memory),
        mem if run.has_measured_memory else 0,
        part.mem_peak_mib_seconds,
        int(has_wait),
        (run.waited_seconds or 0) if has_wait else 0,
        part.vnd + part.subsidy_vnd,
        part.subsidy_vnd,
        part.vnd,
    )


def _assets(run: RecordedRun, part: Slice) -> Iterable[tuple[Asset, int, int]]:
    """Of each asset, what was used and what was charged."""
    for name, amount in part.tres_seconds.items():
        yield name, amount, amount if run.is_charged else 0
    if list_vnd := part.vnd + part.subsidy_vnd:
        yield VND, list_vnd, part.vnd


def _sum_keys(key: DayKey) -> Iterable[SumKey]:
    posted_on, day, organisation, project, allocation, user, cluster, partition, workload, state, gpus = key
    month = month_of(posted_on)
    city = (organisation, NOBODY, NOBODY, NOBODY, cluster, partition, "", ANY_STATE, gpus)
    yield (Grain.CITY_MONTH.value, month, month, *city)
    yield (Grain.CITY_DAY.value, posted_on, day, *city)
    payer = (organisation, project, allocation, NOBODY, cluster, partition, "", ANY_STATE, gpus)
    yield (Grain.PAYER.value, month, month, *payer)
    work = (organisation, NOBODY, NOBODY, NOBODY, cluster, partition, workload, state, "")
    yield (Grain.WORK.value, month, month, *work)
    city_work = (NOBODY, NOBODY, NOBODY, NOBODY, cluster, partition, workload, state, gpus)
    yield (Grain.CITY_WORK.value, month, month, *city_work)
    yield (Grain.USER.value, month, month, organisation, project, NOBODY, user, "", "", "", ANY_STATE, "")


def _adding(table: Table, keys: Sequence[str], measures: Sequence[str]) -> Mapping[str, Upsert]:
    """An INSERT that adds to the row that is there already, by dialect."""
    statements: dict[str, Upsert] = {}
    for name, insert in (("postgresql", postgresql.insert(table)), ("sqlite", sqlite.insert(table))):
        sums = {measure: table.c[measure] + insert.excluded[measure] for measure in measures}
        statements[name] = insert.on_conflict_do_update(index_elements=list(keys), set_=sums)
    return statements


def _key_of(table: Table) -> Sequence[str]:
    return [column.name for column in table.primary_key]


_DAYS, _SUMS, _ASSETS = table_of(UsageDay), table_of(UsageSum), table_of(UsageAsset)
_ASSET_MEASURES = ("used", "charged")
_ADD_DAYS = _adding(_DAYS, _key_of(_DAYS), MEASURES)
_ADD_SUMS = _adding(_SUMS, _key_of(_SUMS), MEASURES)
_ADD_ASSETS = _adding(_ASSETS, _key_of(_ASSETS), _ASSET_MEASURES)
_DAY_COLUMNS = (*_key_of(_DAYS), *MEASURES)
_SUM_COLUMNS = (*_key_of(_SUMS), *MEASURES)
_ASSET_COLUMNS = (*_key_of(_ASSETS), *_ASSET_MEASURES)


def _upsert(
    conn: Connection, statement: Mapping[str, Upsert], columns: Sequence[str], rows: Mapping[Any, Measures]
) -> None:
    values = [
        dict(zip(columns, (*key, *measures), strict=True))
        for key, measures in sorted(rows.items())
        if any(measures)
    ]
    if values:
        conn.execute(statement[conn.dialect.name], values)
