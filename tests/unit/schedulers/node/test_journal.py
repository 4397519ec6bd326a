"""A journal says after any crash what was known before it."""

from pathlib import Path

from schedulers.dask.journal import Journal, Replayed
from schedulers.dask.messages import Command, Lane, Run, RunReport, Tenant

COMMAND = Command(Tenant("o", "p", "u"), ("true",), {}, "/w", "/w", 60, 1.0)
LANE = Lane("lane", COMMAND, tuple(Run(f"j/{i}/0/0", {}, "o", "e", "s") for i in range(3)), 1, 100, (2,))


def filled(path: Path) -> Journal:
    journal = Journal(path)
    journal.serves("startup")
    journal.executor_started(41, 1000)
    journal.executor_started(42, 2000)
    journal.executor_ended(41)
    journal.launched(LANE)
    journal.changed([RunReport("j/0/0/0", "lane", "running", started_at=5.0)])
    journal.changed([RunReport("j/0/0/0", "lane", "COMPLETED", started_at=5.0, ended_at=6.0, exit_code=0)])
    journal.changed([RunReport("j/1/0/0", "lane", "COMPLETED", ended_at=7.0, exit_code=0)])
    journal.forgotten(["j/1/0/0"])
    journal.close()
    return journal


EXPECTED = Replayed(
    reports={
        "j/0/0/0": RunReport("j/0/0/0", "lane", "COMPLETED", started_at=5.0, ended_at=6.0, exit_code=0),
        "j/2/0/0": RunReport("j/2/0/0", "lane", "queued", gpu_indices=(2,)),
    },
    executors={42: 2000},
    organisation="startup",
)


def test_it_remembers_all_but_what_was_forgotten(tmp_path: Path) -> None:
    filled(tmp_path / "journal")
    assert Journal(tmp_path / "journal").replayed == EXPECTED


def test_it_says_the_same_after_being_compacted_twice(tmp_path: Path) -> None:
    filled(tmp_path / "journal")
    for _ in range(2):
        Journal(tmp_path / "journal").close()
    assert Journal(tmp_path / "journal").replayed == EXPECTED
    assert len((tmp_path / "journal").read_bytes().splitlines()) == 4


def test_a_line_cut_off_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    filled(tmp_path / "journal")
    whole = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(whole + b'["run",{"key":"j/2/0/0","la')
    assert Journal(tmp_path / "journal").replayed == EXPECTED


def test_any_prefix_can_be_replayed(tmp_path: Path) -> None:
    filled(tmp_path / "journal")
    whole = (tmp_path / "journal").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "journal").write_bytes(whole[:length])
        assert set(Journal(tmp_path / "journal").replayed.reports) <= {"j/0/0/0", "j/1/0/0", "j/2/0/0"}


def test_compaction_is_wanted_only_when_most_is_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert not journal.wants_compaction(0)
    for _ in range(51):
        journal.changed([RunReport("j/0/0/0", "lane", "running")] * 1000)
    assert journal.wants_compaction(1)
    assert not journal.wants_compaction(40_000)
    journal.compact(Replayed({"j/0/0/0": RunReport("j/0/0/0", "lane", "running")}))
    assert not journal.wants_compaction(1)
