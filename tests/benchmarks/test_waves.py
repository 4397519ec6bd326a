"""Waveforms of 400,000 cycles as the portal reads them, beside the bare library on the same file."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from pywellen import Waveform

from hpc_portal.app.files.wave_readers import READERS
from hpc_portal.app.files.wave_values import Radix
from hpc_portal.app.files.waves import WantedWindow, WaveSource, read_header, read_window
from tests.small_waves import icarus_waves

pytestmark = pytest.mark.benchmark

CYCLES = 400_000
NAMES = ("tb.clk", "tb.count", "tb.wide", "tb.late", "tb.load", "tb.dut.q", "tb.low")
COLUMNS = 1000
ROUNDS = 15


@pytest.mark.parametrize("form", ["fst", "vcd"])
def test_windows_of_a_long_simulation(tmp_path: Path, form: str) -> None:
    home = tmp_path / "job"
    home.mkdir()
    path = icarus_waves(home, cycles=CYCLES, forms=(form,))[form]
    source = WaveSource(tmp_path, "job", path.name, "project")
    signals = [(name, Radix.HEX) for name in NAMES]
    whole = WantedWindow(columns=COLUMNS)
    print(f"\n{form}: {path.stat().st_size / 1e6:.1f} MB, {CYCLES:,} cycles")

    opening: list[float] = []
    bare_opening: list[float] = []
    for _ in range(5):
        READERS.close()
        opening.append(_milliseconds(partial(read_header, source)))
        bare_opening.append(_milliseconds(partial(Waveform, str(path), multi_threaded=False)))
    _tell("open, a new process included", opening, bare_opening)

    first: list[float] = []
    bare_first: list[float] = []
    for _ in range(5):
        READERS.close()
        read_header(source)
        first.append(_milliseconds(partial(read_window, source, signals, whole)))
        bare = _Bare(path)
        bare_first.append(_milliseconds(partial(bare.window, 0, bare.end)))
    _tell("7 signals over the whole time, for the first time", first, bare_first)

    bare = _Bare(path)
    bare.window(0, bare.end)
    middle = bare.end // 2
    for what, begin, end in (
        ("7 signals over the whole time, again", 0, bare.end),
        ("7 signals in a thousandth of it", middle, middle + bare.end // 1000),
        ("7 signals in 100 cycles", middle, middle + 200_000),
    ):
        wanted = WantedWindow(begin, end, columns=COLUMNS)
        ours, bares = [], []
        for _ in range(ROUNDS):
            ours.append(_milliseconds(partial(read_window, source, signals, wanted)))
            bares.append(_milliseconds(partial(bare.window, begin, end)))
        _tell(what, ours, bares)
    READERS.close()


class _Bare:
    """The library and nothing else: the value at each column, which misses what changes between them."""

    def __init__(self, path: Path) -> None:
        self._waves = Waveform(str(path), multi_threaded=False)
        self._by_name = {one.full_name: one for one in self._waves.all_vars()}
        self.end = CYCLES * 2000

    def window(self, begin: int, end: int) -> list[list[object]]:
        signals = [self._by_name[name].signal for name in NAMES]
        times = [begin + (end - begin) * column // COLUMNS for column in range(COLUMNS)]
        return [[signal.value_at(at) for at in times] for signal in signals]


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _tell(what: str, ours: list[float], bare: list[float]) -> None:
    mine, theirs = statistics.median(ours), statistics.median(bare)
    print(f"{what}: {mine:,.1f} ms, bare pywellen {theirs:,.1f} ms, ratio {mine / theirs:.2f}")
