"""Waveforms as real simulators write them, read for a browser; and files that were made to do harm."""

import os
import random
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpc_portal.app.errors import FileNotInWorkspace, WaveformsBusy, WaveformUnreadable
from hpc_portal.app.files import wave_bounds
from hpc_portal.app.files.wave_process import TOO_LARGE, TOO_MUCH_MEMORY, TOO_SLOW, NoAnswer, WaveProcess
from hpc_portal.app.files.wave_readers import WaveReaders
from hpc_portal.app.files.wave_values import Radix
from hpc_portal.app.files.waves import (
    WantedWindow,
    WaveSource,
    address_of,
    list_entries,
    looks_like_waves,
    read_header,
    read_window,
    wanted_signal,
)
from tests.small_waves import VCD, ghdl_waves, icarus_waves

HEADER = {"ask": "header"}
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with waveforms in several forms."""
    root = tmp_path_factory.mktemp("waves")
    home = root / "chips"
    home.mkdir()
    icarus_waves(home, cycles=1000)
    ghdl_waves(home)
    (home / "small.vcd").write_bytes(VCD)
    return home


@pytest.fixture
def readers() -> Iterator[WaveReaders]:
    found = WaveReaders(most=2, seconds=PATIENCE_SECONDS)
    yield found
    found.close()


def source(folder: Path, name: str) -> WaveSource:
    return WaveSource(folder.parent, folder.name, name, "chips")


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_a_small_waveform_is_told_as_it_is_written(folder: Path) -> None:
    small = source(folder, "small.vcd")
    header = read_header(small)
    top = list_entries(small).items
    inside = list_entries(small, scope="tb").items
    signals = [
        ("tb.clk", Radix.HEX),
        ("tb.count", Radix.SIGNED),
        ("tb.dut.state", Radix.HEX),
        ("tb.tick", Radix.HEX),
    ]
    window = read_window(small, signals, WantedWindow(columns=100, at=25, samples=3))
    clk, count, state, tick = window.signals

    assert (header.format, header.factor, header.unit, header.end, header.signals) == ("VCD", 1, "ns", 100, 5)
    assert [(one.name, one.is_scope) for one in top] == [("tb", True)]
    assert [(one.label, one.kind, one.width) for one in inside] == [
        ("dut", "", 0),
        ("clk", "bit", 1),
        ("count", "bits", 8),
        ("tick", "event", 0),
    ]
    assert clk.points == [(0, "0", ""), (10, "1", ""), (20, "0", ""), (30, "1", ""), (40, "0", "")]
    assert count.points == [(0, "xx", "x"), (10, "-2", ""), (30, "5", "")]
    assert (count.value, count.since, count.until) == ("-2", 10, 30)
    assert state.points == [(0, "z", "z"), (20, "X", "x")]
    assert [time for time, _, _ in tick.points] == [20]
    assert window.sampled_at == [0, 50, 100]
    assert count.sampled == ["xx", "5", "5"]


def test_vcd_and_fst_of_one_simulation_say_the_same(folder: Path) -> None:
    names = ("tb.clk", "tb.count", "tb.wide", "tb.late", "tb.load", "tb.dut.q")
    wanted = [(name, Radix.HEX) for name in names]
    windows = []
    for form in ("vcd", "fst"):
        waves = source(folder, f"counter.{form}")
        assert read_header(waves).end == 1_999_000
        windows.append(
            [
                read_window(waves, wanted, WantedWindow(begin, end, columns=100)).signals
                for begin, end in ((0, None), (5000, 45_000))
            ]
        )

    assert windows[0] == windows[1]
    clk, count, _, late, load, _ = windows[0][1]
    assert clk.points[:3] == [(5000, "1", ""), (6000, "0", ""), (7000, "1", "")]
    assert count.points[1] == (7000, "00000004", "")
    assert late.points == [(5000, "x", "x"), (21_000, "1", "")]
    assert load.points[0] == (5000, "1.5", "")
    assert [value for _, value, _ in windows[0][0][1].points].count(None) == 1


def test_ghdl_s_own_form_is_read_with_names_of_states(folder: Path) -> None:
    waves = source(folder, "bench.ghw")
    found = list_entries(waves, search="bench now").items
    [now_in, unset] = read_window(
        waves, [("bench.now_in", Radix.HEX), ("bench.unset", Radix.HEX)], WantedWindow(at=6_000_000)
    ).signals

    assert (read_header(waves).format, read_header(waves).end) == ("GHW", 20_000_000)
    assert [one.name for one in found] == ["bench.now_in"]
    assert (now_in.value, now_in.since) == ("busy", 5_000_000)
    assert (unset.value, unset.state) == ("u", "x")


def test_a_search_finds_all_words_wherever_they_stand_and_goes_on(folder: Path) -> None:
    waves = source(folder, "counter.fst")
    first = list_entries(waves, search="TB", limit=3)
    second = list_entries(waves, search="TB", limit=50, after=first.next or 0)
    both = list_entries(waves, search="dut q").items

    assert [one.name for one in both] == ["tb.dut.q"]
    assert len(first.items) == 3
    assert not {one.name for one in first.items} & {one.name for one in second.items}
    assert second.next is None
    assert list_entries(waves, scope="no such scope").items == ()


def test_a_signal_that_is_not_there_leaves_the_others(folder: Path) -> None:
    window = read_window(
        source(folder, "small.vcd"), [("tb.gone\u202e", Radix.HEX), ("tb.clk", Radix.HEX)], WantedWindow()
    )

    assert [(one.label, one.kind, bool(one.points)) for one in window.signals] == [
        (r"tb.gone\u202e", "", False),
        ("tb.clk", "bit", True),
    ]


def test_a_growing_file_is_read_anew(folder: Path) -> None:
    growing = folder / "growing.vcd"
    growing.write_bytes(VCD[: VCD.index(b"#40")])
    before = read_header(source(folder, growing.name)).end
    growing.write_bytes(VCD)

    assert (before, read_header(source(folder, growing.name)).end) == (30, 100)


def test_links_out_of_the_workspace_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.vcd"
    secret.write_bytes(VCD)
    (folder / "link.vcd").symlink_to(secret)

    for path in ("link.vcd", "../secret.vcd", str(secret), "."):
        with pytest.raises(FileNotInWorkspace):
            read_header(source(folder, path))


def test_names_say_how_values_are_written() -> None:
    assert wanted_signal("tb.count") == ("tb.count", Radix.HEX)
    assert wanted_signal("sgn:tb.count") == ("tb.count", Radix.SIGNED)
    assert wanted_signal("a:b") == ("a:b", Radix.HEX)
    for name in ("tb.count", "dec:count", "hex:", "a:b,c d"):
        for radix in Radix:
            assert wanted_signal(address_of(name, radix)) == (name, radix)


def test_waveforms_are_known_by_how_they_begin(folder: Path) -> None:
    heads = {path.name: path.read_bytes()[:64] for path in folder.iterdir() if path.is_file()}

    for name in ("counter.vcd", "counter.fst", "bench.ghw", "small.vcd"):
        assert looks_like_waves(heads[name], name)
    assert looks_like_waves(heads["counter.fst"], "renamed.bin")
    assert not looks_like_waves(VCD, "notes.txt")
    assert not looks_like_waves(b"hello", "notes.vcd")


HEAD = b"$timescale 1ns $end\n$scope module t $end\n"
REST = b"$upscope $end\n$enddefinitions $end\n#0\nb1 !\n#10\nb0 !\n"
LOOPING_FST = b"\0" + struct.pack(">Q", 329) + b"\xff" * 400


def _hostile(folder: Path) -> dict[str, bytes]:
    """Damaged and malicious files by name."""
    vcd, fst, ghw = ((folder / name).read_bytes() for name in ("counter.vcd", "counter.fst", "bench.ghw"))
    noise = random.Random(1).randbytes(20_000)  # noqa: S311 - the same each time
    found = {
        "empty.vcd": b"",
        "noise.vcd": noise,
        "noise.fst": fst[:400] + noise,
        "noise.ghw": ghw[:64] + noise,
    }
    for form, whole in (("vcd", vcd), ("fst", fst), ("ghw", ghw)):
        for part in (10, len(whole) // 3, len(whole) - 10):
            found[f"cut-{part}.{form}"] = whole[:part]
        for seed in range(3):
            damaged, dice = bytearray(whole), random.Random(seed)  # noqa: S311 - the same each time
            for _ in range(30):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            found[f"damaged-{seed}.{form}"] = bytes(damaged)
    found["wide.vcd"] = HEAD + b"$var wire 4294967295 ! a $end\n" + REST
    found["wider.vcd"] = HEAD + b"$var wire 99999999999999999999 ! a $end\n" + REST
    found["deep.vcd"] = b"".join(b"$scope module s%d $end\n" % depth for depth in range(5000)) + REST
    found["late.vcd"] = (
        HEAD + b"$var wire 1 ! a $end\n" + REST + b"#18446744073709551615\n1!\n#" + b"9" * 30 + b"\n"
    )
    found["back.vcd"] = HEAD + b"$var wire 1 ! a $end\n" + REST + b"#5\n1!\n" * 1000
    found["names.vcd"] = (
        HEAD + "$var wire 1 ! <b>\u202e\x07 $end\n$var wire 1 ! \u202ea $end\n".encode() + REST
    )
    return found


def test_damaged_and_hostile_files_are_refused_or_shown_and_harm_nobody(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "chips").mkdir()
    for name, content in _hostile(folder).items():
        (tmp_path / "chips" / name).write_bytes(content)
        waves = source(tmp_path / "chips", name)
        try:
            shown = list_entries(waves, search="a t", limit=20).items
            window = read_window(waves, [(one.name, Radix.HEX) for one in shown], WantedWindow(samples=3))
        except WaveformUnreadable:
            continue
        assert all(one.label.isprintable() for one in shown)
        assert sum(len(one.points) for one in window.signals) <= wave_bounds.MOST_POINTS + 2 * len(shown) + 2
        assert 0 <= window.begin < window.end <= wave_bounds.MOST_TIME

    assert read_header(source(folder, "small.vcd")).end == 100


def test_a_file_that_makes_the_library_loop_is_given_up_and_not_tried_again_at_once(tmp_path: Path) -> None:
    path = tmp_path / "loop.fst"
    path.write_bytes(LOOPING_FST)
    readers = WaveReaders(most=2, seconds=1.0)
    with opened(path) as descriptor:
        with pytest.raises(NoAnswer) as refused:
            readers.ask(descriptor, "chips", dict(HEADER))
        with pytest.raises(NoAnswer) as again:
            readers.ask(descriptor, "chips", dict(HEADER))

    assert refused.value.why == again.value.why == TOO_SLOW
    assert (refused.value.is_dead, again.value.is_dead) == (True, False)
    readers.close()


def test_more_signals_than_we_list_are_refused(tmp_path: Path, readers: WaveReaders) -> None:
    path = tmp_path / "many.vcd"
    count = wave_bounds.MOST_VARIABLES + 1
    path.write_bytes(HEAD + b"".join(b"$var wire 1 ! s%d $end\n" % number for number in range(count)) + REST)
    with opened(path) as descriptor, pytest.raises(NoAnswer) as refused:
        readers.ask(descriptor, "chips", dict(HEADER))

    assert refused.value.why == TOO_MUCH_MEMORY


def test_files_that_are_too_large_are_not_even_opened(tmp_path: Path, readers: WaveReaders) -> None:
    path = tmp_path / "large.vcd"
    path.write_bytes(VCD)
    os.truncate(path, wave_bounds.MOST_FILE_BYTES + 1)
    with opened(path) as descriptor, pytest.raises(NoAnswer) as refused:
        readers.ask(descriptor, "chips", dict(HEADER))

    assert refused.value.why == TOO_LARGE


def test_a_process_is_kept_for_the_next_question_and_replaced_when_it_is_gone(
    folder: Path, readers: WaveReaders
) -> None:
    with opened(folder / "small.vcd") as descriptor:
        readers.ask(descriptor, "chips", dict(HEADER))
        [first] = readers._idle.values()
        readers.ask(descriptor, "chips", dict(HEADER))
        [second] = readers._idle.values()
        second._process.kill()
        second._process.wait()
        found = readers.ask(descriptor, "chips", dict(HEADER))
        [third] = readers._idle.values()

    assert first is second
    assert third is not second
    assert found["end"] == 100


def test_there_are_never_more_processes_than_allowed(folder: Path, readers: WaveReaders) -> None:
    for name in ("small.vcd", "counter.vcd", "counter.fst"):
        with opened(folder / name) as descriptor:
            readers.ask(descriptor, "chips", dict(HEADER))
            alive = [one for one in readers._idle.values() if one.is_alive]
            assert len(alive) <= 2


def test_one_project_cannot_keep_all_others_waiting(folder: Path) -> None:
    readers = WaveReaders(most=2, seconds=PATIENCE_SECONDS)
    readers._asked[0, 0, 0, 0] = "greedy"
    with opened(folder / "small.vcd") as descriptor:
        assert readers.ask(descriptor, "chips", dict(HEADER))["end"] == 100
        readers._seconds = 0.1
        with pytest.raises(WaveformsBusy):
            readers.ask(descriptor, "greedy", dict(HEADER))
    readers.close()


def test_who_asks_too_much_is_asked_to_come_again(folder: Path, readers: WaveReaders) -> None:
    readers._questions["chips"] = wave_bounds.MOST_QUESTIONS_OF_A_PROJECT
    with opened(folder / "small.vcd") as descriptor:
        with pytest.raises(WaveformsBusy):
            readers.ask(descriptor, "chips", dict(HEADER))
        assert readers.ask(descriptor, "others", dict(HEADER))["end"] == 100


def test_the_process_has_no_secrets_and_limits_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPC_PORTAL_SECRET_KEY", "do not tell")
    with opened(folder / "small.vcd") as descriptor:
        process = WaveProcess(descriptor)
        try:
            process.ask(dict(HEADER), deadline=time.monotonic() + PATIENCE_SECONDS)
            facts = Path(f"/proc/{process.pid}")
            environment = (facts / "environ").read_bytes()
            limits = (facts / "limits").read_text().splitlines()
            open_files = {str(one.readlink()) for one in (facts / "fd").iterdir()}
        finally:
            process.stop()

    assert b"do not tell" not in environment
    assert any(
        line.startswith("Max data size") and str(wave_bounds.MOST_MEMORY_BYTES) in line for line in limits
    )
    assert any(line.startswith("Max file size") and " 0 " in line for line in limits)
    assert {one for one in open_files if one.startswith(str(folder.parent))} == {str(folder / "small.vcd")}
